"""How often, and after which pause, something is started again."""

from __future__ import annotations

from divainfer.dispatcher.budget import RestartBudget


def test_the_pause_doubles_up_to_the_longest_and_progress_makes_it_short_again():
    budget = RestartBudget(5, 0.5, 3.0)
    assert [budget.spend() for _ in range(6)] == [0.5, 1.0, 2.0, 3.0, 3.0, None]
    budget.progress()
    assert budget.spend() == 0.5


def test_without_a_longest_pause_it_goes_on_doubling():
    budget = RestartBudget(8, 1.0)
    assert [budget.spend() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 64, 128, None]

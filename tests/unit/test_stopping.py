"""How the time between a signal and the end is divided."""

from __future__ import annotations

import pytest

from divainfer.dispatcher.pool import drain_seconds


@pytest.mark.parametrize("grace,seconds", [(0, 0), (3, 2), (9, 6), (15, 10), (60, 55), (3600, 3595)])
def test_a_part_of_the_grace_is_kept_for_the_last_commit(grace, seconds):
    assert drain_seconds(grace) == pytest.approx(seconds)

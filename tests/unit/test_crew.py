"""A crew's life without processes: stand-ins for its children, and a clock that is told the time."""

from __future__ import annotations

from divainfer.dispatcher.crew import CLOSED, PAUSED, UP, Crew, Deadlines, LoaderLost, Lost
from divainfer.dispatcher.devices import CPU
from divainfer.histogram import Times
from divainfer.messages import WorkerStats


class Process:
    """What a crew sees of a process; `killable` is False for one that hangs in the kernel."""

    def __init__(self, name, started=0.0):
        self.name = name
        self.started = started
        self.status = None
        self.killable = True

    def exit_status(self):
        return self.status

    def how_it_ended(self):
        return "ended with status {}".format(self.status)

    def signal_kill(self):
        if self.killable and self.status is None:
            self.status = -9

    def kill(self):
        self.signal_kill()
        return self.killable


def make(loaders=2):
    born = []

    def start(crew, name, address):
        born.append(Process(name))
        return born[-1]

    crew = Crew(0, CPU, loaders, start, start, lambda: "address", Deadlines(10.0, 5.0), lambda worker: [7])
    crew.start(0.0)
    return crew, born


def look(crew, now):
    """Twice, since a process's last words are waited for."""
    return crew.look(now) + crew.look(now)


def test_a_worker_and_its_loaders_start_together():
    crew, born = make()
    assert [process.name.split(".")[0] for process in born] == ["worker-0", "loader-0", "loader-0"]


def test_a_dead_worker_is_reported_with_what_it_computed_and_starts_again_after_a_pause():
    crew, born = make()
    crew.up("engine")
    born[0].status = 1
    assert look(crew, 1.0) == [Lost("worker-0", "ended with status 1", [7])]
    assert crew.state == PAUSED and all(process.status is not None for process in born), "its loaders ended with it"
    crew.look(1.5)
    assert crew.state == PAUSED
    crew.look(2.1)
    assert crew.worker == "worker-0.1"


def test_sums_and_histograms_go_on_over_restarts():
    crew, born = make()
    crew.up("engine")
    crew.heard(0.0, list(WorkerStats(images=3, queued=5)), list(Times([1, 2], [3], [])))
    born[0].status = 1
    look(crew, 1.0)
    crew.look(3.0)
    assert crew.stats == WorkerStats(images=3) and crew.times == Times([1, 2], [3], [])
    for images in (1, 4):
        crew.heard(4.0, list(WorkerStats(images=images, queued=2)), list(Times([1], [1, 1], [images])))
    assert crew.stats == WorkerStats(images=7, queued=2) and crew.times == Times([2, 2], [4, 1], [4])


def test_its_processes_are_known_by_their_numbers():
    crew, born = make(loaders=2)
    for number, process in enumerate(born):
        process.pid = 100 + number
    assert crew.worker_pids == [100] and crew.loader_pids == [101, 102]
    crew.close()
    assert crew.worker_pids == crew.loader_pids == []


def test_a_worker_that_never_came_up_is_tried_twice_more():
    crew, born = make()
    now, boots = 0.0, 0
    while crew.alive:
        boots += 1
        next(process for process in reversed(born) if process.name.startswith("worker")).status = 1
        now += 2.1
        assert look(crew, now) and "status 1" in crew.boot_failure
        now += 2.1
        crew.look(now)
    assert boots == 3 and crew.state == CLOSED and not crew.ever_up


def test_one_that_was_up_before_may_fail_to_boot_once():
    crew, born = make()
    crew.up("engine")
    born[0].status = 1
    look(crew, 1.0)
    crew.look(3.0)
    born[3].status = 1
    look(crew, 4.0)
    assert crew.state == PAUSED


def test_the_budget_ends_and_progress_renews_it():
    crew, born = make(loaders=1)
    now = 0.0
    for number in range(8):
        crew.up("engine")
        if number == 2:
            crew.heard(now, list(WorkerStats(images=1)))
        next(process for process in reversed(born) if process.name.startswith("worker")).status = 1
        now += 1000
        look(crew, now)
        if not crew.alive:
            break
        now += 1000
        crew.look(now)
    assert number == 7


def test_a_disk_that_cannot_be_written_is_final():
    crew, born = make()
    crew.up("engine")
    crew.failed("results cannot be written", final=True)
    born[0].status = 1
    look(crew, 1.0)
    assert crew.state == CLOSED and crew.reason == "results cannot be written"


def test_silence_and_slow_boots_end():
    crew, _ = make()
    assert crew.look(9.0) == []
    (lost,) = crew.look(10.1)
    assert "--boot-timeout" in lost.how
    crew, _ = make()
    crew.up("engine")
    crew.heard(3.0)
    assert crew.look(7.9) == []
    (lost,) = crew.look(8.1)
    assert "--hang-timeout" in lost.how


def test_a_lost_loader_is_replaced():
    crew, born = make()
    crew.up("engine")
    born[1].status = -11
    assert crew.look(1.0) == [LoaderLost("worker-0", born[1].name, "ended with status -11")]
    crew.look(1.05)
    assert len(born) == 3, "after a pause"
    crew.look(1.11)
    assert len(born) == 4


def test_a_stuck_loader_is_killed_and_an_unknown_one_is_certainly_gone():
    crew, born = make()
    crew.up("engine")
    (lost,) = crew.kill_loader(born[1].name, "stuck", 1.0)
    assert lost.loader == born[1].name and born[1].status == -9
    assert [lost.how for lost in crew.kill_loader(born[1].name, "stuck", 1.0)] == ["it is not running"]
    assert crew.look(1.2) == [] and len(born) == 4


def test_a_loader_that_does_not_come_up_is_replaced():
    crew, born = make()
    crew.heard(2.0)
    crew.up("engine")
    crew.loader_here(born[2].name)
    crew.heard(11.9)
    assert crew.look(11.9) == [], "its worker listens since 2.0"
    crew.heard(12.1)
    (lost,) = crew.look(12.1)
    assert lost.loader == born[1].name and "--boot-timeout" in lost.how
    assert born[1].status == -9 and born[2].status is None


def test_a_replacement_has_its_own_time_to_come_up():
    crew, born = make(loaders=1)
    crew.up("engine")
    crew.heard(8.0)
    born[1].status = 1
    crew.look(7.8)
    crew.look(8.0)
    crew.heard(17.9)
    assert crew.look(17.9) == []
    crew.heard(18.1)
    assert [lost.loader for lost in crew.look(18.1)] == [born[2].name]


def test_no_loader_is_blamed_for_a_worker_that_does_not_listen():
    crew, born = make(loaders=1)
    assert crew.look(9.9) == [], "nothing was heard of the worker yet"
    crew.up("engine")
    crew.heard(9.9)
    crew.heard(19.0)
    assert crew.look(23.0) == [], "it may have come up since the worker's last word"
    crew.ending()
    crew.heard(30.0)
    assert crew.look(30.0) == []
    assert len(born) == 2


def test_a_crew_whose_loaders_all_end_is_lost_however_they_end():
    crew, born = make(loaders=1)
    crew.up("engine")
    for now in range(200):
        crew.heard(float(now))
        crew.kill_loader(born[-1].name, "stuck", float(now))
        if any(isinstance(event, Lost) for event in crew.look(float(now))):
            return
    raise AssertionError("it goes on without a loader for ever")


def test_loaders_end_ever_more_slowly_and_twenty_in_a_row_are_too_many():
    crew, born = make(loaders=1)
    crew.up("engine")
    starts, now = [], 0.0
    while crew.state == UP:
        crew.heard(now)
        crew.loader_here(born[-1].name)
        if born[-1].status is None:
            starts.append(now)
            born[-1].status = 1
        lost = [event for event in crew.look(now) if isinstance(event, Lost)]
        now += 0.05
    # Ten images that each take two loaders down leave one loader to go on with; one death more is too many.
    assert len(starts) == 21 and "one after the other" in lost[0].how
    pauses = [later - earlier for earlier, later in zip(starts, starts[1:])]
    assert pauses[0] < 0.2 < pauses[3] and all(pause <= 5.11 for pause in pauses) and pauses[-1] > 4.9


def test_progress_shortens_the_pause_again():
    crew, born = make(loaders=1)
    crew.up("engine")
    now = 0.0
    for death in range(100):
        crew.heard(now, list(WorkerStats(images=death)))
        crew.loader_here(born[-1].name)
        born[-1].status = 1
        assert all(isinstance(event, LoaderLost) for event in crew.look(now))
        now += 0.11
        crew.look(now)
        assert len(born) == death + 3


def test_a_new_worker_s_loaders_do_not_wait():
    crew, born = make(loaders=2)
    crew.up("engine")
    born[1].status = 1
    crew.look(0.5)
    born[0].status = 1
    look(crew, 0.55)
    crew.look(1.6)
    assert [process.name.split(".")[0] for process in born[3:]] == ["worker-0", "loader-0", "loader-0"]
    crew.look(2.0)
    assert len(born) == 6, "what was due for the old worker is forgotten"


def test_a_loader_that_cannot_be_killed_costs_its_worker():
    crew, born = make(loaders=1)
    crew.up("engine")
    born[1].killable = False
    assert crew.kill_loader(born[1].name, "stuck", 1.0) == []
    (lost,) = crew.look(1.0)
    assert isinstance(lost, Lost) and "cannot be killed" in lost.how


def test_late_loaders_of_which_one_cannot_be_killed():
    crew, born = make(loaders=2)
    crew.up("engine")
    crew.heard(0.0)
    crew.heard(10.5)
    born[1].killable = False
    (lost,) = crew.look(10.5)
    assert isinstance(lost, Lost) and "cannot be killed" in lost.how


def loaders(born):
    return [process for process in born if process.name.startswith("loader")]


def up(count):
    crew, born = make(loaders=count)
    crew.up("engine")
    crew.heard(0.0)
    for loader in loaders(born):
        assert not crew.loader_here(loader.name)
    return crew, born


def test_loaders_are_added_at_once():
    crew, born = up(1)
    assert crew.set_loaders(3, 1.0) == []
    assert len(loaders(born)) == crew.loaders == 3
    assert crew.set_loaders(3, 1.0) == [] and len(loaders(born)) == 3


def test_the_youngest_loader_retires_and_its_end_is_no_loss():
    crew, born = up(3)
    youngest = loaders(born)[-1]
    assert crew.set_loaders(2, 1.0) == [youngest.name]
    assert crew.loaders == 2 and youngest.status is None, "it goes by itself"
    assert crew.set_loaders(2, 1.1) == [], "it is told once"
    youngest.status = 0
    assert crew.look(1.2) == [LoaderLost("worker-0", youngest.name, "it was told to go")]
    crew.heard(9.0)
    assert crew.look(9.0) == [] and len(loaders(born)) == 3 and crew.loaders == 2


def test_a_retiring_loader_that_dies_is_reported_and_not_replaced():
    crew, born = up(2)
    crew.set_loaders(1, 1.0)
    loaders(born)[1].status = -9
    assert crew.look(1.1) == [LoaderLost("worker-0", loaders(born)[1].name, "ended with status -9")]
    crew.heard(4.0)
    assert crew.look(4.0) == [] and len(loaders(born)) == 2
    loaders(born)[0].status = -9
    crew.look(4.1)
    crew.look(5.0)
    assert len(loaders(born)) == 3 and crew.loaders == 1, "the one that stayed is"


def test_a_retiring_loader_that_is_stuck_is_killed_and_not_replaced():
    crew, born = up(2)
    (name,) = crew.set_loaders(1, 1.0)
    assert [lost.loader for lost in crew.kill_loader(name, "stuck", 6.0)] == [name]
    crew.heard(9.0)
    crew.look(9.0)
    assert len(loaders(born)) == 2


def test_a_retiring_loader_that_does_not_end_is_killed():
    crew, born = up(2)
    (name,) = crew.set_loaders(1, 1.0)
    crew.heard(165.9)
    assert crew.look(165.9) == []
    crew.heard(166.1)
    (lost,) = crew.look(166.1)
    assert lost.loader == name and "--hang-timeout" in lost.how and loaders(born)[1].status == -9


def test_loaders_due_for_a_restart_are_the_first_to_be_given_up():
    crew, born = up(2)
    loaders(born)[0].status = 1
    crew.look(1.0)
    assert crew.loaders == 2
    assert crew.set_loaders(1, 1.01) == [] and crew.loaders == 1
    crew.look(5.0)
    assert len(loaders(born)) == 2 and loaders(born)[1].status is None


def test_more_loaders_while_one_is_due_for_a_restart():
    crew, born = up(2)
    loaders(born)[0].status = 1
    crew.look(1.0)
    assert crew.set_loaders(3, 1.01) == [] and len(loaders(born)) == 3
    crew.look(1.2)
    assert len(loaders(born)) == 4 and crew.loaders == 3


def test_a_loader_told_to_go_before_its_worker_knew_it_is_told_again():
    crew, born = up(1)
    crew.set_loaders(2, 1.0)
    young = loaders(born)[1].name
    assert crew.set_loaders(1, 1.1) == [young]
    assert crew.loader_here(young)


def test_a_new_worker_starts_with_the_present_number():
    crew, born = up(1)
    crew.set_loaders(3, 1.0)
    born[0].status = 1
    look(crew, 2.0)
    assert crew.loaders == 0 and crew.set_loaders(2, 2.1) == [], "nothing starts while there is no worker"
    before = len(loaders(born))
    crew.look(3.1)
    assert len(loaders(born)) == before + 2 and crew.loaders == 2


def test_the_last_loaders_that_are_lost_are_replaced_while_others_retire():
    crew, born = up(2)
    crew.set_loaders(1, 1.0)
    loaders(born)[0].status = 1
    loaders(born)[1].status = 0
    crew.look(1.1)
    crew.heard(1.3)
    assert crew.look(1.3) == [] and crew.loaders == 1 and crew.state == UP


def test_closing_ends_everything():
    crew, born = make()
    crew.up("engine")
    assert crew.state == UP
    crew.close()
    assert crew.state == CLOSED and all(process.status == -9 for process in born)


def test_a_machine_that_starts_no_more_processes_costs_loaders_not_the_run():
    crew, born = make()
    crew.up("engine")
    allowed = []

    def refused(crew, name, address):
        if not allowed:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        born.append(Process(name))
        return born[-1]

    crew._start_loader = refused
    crew.set_loaders(3, 1.0)
    assert len(born) == 3 and crew.loaders == 3, "one is due"
    assert crew.look(1.05) == [] and len(born) == 3
    allowed.append(True)
    assert crew.look(2.0) == [] and len(born) == 4


def test_one_that_ended_as_it_was_told_to_has_no_reason():
    crew, born = make()
    crew.up("engine")
    crew.ending()
    born[0].status = 0
    look(crew, 1.0)
    assert crew.state == CLOSED and crew.reason == ""

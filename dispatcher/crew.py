"""A crew: one worker and its loaders, for one device. Starts them, watches them, replaces them, ends them."""

from __future__ import annotations

import itertools
import logging
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ..histogram import Times
from ..messages import WorkerStats
from .budget import RestartBudget
from .child import Child, end_all
from .devices import Device

log = logging.getLogger("dispatcher")

BOOTING, UP, ENDING, PAUSED, CLOSED = "booting", "up", "ending", "paused", "closed"
_WORKER_RESTARTS, _WORKER_PAUSE = 5, 1.0
#: On a seat where no engine ever came up the next one most likely fails the same way.
_BOOT_RESTARTS = 2
#: Two for each of ten images in a row that take loaders down; more in a row is the loader's fault, not the images'.
_LOADER_RESTARTS, _LOADER_PAUSE, _LONGEST_LOADER_PAUSE = 20, 0.1, 5.0
_CONVICTIONS_IN_A_ROW = 10
#: A loader that was told to go has a hand of up to 32 tickets to finish, each within the deadline. One that hangs over a
#: ticket is named by its worker long before.
_RETIREMENT_DEADLINES = 33
_serial = itertools.count()


class Lost(NamedTuple):
    """A worker is gone; its leases are to be taken back. `computing`: indices of the images it was computing."""

    worker: str
    how: str
    computing: List[int]


class LoaderLost(NamedTuple):
    """A loader of that worker is gone, lost or retired; the worker is to be told."""

    worker: str
    loader: str
    how: str


class Deadlines(NamedTuple):
    """Seconds a worker or a loader may take to come up, and a worker may be silent afterwards."""

    boot: float
    silence: float


class Crew:
    """One device's processes.

    Args:
        seat: the device's place in `--gpus`, from 0.
        device: the device.
        loaders: how many loaders it has at first.
        start_worker: starts a worker of a given name for its loaders' address.
        start_loader: starts a loader of a given name for a worker's address.
        new_address: makes an address.
        deadlines: when to lose patience.
        computing_at_death: the images that a worker of a given name was computing when it died.
    """

    def __init__(
        self,
        seat: int,
        device: Device,
        loaders: int,
        start_worker: Callable[["Crew", str, str], Child],
        start_loader: Callable[["Crew", str, str], Child],
        new_address: Callable[[], str],
        deadlines: Deadlines,
        computing_at_death: Callable[[str], List[int]],
    ) -> None:
        self.seat = seat
        self.device = device
        self.state = CLOSED
        self.description = ""
        self.reason = ""
        self.ever_up = False
        #: Why the first of its workers did not come up; "" when it did.
        self.boot_failure = ""
        self.boot_failure_told = False
        self.final = False
        self.reported = False
        #: Loaders it is to have.
        self.count = loaders
        self._start_worker = start_worker
        self._start_loader = start_loader
        self._new_address = new_address
        self._deadlines = deadlines
        self._computing_at_death = computing_at_death
        self._worker: Optional[Child] = None
        self._address = ""
        self._loaders: Dict[str, Child] = {}
        #: Loaders that are not there yet, and when they were started.
        self._awaited: Dict[str, float] = {}
        self._loaders_due: List[float] = []
        #: Loaders that were told to go, and when.
        self._retiring: Dict[str, float] = {}
        self._budget = RestartBudget(_WORKER_RESTARTS, _WORKER_PAUSE)
        self._boot_budget = RestartBudget(_BOOT_RESTARTS, _WORKER_PAUSE)
        self._loader_budget = RestartBudget(_LOADER_RESTARTS, _LOADER_PAUSE, _LONGEST_LOADER_PAUSE)
        self._exit_seen = False
        self._first_heard: Optional[float] = None
        self._heard = 0.0
        self._again_at = 0.0
        self._earlier = WorkerStats()
        self._current = WorkerStats()
        self._earlier_times, self._current_times = Times(), Times()
        self.restarts = 0
        self._images_at_conviction = self._convictions = 0

    @property
    def worker(self) -> str:
        """The present worker's name; "" when there is none."""
        return self._worker.name if self._worker else ""

    @property
    def alive(self) -> bool:
        """Whether it works, or will."""
        return self.state in (BOOTING, UP, PAUSED)

    @property
    def loaders(self) -> int:
        """Loaders it has, or will have shortly."""
        return len(self._loaders) - len(self._retiring) + len(self._loaders_due)

    @property
    def stats(self) -> WorkerStats:
        """Sums over all workers this seat has had; of the present one for what is not a sum."""
        sums: List[Any] = [a + b for a, b in zip(self._earlier, self._current)]
        return WorkerStats(*sums)._replace(
            queued=self._current.queued, slots=self._current.slots, loaders=self._current.loaders
        )

    @property
    def times(self) -> Times:
        """Histograms over all workers this seat has had."""
        return self._earlier_times.plus(self._current_times)

    @property
    def worker_pids(self) -> List[int]:
        """The worker's process, if there is one."""
        return [self._worker.pid] if self._worker else []

    @property
    def loader_pids(self) -> List[int]:
        """The loaders' processes."""
        return [loader.pid for loader in self._loaders.values()]

    # --- what is told

    def start(self, now: float) -> None:
        """Starts worker and loaders together, so that the first frames are ready when the engine is."""
        self._address = self._new_address()
        name = "worker-{}".format(self.seat) + (".{}".format(self.restarts) if self.restarts else "")
        self._worker = self._start_worker(self, name, self._address)
        self.state = BOOTING
        self._exit_seen = False
        self._first_heard = None
        self._heard = now
        for _ in range(self.count):
            self._add_loader(now)

    def heard(self, now: float, stats: Optional[List[Any]] = None, times: Sequence[Any] = ()) -> None:
        """The worker has said something; with its figures it says its histograms."""
        self._heard = now
        if self._first_heard is None:
            self._first_heard = now
        if stats is not None:
            news = WorkerStats(*stats)
            if news.images > self._current.images:
                self._budget.progress()
                self._loader_budget.progress()
            self._current, self._current_times = news, Times(*times)

    def silent(self, now: float) -> float:
        """Seconds since its worker was last heard of; 0 while it is not at work."""
        return max(0.0, now - self._heard) if self.state in (UP, ENDING) else 0.0

    def image_convicted(self) -> None:
        """Its deaths were an image's fault, not its own; unless many in a row were, without one that it could do."""
        images = self.stats.images
        self._convictions = self._convictions + 1 if images == self._images_at_conviction else 1
        self._images_at_conviction = images
        if self._convictions <= _CONVICTIONS_IN_A_ROW:
            self._budget.progress()

    def up(self, description: str) -> None:
        """The engine is ready."""
        self.state = UP
        self.ever_up = True
        self.description = description

    def failed(self, reason: str, final: bool) -> None:
        """The worker has said why it gives up, and whether another one would meet the same."""
        self.reason = reason
        self.final = final

    def loader_here(self, loader: str) -> bool:
        """The worker has heard of that loader. Returns whether it is to go; told before, the worker did not know it."""
        self._awaited.pop(loader, None)
        return loader in self._retiring

    def set_loaders(self, count: int, now: float) -> List[str]:
        """Starts loaders, or lets some go, so that there will be `count`; a new worker begins with as many.

        Returns:
            Those that are to go; the worker has to be told, and they end by themselves.
        """
        self.count = count
        if self.state not in (BOOTING, UP):
            return []
        for _ in range(count - self.loaders):
            self._add_loader(now)
        del self._loaders_due[: max(0, self.loaders - count)]
        staying = [loader for loader in self._loaders if loader not in self._retiring]
        going = staying[count:]
        self._retiring.update(dict.fromkeys(going, now))
        return going

    def kill_loader(self, loader: str, why: str, now: float) -> List[LoaderLost]:
        """Ends a loader that is stuck; another one will take its place."""
        child = self._loaders.get(loader)
        if child is None:
            # It is not running: the worker heard of it too late, or not at all.
            return [LoaderLost(self.worker, loader, "it is not running")]
        if not child.kill():
            # It may still write into its slots, which must therefore not be handed out again: the worker has to go.
            self.reason = "{} cannot be killed (a disk or a network folder that hangs?)".format(loader)
            self._end_loaders()
            return []
        return self._loader_over(loader, why, now)

    # --- what is seen

    def look(self, now: float) -> List[Any]:
        """Looks after the processes. Returns `Lost` and `LoaderLost`."""
        if self.state == PAUSED and now >= self._again_at:
            self.restarts += 1
            self.start(now)
        if self._worker is None:
            return []
        if self._worker.exit_status() is not None:
            if self._exit_seen:
                return self._worker_over(self._worker.how_it_ended(), now)
            # Its last words may still be on their way to us: they are heard before the next look.
            self._exit_seen = True
            return []
        if self.state == BOOTING and now - self._worker.started > self._deadlines.boot:
            return self._kill_worker(
                "it did not come up within {:.0f} s (--boot-timeout)".format(self._deadlines.boot), now
            )
        if self.state in (UP, ENDING) and now - self._heard > self._deadlines.silence:
            return self._kill_worker(
                "it gave no sign of life for {:.0f} s (--hang-timeout)".format(self._deadlines.silence), now
            )
        self._start_due_loaders(now)
        lost: List[Any] = []
        for loader, child in list(self._loaders.items()):
            if loader not in self._loaders:
                break  # One could not be killed, so all were given up.
            if child.exit_status() is not None:
                lost += self._loader_over(loader, child.how_it_ended(), now)
            elif now - self._retiring.get(loader, now) > _RETIREMENT_DEADLINES * self._deadlines.silence:
                lost += self.kill_loader(loader, "it was told to end and did not (--hang-timeout)", now)
            elif self._is_late(loader):
                lost += self.kill_loader(
                    loader, "it did not come up within {:.0f} s (--boot-timeout)".format(self._deadlines.boot), now
                )
        if not self._loaders and not self._loaders_due and self.state != ENDING:
            lost += self._kill_worker(self.reason or "it has no loader left", now)
        return lost

    def _kill_worker(self, why: str, now: float) -> List[Any]:
        assert self._worker is not None
        self._worker.kill()
        return self._worker_over(why, now)

    def _worker_over(self, how: str, now: float) -> List[Any]:
        assert self._worker is not None
        name, self._worker = self._worker.name, None
        self._end_loaders()
        ending, self.state = self.state == ENDING, CLOSED
        self._earlier, self._current = self.stats._replace(queued=0, slots=0, loaders=0), WorkerStats()
        self._earlier_times, self._current_times = self.times, Times()
        why = self.reason or how
        if not ending:
            self.reason = why
            budget = self._budget if self.ever_up else self._boot_budget
            pause = None if self.final else budget.spend()
            if self.ever_up:
                again = "" if pause is None else "; it starts again in {:.0f} s".format(pause)
                log.warning("%s (%s) is lost: %s%s", name, self.device.label, why, again)
            else:
                self.boot_failure = self.boot_failure or why
                log.info("%s (%s) did not come up: %s", name, self.device.label, why)
            if pause is not None:
                self.state, self._again_at, self.reason = PAUSED, now + pause, ""
        return [Lost(name, why, self._computing_at_death(name))]

    def _is_late(self, loader: str) -> bool:
        """Whether a loader has had its time to come up, and has not.

        It comes up at its worker. So its time begins when the worker was first heard of, and ends with the worker's last
        word: a worker that is silent itself cannot tell of it.
        """
        started = self._awaited.get(loader)
        if started is None or self._first_heard is None or self.state == ENDING:
            return False
        return self._heard - max(started, self._first_heard) > self._deadlines.boot

    def _add_loader(self, now: float) -> None:
        name = "loader-{}.{}".format(self.seat, next(_serial))
        try:
            self._loaders[name] = self._start_loader(self, name, self._address)
        except OSError as error:  # The machine allows no more processes, or has no memory for one.
            why = "a loader cannot be started ({})".format(error.strerror or error)
            log.warning("%s: %s", self.device.label, why)
            self._add_loader_later(now, why)
            return
        self._awaited[name] = now

    def _start_due_loaders(self, now: float) -> None:
        due = [at for at in self._loaders_due if at <= now]
        self._loaders_due = [at for at in self._loaders_due if at > now]
        if self.state != ENDING:
            for _ in due:
                self._add_loader(now)

    def _loader_over(self, loader: str, how: str, now: float) -> List[LoaderLost]:
        status = self._loaders.pop(loader).exit_status()
        self._awaited.pop(loader, None)
        retired = self._retiring.pop(loader, None) is not None
        if self.state == ENDING:
            return []
        if retired and status == 0:
            return [LoaderLost(self.worker, loader, "it was told to go")]
        log.warning("%s is lost: %s", loader, how)
        if self.loaders >= self.count:
            return [LoaderLost(self.worker, loader, how)]
        self._add_loader_later(now, "its loaders end one after the other, the last one: {}".format(how))
        return [LoaderLost(self.worker, loader, how)]

    def _add_loader_later(self, now: float, why: str) -> None:
        # Without a pause, loaders that end as soon as they begin would keep the processors from all others.
        pause = self._loader_budget.spend()
        if pause is not None:
            self._loaders_due.append(now + pause)
        elif not self._loaders and not self._loaders_due:
            self.reason = why

    def _end_loaders(self) -> None:
        # They hold nothing that could be lost.
        end_all(self._loaders.values())
        self._loaders.clear()
        self._awaited.clear()
        self._loaders_due.clear()
        self._retiring.clear()

    # --- the end

    def ending(self) -> None:
        """The worker has been told to stop."""
        self.state = ENDING

    def close(self) -> None:
        """Ends what is left of it, and it starts nothing more."""
        end_all(([self._worker] if self._worker is not None else []) + list(self._loaders.values()))
        self._worker = None
        self._loaders.clear()
        self._loaders_due.clear()
        self._retiring.clear()
        self.state = CLOSED

"""The run itself: the dispatcher's loop between crews, scheduler, ledger and the operator."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Iterable, List, Optional

from .. import messages
from ..errors import EngineBootError, RunFailed
from ..messages import Failure
from ..output.format import Finished
from ..sockets import Listener
from .committer import Committer
from .crew import ENDING, PAUSED, UP, Crew, LoaderLost, Lost
from .interrupts import Interrupts
from .loadercontrol import LoaderControl, Seen
from .scheduler import Block, Scheduler

log = logging.getLogger("dispatcher")

_TURN_MS = 200
#: When all is done, a worker may take this long to end; then it is killed.
_GOODBYE_SECONDS = 10.0
#: So much of the grace, seconds and share, is kept for ending the processes and for the last commit.
_RESERVE_SECONDS, _RESERVE_SHARE = 5.0, 1 / 3


class Pool:
    """Runs crews until every image is done.

    Args:
        listener: the dispatcher's socket.
        crews: not started yet.
        scheduler: what is to be done.
        committer: records what is done.
        interrupts: whether the operator wants to stop.
        show: called about five times a second, and once at the end.
        grace: seconds from the operator's first wish to stop to the end of the process.
        control: says how many loaders each crew gets; None leaves them as they are.
        say: takes sentences the operator should read.
    """

    def __init__(
        self,
        listener: Listener,
        crews: List[Crew],
        scheduler: Scheduler,
        committer: Committer,
        interrupts: Interrupts,
        show: Callable[["Pool"], None],
        grace: float,
        control: Optional[LoaderControl] = None,
        say: Callable[[str], None] = log.info,
    ) -> None:
        self.crews = crews
        self.done = 0
        self.failures = 0
        self._listener = listener
        self._scheduler = scheduler
        self._total = scheduler.unleased
        self._committer = committer
        self._interrupts = interrupts
        self._show = show
        self._grace = grace
        self._control = control
        self._say = say

    def run(self) -> bool:
        """Runs to the end.

        Returns:
            Whether everything is done; False when the operator stopped it.

        Raises:
            EngineBootError: when no engine came up.
            RunFailed: when no worker is left, or the ledger cannot be written.
        """
        try:
            for crew in self.crews:
                crew.start(time.monotonic())
            while not self._scheduler.finished and not self._interrupts.count:
                self._check_alive()
                self._turn()
                self._follow_demand()
            self._drain()
            return self.done == self._total
        finally:
            for crew in self.crews:
                crew.close()
            self._committer.close()
            self._show(self)
            self._check_committer()

    def _turn(self) -> None:
        self._listener.socket.poll(_TURN_MS)
        now = time.monotonic()
        self._hear(now)
        for crew in self.crews:
            for event in crew.look(now):
                if isinstance(event, Lost):
                    self._worker_lost(crew, event)
                elif isinstance(event, LoaderLost) and event.worker:
                    self._listener.send(event.worker, messages.LoaderGone(event.loader, event.how))
        self._check_committer()
        self._show(self)

    def _follow_demand(self) -> None:
        """Adds and retires loaders as the control says."""
        if self._control is None:
            return
        up = [crew for crew in self.crews if crew.state == UP]
        seen = [Seen(crew.seat, crew.device.label, crew.worker, crew.loaders, crew.stats) for crew in up]
        for change in self._control.look(seen):
            crew = self.crews[change.seat]
            self._say(change.sentence)
            for loader in crew.set_loaders(change.loaders, time.monotonic()):
                self._listener.send(crew.worker, messages.RetireLoader(loader))

    def _worker_lost(self, crew: Crew, lost: Lost) -> None:
        convicted, leases = self._scheduler.lost(lost.worker, lost.computing)
        for index in convicted:
            reason = "two workers ended while computing this image (the last one: {})".format(lost.how)
            self._done(Finished(index, index + 1, (Failure(index, "crash", reason),), b"", lost.worker))
            crew.image_convicted()
        self._send(leases)

    def _check_alive(self) -> None:
        # With something wrong for all of them (the model, the driver), trying again would only take time.
        if self.crews and all(crew.boot_failure and not crew.ever_up for crew in self.crews):
            raise EngineBootError("No worker came up: {}.".format(self.crews[0].boot_failure.rstrip(".")))
        if any(crew.alive for crew in self.crews):
            for crew in self.crews:
                if crew.boot_failure and crew.state == PAUSED and not crew.boot_failure_told:
                    crew.boot_failure_told = True
                    log.warning("%s did not come up, it is tried again: %s", crew.device.label, crew.boot_failure)
                if not crew.alive and not crew.reported:
                    crew.reported = True
                    log.warning("%s is given up, the others go on: %s", crew.device.label, crew.reason)
            return
        reason = next((crew.reason for crew in self.crews if crew.reason), "no worker is left")
        raise RunFailed("No worker is left: {}. The same command resumes the run.".format(reason.rstrip(".")))

    def _drain(self) -> None:
        """Lets each worker finish what it computes, and takes its last report."""
        finished = self._scheduler.finished
        self._scheduler.stop()
        for crew in self.crews:
            if crew.state == UP:
                self._listener.send(crew.worker, messages.Stop())
                crew.ending()
            else:
                crew.close()
        give_up = time.monotonic() + _GOODBYE_SECONDS
        if self._interrupts.since is not None and not finished:
            seconds = drain_seconds(self._grace)
            give_up = self._interrupts.since + seconds
            if seconds > 0:
                log.warning(
                    "Stopping: what is being computed is finished, for %.1f s at most (--grace %g, less the time to record "
                    "it). Ctrl-C again stops at once.",
                    seconds,
                    self._grace,
                )
        while any(crew.state == ENDING for crew in self.crews) and time.monotonic() < give_up:
            self._turn()
            if self._interrupts.count > 1:
                return

    # --- what workers say

    def _hear(self, now: float) -> None:
        while True:
            heard = self._listener.receive()
            if heard is None:
                return
            worker, message = heard
            crew = self._crew_of(worker)
            if crew is None:
                continue  # The last words of one that was replaced.
            if isinstance(message, (messages.Heartbeat, messages.WorkerDone)):
                crew.heard(now, message.stats, message.times)
            else:
                crew.heard(now)
            if isinstance(message, messages.WantBlock):
                self._send(self._scheduler.want(worker, message.images))
            elif isinstance(message, messages.BlockPart):
                self._block_part(worker, message)
            elif isinstance(message, messages.BlockDone):
                self._block_done(worker, message)
            elif isinstance(message, messages.WorkerUp):
                crew.up(message.description)
                log.info(
                    "%s up after %.1f s on %s: %s", worker, message.boot_seconds, crew.device.label, message.description
                )
            elif isinstance(message, messages.WorkerFailed):
                crew.failed(message.reason, message.final)
            elif isinstance(message, messages.LoaderHere):
                if crew.loader_here(message.loader):
                    self._listener.send(worker, messages.RetireLoader(message.loader))
            elif isinstance(message, messages.LoaderStuck):
                why = "it worked on one image for too long (--hang-timeout)"
                for lost in crew.kill_loader(message.loader, why, now):
                    self._listener.send(worker, messages.LoaderGone(lost.loader, lost.how))

    def _crew_of(self, worker: str) -> Optional[Crew]:
        return next((crew for crew in self.crews if crew.worker == worker), None)

    def _send(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self._listener.send(block.worker, messages.Lease(block.block, block.start, block.count))

    def _block_part(self, worker: str, message: messages.BlockPart) -> None:
        for one in _finished(message.finished):
            if self._scheduler.part_done(worker, message.block, one.start, one.stop, one.results):
                self._done(one)

    def _block_done(self, worker: str, message: messages.BlockDone) -> None:
        finished = _finished(message.finished)
        leases = self._scheduler.done(worker, message.block, sum(one.results for one in finished))
        if leases is None:
            log.warning("%s reports block %d, which is not its own; ignored", worker, message.block)
            return
        self._send(leases)
        for one in finished:
            self._done(one)

    def _done(self, finished: Finished) -> None:
        self._committer.add(finished)
        self.done += finished.stop - finished.start
        self.failures += len(finished.failures)

    def _check_committer(self) -> None:
        error = self._committer.error
        if error is not None:
            raise RunFailed(
                "The ledger cannot be written ({}). Everything recorded before is safe; make room and give the same "
                "command again.".format(error)
            )


def _finished(rows: List[Any]) -> List[Finished]:
    """Finished ranges as they come in a message."""
    return [
        Finished(start, stop, tuple(Failure(*failure) for failure in failures), checksums, author)
        for start, stop, failures, checksums, author in rows
    ]


def drain_seconds(grace: float) -> float:
    """How long workers may go on after the operator's wish to stop.

    Args:
        grace: seconds until the process has to have ended.
    """
    return grace - min(_RESERVE_SECONDS, grace * _RESERVE_SHARE)

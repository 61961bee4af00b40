"""One start of a run: from the replay of its ledger to its summary."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import time
from typing import Any, Callable, List, Optional, Sequence

from ..config import RunConfig, lasting, to_json
from ..console import counted
from ..imagelist import ImageList, Listing
from ..ledger import FAILED, OPEN, RESULT, Ledger, Progress, replay, standing_failures
from ..lock import RunLock
from ..machine import usable_cpu
from ..monitor.display import ProgressDisplay
from ..monitor.exporter import Exporter
from ..monitor.facts import WorkerFacts, make_facts
from ..monitor.status import RUNNING
from ..monitor.verdict import verdict
from ..monitor.view import Standing
from ..naming import JSON
from ..output.formats import BLOCK_IMAGES, USUAL_BYTES, make_keeper
from ..runfolder import RunFolder, write_json
from ..sockets import Listener, new_address
from .committer import Committer
from .compaction import compact, worth_it
from .crew import Crew
from .diskspace import result_bytes, space_note
from .failurelog import FailureLog
from .interrupts import Interrupts
from .livefile import LiveFile
from .loadercontrol import LoaderControl
from .plan import Plan
from .pool import Pool
from .sampling import Sampling
from .scheduler import Scheduler
from .staff import Staff
from .summary import Summary, WorkerSummary

log = logging.getLogger("dispatcher")

#: More than a summary takes with a hundred workers.
_RESERVE_BYTES = 1 << 16

Say = Callable[[str], None]
Watch = Callable[[Sequence[Crew]], bool]


class Start:
    """One start of one run.

    Args:
        plan: what runs.
        folder: the run folder, locked, with the image list in it.
        listing: the image list.
        say: takes each sentence the operator should read.
        lock: the folder's; None for a folder of nobody else's.
        workers: how many of the plan's devices are used; None for all.
        progress: overrules the plan's `--progress`.
        remember: how many frames each loader keeps, to give them again without decoding: for measurements.
        watch: sees the crews about five times a second; once it says True the run ends, which is then no interruption.
        exporter: shows the samples to Prometheus.
    """

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        listing: Listing,
        say: Say,
        lock: Optional[RunLock] = None,
        workers: Optional[int] = None,
        progress: Optional[str] = None,
        remember: int = 0,
        watch: Optional[Watch] = None,
        exporter: Optional[Exporter] = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._listing = listing
        self._say = say
        self._lock = lock
        self._devices = plan.devices[:workers]
        self._progress_mode = progress or plan.config.progress
        self._remember = remember
        self._watch = watch
        self._exporter = exporter
        #: Whether and when the operator asked for the end.
        self.interrupts = Interrupts()

    def run(self) -> Summary:
        """Does what is left to do.

        Returns:
            The summary, which is also in `summary.json`.

        Raises:
            EngineBootError: when no engine came up.
            RunFailed: when the run cannot go on.
            OSError: when the disk refuses.
        """
        started = time.monotonic()
        folder = self._folder
        before = self._replayed()
        with contextlib.ExitStack() as closing:
            images = ImageList(folder.list, folder.index)
            closing.callback(images.close)
            ledger = Ledger(folder.ledger, before.size)
            closing.callback(ledger.close)
            if self._plan.config.retry == "failed":
                self._open_again(ledger, before)
            to_do = before.count(OPEN)
            if to_do < self._listing.count:
                done = self._listing.count - to_do
                self._say("Resuming: {:,} of {} done.".format(done, counted(self._listing.count, "image")))
            self._note_space(before, images)
            folder.sweep()
            keeper = make_keeper(self._plan.config.format, folder, images, self._listing.naming)
            keeper.sweep(before)
            earlier = standing_failures(folder.ledger, before)
            failure_log = FailureLog(folder.failures, images, lasting(self._plan.config), earlier)
            closing.callback(failure_log.close)
            address = new_address()
            staff = Staff(self._plan, folder, self._listing, address, self._remember)
            crews = staff.crews(self._devices) if to_do else []
            listener = Listener(address)
            closing.callback(listener.close)
            grace = self._plan.config.grace
            finished, error = False, ""
            # A start of a finished run does nothing that would be worth more than the figures of the one before.
            idle = not to_do and os.path.exists(folder.summary)
            _reserve(folder)
            # Until the summary is written: a signal in between must not cost it.
            interrupts = closing.enter_context(self.interrupts)
            sampling = self._sampling(before, 0.0 if idle else self._plan.config.sample_every)
            # After the summary, which must not wait for a driver that hangs.
            closing.callback(sampling.close)
            show = closing.enter_context(
                _Shown(self._progress_mode, folder, self._plan.config, before, interrupts, self._watch, sampling)
            )
            try:
                sampling.start()
                if self._exporter is not None:
                    self._exporter.show(lambda: sampling.latest)
                committer = Committer(folder.out, ledger, failure_log, keeper, self._lock)
                pool = Pool(
                    listener,
                    crews,
                    self._scheduler(before, to_do),
                    committer,
                    interrupts,
                    show,
                    grace,
                    self._loader_control(),
                    self._say,
                )
                finished = pool.run()
            except BaseException as failed:
                error = str(failed) or repr(failed)
                raise
            finally:
                _release(folder)
                stopped = not finished and interrupts.since is not None
                summary = self._summary(crews, before.count(RESULT), stopped, error, time.monotonic() - started)
                if not idle:
                    with contextlib.suppress(OSError):
                        write_json(folder.summary, summary.to_json())
        return summary

    def _scheduler(self, before: Progress, to_do: int) -> Scheduler:
        return Scheduler(
            before.ranges(OPEN),
            to_do,
            len(self._devices),
            most=BLOCK_IMAGES[self._plan.config.format],
            least=self._plan.batch_size,
            proven=before.count(RESULT) > 0,
        )

    def _sampling(self, before: Progress, every: float) -> Sampling:
        done = self._listing.count - before.count(OPEN)
        return Sampling(
            self._folder.metrics,
            self._devices,
            self._listing.count,
            done,
            before.count(FAILED),
            every,
        )

    def _loader_control(self) -> Optional[LoaderControl]:
        """What follows the engines' demand for frames; None when `--loaders` is fixed."""
        plan = self._plan
        return LoaderControl(usable_cpu(), plan.most_loaders) if plan.config.loaders is None else None

    def _replayed(self) -> Progress:
        """What was done before; the ledger is made short when that is worth it."""
        path = self._folder.ledger
        before = replay(path, self._listing.count)
        torn = os.path.getsize(path) - before.size if os.path.exists(path) else 0
        if torn:
            # A torn record at the end is what a crash leaves; its images are simply done again.
            log.info("%s: its last %d bytes are torn and are cut off", path, torn)
        if before.damaged:
            self._say(
                "{}: {:,} bytes in its middle are damaged, as by a fault of the disk; the images they told of are done "
                "again.".format(path, before.damaged)
            )
        if self._plan.config.format == JSON and worth_it(before):
            before = compact(path, before)
        return before

    def _open_again(self, ledger: Ledger, before: Progress) -> None:
        """Opens failed images again: `--retry failed`."""
        failures = before.count(FAILED)
        for start, stop in before.ranges(FAILED):
            ledger.open_again(start, stop - start, FAILED)
        ledger.commit()
        before.opened = True
        before.states[before.states == FAILED] = OPEN
        self._say("Tried again: {}.".format(counted(failures, "failed image")))

    def _note_space(self, before: Progress, images: ImageList) -> None:
        """Says so when the results will not fit on the disk."""
        name, naming = self._plan.config.format, self._listing.naming
        to_do = before.count(OPEN)
        bytes_each = USUAL_BYTES[name]
        if name == JSON:
            done = (index for start, stop in before.ranges(RESULT) for index in range(start, stop))
            out = os.fsencode(self._folder.out)
            paths = (os.path.join(out, naming.result_name(images[index])) for index in done)
            bytes_each = result_bytes(paths, bytes_each)
        files = to_do if name == JSON else -(-to_do // BLOCK_IMAGES[name])
        note = space_note(self._folder.out, to_do, bytes_each, files)
        if note is not None:
            self._say(note)

    def _summary(self, crews: List[Crew], results_before: int, stopped: bool, error: str, seconds: float) -> Summary:
        after = replay(self._folder.ledger, self._listing.count)
        results = after.count(RESULT)
        kinds = collections.Counter(failure.kind for failure in standing_failures(self._folder.ledger, after))
        computed = results - results_before
        facts = make_facts(
            [WorkerFacts(crew.device.label, crew.device.on_gpu, crew.count, crew.stats) for crew in crews],
            usable_cpu(),
            seconds,
            to_json(self._plan.config),
        )
        return Summary(
            images=self._listing.count,
            results=results,
            failures=after.count(FAILED),
            failure_kinds=dict(kinds),
            computed=computed,
            detections=sum(crew.stats.detections for crew in crews),
            seconds=seconds,
            interrupted=stopped and not error,
            error=error,
            out=self._folder.out,
            workers=tuple(
                WorkerSummary(crew.device.label, crew.description, crew.restarts, crew.count, crew.stats)
                for crew in crews
            ),
            verdict=verdict(facts) if computed > 0 else None,
        )


def _reserve(folder: RunFolder) -> None:
    """Keeps some room on the disk, so that a run that ends because it is full can still say so."""
    with open(folder.reserve, "wb") as file:
        file.write(bytes(_RESERVE_BYTES))


def _release(folder: RunFolder) -> None:
    with contextlib.suppress(OSError):
        os.unlink(folder.reserve)


class _Shown:
    """Shows a pool's state: on the operator's screen, in the run folder, and to who watches the run."""

    def __init__(
        self,
        mode: str,
        folder: RunFolder,
        config: RunConfig,
        before: Progress,
        interrupts: Interrupts,
        watch: Optional[Watch],
        sampling: Sampling,
    ) -> None:
        images, earlier_failures = len(before.states), before.count(FAILED)
        earlier = images - before.count(OPEN)
        standing = Standing(folder.out, RUNNING, to_json(config), images, earlier, earlier_failures)
        self._display = ProgressDisplay(mode, standing, lambda: sampling.shown)
        self._live = LiveFile(folder.progress, images, earlier, earlier_failures)
        self._interrupts = interrupts
        self._watch = watch
        self._sampling = sampling

    def __call__(self, pool: Pool) -> None:
        stopping = self._interrupts.count > 0
        self._sampling.update(pool.done, pool.failures, stopping, pool.crews)
        self._display.update()
        if pool.crews:  # Without one nothing is done, and the file tells of the start before.
            self._live.update(pool.done, pool.failures, stopping, pool.crews)
        if self._watch is not None and self._watch(pool.crews):
            self._interrupts.end()

    def __enter__(self) -> "_Shown":
        return self

    def __exit__(self, *_: Any) -> None:
        self._display.close()

"""`divainfer.run`: from a configuration to a summary."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import shutil
import tempfile
import time
from typing import Callable, Iterator, List, Optional

from ..boot import LoaderOrders, WorkerOrders
from ..computingfile import computing_at_death
from ..config import RunConfig
from ..errors import ConfigError, DivaInferError, OutputError, RunFailed
from ..imagelist import ImageList, ImageListWriter
from ..runfolder import RunFolder, write_json
from ..sockets import Listener, new_address
from .child import Child
from .committer import Committer
from .crew import UP, Crew, Deadlines
from .failurelog import FailureLog
from .interrupts import Interrupts, sigterm_as_ctrl_c
from .ledger import Ledger, recorded_failures, replay
from .listing import Listing, write_listing
from .lock import RunLock
from .plan import Plan, make_plan
from .pool import Pool
from .progress import NONE, ProgressDisplay
from .record import check_same_run, write_record
from .scheduler import Scheduler
from .summary import Summary, WorkerSummary

log = logging.getLogger("dispatcher")

#: Loaders decode one image on one core; libraries that would start threads are told not to.
_LOADER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "ERROR"}

Say = Callable[[str], None]
#: A dry run tries a few, since the very first may be a broken one.
_DRY_RUN_IMAGES = 4


@sigterm_as_ctrl_c()
def run(config: RunConfig, say: Optional[Say] = None) -> Summary:
    """Runs a detector over images, or carries on where an earlier start of the same run ended.

    Args:
        config: what to do; `divainfer.RunConfig(images=..., out=..., model=...)`.
        say: takes each sentence the operator should read; None logs them.

    Returns:
        The summary. Images that could not be computed do not raise: they are in `summary.failures`, with their reasons in
        `<out>/.divainfer/failures.jsonl`.

    Raises:
        UsageError: when something given cannot be used; nothing was started.
        MismatchError: when the output folder holds a different run.
        EngineBootError: when no engine came up.
        RunFailed: when the run could not go on; the same call resumes it.
    """
    say = say or log.info
    plan = make_plan(config)
    if not config.out:
        raise ConfigError("--out is missing: give the folder for the results.")
    folder = RunFolder(config.out)
    with _disk_troubles(folder), RunLock(folder, say):
        # The list of an earlier run stays until it is certain that this is the same run.
        new_list, new_index = folder.list + ".new", folder.index + ".new"
        try:
            listing = write_listing(config.images, config.flat, new_list, new_index)
            naming = (listing.naming.rule, os.fsdecode(listing.naming.root))
            fingerprint = plan.fingerprint(listing, naming)
            check_same_run(folder, fingerprint)
        except (DivaInferError, OSError, KeyboardInterrupt):
            folder.remove_unless_used()
            raise
        os.replace(new_list, folder.list)
        os.replace(new_index, folder.index)
        write_record(folder, plan, fingerprint)
        for note in plan.notes + tuple(listing.notes):
            say(note)
        return _Run(plan, folder, listing, say).run()


@sigterm_as_ctrl_c()
def dry_run(config: RunConfig, say: Optional[Say] = None) -> Summary:
    """Checks everything, boots one worker, computes the first images, and leaves nothing: `--dry-run`.

    Args:
        config: as for `run`.
        say: as for `run`.

    Returns:
        The summary of those images.

    Raises:
        DivaInferError: as `run`.
    """
    say = say or log.info
    plan = make_plan(config)
    if config.out:
        _check_out(config.out)
    scratch = tempfile.mkdtemp(prefix="divainfer-dry-run-")
    try:
        folder = RunFolder(scratch)
        os.makedirs(folder.logs)
        os.makedirs(folder.parts)
        listing = write_listing(config.images, config.flat, folder.list, folder.index)
        for note in plan.notes + tuple(listing.notes):
            say(note)
        naming = (listing.naming.rule, os.fsdecode(listing.naming.root))
        if config.out:
            check_same_run(RunFolder(config.out), plan.fingerprint(listing, naming))
        tried = _first_of(folder, listing, max(plan.batch_size, _DRY_RUN_IMAGES))
        say("{:,} images listed; trying the first {} on {}.".format(listing.count, tried.count, plan.devices[0].label))
        return _Run(plan, folder, tried, say, workers=1, progress=NONE).run()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Run:
    """One start of one run, from the replay of its ledger to its summary."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        listing: Listing,
        say: Say,
        workers: Optional[int] = None,
        progress: Optional[str] = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._listing = listing
        self._say = say
        self._devices = plan.devices[:workers]
        self._progress_mode = progress or plan.config.progress
        self._address = new_address()

    def run(self) -> Summary:
        started = time.monotonic()
        before = replay(self._folder.ledger, self._listing.count)
        done_before = len(before.done)
        if done_before:
            self._say("Resuming: {:,} of {:,} images are done.".format(done_before, self._listing.count))
        self._folder.sweep()
        images = ImageList(self._folder.list, self._folder.index)
        ledger = Ledger(self._folder.ledger, before.size)
        earlier = recorded_failures(self._folder.ledger, self._listing.count)
        failure_log = FailureLog(self._folder.failures, images, earlier)
        scheduler = Scheduler(
            before.done.gaps(self._listing.count),
            len(self._devices),
            least=self._plan.batch_size,
            proven=done_before > before.failures,
        )
        crews = self._crews() if not scheduler.finished else []
        listener = Listener(self._address)
        display = ProgressDisplay(self._progress_mode, self._listing.count, done_before)

        def result_path(index: int) -> bytes:
            return os.path.join(os.fsencode(self._folder.out), self._listing.naming.result_name(images[index]))

        def show(pool: Pool) -> None:
            display.update(pool.done, pool.failures, sum(crew.state == UP for crew in pool.crews), len(pool.crews))

        finished = True
        try:
            with Interrupts() as interrupts:
                committer = Committer(self._folder.out, ledger, failure_log, result_path)
                pool = Pool(listener, crews, scheduler, committer, interrupts, show, self._plan.config.grace)
                finished = pool.run()
        finally:
            display.close()
            listener.close()
            ledger.close()
            failure_log.close()
            images.close()
        summary = self._summary(pool, before.failures, done_before, finished, time.monotonic() - started)
        write_json(self._folder.summary, summary.to_json())
        return summary

    def _summary(self, pool: Pool, failed_before: int, done_before: int, finished: bool, seconds: float) -> Summary:
        failures = failed_before + pool.failures
        return Summary(
            images=self._listing.count,
            results=done_before + pool.done - failures,
            failures=failures,
            failure_kinds=dict(
                collections.Counter(
                    failure.kind for failure in recorded_failures(self._folder.ledger, self._listing.count)
                )
            ),
            computed=pool.done - pool.failures,
            detections=sum(crew.stats.detections for crew in pool.crews),
            seconds=seconds,
            interrupted=not finished,
            out=self._folder.out,
            workers=tuple(
                WorkerSummary(crew.device.label, crew.description, crew.restarts, crew.stats) for crew in pool.crews
            ),
        )

    def _crews(self) -> List[Crew]:
        config = self._plan.config
        deadlines = Deadlines(config.boot_timeout, config.hang_timeout)
        return [
            Crew(
                seat,
                device,
                self._plan.loaders,
                self._start_worker,
                self._start_loader,
                new_address,
                deadlines,
                self._computing_at_death,
            )
            for seat, device in enumerate(self._devices)
        ]

    def _computing_at_death(self, worker: str) -> List[int]:
        return computing_at_death(self._folder.computing(worker), self._plan.batch_size)

    def _start_worker(self, crew: Crew, name: str, address: str) -> Child:
        plan, config = self._plan, self._plan.config
        naming = self._listing.naming
        orders = WorkerOrders(
            name=name,
            parent=os.getpid(),
            dispatcher=self._address,
            address=address,
            engine=config.engine,
            model=plan.model,
            card=plan.card.to_json(),
            device=crew.device.name,
            on_gpu=crew.device.on_gpu,
            batch_size=plan.batch_size,
            streams=config.streams,
            threads=0 if crew.device.on_gpu else plan.threads,
            loaders=plan.loaders,
            queue_mem=plan.queue_mem,
            short_edge_size=plan.short_edge_size,
            max_size=plan.max_size,
            out=self._folder.out,
            list=self._folder.list,
            index=self._folder.index,
            naming=(naming.rule, os.fsdecode(naming.root)),
            classes=list(plan.card.classes),
            style=config.result_style,
            score_threshold=config.score_threshold,
            keep=None if plan.keep is None else list(plan.keep),
            boot_timeout=config.boot_timeout,
            hang_timeout=config.hang_timeout,
        )
        log_file = self._folder.log("worker-{}".format(crew.seat))
        return Child("divainfer.worker", orders, crew.device.environment(), log_file, self._folder.path)

    def _start_loader(self, crew: Crew, name: str, address: str) -> Child:
        plan = self._plan
        orders = LoaderOrders(
            name=name,
            parent=os.getpid(),
            worker=address,
            short_edge_size=plan.short_edge_size,
            max_size=plan.max_size,
            max_pixels=plan.config.max_pixels,
            patience=plan.config.boot_timeout,
        )
        log_file = self._folder.log("loaders-{}".format(crew.seat))
        environment = dict(_LOADER_ENVIRONMENT, OPENCV_IO_MAX_IMAGE_PIXELS=str(plan.config.max_pixels))
        return Child("divainfer.loader", orders, environment, log_file, self._folder.path)


def _check_out(out: str) -> None:
    """Whether the output folder could be written, without writing it.

    Raises:
        OutputError: when not.
    """
    path = os.path.abspath(out)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    # /proc answers that it may be written, and means it differently.
    writable = os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK) and not path.startswith("/proc")
    if not writable:
        raise OutputError("--out {}: the folder cannot be written.".format(out))


@contextlib.contextmanager
def _disk_troubles(folder: RunFolder) -> Iterator[None]:
    """Turns what the disk refuses outside the workers into one sentence."""
    try:
        yield
    except OSError as error:
        where = "" if error.filename is None else " ({})".format(os.fsdecode(error.filename))
        raise RunFailed(
            "--out {}: {}{}. Everything recorded before is safe; mend it and give the same command again.".format(
                folder.out, error.strerror or error, where
            )
        )


def _first_of(folder: RunFolder, listing: Listing, count: int) -> Listing:
    """Cuts a list to its first images."""
    images = ImageList(folder.list, folder.index)
    paths = [images[index] for index in range(min(count, len(images)))]
    images.close()
    writer = ImageListWriter(folder.list, folder.index)
    for path in paths:
        writer.add(path)
    return listing._replace(digest=writer.close(), count=len(paths))

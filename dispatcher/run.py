"""`divainfer.run`: from a configuration to a summary."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Optional

from ..config import AUTO, RunConfig, lasting, resolve
from ..errors import ConfigError, DivaInferError, ImageListError, OutputError, RunFailed
from ..imagelist import ImageList, ImageListWriter, Listing, list_digest
from ..ledger import OPEN, replay
from ..lock import RunLock
from ..monitor.display import NONE
from ..monitor.exporter import Exporter
from ..naming import JSON
from ..output.formats import BLOCK_IMAGES, USUAL_BYTES, begin_anew
from ..runfolder import RunFolder
from ..runrecord import RunRecord, now, read_run_record
from .diskspace import space_note
from .endreport import EndReport
from .fingerprint import check_same_run
from .interrupts import signals_as_ctrl_c
from .listing import source_digest, write_listing
from .plan import Plan, make_plan
from .sampling import exporting
from .start import Say, Start
from .summary import Summary

log = logging.getLogger("dispatcher")

#: A dry run tries a few, since the very first may be a broken one.
_DRY_RUN_IMAGES = 4


@signals_as_ctrl_c()
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
    with EndReport(folder, say) as report, exporting(config, say) as exporter, _locked(folder, say) as lock:
        return _begin(plan, folder, _earlier_listing(config, folder), lock, report, exporter, say)


@signals_as_ctrl_c()
def resume(out: str, say: Optional[Say] = None, **changes: Any) -> Summary:
    """Carries on a run from its folder alone: its list is not read anew.

    Args:
        out: the output folder.
        say: as for `run`.
        **changes: fields of `RunConfig` that shall differ, such as `gpus` or `retry`.

    Returns:
        The summary, as `run`.

    Raises:
        DivaInferError: as `run`.
    """
    say = say or log.info
    folder = RunFolder(out)
    read_run_record(folder)  # Before the lock, which would make a folder where there is none.
    report = EndReport(folder, say)
    with report, _locked(folder, say) as lock:
        record = read_run_record(folder)
        plan = make_plan(resolve(dict(record.config, **changes), {}))
        if not _listing_is_there(record, folder):
            raise OutputError(
                "{}: it is not the list of this run any more. Give the whole command again; it reads the list anew.".format(
                    folder.list
                )
            )
        with exporting(plan.config, say) as exporter:
            return _begin(plan, folder, record.listing, lock, report, exporter, say)


def _earlier_listing(config: RunConfig, folder: RunFolder) -> Optional[Listing]:
    """The listing the folder holds, if the given list is certainly the same: reading ten million lines takes a while."""
    try:
        record = read_run_record(folder)
    except OutputError:
        return None  # Then it is read anew, and compared by its digest.
    same = (
        record.listing.source != ""
        and record.config.get("flat") == config.flat
        and record.config.get("frame_step", 1) == config.frame_step
        and record.listing.source == source_digest(config.images)
    )
    return record.listing if same and _listing_is_there(record, folder) else None


def _listing_is_there(record: RunRecord, folder: RunFolder) -> bool:
    """Whether the folder's list is the one that `run.json` speaks of: a start may have ended between the two."""
    try:
        images = ImageList(folder.list, folder.index)
        count = len(images)
        images.close()
        return count == record.listing.count and list_digest(folder.list) == record.listing.digest
    except ImageListError:
        return False


def _begin(
    plan: Plan,
    folder: RunFolder,
    listing: Optional[Listing],
    lock: RunLock,
    report: EndReport,
    exporter: Optional[Exporter],
    say: Say,
) -> Summary:
    """Checks that this is the run that the folder holds, if it holds one, and starts it.

    Args:
        plan: what is asked for.
        folder: the run folder, locked.
        listing: the image list that is in the folder already; None to make it.
        lock: the folder's.
        report: follows the start.
        exporter: serves the samples; None for nobody.
        say: takes sentences.
    """
    config = plan.config
    # The list of an earlier run stays until it is certain that this is the same run.
    new_list, new_index = folder.list + ".new", folder.index + ".new"
    try:
        made = listing or write_listing(
            config.images,
            config.flat,
            new_list,
            new_index,
            frame_step=config.frame_step,
            results=config.out if config.format == JSON else "",
        )
        fingerprint = plan.fingerprint(made)
        compared = check_same_run(folder, fingerprint, config.force)
    except (DivaInferError, OSError, KeyboardInterrupt):
        folder.remove_unless_used()
        raise
    if compared.gives_way:
        begin_anew(folder)
    if listing is None:
        os.replace(new_list, folder.list)
        os.replace(new_index, folder.index)
    if compared.passed_over or not _all_done(plan, folder, made):
        # It is of an earlier start, and `run.json` will be of this one.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder.summary)
        _record(plan, folder, made, fingerprint, compared.passed_over).write(folder)
    for note in plan.notes + tuple(made.notes):
        say(note)
    if compared.passed_over:
        say("--force: going on in spite of: {}.".format("; ".join(compared.passed_over)))
    start = Start(plan, folder, made, say, lock=lock, exporter=exporter)
    report.begin(start, config)
    return start.run()


def _all_done(plan: Plan, folder: RunFolder, listing: Listing) -> bool:
    """Whether the run is finished: then a start does nothing, and what is known of the one before stays."""
    if plan.config.retry == "failed" or not os.path.exists(folder.summary):
        return False
    return not replay(folder.ledger, listing.count).count(OPEN)


def _record(
    plan: Plan, folder: RunFolder, listing: Listing, fingerprint: Dict[str, Any], passed_over: List[str]
) -> RunRecord:
    try:
        overridden = read_run_record(folder).overridden
    except OutputError:
        overridden = []
    if passed_over:
        overridden = overridden + [{"time": now(), "differences": passed_over}]
    return RunRecord(
        fingerprint=fingerprint,
        config=lasting(plan.config),
        listing=listing,
        classes=list(plan.card.classes),
        devices=[device._asdict() for device in plan.devices],
        settings={
            "loaders": plan.config.loaders or AUTO,
            "queue_mem": plan.queue_mem,
            "batch_size": plan.batch_size,
            "short_edge_size": plan.short_edge_size,
            "max_size": plan.max_size,
        },
        overridden=overridden,
        started=now(),
    )


@signals_as_ctrl_c()
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
    with exporting(config, log.info):
        pass  # It can be served.
    # There is no folder that figures could be looked up in afterwards.
    plan = make_plan(dataclasses.replace(config, sample_every=0.0))
    if config.out:
        _check_out(config.out)
    scratch = tempfile.mkdtemp(prefix="divainfer-dry-run-")
    try:
        folder = RunFolder(scratch)
        os.makedirs(folder.logs)
        os.makedirs(folder.parts)
        listing = write_listing(config.images, config.flat, folder.list, folder.index, frame_step=config.frame_step)
        for note in plan.notes + tuple(listing.notes):
            say(note)
        if config.out:
            check_same_run(RunFolder(config.out), plan.fingerprint(listing), config.force)
        tried = _first_of(folder, listing, max(plan.batch_size, _DRY_RUN_IMAGES))
        say("{:,} images listed; trying the first {} on {}.".format(listing.count, tried.count, plan.devices[0].label))
        summary = Start(plan, folder, tried, say, workers=1, progress=NONE).run()
        if config.out:
            _note_space(config, listing, scratch, say)
        # Of a few images nothing can be told but that they are few.
        return dataclasses.replace(summary, verdict=None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _note_space(config: RunConfig, listing: Listing, tried: str, say: Say) -> None:
    """Says so when the results of a whole run will not fit, by the size of those that were tried."""
    sizes = [entry.stat().st_size for entry in os.scandir(tried) if entry.is_file()]
    bytes_each = sum(sizes) // len(sizes) if sizes and config.format == JSON else USUAL_BYTES[config.format]
    files = -(-listing.count // (1 if config.format == JSON else BLOCK_IMAGES[config.format]))
    there = os.path.abspath(config.out)
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    note = space_note(there, listing.count, bytes_each, files)
    if note is not None:
        say(note)


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
def _locked(folder: RunFolder, say: Say) -> Iterator[RunLock]:
    """Holds a run folder; what its disk refuses becomes one sentence."""
    with _disk_troubles(folder), RunLock(folder, say) as lock:
        yield lock


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
    writer.add(paths)
    return listing._replace(digest=writer.close(), count=len(paths))

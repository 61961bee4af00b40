"""The plan: a configuration checked against this machine and this model, before any process starts."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import __version__
from ..config import FULL, MIXED, RunConfig, suggestion
from ..engines import TENSORFLOW, check_engine, parse_engine
from ..errors import ConfigError, ModelError
from ..geometry import check_sizes, frame_bytes
from ..imagelist import Listing
from ..machine import available_memory, available_shared_memory, usable_cores
from ..modelfile.card import Card, read_card
from ..modelfile.classes import class_list
from ..modelfile.spec import DEFAULT_MAX_SIZE, DEFAULT_SHORT_EDGE_SIZE, model_digest, model_path, resolve_model
from ..naming import PARQUET
from ..output.parquet import check_pyarrow
from .devices import Device, parse_devices

#: Each loader decodes about 80 frames of 1080p a second: more than a few are needed only for larger images and slow disks.
_FIRST_LOADERS, _MOST_LOADERS = 8, 16
_MOST_QUEUE_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will run.

    Attributes:
        config: as asked for.
        model: path of the model; "" for an engine that needs none.
        digest: the model's "sha256:..."; "" without one.
        card: the model's card, complete.
        devices: one a worker.
        short_edge_size: pixels.
        max_size: pixels.
        batch_size: frames a step.
        loaders: for each worker, at first.
        most_loaders: for each worker, when `--loaders auto` has added all it may; the same where the number is fixed.
        queue_mem: bytes for each worker.
        threads: CPU threads of each engine; 0 for its own choice.
        keep: class ids that are kept; None for all.
        notes: sentences the operator should read.
    """

    config: RunConfig
    model: str
    digest: str
    card: Card
    devices: Tuple[Device, ...]
    short_edge_size: int
    max_size: int
    batch_size: int
    loaders: int
    most_loaders: int
    queue_mem: int
    threads: int
    keep: Optional[Tuple[int, ...]]
    notes: Tuple[str, ...]

    def fingerprint(self, listing: Listing) -> Dict[str, Any]:
        """What decides the results' content and names: a run may only be resumed with the same."""
        card = self.card
        return {
            "version": int(__version__.split(".")[0]),
            "engine": self.config.engine,
            "model": self.digest,
            "tensors": dict(card.outputs, image=card.image),
            "colour_order": card.colour_order,
            "classes": list(card.classes),
            # Of checkpoints; other forms have it in their files.
            "detector": dict(card.detector) or None,
            "count": listing.count,
            "images": listing.digest,
            "naming": [listing.naming.rule, os.fsdecode(listing.naming.root)],
            "short_edge_size": self.short_edge_size,
            "max_size": self.max_size,
            "max_pixels": self.config.max_pixels,
            # None, so that runs that began before there were these options can be resumed.
            "fast_decode": self.config.fast_decode or None,
            "precision": None if self.config.precision == FULL else self.config.precision,
            "xla": self.config.xla or None,
            "score_threshold": self.config.score_threshold,
            "keep": None if self.keep is None else list(self.keep),
            "result_style": self.config.result_style,
            "format": self.config.format,
        }


def make_plan(config: RunConfig) -> Plan:
    """Checks model, sizes, classes and devices.

    Raises:
        UsageError: one of its kinds, one sentence, for whatever cannot work.
    """
    model, digest, card, notes = _model(config)
    if config.format == PARQUET:
        check_pyarrow()
    devices = tuple(parse_devices(config.gpus))
    _check_gpu_options(config, devices)
    short_edge_size = config.short_edge_size or card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE
    max_size = config.max_size or card.max_size or DEFAULT_MAX_SIZE
    check_sizes(short_edge_size, max_size)
    batch_size = card.batch_size or config.batch_size
    if config.batch_size not in (1, batch_size):
        notes.append(
            "--batch-size {}: the graph is built for batches of {}, which is used.".format(
                config.batch_size, batch_size
            )
        )
    cores = usable_cores()
    cpu_workers = sum(not device.on_gpu for device in devices)
    return Plan(
        config=config,
        model=model,
        digest=digest,
        card=card,
        devices=devices,
        short_edge_size=short_edge_size,
        max_size=max_size,
        batch_size=batch_size,
        loaders=config.loaders or first_loaders(cores, len(devices)),
        most_loaders=config.loaders or most_loaders(cores, len(devices)),
        queue_mem=config.queue_mem
        or _default_queue_mem(
            # Batches begin at multiples of 64 bytes (`worker/cells.py`).
            len(devices),
            frame_bytes(short_edge_size, max_size) * batch_size + 64,
            config.streams,
        ),
        threads=config.threads or (max(1, cores // cpu_workers) if cpu_workers else 0),
        keep=_keep(config.classes, card),
        notes=tuple(notes),
    )


def first_loaders(cores: int, workers: int) -> int:
    """Loaders each worker starts with by `--loaders auto`: the cores' share, but no more than are needed mostly."""
    return max(1, min(_FIRST_LOADERS, cores // workers))


def most_loaders(cores: int, workers: int) -> int:
    """Loaders each worker may get by `--loaders auto`: twice the cores' share, since those that wait for files need no core."""
    return max(2, min(_MOST_LOADERS, 2 * cores // workers))


def _model(config: RunConfig) -> Tuple[str, str, Card, List[str]]:
    """Path, digest and card of the model, and notes on it."""
    engine, options = parse_engine(config.engine)
    check_engine(engine)
    if engine == TENSORFLOW:
        if not config.model:
            raise ConfigError("--model is missing: give a frozen graph (.pb), a checkpoint, a SavedModel, or 'demo'.")
        spec = resolve_model(config.model, config.class_list, options)
        return os.path.abspath(spec.path), spec.digest, spec.card, spec.notes
    # What other engines take for a model, and whether they need one, is theirs to know.
    path = model_path(config.model)
    card = read_card(path) if path else Card()
    if config.class_list:
        card = dataclasses.replace(card, classes=class_list(config.class_list))
    if not path:
        return "", "", card, []
    return os.path.abspath(path), model_digest(_files(path)), card, []


def _check_gpu_options(config: RunConfig, devices: Sequence[Device]) -> None:
    """Refuses what only GPUs can do.

    Raises:
        ConfigError: when an option of that kind is given and a worker computes on a CPU.
    """
    given = ["--precision mixed"] * (config.precision == MIXED) + ["--xla"] * config.xla
    if given and not all(device.on_gpu for device in devices):
        raise ConfigError("{}: only for GPUs, and --gpus {} is none; leave it out.".format(given[0], config.gpus))


def _files(path: str) -> List[str]:
    """All files of a model that may be a folder, sorted."""
    if not os.path.isdir(path):
        return [path]
    found = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    if not found:
        raise ModelError("{}: the model's folder is empty.".format(path))
    return sorted(found)


def _default_queue_mem(workers: int, batch_bytes: int, streams: int) -> int:
    share = min(available_shared_memory() // 2, available_memory() // 4) // workers
    most = max(_MOST_QUEUE_BYTES, 2 * (2 * streams + 1) * batch_bytes)
    # On a small machine a queue of one batch more than is computed is still better than none; whether it fits shows when it
    # is made.
    return max(min(most, share), (streams + 2) * batch_bytes)


def _keep(wanted: Tuple[str, ...], card: Card) -> Optional[Tuple[int, ...]]:
    if not wanted:
        return None
    ids: List[int] = []
    for word in wanted:
        if word in card.classes:
            ids.append(card.classes.index(word))
        elif word.isdigit() and (not card.classes or 0 < int(word) < len(card.classes)):
            ids.append(int(word))
        else:
            known = ", ".join(card.classes[1:]) or "unknown, so give ids, or names with --class-list"
            raise ConfigError(
                "--classes: the model has no class {!r}{}; its classes are {}.".format(
                    word, suggestion(word, card.classes), known
                )
            )
    return tuple(sorted(set(ids)))

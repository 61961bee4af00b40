"""One worker: the loop between dispatcher, loaders, engine and writer. What to do is decided in `queue.py`; this does it."""

from __future__ import annotations

import logging
import os
import time
from typing import Dict, List, Set, Tuple

import zmq

from .. import messages
from ..boot import WorkerOrders
from ..computingfile import ComputingFile
from ..errors import DivaInferError, EngineBootError, OutputError
from ..geometry import frame_bytes
from ..histogram import Histogram, Times
from ..imagelist import ImageList
from ..loader.memory import FrameMemory
from ..messages import Cost, WorkerStats
from ..modelfile.card import parse_card
from ..naming import Naming
from ..output.formats import make_store
from ..runfolder import RunFolder
from ..sockets import Caller, Listener
from ..video.file import parse_frame_path, runs_of_frames
from .cells import cell_bytes
from .commands import Ask, Compute, Done, Retired, Stuck, Want
from .computing import BootFailed, Computed, Computing, Dropped, Ready, check_fits
from .engines import engine_class, parse_engine
from .engines.base import EngineSpec
from .masks import check_masks
from .outbox import Outbox
from .queue import FrameQueue
from .results import ResultFormat
from .slots import slot_count
from .timesplit import TimeSplit
from .writer import Fatal, Settled, Writer, Written

log = logging.getLogger("worker")

_HEARTBEAT_SECONDS = 1.0
_HEARTBEAT_MS = 1000
#: What engine and writer have done without waking the loop is heard at least that often.
_QUIET_MS = 30
_LAST_WORDS_MS = 2000


class Worker:
    """A worker process's work.

    Args:
        orders: what the dispatcher wants.
    """

    def __init__(self, orders: WorkerOrders) -> None:
        self._orders = orders
        self._dispatcher = Caller(orders.dispatcher, orders.name)
        self._loaders = Listener(orders.address)
        self._outbox = Outbox()
        self._split = TimeSplit()
        self._images = ImageList(orders.list, orders.index)
        self._decoded = 0
        self._cost = Cost(0.0, 0.0, 0.0)
        self._decode_times, self._compute_times = Histogram(), Histogram()
        self._cpu_before = 0.0
        self._loader_time = self._stats_at = 0.0
        self._stopping = False
        self._given_back = False
        self._settling = 0
        self._over = False
        self._beat_at = 0.0
        #: Whether something waits for the engine to be through with a batch, and with how few batches left that is urgent.
        self._eager, self._few = False, 0

    def run(self) -> int:
        """Works until told to stop. Returns the process's exit status."""
        try:
            self._build()
        except DivaInferError as error:
            self._fail(error)
            return 1
        self._computing.start()
        self._writer.start()
        self._follow()
        poller = zmq.Poller()
        for source in (self._dispatcher.socket, self._loaders.socket, self._outbox):
            poller.register(source, zmq.POLLIN)
        try:
            while not self._over:
                poller.poll(self._patience())
                self._hear_engine()
                self._hear_loaders()
                self._hear_dispatcher()
                self._keep_time()
                self._follow()
                self._over = self._given_back and not self._settling
        except DivaInferError as error:
            self._fail(error)
            return 1
        self._computing.close()
        self._writer.close()
        self._say_goodbye(messages.WorkerDone(list(self._stats()), list(self._times())))
        return 0

    def _build(self) -> None:
        orders = self._orders
        name, options = parse_engine(orders.engine)
        card = parse_card(orders.card, orders.model)
        if card.outputs.get("masks"):
            check_masks()
        spec = EngineSpec(
            orders.model, card, orders.device, orders.on_gpu, orders.batch_size,
            orders.threads, options, orders.precision, orders.xla,
        )  # fmt: skip
        engine = engine_class(name)(spec)
        size = frame_bytes(orders.short_edge_size, orders.max_size)
        slots = slot_count(orders.queue_mem, size, orders.batch_size, orders.streams, orders.loaders)
        log.info("queue of %d frames of at most %.1f MB", slots, size / 1e6)
        self._memory = FrameMemory.create(slots // orders.batch_size * cell_bytes(size, orders.batch_size))
        self._few = slots // orders.batch_size // 2
        self._convicted_videos: Set[bytes] = set()
        self._queue = FrameQueue(
            slots,
            orders.batch_size,
            size,
            orders.hang_timeout,
            orders.block_images,
            orders.report_every,
            self._takes_loaders_down,
            orders.streams,
        )
        keep = None if orders.keep is None else frozenset(orders.keep)
        folder = RunFolder(orders.out)
        naming = Naming(orders.naming[0], os.fsencode(orders.naming[1]))
        self._writer = Writer(
            orders.name,
            orders.out,
            self._images,
            ResultFormat(tuple(orders.classes), orders.style, orders.score_threshold, keep),
            make_store(orders.format, orders.name, folder, naming),
            self._outbox.put,
            self._outbox.put_quietly,
        )
        noted = ComputingFile(folder.computing(orders.name), orders.streams, orders.batch_size)
        self._computing = Computing(
            engine,
            self._memory,
            self._writer,
            self._split,
            orders.streams,
            noted,
            self._outbox.put,
            self._post_computed,
        )

    def _patience(self) -> int:
        """How long to wait for news, milliseconds."""
        self._eager = self._queue.is_hard_up
        if self._is_urgent and not self._outbox.empty:
            return 0
        return _HEARTBEAT_MS if self._queue.at_rest else _QUIET_MS

    @property
    def _is_urgent(self) -> bool:
        """Whether places have to be free soon: with half of the batches left, so that many are handed out at a time."""
        return self._eager and self._computing.left <= self._few

    def _post_computed(self, event: Computed) -> None:
        """Called from the engine's threads."""
        if self._is_urgent:
            self._outbox.put(event)
        else:
            self._outbox.put_quietly(event)

    # --- who speaks to us

    def _hear_engine(self) -> None:
        for event in self._outbox.take_all():
            if isinstance(event, Computed):
                self._compute_times.add(event.seconds)
                self._queue.computed(event.number)
                self._writer.put(event.number, list(zip(event.frames, event.outcomes)))
            elif isinstance(event, Written):
                self._queue.written(event.number, event.failures)
            elif isinstance(event, Settled):
                self._settling -= 1
                kind = messages.BlockDone if event.over else messages.BlockPart
                self._dispatcher.send(kind(event.block, [list(one) for one in event.finished]))
            elif isinstance(event, Dropped):
                self._queue.dropped(event.number)
            elif isinstance(event, Ready):
                self._engine_up(event)
            elif isinstance(event, BootFailed):
                raise EngineBootError(event.reason)
            elif isinstance(event, Fatal):
                raise OutputError(event.reason) if event.disk else DivaInferError(event.reason)

    def _engine_up(self, ready: Ready) -> None:
        check_fits(ready.info, self._orders.batch_size)
        self._cpu_before, self._stats_at = time.process_time(), time.monotonic()
        log.info("engine up after %.1f s: %s", ready.seconds, ready.info.description)
        self._dispatcher.send(
            messages.WorkerUp(os.getpid(), ready.info.description, self._orders.batch_size, ready.seconds)
        )

    def _hear_loaders(self) -> None:
        while True:
            heard = self._loaders.receive()
            if heard is None:
                return
            loader, message = heard
            if isinstance(message, messages.Loaded):
                self._loaded(loader, message)
            elif isinstance(message, messages.LoaderUp):
                self._loaders.send(loader, messages.Memory(self._memory.path, self._memory.size))
                self._dispatcher.send(messages.LoaderHere(loader))
                self._queue.loader_up(loader)
            else:
                log.warning("a loader sent %r, which is not for a worker", message)

    def _loaded(self, loader: str, loaded: messages.Loaded) -> None:
        ready, failed, too_large, cost, times = loaded
        self._decode_times.add_buckets(times)
        self._decoded += len(ready) + len(failed)
        self._cost = Cost(*(sum(pair) for pair in zip(self._cost, cost)))
        self._queue.loaded(loader, ready, failed, too_large, cost.seconds, time.monotonic())

    def _hear_dispatcher(self) -> None:
        while True:
            message = self._dispatcher.receive()
            if message is None:
                return
            if isinstance(message, messages.Lease):
                self._queue.lease(message.block, message.start, message.count, self._runs(message))
            elif isinstance(message, messages.LoaderGone):
                self._loader_gone(message)
            elif isinstance(message, messages.RetireLoader):
                self._queue.retire(message.loader)
            elif isinstance(message, messages.Stop):
                self._stopping = True
                self._queue.drain()
                self._computing.stop()
            else:
                log.warning("the dispatcher sent %r, which is not for a worker", message)

    def _runs(self, lease: messages.Lease) -> List[Tuple[int, int]]:
        """Which of the leased images are frames of one video that follow each other."""
        start = lease.start
        paths = [self._images[index] for index in range(start, start + lease.count)]
        return [(start + first, start + last) for first, last in runs_of_frames(paths)]

    def _takes_loaders_down(self, index: int) -> bool:
        """Whether an image is a frame of a video of which one was convicted: the others would cost as many loaders each."""
        frame = parse_frame_path(self._images[index])
        return frame is not None and frame.video in self._convicted_videos

    def _loader_gone(self, gone: messages.LoaderGone) -> None:
        for index in self._queue.loader_gone(gone.loader, gone.how):
            frame = parse_frame_path(self._images[index])
            if frame is not None:
                self._convicted_videos.add(frame.video)
        self._queue.give_up()

    # --- what we say and do

    def _follow(self) -> None:
        """Does what follows from all that has happened."""
        asked: Dict[str, List[messages.Ticket]] = {}
        for command in self._queue.follow(time.monotonic()):
            if isinstance(command, Ask):
                path = self._images[command.index]
                ticket = messages.Ticket(command.ticket, path, command.offset, command.room)
                asked.setdefault(command.loader, []).append(ticket)
            elif isinstance(command, Compute):
                self._computing.put(command)
            elif isinstance(command, Want):
                self._dispatcher.send(messages.WantBlock(command.images))
            elif isinstance(command, Done):
                self._settling += 1
                self._writer.settle(command)
            elif isinstance(command, Stuck):
                self._dispatcher.send(messages.LoaderStuck(command.loader))
            elif isinstance(command, Retired):
                self._loaders.send(command.loader, messages.Retire())
        for loader, tickets in asked.items():
            self._loaders.send(loader, messages.Tickets(tickets))
        fed, has_work = self._queue.feeds, self._queue.has_work
        self._split.set_work(fed, has_work)
        if has_work and not fed:
            # Whoever waits now waits for the writer: the end of the run, or of a block that others depend on.
            self._writer.hurry()

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + _HEARTBEAT_SECONDS
            self._queue.tick(now)
            self._dispatcher.send(messages.Heartbeat(list(self._stats()), list(self._times())))
            self._check_progress(now)
        if self._stopping and self._queue.at_rest and not self._given_back:
            self._given_back = True
            self._queue.give_back()

    def _check_progress(self, now: float) -> None:
        """Gives up when the engine or the writer hangs; neither can be interrupted from here."""
        seconds, any_done = self._computing.longest()
        # A first batch may compile kernels for minutes.
        limit = self._orders.hang_timeout if any_done else max(self._orders.boot_timeout, self._orders.hang_timeout)
        if seconds > limit:
            raise DivaInferError("the engine has been working on one batch for {:.0f} s".format(seconds))
        writing_since = self._writer.since
        if writing_since is not None and now - writing_since > self._orders.hang_timeout:
            raise DivaInferError(
                "the writer has been waiting for the disk for {:.0f} s ({})".format(
                    now - writing_since, self._orders.out
                )
            )

    def _stats(self) -> WorkerStats:
        # Until the engine is ready there is nothing to tell of its time.
        seconds = self._split.seconds() if self._cpu_before else dict.fromkeys(self._split.seconds(), 0.0)
        now = time.monotonic()
        if self._cpu_before:
            self._loader_time += self._queue.loaders * (now - self._stats_at)
        self._stats_at = now
        return WorkerStats(
            images=self._writer.images,
            failures=self._queue.failed,
            detections=self._writer.detections,
            busy=seconds["busy"],
            starved=seconds["starved"],
            blocked=seconds["blocked"],
            idle=seconds["idle"],
            warm_up=seconds["warm_up"],
            writing=self._writer.seconds,
            decoded=self._decoded,
            decoding=self._cost.seconds,
            reading=self._cost.reading,
            decoding_cpu=self._cost.cpu,
            loader_time=self._loader_time,
            batches=self._computing.batches,
            cpu=time.process_time() - self._cpu_before if self._cpu_before else 0.0,
            queued=self._queue.waiting,
            slots=self._queue.slots,
            loaders=self._queue.loaders,
        )

    def _times(self) -> Times:
        return Times(self._decode_times.counts, self._compute_times.counts, self._writer.times)

    def _fail(self, error: DivaInferError) -> None:
        log.error("%s", error)
        self._say_goodbye(messages.WorkerFailed(isinstance(error, OutputError), str(error)))

    def _say_goodbye(self, message: messages.Message) -> None:
        self._dispatcher.send(message)
        # Waits until the message is out; without this it would end with the process.
        zmq.Context.instance().destroy(linger=_LAST_WORDS_MS)

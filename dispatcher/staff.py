"""Who works for a run: a crew for each device, and the orders its processes get."""

from __future__ import annotations

import os
from typing import List, Sequence

from ..boot import LoaderOrders, WorkerOrders
from ..computingfile import computing_at_death
from ..imagelist import Listing
from ..output.formats import BLOCK_IMAGES, REPORT_EVERY
from ..runfolder import RunFolder
from ..sockets import new_address
from .child import Child
from .crew import Crew, Deadlines
from .devices import Device
from .plan import Plan

#: Loaders decode one image on one core; libraries that would start threads are told not to.
_LOADER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "ERROR"}


class Staff:
    """Makes crews, and starts their processes when they ask for them.

    Args:
        plan: what runs.
        folder: the run folder.
        listing: the image list.
        dispatcher: address of the dispatcher's socket.
        remember: how many frames each loader keeps, to give them again without decoding.
    """

    def __init__(self, plan: Plan, folder: RunFolder, listing: Listing, dispatcher: str, remember: int = 0) -> None:
        self._remember = remember
        self._plan = plan
        self._folder = folder
        self._listing = listing
        self._dispatcher = dispatcher

    def crews(self, devices: Sequence[Device]) -> List[Crew]:
        """A crew for each device; nothing is started yet."""
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
            for seat, device in enumerate(devices)
        ]

    def _computing_at_death(self, worker: str) -> List[int]:
        return computing_at_death(self._folder.computing(worker), self._plan.batch_size)

    def _start_worker(self, crew: Crew, name: str, address: str) -> Child:
        plan, config = self._plan, self._plan.config
        naming = self._listing.naming
        orders = WorkerOrders(
            name=name,
            parent=os.getpid(),
            dispatcher=self._dispatcher,
            address=address,
            engine=config.engine,
            model=plan.model,
            card=plan.card.to_json(),
            device=crew.device.name,
            on_gpu=crew.device.on_gpu,
            batch_size=plan.batch_size,
            streams=config.streams,
            precision=config.precision,
            xla=config.xla,
            threads=0 if crew.device.on_gpu else plan.threads,
            loaders=plan.most_loaders,
            queue_mem=plan.queue_mem,
            short_edge_size=plan.short_edge_size,
            max_size=plan.max_size,
            out=self._folder.out,
            list=self._folder.list,
            index=self._folder.index,
            naming=(naming.rule, os.fsdecode(naming.root)),
            classes=list(plan.card.classes),
            style=config.result_style,
            format=config.format,
            block_images=BLOCK_IMAGES[config.format],
            report_every=REPORT_EVERY[config.format],
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
            fast_decode=plan.config.fast_decode,
            remember=self._remember,
            patience=plan.config.boot_timeout,
        )
        log_file = self._folder.log("loaders-{}".format(crew.seat))
        environment = dict(_LOADER_ENVIRONMENT, OPENCV_IO_MAX_IMAGE_PIXELS=str(plan.config.max_pixels))
        return Child("divainfer.loader", orders, environment, log_file, self._folder.path)

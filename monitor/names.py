"""What each measured figure is called in Prometheus, and in the dashboard: the one place that tells.

Names follow Prometheus's rules: base units (seconds, bytes, shares as ratios), `_total` for what only grows. Where a figure
comes from is said by the field of `sample.py`, which `metrics.jsonl` has under the same name.
"""

from __future__ import annotations

from typing import Any, List, NamedTuple, Tuple

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
#: The records of `sample.py`, and how many series one sample gives: one, or one for each worker, GPU or role.
RUN, WORKERS, GPUS, HOST, ROLES = "run", "workers", "gpus", "host", "roles"
#: Labels by record.
LABELS = {
    RUN: (),
    WORKERS: ("worker", "device", "uuid"),
    GPUS: ("worker", "device", "uuid"),
    HOST: (),
    ROLES: ("role",),
}


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: in Prometheus; of a histogram without `_bucket`.
        kind: COUNTER, GAUGE or HISTOGRAM.
        of: the record it is taken from.
        field: in that record; with a dot: a field of a field.
        help: one sentence's beginning.
        factor: from the field's unit to the metric's.
        when: the value of the field that counts as 1, all others as 0; None where the field is a number, or a list that is
            counted.
        sum: of a histogram: the field that adds up its durations; "" where nothing does.
    """

    name: str
    kind: str
    of: str
    field: str
    help: str
    factor: float = 1.0
    when: Any = None
    sum: str = ""


def _worker(name: str, kind: str, field: str, text: str, **more: Any) -> Metric:
    return Metric("divainfer_worker_" + name, kind, WORKERS, field, text, **more)


def _gpu(name: str, kind: str, field: str, text: str, **more: Any) -> Metric:
    return Metric("divainfer_gpu_" + name, kind, GPUS, field, text, **more)


def _host(name: str, kind: str, field: str, text: str) -> Metric:
    return Metric("divainfer_host_" + name, kind, HOST, field, text)


METRICS: Tuple[Metric, ...] = (
    Metric("divainfer_sample_time_seconds", GAUGE, RUN, "time", "When this was sampled, seconds since 1970"),
    Metric("divainfer_start_time_seconds", GAUGE, RUN, "start", "When this start of the run began, seconds since 1970"),
    Metric("divainfer_uptime_seconds", GAUGE, RUN, "seconds", "Time since this start began"),
    Metric("divainfer_images", GAUGE, RUN, "images", "Images in the list"),
    # Gauges: what is to be done again (`--retry`, `--repair`) takes from them.
    Metric("divainfer_images_done", GAUGE, RUN, "done", "Images with a result or a failure, over all starts"),
    Metric("divainfer_images_failed", GAUGE, RUN, "failures", "Images with a failure record, over all starts"),
    Metric("divainfer_stopping", GAUGE, RUN, "stopping", "1 once the operator asked for the end"),
    # --- workers: the time of each from its first batch on is busy, starved, blocked or idle
    _worker("up", GAUGE, "state", "1 while it is at work", when="up"),
    _worker("silent_seconds", GAUGE, "silent", "Time since it was last heard of, which it should be each second"),
    _worker("restarts_total", COUNTER, "restarts", "How often it was started again"),
    _worker("images_total", COUNTER, "stats.images", "Results written in this start"),
    _worker("failures_total", COUNTER, "stats.failures", "Failure records of this start"),
    _worker("detections_total", COUNTER, "stats.detections", "Detections written"),
    _worker("batches_total", COUNTER, "stats.batches", "Batches computed"),
    _worker("busy_seconds_total", COUNTER, "stats.busy", "Time in which a batch was computed"),
    _worker("starved_seconds_total", COUNTER, "stats.starved", "Time in which the engine waited for frames"),
    _worker("blocked_seconds_total", COUNTER, "stats.blocked", "Time in which the engine waited for the writer"),
    _worker("idle_seconds_total", COUNTER, "stats.idle", "Time without any image to work on"),
    _worker("warm_up_seconds_total", COUNTER, "stats.warm_up", "Time from the engine's readiness to its first batch"),
    _worker("cpu_seconds_total", COUNTER, "stats.cpu", "CPU time of the worker's own process"),
    _worker("writing_seconds_total", COUNTER, "stats.writing", "Time its writer spent encoding and writing"),
    _worker("queue_frames", GAUGE, "stats.queued", "Decoded frames that wait for the engine"),
    _worker("queue_slots", GAUGE, "stats.slots", "Frames that its queue can hold"),
    _worker("loaders", GAUGE, "stats.loaders", "Its loaders that are at work"),
    _worker("loaders_wanted", GAUGE, "loaders", "Loaders it is to have"),
    _worker("decoded_images_total", COUNTER, "stats.decoded", "Images its loaders are through with"),
    _worker("decoding_seconds_total", COUNTER, "stats.decoding", "Time its loaders spent on images, added up"),
    _worker("reading_seconds_total", COUNTER, "stats.reading", "The part of it spent waiting for files"),
    _worker("decoding_cpu_seconds_total", COUNTER, "stats.decoding_cpu", "CPU time of its loaders on images"),
    _worker("loader_seconds_total", COUNTER, "stats.loader_time", "Time of its loaders, at work or not, added up"),
    Metric(
        "divainfer_decode_seconds", HISTOGRAM, WORKERS, "times.decode",
        "How long a loader took to read, decode and resize an image", sum="stats.decoding",
    ),
    Metric("divainfer_compute_seconds", HISTOGRAM, WORKERS, "times.compute", "How long the engine took for a batch"),
    Metric(
        "divainfer_write_seconds", HISTOGRAM, WORKERS, "times.write",
        "How long the writer took for an image's result", sum="stats.writing",
    ),
    # --- GPUs in use
    _gpu("up", GAUGE, "gone", "1 while it answers", when=""),
    _gpu("utilisation_ratio", GAUGE, "utilisation", "Share of the driver's last interval in which a kernel ran"),
    _gpu("memory_used_bytes", GAUGE, "memory_used", "Memory in use, by all processes"),
    _gpu("memory_size_bytes", GAUGE, "memory_total", "Memory it has"),
    _gpu("power_watts", GAUGE, "power", "Power drawn"),
    _gpu("power_limit_watts", GAUGE, "power_limit", "Power it may draw"),
    _gpu("clock_hertz", GAUGE, "clock", "Clock of its multiprocessors", factor=1e6),
    _gpu("clock_limit_hertz", GAUGE, "clock_limit", "The highest clock they have", factor=1e6),
    _gpu("temperature_celsius", GAUGE, "temperature", "Temperature"),
    _gpu("throttle_reasons", GAUGE, "throttled", "Reasons why its clock is lower than it could be; 0 when it is not"),
    _gpu("ecc_errors_total", COUNTER, "ecc_errors", "Uncorrected memory errors since the driver was loaded"),
    _gpu("xid_errors", GAUGE, "xids", "Critical errors that the driver told of since the start, sixteen at most"),
    # --- the machine
    _host("cpu_usable_cores", GAUGE, "cores", "CPU cores that this run may use"),
    _host("cpu_used_cores", GAUGE, "cpu", "CPU cores in use by all programs"),
    _host("memory_used_bytes", GAUGE, "memory_used", "Memory in use"),
    _host("memory_size_bytes", GAUGE, "memory_total", "Memory there is"),
    _host("shared_memory_used_bytes", GAUGE, "shared_used", "Shared memory in use"),
    _host("shared_memory_size_bytes", GAUGE, "shared_total", "Shared memory there may be"),
    _host("disk_read_bytes_total", COUNTER, "disk_read", "Read from all disks since the machine's start"),
    _host("disk_written_bytes_total", COUNTER, "disk_written", "Written to all disks since the machine's start"),
    _host("network_received_bytes_total", COUNTER, "received", "Received by all networks since the machine's start"),
    _host("network_sent_bytes_total", COUNTER, "sent", "Sent by all networks since the machine's start"),
    Metric("divainfer_processes", GAUGE, ROLES, "processes", "Processes of this run"),
    Metric("divainfer_process_cpu_used_cores", GAUGE, ROLES, "cpu", "CPU cores that they use"),
    Metric("divainfer_process_memory_bytes", GAUGE, ROLES, "pss", "Memory that they use, shared pages counted in part"),
)  # fmt: skip

#: Fields that are no figures: they name what is measured, are its labels, or say why in words.
WORDS = {
    RUN: ("workers", "gpus", "gpus_missing", "host"),
    WORKERS: ("number", "device", "uuid", "reason"),
    GPUS: ("uuid", "index", "name"),
    HOST: ("roles",),
    ROLES: (),
}


def series_of(metric: Metric) -> List[str]:
    """The names by which a metric's series can be asked for."""
    if metric.kind != HISTOGRAM:
        return [metric.name]
    ends = ("_bucket", "_count", "_sum") if metric.sum else ("_bucket",)
    return [metric.name + end for end in ends]

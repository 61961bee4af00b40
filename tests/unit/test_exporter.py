"""What Prometheus is served: the latest sample in its text form, whatever clients do; and where it cannot be served."""

from __future__ import annotations

import contextlib
import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from divainfer.commandline import repeat_command
from divainfer.config import RunConfig, to_json
from divainfer.dispatcher.sampling import exporting
from divainfer.errors import ConfigError
from divainfer.histogram import Histogram
from divainfer.messages import WorkerStats
from divainfer.monitor.exporter import Exporter
from divainfer.monitor.names import METRICS, series_of
from divainfer.monitor.sample import GpuSample, HostSample, RoleSample, Sample, WorkerSample

TIMES = Histogram()
TIMES.add(0.001, 3)
TIMES.add(500.0)
SAMPLE = Sample(
    time=1000.5,
    seconds=7.0,
    start=993.5,
    images=100,
    done=40,
    failures=2,
    workers=[
        WorkerSample(
            *(0, 'GPU 3 (A "fast"\\one\n)', "GPU-a", "up"),
            restarts=1,
            loaders=4,
            stats=WorkerStats(images=38, failures=2, busy=5.5, queued=3, slots=8, loaders=3, decoding=1.25),
            times={"decode": TIMES.counts, "compute": [0, 2], "write": []},
        ),
        WorkerSample(1, "CPU \udcff", state="paused"),
    ],
    gpus=[
        GpuSample("GPU-a", 3, "A", 0.5, 10, 20, 100.0, 300.0, 1410.0, 1980.0, 61.0, ["software power cap"], 1),
        GpuSample("GPU-b", 4, "B", gone="it fell off the bus"),
    ],
    host=HostSample(cores=8.0, cpu=2.5, disk_read=5, roles={"worker": RoleSample(2, 1.5, None)}),
)


@contextlib.contextmanager
def served(sample, address="0"):
    exporter = Exporter(address)
    exporter.show(lambda: sample)
    try:
        yield exporter
    finally:
        exporter.close()


def fetched(url, accept="text/plain"):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
        return answer.read().decode("utf-8")


def samples(text):
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_a_sample_is_served_under_its_names():
    with served(SAMPLE) as exporter:
        found = samples(fetched(exporter.url))
    worker = (("device", 'GPU 3 (A "fast"\\one\n)'), ("uuid", "GPU-a"), ("worker", "0"))
    lost = (("device", "GPU 4 (B)"), ("uuid", "GPU-b"), ("worker", ""))
    for name, labels, value in (
        ("images", (), 100),
        ("images_done", (), 40),
        ("worker_busy_seconds_total", worker, 5.5),
        ("worker_queue_frames", worker, 3),
        ("worker_up", worker, 1),
        ("worker_up", (("device", "CPU ?"), ("uuid", ""), ("worker", "1")), 0),
        ("gpu_utilisation_ratio", worker, 0.5),
        ("gpu_clock_hertz", worker, 1.41e9),
        ("gpu_throttle_reasons", worker, 1),
        ("gpu_up", worker, 1),
        ("gpu_up", lost, 0),
        ("host_cpu_used_cores", (), 2.5),
        ("processes", (("role", "worker"),), 2),
    ):
        assert found["divainfer_" + name, labels] == value, name
    # Nobody measured these.
    assert ("divainfer_gpu_utilisation_ratio", lost) not in found
    assert not [name for name, _ in found if name == "divainfer_process_memory_bytes"]


def test_histograms():
    with served(SAMPLE) as exporter:
        found = samples(fetched(exporter.url))
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "divainfer_decode_seconds_bucket" and dict(labels)["worker"] == "0"
    }
    assert len(buckets) == 42
    for bound, value in buckets.items():
        assert value == (0 if float(bound) < 0.001 else 3 if bound != "+Inf" else 4)
    own = (("device", 'GPU 3 (A "fast"\\one\n)'), ("uuid", "GPU-a"), ("worker", "0"))
    assert found["divainfer_decode_seconds_count", own] == 4 and found["divainfer_decode_seconds_sum", own] == 1.25
    # Nothing adds these up.
    assert ("divainfer_compute_seconds_sum", own) not in found


def test_every_metric_can_be_served_and_no_other():
    with served(SAMPLE) as exporter:
        names = {name for name, _ in samples(fetched(exporter.url))}
    known = {name for metric in METRICS for name in series_of(metric)}
    assert names <= known and known - names <= {"divainfer_process_memory_bytes"}


def test_the_newer_text_form_is_served_too():
    with served(SAMPLE) as exporter:
        text = fetched(exporter.url, "application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n") and "divainfer_images 100.0\n" in text


def test_before_the_first_sample_there_is_nothing():
    with served(None) as exporter:
        assert fetched(exporter.url) == ""


def test_clients_that_say_nothing_or_nonsense_do_not_keep_others_waiting():
    with served(SAMPLE) as exporter:
        host, port = exporter.url.split("/")[2].split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(5)]
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"\x00\xff nonsense\r\n\r\n")
        assert "divainfer_images 100.0" in fetched(exporter.url)
        for client in silent:
            client.close()


def test_a_port_in_use_is_one_sentence():
    with served(SAMPLE) as exporter:
        address = exporter.url.split("/")[2]
        with pytest.raises(ConfigError, match="--metrics-port {}: nothing can be served there".format(address)):
            Exporter(address)


def test_a_host_that_is_not_this_one_is_one_sentence():
    with pytest.raises(ConfigError, match="nothing can be served there"):
        Exporter("192.0.2.1:9400")


def test_the_loopback_of_the_other_protocol():
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with served(SAMPLE, "[::1]:0") as exporter:
        assert exporter.url.startswith("http://[::1]:") and "divainfer_images" in fetched(exporter.url)


@pytest.mark.parametrize("text", ["x", "1:2:3", "70000", "-1", "localhost:", "[::1]", True, 1.5])
def test_what_is_no_address(text):
    with pytest.raises(ConfigError, match="--metrics-port"):
        RunConfig(metrics_port=text)


def test_a_name_that_can_be_none():
    assert RunConfig(metrics_port="..:9400").metrics_port == "..:9400"
    with pytest.raises(ConfigError, match="nothing can be served there"):
        Exporter("..:9400")


def test_the_command_that_repeats_an_image_leaves_the_port_to_the_run():
    assert "9400" not in repeat_command(to_json(RunConfig(metrics_port="9400", model="demo")), 3, "/a.jpg")


def test_without_samples_there_is_nothing_to_serve():
    with pytest.raises(ConfigError, match="nothing to serve"), exporting(
        RunConfig(metrics_port=0, sample_every=0.0), print
    ):
        pass
    with exporting(RunConfig(), print) as exporter:
        assert exporter is None

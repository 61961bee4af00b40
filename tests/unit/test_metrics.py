"""`metrics.jsonl`: what is written is read again, from old files and new ones, whole and torn."""

from __future__ import annotations

import json
import os

import pytest

from divainfer.messages import WorkerStats
from divainfer.monitor.metricslog import MetricsLog, read_metrics, starts
from divainfer.monitor.sample import GpuSample, HostSample, RoleSample, Sample, WorkerSample

FULL = Sample(
    time=1000.5,
    seconds=3.25,
    start=997.25,
    images=10,
    done=4,
    failures=1,
    stopping=True,
    workers=[
        WorkerSample(
            0, "GPU 0 (X)", "GPU-1", "up", "", 1, 4, 0.5, WorkerStats(images=3, busy=1.5), {"decode": [0, 2], "write": []}
        ),
        WorkerSample(1, reason="out of memory"),
    ],
    gpus=[GpuSample("GPU-1", 0, "X", 0.5, 1, 2, 3.5, 4.5, 5, 6, 70, ["software power cap"], 0, [79], ""), GpuSample("GPU-2")],
    gpus_missing="",
    host=HostSample(2.0, 1.5, 1, 2, 3, 4, 5, 6, 7, 8, {"worker": RoleSample(2, 0.5, 100), "loader": RoleSample()}),
)  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "metrics.jsonl")


def write(path, samples, limit=1 << 20):
    log = MetricsLog(path, limit)
    for sample in samples:
        log.add(sample)
    log.close()


def history(start, count):
    return [Sample(start + n, float(n), start, images=1000, done=n) for n in range(count)]


def test_a_sample_survives_the_file(path):
    write(path, [FULL, Sample(1.0)])
    assert list(read_metrics(path)) == [FULL, Sample(1.0)]


def test_fields_of_other_versions_are_passed_over_or_get_their_defaults():
    plain = FULL.to_json()
    plain["new"] = plain["workers"][0]["new"] = plain["gpus"][0]["new"] = 1
    plain["workers"][0]["stats"]["new"] = plain["host"]["new"] = plain["host"]["roles"]["worker"]["new"] = 1
    assert Sample.from_json(plain) == FULL
    old = {
        "time": 5.0,
        "workers": [{"number": 0, "stats": {"images": 2}}],
        "gpus": [{"uuid": "u"}],
        "host": {"cpu": 1.0},
    }
    assert Sample.from_json(old) == Sample(
        5.0, workers=[WorkerSample(0, stats=WorkerStats(images=2))], gpus=[GpuSample("u")], host=HostSample(cpu=1.0)
    )


def test_lines_that_are_no_samples_are_passed_over(path):
    write(path, history(10.0, 2))
    with open(path, "ab") as file:
        file.write(
            b"\n[]\n7\nnull\n{}\n"
            + b'{"time": 1, "workers": 3}\n{"time": 1, "host": "x"}\n\xff\xfe\n{"time": 12.0, "st'
        )
    assert list(read_metrics(path)) == history(10.0, 2)


def test_there_is_nothing_to_read_without_a_file(path):
    assert list(read_metrics(path)) == [] and starts(read_metrics(path)) == []


def test_a_torn_last_line_does_not_take_the_next_one_with_it(path):
    write(path, history(10.0, 3))
    os.truncate(path, os.path.getsize(path) - 5)
    write(path, history(20.0, 2))
    assert starts(read_metrics(path)) == [history(10.0, 2), history(20.0, 2)]


def test_text_that_is_not_utf8_and_endless_digits(path):
    odd = Sample(1 / 3, workers=[WorkerSample(0, reason="/out/\udcff cannot be written; Größe")])
    write(path, [odd])
    (found,) = read_metrics(path)
    assert found.time == 0.333333 and found.workers[0].reason == "/out/\\udcff cannot be written; Größe"
    with open(path, encoding="utf-8") as file:
        assert json.loads(file.read())["time"] == 0.333333


def test_a_file_that_grows_too_large_is_thinned_and_keeps_the_end_of_each_start(path):
    limit = 20000
    for start in (100.0, 200.0, 300.0):
        write(path, history(start, 333), limit)
        assert os.path.getsize(path) <= limit + 1000
    found = starts(read_metrics(path))
    assert [samples[0].start for samples in found] == [100.0, 200.0, 300.0]
    for samples in found:
        assert samples[-1].done == 332, "the start's sums"
        done = [sample.done for sample in samples]
        assert done == sorted(set(done)), "in order, none twice"
    assert len(found[2]) > 10 and not os.path.exists(path + ".part")


def test_the_last_sample_is_written_even_if_it_is_one_to_be_left_out(path):
    for count in range(60, 70):
        with open(path, "w"):
            pass
        write(path, history(1.0, count), limit=4000)
        assert list(read_metrics(path))[-1].done == count - 1


def test_a_full_disk_is_an_error_at_once(tmp_path):
    log = MetricsLog("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        log.add(FULL)
    log.close()
    with pytest.raises(OSError):
        MetricsLog(str(tmp_path / "nowhere" / "metrics.jsonl"))

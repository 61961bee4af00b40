"""What a report computes: of samples, failures and results that are made up, with figures that can be told beforehand."""

from __future__ import annotations

import pytest

from divainfer.histogram import Histogram
from divainfer.ledger import FAILED, RESULT, Progress
from divainfer.messages import Failure, WorkerStats
from divainfer.monitor.metricslog import MetricsLog
from divainfer.monitor.sample import (
    DECODE,
    LOADER,
    GpuSample,
    HostSample,
    RoleSample,
    Sample,
    WorkerSample,
)
from divainfer.reporting.failures import survey_failures
from divainfer.reporting.figures import METRICS, StartFigures, make_figures, workers_of
from divainfer.reporting.metrics import read_some, spread
from divainfer.reporting.survey import places_of
from divainfer.reporting.timeline import make_timeline

GIBI = 1 << 30


def sample(second, start=1000.0, stats=(), gpus=(), host=None, **more):
    workers = [
        WorkerSample(number, "GPU {} (X)".format(number), "GPU-{}".format(number), "up", stats=one, loaders=2)
        for number, one in enumerate(stats)
    ]
    return Sample(start + second, float(second), start, workers=workers, gpus=list(gpus), host=host, **more)


def stats(second, busy, images_each=3):
    """Of a worker that computes for this share of its time from second 0 on."""
    return WorkerStats(
        images=images_each * second, busy=busy * second, starved=(1 - busy) * second, batches=second, queued=2, slots=8
    )


def write(path, *starts):
    for samples in starts:
        log = MetricsLog(path)
        for one in samples:
            log.add(one)
        log.close()


# --- reading


def test_all_samples_of_a_short_run_are_read(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    starts = [[sample(second, begin, [stats(second, 0.5)]) for second in range(1, 6)] for begin in (1000.0, 2000.0)]
    write(path, *starts)
    found = read_some(path)
    assert found.starts == starts and (found.read, found.found, found.left_out) == (10, 10, 0)


def test_of_a_long_one_some_with_the_ends_of_each_start(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    write(path, *[[sample(second, begin) for second in range(1, 301)] for begin in (1000.0, 2000.0, 3000.0)])
    found = read_some(path, most=30)
    assert [len(samples) for samples in found.starts] == [10, 10, 10] and found.found == 900
    assert [(samples[0].seconds, samples[-1].seconds) for samples in found.starts] == [(1.0, 300.0)] * 3
    seconds = [one.seconds for one in found.starts[1]]
    steps = {later - earlier for earlier, later in zip(seconds, seconds[1:])}
    assert max(steps) - min(steps) <= 1


def test_of_many_starts_the_latest(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    write(path, *[[sample(1, 1000.0 * begin)] for begin in range(1, 8)])
    found = read_some(path, most_starts=3)
    assert [samples[0].start for samples in found.starts] == [5000.0, 6000.0, 7000.0] and found.left_out == 4


def test_torn_lines_and_a_torn_end_cost_nothing_else(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    write(path, [sample(second) for second in range(1, 5)])
    with open(path, "rb") as file:
        lines = file.read().splitlines(True)
    with open(path, "wb") as file:
        file.write(lines[0] + b'{"time": 1, "seco\n' + b"\x00\xff\n" + lines[1] + lines[2] + lines[3][:60])
    found = read_some(path, most=2)
    assert [one.seconds for one in found.starts[0]] == [1.0, 3.0]
    assert read_some(str(tmp_path / "none")).starts == []


@pytest.mark.parametrize("count,wanted", [(0, 2), (1, 2), (2, 2), (10, 4), (10000, 240)])
def test_positions_are_spread_from_the_first_to_the_last(count, wanted):
    found = spread(count, wanted)
    assert len(found) == len(set(found)) == min(count, wanted) and found == sorted(found)
    assert not count or (found[0], found[-1]) == (0, count - 1) or count == 1


# --- over time


def test_curves_are_what_happened_between_two_samples():
    early = [WorkerStats(images=4, busy=1.0, starved=1.0, slots=8, queued=4), WorkerStats()]
    late = [WorkerStats(images=10, busy=2.0, starved=2.0, slots=8, queued=6), WorkerStats(images=6, busy=2.0, idle=0.0)]
    line = make_timeline([[sample(2, stats=early), sample(4, stats=late)]])
    assert line.times == [1.0, 3.0] and line.begins == [0.0] and line.seconds == 4.0
    assert line.frames == [2.0, 6.0]
    assert [curve.label for curve in line.busy] == ["GPU 0", "GPU 1"]
    # The second one had no batch yet in the first interval.
    assert [curve.values for curve in line.busy] == [[0.5, 0.5], [None, 1.0]]
    assert [curve.values for curve in line.queue] == [[0.5, 0.75]]


def test_a_sample_without_new_figures_is_told_of_by_those_of_the_next():
    """A worker's sign of life came too late for the third sample: no dip, and no peak after it."""
    samples = [sample(second, stats=[stats(second, 0.25)]) for second in (1, 2, 2, 4, 5)]
    samples[2] = samples[2]._replace(time=samples[2].time + 1, seconds=3.0)
    line = make_timeline([samples])
    assert line.frames == [3.0] * 5 and line.busy[0].values == [0.25] * 5


def test_where_samples_are_missing_for_long_there_is_a_gap():
    samples = [sample(second, stats=[stats(second, 0.25)]) for second in [*range(1, 11), *range(70, 80)]]
    line = make_timeline([samples])
    assert line.times == [*(second + 0.5 for second in range(10)), 70.0, *(second + 0.5 for second in range(70, 79))]
    assert line.frames == [3.0] * 10 + [None] + [3.0] * 9 and line.busy[0].values == [0.25] * 10 + [None] + [0.25] * 9


def test_between_two_starts_there_is_a_gap_and_no_time():
    starts = [[sample(second, begin, [stats(second, 0.25)]) for second in (1, 2)] for begin in (1000.0, 90000.0)]
    line = make_timeline(starts)
    assert line.begins == [0.0, 2.0] and line.seconds == 4.0
    assert line.times == [0.5, 1.5, 2.0, 2.5, 3.5]
    assert line.frames == [3.0, 3.0, None, 3.0, 3.0]
    assert line.busy[0].values == [0.25, 0.25, None, 0.25, 0.25]


def test_many_samples_become_few_points_and_lose_nothing():
    samples = [sample(second, stats=[stats(second, 0.8)]) for second in range(1, 2001)]
    line = make_timeline([samples], most=50)
    assert len(line.times) == 50
    assert line.busy[0].values == pytest.approx([0.8] * 50) and line.frames == pytest.approx([3.0] * 50)


def test_gpus_and_the_machine():
    def gpu(utilisation, **more):
        return GpuSample("GPU-7", 1, "X", utilisation, GIBI, 8 * GIBI, 100.0, 250.0, 1500.0, 1900.0, 60.0, **more)

    host = HostSample(8, 5.0, 3 * GIBI, 16 * GIBI, roles={LOADER: RoleSample(2, 1.5, None)})
    samples = [
        sample(1, gpus=[gpu(0.2)], host=host),
        sample(2, gpus=[gpu(0.6, throttled=["power cap"])], host=host),
        sample(3, gpus=[GpuSample("GPU-7", 1, "X", gone="lost")]),
    ]
    line = make_timeline([samples])
    assert line.gpu_utilisation == [("GPU 1", [0.2, 0.6, None])] and line.gpu_power == [("GPU 1", [100.0, 100.0, None])]
    assert line.gpu_memory[0].values == [1.0, 1.0, None] and line.gpu_temperature[0].values == [60.0, 60.0, None]
    assert line.cpu == [("loaders", [1.5, 1.5, None]), ("all programs", [5.0, 5.0, None])]
    assert line.memory == [("all programs", [3.0, 3.0, None])]
    figures = make_figures([], [samples], line)
    assert (figures.utilisation, figures.utilisation_median) == (pytest.approx(0.4), pytest.approx(0.2))
    assert figures.utilisation_samples == 2
    only = figures.gpus[0]
    assert (only.label, only.throttled, only.gone) == ("GPU 1 (X)", {"power cap": 0.5}, "lost")
    assert (only.memory_used, only.power, only.temperature) == (GIBI, 100.0, 60.0)


def test_slices_of_one_gpu_are_told_apart():
    uuids = ["MIG-1a2b3c4d-0000", "MIG-1a2b3c4d-1111", "MIG-GPU-5e6f/7/0", "MIG-GPU-5e6f/9/0", "GPU-7"]
    numbers = [0, 0, 1, 1, 2]
    samples = [
        sample(second, gpus=[GpuSample(uuid, number, "X", 0.5, GIBI) for uuid, number in zip(uuids, numbers)])
        for second in (1, 2)
    ]
    line = make_timeline([samples])
    names = [
        *("GPU 0 MIG-...d-0000", "GPU 0 MIG-...d-1111", "GPU 1 MIG-...6f/7/0", "GPU 1 MIG-...6f/9/0"),
        "GPU 2",
    ]
    assert [curve.label for curve in line.gpu_memory] == [curve.label for curve in line.gpu_utilisation] == names
    assert [gpu.label for gpu in make_figures([], [samples], line).gpus] == [name + " (X)" for name in names]


def test_no_sample_and_one_that_says_nothing():
    assert make_timeline([]).times == []
    line = make_timeline([[sample(1)]])
    assert line.times == [0.5] and line.frames == [0.0] and line.busy == line.queue == line.cpu == []


# --- sums


def start_of(samples):
    return StartFigures(samples[-1].start, samples[-1].seconds, workers_of(samples[-1], {}), METRICS)


def test_figures_of_one_start_are_the_engines_own():
    samples = [sample(second, stats=[stats(second, 0.9), stats(second, 0.5, 1)]) for second in range(1, 11)]
    figures = make_figures([start_of(samples)], [samples], make_timeline([samples]))
    assert figures.busy == pytest.approx(0.7) and figures.share("starved") == pytest.approx(0.3)
    assert figures.images == 40 and figures.seconds == 10.0
    assert figures.frames_per_second == 4.0 and figures.frames_per_device == 2.0
    assert figures.on_gpu and figures.processes == 2
    assert figures.busy_median == pytest.approx(0.5)  # of ten seconds at 0.9 and ten at 0.5
    assert figures.workers[0].shares["busy"] == pytest.approx(0.9)


def test_starts_add_up_worker_by_worker():
    def one(begin, seconds, busy):
        times = Histogram()
        times.add(0.01, seconds)
        samples = [sample(second, begin, [stats(second, busy)]) for second in (1, seconds)]
        last = samples[-1]
        return [samples[0], last._replace(workers=[last.workers[0]._replace(times={DECODE: times.counts}, restarts=1)])]

    starts = [one(1000.0, 10, 0.5), one(5000.0, 30, 0.9)]
    figures = make_figures([start_of(samples) for samples in starts], starts, make_timeline(starts))
    assert figures.seconds == 40.0 and figures.images == 120 and figures.restarts == 2
    assert figures.busy == pytest.approx((5 + 27) / 40)
    assert sum(figures.times(DECODE)) == 40
    assert len(figures.workers) == 1 and figures.frames_per_device == 3.0


def test_figures_of_nothing():
    figures = make_figures([], [], None)
    assert figures.busy is None and figures.busy_median is None and figures.utilisation is None
    assert (figures.images, figures.seconds, figures.frames_per_second, figures.frames_per_device) == (0, 0, 0, 0)


# --- failures and results


class Paths:
    """A list of images."""

    def __getitem__(self, index):
        return b"/data/f%d.jpg" % index


def test_failures_by_kind_with_the_commonest_reasons():
    failures = [Failure(index, "corrupt", "bad block" if index % 3 else "no header") for index in range(30)]
    failures += [Failure(99, "crash", "it was the image")]
    found = survey_failures(iter(failures), {"corrupt": 30, "crash": 1}, Paths())
    assert [(kind.kind, kind.count) for kind in found.kinds] == [("corrupt", 30), ("crash", 1)]
    assert found.kinds[0].reasons == [("bad block", 20), ("no header", 10)]
    assert found.kinds[1].examples[0].image == b"/data/f99.jpg" and (found.looked_at, found.total) == (31, 31)


def test_of_endless_failures_the_first_are_looked_at():
    def endless():
        number = 0
        while True:
            number += 1
            yield Failure(number, "size", "{} pixels".format(number))

    found = survey_failures(endless(), {"size": 10**7, "missing": 5}, Paths(), most=5000)
    assert (found.looked_at, found.total) == (5000, 10**7 + 5)
    assert [kind.count for kind in found.kinds] == [10**7, 5] and len(found.kinds[0].reasons) == 3
    assert found.kinds[1].reasons == [] and found.kinds[1].examples == []


def test_results_are_chosen_from_all_over_a_long_list():
    progress = Progress(3 << 20)
    progress.states[::2] = RESULT
    progress.states[:100] = FAILED
    found = places_of(progress, RESULT, 1000)
    assert len(set(found)) == 1000 and list(found) == sorted(found)
    assert all(progress.states[index] == RESULT for index in found)
    assert (found[0], found[-1]) == (100, (3 << 20) - 2)
    assert places_of(Progress(10), RESULT, 1000) == []
    one = Progress(10)
    one.states[7] = RESULT
    assert places_of(one, RESULT, 1000) == [7]


def test_over_starts_time_counts_and_not_how_often_was_sampled():
    """Half a minute of rare samples at 0.2, and ten seconds of a sample each half second at 0.9."""
    starts = [
        [
            sample(second, begin, [stats(second, busy)], gpus=[GpuSample("GPU-7", utilisation=busy)])
            for second in seconds
        ]
        for begin, busy, seconds in ((1000.0, 0.2, (10, 20, 30)), (5000.0, 0.9, [half / 2 for half in range(1, 21)]))
    ]
    figures = make_figures([start_of(samples) for samples in starts], starts, make_timeline(starts))
    assert figures.utilisation == pytest.approx((30 * 0.2 + 10 * 0.9) / 40) == figures.gpus[0].utilisation
    assert figures.utilisation_median == pytest.approx(0.2) and figures.busy_median == pytest.approx(0.2)
    assert figures.utilisation_samples == 23

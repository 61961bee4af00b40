"""What a run's figures say of it: the word, the figures in the sentence, and gains that hold."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from divainfer.messages import WorkerStats
from divainfer.monitor.facts import Facts, WorkerFacts, make_facts
from divainfer.monitor.verdict import WORDS, verdict

#: One GPU that worked on 1000 images for 100 s.
USUAL = WorkerStats(
    images=1000, batches=1000, busy=100.0, decoded=1000, decoding=20.0, decoding_cpu=20.0, cpu=5.0, writing=1.0
)


def facts(workers=1, on_gpu=True, cores=8, seconds=100.0, loaders=2, fixed=True, streams=1, **more):
    options = {name: more.pop(name) for name in ("format", "fast_decode") if name in more}
    options = dict({"format": "json", "fast_decode": None}, **options)
    label = "GPU {} (NVIDIA GeForce RTX 2080 Ti)" if on_gpu else "CPU"
    crew = [WorkerFacts(label.format(number), on_gpu, loaders, USUAL._replace(**more)) for number in range(workers)]
    return Facts(tuple(crew), cores, seconds, fixed, streams, **options)


STARVED = {"busy": 72.0, "starved": 28.0, "decoding": 194.0, "decoding_cpu": 180.0, "reading": 4.0}
ALL_CORES = dict(STARVED, cores=2, decoding=200.0)
SITUATIONS = {
    "the GPU is busy": (
        facts(busy=98.6, starved=1.0, idle=0.4),
        "gpu",
        ["it computed 99 %", "at most 1.5 %", "faster GPUs"],
    ),
    "so are four": (facts(4, busy=98.6, starved=1.4), "gpu", ["the 4 GPUs computed 99 %"]),
    "small waits of each kind": (
        facts(busy=93.0, starved=2.5, blocked=2.5, idle=2.0),
        "gpu",
        ["93 %", "at most 7.6 %"],
    ),
    "the cores compute the graph": (
        facts(on_gpu=False, cores=2, cpu=190.0),
        "engine",
        ["2.0 of 2 cores", "more cores or a GPU"],
    ),
    "a pretended device": (facts(on_gpu=False), "engine", ["0.2 of 8 cores", "another device"]),
    "a pretended device with a CPU part": (
        facts(on_gpu=False, cpu=33.0),
        "engine",
        ["0.5 of 8 cores", "`--streams 2` may use more of them", "another device"],
    ),
    "few loaders, and a choice": (
        facts(fast_decode=False, **STARVED),
        "decode",
        ["`--loaders 3` or `--fast-decode` for images at least twice as large as the frames"],
    ),
    "the graph's CPU part": (
        facts(busy=99.0, starved=1.0, cpu=97.0),
        "graph-cpu",
        ["0.97 s of CPU a second for one stream", "6.8 of 8 cores were free", "`--streams 2`", "up to +98 %"],
    ),
    "two streams of it": (
        facts(streams=2, cpu=190.0),
        "graph-cpu",
        ["1.90 s", "2 streams", "`--streams 3`", "up to +50 %"],
    ),
    "no core for a second stream": (
        facts(cores=1, cpu=95.0),
        "graph-cpu",
        ["1.0 of 1 cores were in use", "more cores."],
    ),
    "its threads leave the loaders idle": (facts(busy=80.0, starved=20.0, cpu=97.0), "graph-cpu", ["0.97 s of CPU"]),
    "few loaders": (
        facts(**STARVED),
        "decode",
        [
            "waited 28 %",
            "1.9 of 2 loaders a worker at work",
            "6.2 of 8 cores not used by this run",
            "`--loaders 3`",
            "+38 %",
        ],
    ),
    "few loaders, by auto": (
        facts(fixed=False, **STARVED),
        "decode",
        ["1.9 of 2 loaders a worker (auto) at work", "`--loaders 3`"],
    ),
    "few cores are left": (
        facts(**dict(STARVED, cores=2.4, cpu=0.0)),
        "decode",
        ["0.6 of 2.4 cores", "`--loaders 3`", "up to +33 %"],
    ),
    "all cores decode": (
        facts(**ALL_CORES),
        "decode",
        ["1.9 of 2 cores in use (1.8 by loaders)", "more cores or smaller copies", "+38 %"],
    ),
    "all cores decode in full": (
        facts(fast_decode=False, **ALL_CORES),
        "decode",
        ["more cores, `--fast-decode` for", "+38 %"],
    ),
    "more loaders than cores": (
        facts(**dict(ALL_CORES, decoding=800.0, loaders=8)),
        "decode",
        ["`--loaders 2` is enough, more cores"],
    ),
    "others have the cores": (
        facts(**dict(STARVED, decoding_cpu=100.0)),
        "decode",
        ["46 % of theirs for a core", "used 1.1 of 8", "+38 %"],
    ),
    "others have some of the cores": (
        facts(**dict(STARVED, busy=40.0, starved=60.0, decoding_cpu=120.0)),
        "decode",
        ["36 % of theirs", "up to +56 %"],
    ),
    "a slow disk": (
        facts(**dict(STARVED, reading=160.0, decoding_cpu=34.0)),
        "read",
        ["waited 28 %", "82 % of theirs for files (160.0 ms a frame)", "`--loaders 3`", "up to +38 %"],
    ),
    "files that lie in the cache": (
        facts(**dict(STARVED, reading=120.0, decoding_cpu=190.0)),
        "decode",
        ["1.9 of 2 loaders a worker at work"],
    ),
    "a slow disk, and no core for more": (
        facts(
            on_gpu=False, cores=2, **dict(STARVED, busy=85.0, starved=15.0, reading=180.0, decoding_cpu=10.0, cpu=170.0)
        ),
        "read",
        ["waited 15 %", "up to +11 %"],
    ),
    "a file an image": (
        facts(busy=65.0, blocked=35.0, writing=99.0),
        "write",
        ["35 %", "99.0 ms a result as json", "`--format jsonl`", "+53 %"],
    ),
    "a slow disk for shards": (
        facts(busy=40.0, blocked=60.0, format="jsonl"),
        "write",
        ["as jsonl; a faster disk", ": up to 2.5 times"],
    ),
    "few images": (
        facts(8, images=2, busy=58.0, idle=42.0),
        "images",
        ["42 %", "16 images for 8 workers", "fewer workers", "+72 %"],
    ),
    "one worker waits for images": (
        facts(busy=90.0, idle=10.0),
        "images",
        ["10 %", "for one worker", "a longer list", "+11 %"],
    ),
    "a short run": (
        facts(seconds=8.0, busy=1.9, idle=0.1),
        "start",
        ["6.0 of 8.0 s", "a longer list", "4.0 times the images"],
    ),
    "no batch yet": (facts(seconds=12.0, busy=0.0, batches=0), "start", ["no batch was computed in 12.0 s."]),
    "gaps between batches": (
        facts(busy=90.0, starved=10.0),
        "queue",
        ["10 % of the time for frames, 10.0 ms a batch", "10 % of theirs", "`--streams 2`", "+11 %"],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_word_and_the_figures(situation):
    given, bound, figures = SITUATIONS[situation]
    found = verdict(given)
    assert found.bound == bound, found
    assert found.sentence.startswith("bound by {}: ".format(WORDS[bound])) and found.sentence.endswith(".")
    assert [figure for figure in figures if figure not in found.sentence] == [], found.sentence
    assert len(found.sentence) <= 250 and "\n" not in found.sentence
    assert (found.gain is not None) == (": up to" in found.sentence or "at most" in found.sentence)


def test_no_option_is_named_that_is_not_there_or_already_given():
    for fast_decode in (None, True):
        assert "--fast-decode" not in verdict(facts(fast_decode=fast_decode, **ALL_CORES)).sentence


def test_a_slower_device_is_named():
    four = facts(4)
    slow = four.workers[2]._replace(stats=USUAL._replace(images=690))
    given = four._replace(workers=four.workers[:2] + (slow,) + four.workers[3:])
    assert verdict(given).sentence.endswith("; worker 2 (GPU 2) is 31 % slower than the others' median.")
    # It may have waited for its frames; that says nothing of the device.
    waited = slow._replace(stats=USUAL._replace(images=690, busy=69.0, starved=31.0))
    assert "slower" not in verdict(given._replace(workers=four.workers[:2] + (waited,) + four.workers[3:])).sentence
    assert "slower" not in verdict(facts(4)).sentence
    just_up = slow._replace(stats=USUAL._replace(images=9, batches=9))
    assert "slower" not in verdict(given._replace(workers=four.workers[:2] + (just_up,))).sentence


def test_a_worker_that_never_came_up_or_was_lost_on_the_way_is_no_start():
    given = facts(4, busy=98.0, starved=2.0)
    for stats, devices in (
        (WorkerStats(), "it computed 98 %"),
        (USUAL._replace(busy=10.0), "the 4 GPUs computed 98 %"),
    ):
        lame = tuple(worker._replace(stats=stats) for worker in given.workers[1:])
        found = verdict(given._replace(workers=given.workers[:1] + lame))
        assert found.bound == "gpu" and devices in found.sentence
        assert found.gain == pytest.approx(2 / 98 if not stats.busy else 0.5 / 99.5)


def test_workers_that_never_got_an_image_were_idle():
    config = {"loaders": "auto", "streams": 1, "format": "json"}
    idle = WorkerFacts("GPU 1 (X)", True, 1, WorkerStats(warm_up=95.0))
    found = verdict(make_facts([facts().workers[0], idle, idle], 8, 100.0, config))
    assert found.bound == "images" and "66 %" in found.sentence and "1,000 images for 3 workers" in found.sentence


def test_no_more_streams_than_there_may_be():
    for more in ({"busy": 90.0, "starved": 10.0}, {"cpu": 1500.0, "cores": 100}):
        found = verdict(facts(streams=16, **more))
        assert found.bound in ("queue", "graph-cpu") and "--streams" not in found.sentence


def test_start_and_end_are_no_time_that_a_change_saves():
    whole = verdict(facts(seconds=100.0, **STARVED))
    with_start = verdict(facts(seconds=150.0, **STARVED))
    assert whole.gain == pytest.approx(28 / 72)
    assert with_start.gain == pytest.approx(28 / 122)


def pipeline(loaders, cores, engine, decode_cpu, read, host_cpu, workers=1):
    """Images a second and worker of a pipeline without jitter, and the facts it shows after 1000 s.

    Args:
        loaders: for each worker.
        cores: for all of them.
        engine: seconds of the device a frame.
        decode_cpu: seconds of a core a frame.
        read: seconds of waiting a frame.
        host_cpu: seconds of a core a frame in the worker.
        workers: how many.
    """
    each = min(1 / engine, loaders / (decode_cpu + read), cores / workers / (decode_cpu + host_cpu))
    images, seconds = each * 1000.0, 1000.0
    waits = each < 1 / engine * 0.999
    stats = WorkerStats(
        images=int(images),
        batches=int(images),
        busy=images * engine,
        starved=seconds - images * engine,
        decoded=int(images),
        # Loaders that are not fast enough are at work all the time, be it without a core.
        decoding=loaders * seconds if waits else images * (decode_cpu + read),
        decoding_cpu=images * decode_cpu,
        reading=images * read,
        cpu=images * host_cpu,
    )
    crew = tuple(WorkerFacts("GPU {}".format(number), True, loaders, stats) for number in range(workers))
    return each, Facts(crew, cores, seconds, True, 1, "json", False)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("cores", [2, 8])
def test_what_is_promised_for_more_loaders_is_what_a_pipeline_gains(workers, cores):
    """Never more than promised, and no loader short of it: with the advised count the pipeline goes that much faster."""
    tried = 0
    for loaders, engine, decode_cpu, read in itertools.product(
        (1, 2, 4), (0.01, 0.05), (0.004, 0.03), (0.0, 0.02, 0.2)
    ):
        speed, given = pipeline(loaders, cores, engine, decode_cpu, read, 0.001, workers)
        found = verdict(given)
        advised = re.search(r"`--loaders (\d+)`(?! is enough)", found.sentence)
        if advised is None:
            continue
        tried += 1
        assert found.bound in ("decode", "read") and int(advised.group(1)) > loaders
        after, _ = pipeline(int(advised.group(1)), cores, engine, decode_cpu, read, 0.001, workers)
        assert after / speed - 1 == pytest.approx(found.gain, abs=0.01), (found, loaders, engine, decode_cpu, read)
    assert tried >= 5


@pytest.mark.parametrize("loaders", [2, 4, 16])
def test_a_pipeline_that_has_no_core_left_is_not_told_to_take_more_loaders(loaders):
    speed, given = pipeline(loaders, 2, 0.005, 0.02, 0.0, 0.001)
    assert math.isclose(speed, 2 / 0.021, rel_tol=0.06)
    found = verdict(given)
    assert found.bound == "decode" and "more cores" in found.sentence

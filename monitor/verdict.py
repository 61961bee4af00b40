"""The verdict: what bounds a run, by which figures, what to change, and what that can gain at most.

Every gain is Amdahl's bound: what remains of the wall time when the named wait is gone, but never more speed than the
cores that are free allow where decoding or the graph needs them.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, NamedTuple, Optional

from ..naming import JSON
from .facts import Facts, ratio

#: What can bound a run, and how sentences call it. GPU and ENGINE are one thing: the device.
GPU, ENGINE, GRAPH_CPU, DECODE, READ = "gpu", "engine", "graph-cpu", "decode", "read"
WRITE, QUEUE, IMAGES, START = "write", "queue", "images", "start"
WORDS = {
    GPU: "the GPU",
    ENGINE: "the engine",
    GRAPH_CPU: "the graph's CPU part",
    DECODE: "decoding",
    READ: "reading",
    WRITE: "writing",
    QUEUE: "the queue",
    IMAGES: "too few images",
    START: "the start",
}

#: Waits below this share are not worth a change; then the device itself is the limit.
_SMALL = 0.03
#: From this share of the usable cores on, none counts as free: other processes need some too.
_CORES_IN_USE = 0.85
#: A worker's process that has a core for so much of its time leaves its device waiting.
_HOST_BOUND = 0.9
#: One that has a core for this share of it has a part that a second stream could overlap with the rest.
_HOST_PART = 0.2
_LOADERS_IDLE = 0.6
_FILES_BOUND = 0.5
_CORES_SHORT = 0.3
_SLOWER = 0.2
#: As `--loaders` and `--streams` allow.
_MOST_LOADERS, _MOST_STREAMS = 256, 16


class Verdict(NamedTuple):
    """What bounds a run.

    Attributes:
        bound: one word for machines, of `WORDS`.
        sentence: for people: what bounds the run, by which figures, what to change, with which gain.
        gain: how much more images a second the change can bring at most, 0.38 for 38 %; None where no figure tells.
    """

    bound: str
    sentence: str
    gain: Optional[float]

    def to_json(self) -> Dict[str, Any]:
        """Plain values."""
        return dict(self._asdict())


def verdict(facts: Facts) -> Verdict:
    """Finds what bounds a run.

    Args:
        facts: what is known of where its time went; any figures that are not negative.
    """
    if not facts.total("batches") or not facts.mean("busy"):
        return _verdict(START, facts, "no batch was computed in {:.1f} s".format(facts.wall), None)
    if facts.longest_span < facts.wall / 2:
        return _start(facts)
    waits = {name: facts.mean(name) for name in ("starved", "blocked", "idle")}
    longest = max(waits, key=lambda name: waits[name])
    if waits[longest] < _SMALL * facts.span:
        host_bound = facts.on_gpu and facts.host_share >= _HOST_BOUND
        return _graph_cpu(facts) if host_bound else _device(facts)
    return {"starved": _starved, "blocked": _write, "idle": _images}[longest](facts)


# --- what bounds it


def _start(facts: Facts) -> Verdict:
    went = facts.wall - facts.longest_span
    gain = _gain(facts, went)
    text = "{:.1f} of {:.1f} s went into starting and ending the processes; a longer list makes up for it{}"
    return _verdict(START, facts, text.format(went, facts.wall, _up_to(gain)), gain)


def _images(facts: Facts) -> Verdict:
    gain = _gain(facts, facts.mean("idle"))
    workers = facts.taking_part
    text = "{} had none to work on for {} of the time ({:,.0f} images for {}); {}{}".format(
        _devices(facts),
        _percent(ratio(facts.mean("idle"), facts.span)),
        facts.total("images") + facts.total("failures"),
        "one worker" if workers == 1 else "{} workers".format(workers),
        "a longer list keeps it at work" if workers == 1 else "fewer workers are enough, or a longer list",
        _up_to(gain),
    )
    return _verdict(IMAGES, facts, text, gain)


def _write(facts: Facts) -> Verdict:
    gain = _gain(facts, facts.mean("blocked"))
    advice = "a faster disk for --out"
    if facts.format == JSON:
        advice = "`--format jsonl` (some hundred results a file) or " + advice
    text = "{} waited {} of the time for the writer, which took {:.1f} ms a result as {}; {}{}".format(
        _devices(facts),
        _percent(ratio(facts.mean("blocked"), facts.span)),
        1000 * ratio(facts.total("writing"), facts.total("images")),
        facts.format,
        advice,
        _up_to(gain),
    )
    return _verdict(WRITE, facts, text, gain)


def _starved(facts: Facts) -> Verdict:
    if facts.loaders_at_work < _LOADERS_IDLE:
        return _graph_cpu(facts) if facts.on_gpu and facts.host_share >= _HOST_BOUND else _queue(facts)
    if facts.waiting_for_files >= _FILES_BOUND:
        return _read(facts)
    if facts.used_share >= _CORES_IN_USE:
        return _decode_on_all_cores(facts)
    if facts.waiting_for_cores >= _CORES_SHORT:
        return _decode_beside_others(facts)
    return _decode_with_few_loaders(facts)


def _queue(facts: Facts) -> Verdict:
    gain = _gain(facts, _saved(facts, min(_without_starving(facts), _on_all_cores(facts))))
    more = "a larger --batch-size or more --queue-mem"
    if facts.streams < _MOST_STREAMS:
        more = "`--streams {}`, ".format(facts.streams + 1) + more
    text = "{}, {:.1f} ms a batch, though loaders worked only {} of theirs; {}{}".format(
        _waited_for_frames(facts),
        1000 * ratio(facts.total("starved"), facts.total("batches")),
        _percent(facts.loaders_at_work),
        more,
        _up_to(gain),
    )
    return _verdict(QUEUE, facts, text, gain)


def _read(facts: Facts) -> Verdict:
    speed = min(_without_starving(facts), _on_all_cores(facts))
    gain = _gain(facts, _saved(facts, speed))
    text = "{} and loaders {} of theirs for files ({:.1f} ms a frame); `--loaders {}` or a faster disk{}".format(
        _waited_for_frames(facts),
        _percent(facts.waiting_for_files),
        1000 * ratio(facts.total("reading"), facts.total("decoded")),
        _loaders_for(facts, speed),
        _up_to(gain),
    )
    return _verdict(READ, facts, text, gain)


def _decode_on_all_cores(facts: Facts) -> Verdict:
    gain = _gain(facts, facts.mean("starved"))
    changes = ["more cores"] + _fast_decode(facts) + ["smaller copies of the images"]
    enough = max(1, int(facts.cores // facts.taking_part))
    if facts.waiting_for_cores >= _CORES_SHORT and facts.loaders > enough:
        changes[0] = "`--loaders {}` is enough, more cores".format(enough)
    text = "{} with {:.1f} of {:g} cores in use ({:.1f} by loaders); {} or {}{}".format(
        _waited_for_frames(facts),
        facts.used_cores,
        facts.cores,
        facts.decoding_cores,
        ", ".join(changes[:-1]),
        changes[-1],
        _up_to(gain),
    )
    return _verdict(DECODE, facts, text, gain)


def _fast_decode(facts: Facts) -> List[str]:
    """That option as a change, where it is one."""
    return ["`--fast-decode` for images at least twice as large as the frames"] if facts.fast_decode is False else []


def _decode_beside_others(facts: Facts) -> Verdict:
    speed = min(_without_starving(facts), ratio(1.0, 1 - facts.waiting_for_cores) or math.inf)
    gain = _gain(facts, _saved(facts, speed))
    text = "{} and loaders {} of theirs for a core, though this run used {:.1f} of {:g}; {}{}".format(
        _waited_for_frames(facts),
        _percent(facts.waiting_for_cores),
        facts.used_cores,
        facts.cores,
        " or ".join(["end what else runs there"] + _fast_decode(facts)),
        _up_to(gain),
    )
    return _verdict(DECODE, facts, text, gain)


def _decode_with_few_loaders(facts: Facts) -> Verdict:
    speed = min(_without_starving(facts), _on_all_cores(facts))
    gain = _gain(facts, _saved(facts, speed))
    # With more of them than the cores can keep at work, they would only wait.
    cores_each = ratio(facts.total("decoding_cpu"), facts.total("decoding"))
    most = max(math.floor(facts.loaders) + 1, math.ceil(ratio(facts.cores / facts.taking_part, cores_each)))
    changes = ["`--loaders {}`".format(min(most, _loaders_for(facts, speed)))] + _fast_decode(facts)
    text = (
        "{} with {:.1f} of {:g} loaders a worker{} at work and {:.1f} of {:g} cores not used by this run; {}{}".format(
            _waited_for_frames(facts),
            facts.loaders_at_work * facts.loaders,
            round(facts.loaders, 1),
            "" if facts.loaders_fixed else " (auto)",
            facts.cores - facts.used_cores,
            facts.cores,
            " or ".join(changes),
            _up_to(gain),
        )
    )
    return _verdict(DECODE, facts, text, gain)


def _graph_cpu(facts: Facts) -> Verdict:
    text = "each worker's own process used {:.2f} s of CPU a second for {}".format(
        facts.host_share * facts.streams,
        "one stream" if facts.streams == 1 else "{} streams".format(facts.streams),
    )
    if facts.used_share >= _CORES_IN_USE or facts.streams == _MOST_STREAMS:
        text += ", and {:.1f} of {:g} cores were in use; faster or more cores".format(facts.used_cores, facts.cores)
        return _verdict(GRAPH_CPU, facts, text, None)
    streams = facts.streams + 1
    # One stream more hides at most its share; the graph's CPU part grows with the speed, and so does decoding.
    gain = _gain(facts, _saved(facts, min(streams / facts.streams, _on_all_cores(facts)), facts.mean("busy")))
    text += ", and {:.1f} of {:g} cores were free; `--streams {}` lets it overlap with the GPU{}".format(
        facts.cores - facts.used_cores, facts.cores, streams, _up_to(gain)
    )
    return _verdict(GRAPH_CPU, facts, text, gain)


def _device(facts: Facts) -> Verdict:
    gain = _gain(facts, facts.span - facts.mean("busy"))
    text = "{} computed {} of the time, so better feeding gains at most {}; ".format(
        "it" if facts.taking_part == 1 else _devices(facts),
        _percent(ratio(facts.mean("busy"), facts.span)),
        _percent(math.ceil(1000 * (gain or 0.0)) / 1000),
    )
    if facts.on_gpu:
        return _verdict(GPU, facts, text + "only more or faster GPUs, smaller frames or a faster graph gain more", gain)
    text += "this run used {:.1f} of {:g} cores, and ".format(facts.used_cores, facts.cores)
    if facts.used_share >= _CORES_IN_USE:
        text += "only more cores or a GPU, smaller frames or a faster graph gain more"
    elif facts.host_share >= _HOST_PART and facts.streams < _MOST_STREAMS:
        text += (
            "`--streams {}` may use more of them; else only another device, smaller frames or a faster graph".format(
                facts.streams + 1
            )
        )
    else:
        text += "only another device, smaller frames or a faster graph gain more"
    return _verdict(ENGINE, facts, text, gain)


# --- what a change gains


def _gain(facts: Facts, saved: float) -> Optional[float]:
    """How many more images a second of wall time when so many seconds of it are saved; None when nothing would be left."""
    left = facts.wall - saved
    return max(0.0, saved / left) if left > facts.wall * 1e-6 else None


def _saved(facts: Facts, speed: float, seconds: Optional[float] = None) -> float:
    """Seconds saved when work (all of `active` unless `seconds` says less) goes that many times as fast, at least 1."""
    return (facts.active if seconds is None else seconds) * (1 - 1 / max(1.0, speed))


def _without_starving(facts: Facts) -> float:
    """How many times as fast the engines are when they never wait for frames."""
    return ratio(facts.active, facts.active - facts.mean("starved"))


def _on_all_cores(facts: Facts) -> float:
    """How many times as fast the cores allow, if each frame goes on to cost what it costs now."""
    return ratio(1.0, facts.used_share) or math.inf


def _loaders_for(facts: Facts, speed: float) -> int:
    """Loaders a worker needs to go that many times as fast; more than it has."""
    needed = math.ceil(ratio(facts.mean("decoding"), facts.active) * min(speed, _MOST_LOADERS))
    return min(_MOST_LOADERS, max(needed, math.floor(facts.loaders) + 1))


# --- words


def _verdict(bound: str, facts: Facts, text: str, gain: Optional[float]) -> Verdict:
    slower = facts.slower(_SLOWER)
    if slower is not None:
        text += "; worker {} ({}) is {} slower than the others' median".format(
            slower.number, slower.label.split(" (")[0], _percent(slower.share)
        )
    return Verdict(bound, "bound by {}: {}.".format(WORDS[bound], text), gain)


def _devices(facts: Facts) -> str:
    word = "GPU" if facts.on_gpu else "engine"
    count = facts.taking_part
    return "the {}".format(word) if count == 1 else "the {} {}s".format(count, word)


def _waited_for_frames(facts: Facts) -> str:
    share = ratio(facts.mean("starved"), facts.span)
    return "{} waited {} of the time for frames".format(_devices(facts), _percent(share))


def _percent(share: float) -> str:
    return "{:.{}f} %".format(100 * share, 1 if 100 * share < 9.95 else 0)


def _up_to(gain: Optional[float]) -> str:
    """The gain as the end of an advice, rounded down: ": up to +38 %"."""
    if gain is None:
        return ""
    if gain >= 1:
        return ": up to {:.1f} times the images a second".format(math.floor(10 * (1 + gain) + 1e-9) / 10)
    return ": up to +{:g} %".format(
        math.floor(100 * gain + 1e-9) if gain >= 0.1 else math.floor(1000 * gain + 1e-9) / 10
    )

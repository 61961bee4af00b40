"""A view as lines for a terminal of a given size: how far, a row a worker, the machine. Pure; `livescreen.py` shows them."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..console import counted
from .sample import DISPATCHER, LOADER, WORKER
from .verdict import WORDS
from .view import View, WorkerView
from .words import duration, gibibytes, percent, percent_done, rate, sparkline

#: A line: pieces of text, each with its style ("" for none), together not wider than the terminal.
Line = List[Tuple[str, str]]

GOOD, FAIR, BAD, DIM, HEAD = "green", "yellow", "red", "dim", "bold"
#: Below these widths and heights only the first line fits.
_LEAST_WIDTH, _LEAST_HEIGHT = 40, 6
_SHORTEST_BAR, _LONGEST_BAR = 8, 60
_SHORTEST_SPARK, _LONGEST_SPARK = 8, 24
#: Between two columns, and between two workers side by side.
_GAP, _WIDE_GAP = "  ", "   "
_BUSY, _FAIRLY_BUSY, _STARVED = 0.9, 0.6, 0.1
_UP = "up"
#: What needs somebody, a line each.
_NOTICES = 3
#: The longest word for what bounds a worker.
_LONGEST_BOUND = max(map(len, WORDS))


def render(view: View, width: int, height: Optional[int] = None, plain: bool = False) -> List[Line]:
    """The lines.

    Args:
        view: what is to be shown.
        width: columns of the terminal.
        height: its lines; one of them stays free. None for as many as it takes.
        plain: ASCII only.
    """
    lines = [_progress(view, width, plain)]
    room = 10**6 if height is None else height - 1
    if width < _LEAST_WIDTH or room < _LEAST_HEIGHT - 1 or not (view.workers or view.host):
        return lines
    ends: List[Line] = [[(text, FAIR)] for text in view.notices[:_NOTICES]]
    ends += [_host(view, width)] if view.host is not None else []
    lines.append(_pool(view, width))
    # The progress, the pool, what stands below; the rest is for the workers.
    if len(ends) > max(1, room - 5):
        # The notices are in order, the machine is the last thing to be given up.
        ends = ends[: max(0, room - 6)] + ends[-1:]
    lines += _workers(view, width, room - len(lines) - len(ends), plain)
    return [_cut(line, width) for line in lines + ends]


# --- how far


def _progress(view: View, width: int, plain: bool) -> Line:
    state = "{} {:5.1f}%".format(view.state, percent_done(view.done, view.images))
    counts = "{:,}/{:,}".format(view.done, view.images)
    speed = "{} images/s".format(rate(view.images_per_second))
    failures = counted(view.failures, "failure")
    left = "{} left".format(duration(view.seconds_left)) if view.at_work else "in {}".format(duration(view.seconds))
    for words in (
        [counts, speed, failures, left],
        [counts, speed, left],
        [counts, left],
        [left],
        [],
    ):
        text = ", ".join(words)
        bar = width - len(state) - len(text) - 2
        if bar >= _SHORTEST_BAR:
            break
    style = BAD if view.state in ("failed", "killed", "silent") else GOOD
    line = [(state + " ", HEAD)] + _bar(view.share, max(0, min(_LONGEST_BAR, bar)), style, plain) + [(" " + text, "")]
    return _cut(line, width)


def _bar(share: float, width: int, style: str, plain: bool) -> Line:
    full = int(share * width)
    return [(("#" if plain else "━") * full, style), (("-" if plain else "━") * (width - full), DIM)]


def _pool(view: View, width: int) -> Line:
    words = ["{}/{} workers up".format(view.workers_up, len(view.workers))] if view.at_work else []
    if not words and view.workers:
        words = [counted(len(view.workers), "worker")]
    now = [worker.shares for worker in view.workers if worker.shares is not None]
    if view.verdict is not None:
        words.append("bound by {}".format(WORDS.get(view.verdict["bound"], view.verdict["bound"])))
    if now:
        words.append("busy {}".format(percent(sum(shares.busy for shares in now) / len(now))))
        words.append("starved {}".format(percent(sum(shares.starved for shares in now) / len(now))))
    return [(_fitting(words, width), "")]


# --- the workers


class _Column(NamedTuple):
    """A column: its head, and its cells; right-aligned unless it is text."""

    head: str
    cells: List[Tuple[str, str]]
    text: bool = False

    @property
    def width(self) -> int:
        return max([len(self.head)] + [len(text) for text, _ in self.cells])

    def piece(self, text: str, style: str) -> Tuple[str, str]:
        return (text.ljust(self.width) if self.text else text.rjust(self.width)), style


def _workers(view: View, width: int, room: int, plain: bool) -> List[Line]:
    if not view.workers:
        return []
    if len(view.workers) + 1 <= room:
        return _table(view, width, plain)
    for spark, frames in ((_SHORTEST_SPARK, True), (6, False), (0, False)):
        found = _grid(_cells(view.workers, spark, frames, plain), width, room)
        if found is not None:
            return found
    # More than fit: those that do, in order, and one line for the others.
    shown = max(0, room - 1) * _beside(_cells(view.workers, 0, False, plain), width)
    rest = view.workers[shown:]
    busy = [worker.shares.busy for worker in rest if worker.shares is not None]
    mean = sum(busy) / len(busy) if busy else None
    lines = _grid(_cells(view.workers[:shown], 0, False, plain), width, room - 1) or []
    return lines + [[("and {} more workers, busy {}".format(len(rest), percent(mean)), DIM)]]


def _table(view: View, width: int, plain: bool) -> List[Line]:
    workers = view.workers
    columns = {
        "number": _Column("", [(str(worker.number), DIM) for worker in workers]),
        "busy": _Column("busy", [_busy(worker) for worker in workers]),
        "frames": _Column("frames/s", [(rate(worker.frames_per_second), "") for worker in workers]),
        "bound": _Column("bound by", [_bound(worker) for worker in workers], text=True),
        "starved": _Column("starved", [_starved(worker) for worker in workers]),
        "queue": _Column("queue", [("{}/{}".format(worker.queued, worker.slots), "") for worker in workers]),
        "loaders": _Column("loaders", [(str(worker.loaders), "") for worker in workers]),
        "device": _Column("device", [(worker.device.split(" (")[0], "") for worker in workers], text=True),
    }
    if view.gpus:
        columns.update(_gpu_columns(view))
    order = ["number", "device", "spark", "busy", "starved", "queue", "frames", "loaders"]
    order += ["gpu", "celsius", "watts", "memory", "bound"]
    # What is worth a place first; the sparkline has its own.
    worth = ["number", "busy", "frames", "bound", "starved", "queue", "loaders", "device"]
    worth += ["gpu", "celsius", "watts", "memory"]
    shown, left = [], width - _SHORTEST_SPARK - len(_GAP)
    for name in worth:
        if name in columns and columns[name].width + len(_GAP) <= left:
            shown.append(name)
            left -= columns[name].width + len(_GAP)
    wide = _named_devices(columns["device"], workers, left) if "device" in shown else None
    if wide is not None:
        left -= wide.width - columns["device"].width
        columns["device"] = wide
    length = min(_LONGEST_SPARK, _SHORTEST_SPARK + left)
    sparks = [(sparkline(worker.history, length, plain).rjust(length), _busy(worker)[1]) for worker in workers]
    columns["spark"] = _Column("history", sparks, text=True)
    rows = [columns[name] for name in order if name in shown or name == "spark"]
    head = _spaced([column.piece(column.head, DIM) for column in rows])
    return [head] + [_spaced([column.piece(*column.cells[row]) for column in rows]) for row in range(len(workers))]


def _named_devices(column: _Column, workers: Sequence[WorkerView], room: int) -> Optional[_Column]:
    """The column with the devices' whole labels; None when there is no room for them."""
    whole = _Column(column.head, [(worker.device, "") for worker in workers], text=True)
    return whole if whole.width - column.width <= room else None


def _gpu_columns(view: View) -> Dict[str, _Column]:
    by_uuid = {gpu.last.uuid: gpu for gpu in view.gpus}
    gpus = [by_uuid.get(worker.uuid) for worker in view.workers]

    def column(head: str, texts: List[str]) -> _Column:
        hot = [FAIR if gpu is not None and gpu.last.throttled else "" for gpu in gpus]
        return _Column(head, list(zip(texts, hot)))

    last = [None if gpu is None or gpu.last.gone else gpu.last for gpu in gpus]
    return {
        "gpu": column("GPU", [percent(None if gpu is None else gpu.utilisation) for gpu in gpus]),
        "celsius": column("C", [_number(None if gpu is None else gpu.temperature) for gpu in last]),
        "watts": column("W", [_number(None if gpu is None else gpu.power) for gpu in last]),
        "memory": column("GiB", ["-" if gpu is None or not gpu.memory_used else gibibytes(gpu.memory_used) for gpu in last]),
    }  # fmt: skip


def _number(value: Optional[float]) -> str:
    return "-" if value is None else "{:.0f}".format(value)


def _cells(workers: Sequence[WorkerView], spark: int, frames: bool, plain: bool) -> List[Line]:
    """Each worker in few columns."""
    digits = len(str(workers[-1].number)) if workers else 1
    cells = []
    for worker in workers:
        text, style = _busy(worker)
        pieces = [(str(worker.number).rjust(digits), DIM)]
        if spark:
            pieces.append((sparkline(worker.history, spark, plain).rjust(spark), style))
        pieces.append((text.rjust(4), style))
        if frames:
            pieces.append((rate(worker.frames_per_second).rjust(5), ""))
        bound, style = _bound(worker)
        cells.append(_spaced(pieces + [(bound[:_LONGEST_BOUND].ljust(_LONGEST_BOUND), style)], " "))
    return cells


def _beside(cells: Sequence[Line], width: int) -> int:
    """How many cells fit side by side."""
    return max(1, (width + len(_WIDE_GAP)) // (max(map(_length, cells)) + len(_WIDE_GAP)))


def _grid(cells: Sequence[Line], width: int, room: int) -> Optional[List[Line]]:
    """Cells side by side, to be read downwards; None when they need more lines than there are."""
    if not cells:
        return None
    beside = _beside(cells, width)
    rows = -(-len(cells) // beside)
    if rows > room:
        return None
    lines: List[Line] = []
    for row in range(rows):
        line: Line = []
        for cell in cells[row::rows]:
            line += ([(_WIDE_GAP, "")] if line else []) + cell
        lines.append(line)
    return lines


def _busy(worker: WorkerView) -> Tuple[str, str]:
    if worker.shares is None:
        return "-", DIM
    busy = worker.shares.busy
    return percent(busy), GOOD if busy >= _BUSY else "" if busy >= _FAIRLY_BUSY else FAIR


def _starved(worker: WorkerView) -> Tuple[str, str]:
    if worker.shares is None:
        return "-", DIM
    return percent(worker.shares.starved), FAIR if worker.shares.starved >= _STARVED else ""


def _bound(worker: WorkerView) -> Tuple[str, str]:
    """What bounds a worker; its state when it is not up."""
    if worker.bound:
        return worker.bound, ""
    return ("" if worker.state == _UP else worker.state), FAIR


# --- what stands below


def _host(view: View, width: int) -> Line:
    assert view.host is not None
    host = view.host.last
    used = sum(role.cpu for role in host.roles.values())
    words = ["CPU {:.1f} of {:g} cores".format(used, host.cores) if host.roles else "{:g} cores".format(host.cores)]
    if host.memory_total:
        words.append("memory {} of {} GiB".format(gibibytes(host.memory_used), gibibytes(host.memory_total)))
    if host.shared_total:
        words.append("shared {} of {} GiB".format(gibibytes(host.shared_used), gibibytes(host.shared_total)))
    for role in (LOADER, WORKER, DISPATCHER):
        if role in host.roles:
            words.append("{} {:.1f} cores".format(role + "s" * (role != DISPATCHER), host.roles[role].cpu))
    if host.roles:
        words.append("all programs {:.1f}".format(host.cpu))
    return [(_fitting(words, width), DIM)]


# --- lines


def _fitting(words: Sequence[str], width: int) -> str:
    """As many of these as fit, the first ones, with commas."""
    text = ""
    for word in words:
        longer = text + ", " + word if text else word
        if len(longer) > width:
            break
        text = longer
    return text


def _spaced(pieces: Sequence[Tuple[str, str]], gap: str = _GAP) -> Line:
    line: Line = []
    for piece in pieces:
        line += ([(gap, "")] if line else []) + [piece]
    return line


def _length(line: Line) -> int:
    return sum(len(text) for text, _ in line)


def _cut(line: Line, width: int) -> Line:
    """The line as far as it fits, without blanks at its end."""
    cut: Line = []
    for text, style in line:
        cut.append((text[: max(0, width - _length(cut))], style))
    while cut and not cut[-1][0].strip():
        cut.pop()
    if cut:
        cut[-1] = (cut[-1][0].rstrip(), cut[-1][1])
    return cut

"""The view in a terminal: what it says, that it fits, and that sentences above it stay whole."""

from __future__ import annotations

import io
import os
import pty
import threading
import time

import pytest
from made_runs import gpu, samples_of
from rich.console import Console
from running import wait_for
from screen import Screen

from divainfer.config import RunConfig, to_json
from divainfer.console import say
from divainfer.monitor.display import LINES, LIVE, ProgressDisplay, progress_line
from divainfer.monitor.follow import show_once
from divainfer.monitor.livescreen import Lines, LiveScreen
from divainfer.monitor.terminal import render
from divainfer.monitor.view import Standing, make_view
from divainfer.monitor.words import duration, gibibytes, percent, rate, sparkline

STANDING = Standing("/out", "running", to_json(RunConfig()), 100000)


def view_of(count=2, seconds=200, state="running", **more):
    samples = samples_of([0.97 - 0.01 * (number % 30) for number in range(count)], seconds, **more)
    return make_view(samples, STANDING._replace(state=state), 24)


def printed(view, width, height=None, plain=False):
    """What a terminal of that size shows, through rich as in a run."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system="truecolor", _environ={})
    console.print(Lines(render(view, width, height, plain)))
    return Screen(width, 1000).feed(stream.getvalue().replace("\n", "\r\n")).text


def test_a_row_a_worker():
    lines = printed(view_of(), 80, 24).splitlines()
    assert lines[0].startswith("running   4.0% ━") and "4,000/100,000" in lines[0] and "20.0 images/s" in lines[0]
    assert lines[0].endswith("1:20:00 left")
    assert lines[1] == "2/2 workers up, bound by decoding, busy 96%, starved 4%"
    assert " ".join(lines[2].split()) == "device history busy starved queue frames/s loaders GPU bound by"
    row = " ".join(lines[3].split())
    assert row.startswith("0 GPU 0 ") and row.endswith(" 97% 3% 30/32 10.0 2 90% decode")
    assert lines[5] == "CPU 3.2 of 16 cores, memory 20.0 of 64.0 GiB, shared 2.0 of 32.0 GiB"
    assert "loaders 2.5 cores, workers 0.6 cores" in printed(view_of(), 140, 24)
    assert "NVIDIA H100" in printed(view_of(), 140, 24) and len(lines) == 6


@pytest.mark.parametrize("count", [0, 1, 4, 19, 20, 40, 300])
@pytest.mark.parametrize("width", [1, 10, 39, 40, 60, 80, 200])
def test_it_fits(count, width):
    view = view_of(count, seconds=15)
    for height in (1, 2, 6, 7, 12, 24, 50):
        lines = render(view, width, height)
        assert all(sum(len(text) for text, _ in line) <= width for line in lines)
        assert len(lines) <= max(1, height - 1)


def test_forty_workers_on_twenty_four_lines():
    for width in (60, 80):
        text = printed(view_of(40), width, 24)
        numbers = {int(word) for line in text.splitlines()[2:-1] for word in line.split() if word.isdigit()}
        assert numbers == set(range(40)), text
    assert "and 43 more workers, busy 84%" in printed(view_of(100), 60, 24)


def test_without_a_terminal_s_height_nothing_is_left_out():
    assert len(printed(view_of(100), 80).splitlines()) == 104


def test_what_needs_somebody_is_said():
    samples = samples_of([0.9] * 3, 60)
    worker = samples[-1].workers[1]._replace(state="closed", reason="killed by signal 9\n(SIGKILL)")
    last = samples[-1]._replace(
        workers=[samples[-1].workers[0], worker, samples[-1].workers[2]],
        gpus=[gpu(0, throttled=["hardware thermal slowdown"]), gpu(1), gpu(2, gone="the GPU is lost")],
    )
    text = printed(make_view(samples[:-1] + [last], STANDING), 80, 24)
    assert "worker 1 is given up: killed by signal 9 (SIGKILL)" in text
    assert "GPU 0 is throttled: hardware thermal slowdown" in text and "GPU 2 does not answer: the GPU is lost" in text
    missing = make_view(samples_of([0.9], 60, gpus=False, gpus_missing="no NVIDIA driver answers"), STANDING)
    assert "no figures of the GPUs: no NVIDIA driver answers" in printed(missing, 80, 24)


def test_a_run_that_is_over():
    view = make_view(
        samples_of([0.9], 60), STANDING._replace(state="failed", images=1000, done=600, failures=2, error="no room")
    )
    text = printed(view, 80, 24)
    assert text.startswith("failed  60.0%") and "2 failures, in 0:01:00" in text and "it ended early: no room" in text
    assert "1 worker, bound by" in text and "left" not in text
    assert printed(view_of(state="finished"), 80).startswith("finished")


def test_before_the_first_sample_and_in_ascii():
    assert printed(make_view([], STANDING), 80, 24).startswith("starting   0.0% ━")
    assert printed(view_of(), 80, 24, plain=True).isascii()


def test_words():
    assert [percent(share) for share in (None, 0.0, 0.876, 0.999, 1.0)] == ["-", "0%", "88%", "99%", "100%"]
    assert [rate(value) for value in (None, 0.04, 12.34, 12345.6)] == ["-", "0.0", "12.3", "12,346"]
    assert [duration(seconds) for seconds in (None, 3723.9, 90061)] == ["-:--:--", "1:02:03", "1 day, 1:01:01"]
    assert (gibibytes(3 << 29), gibibytes(200 << 30)) == ("1.5", "200")
    assert sparkline([0, 0.5, 1, None, 0.99], 8) == "▁▅█ █"
    assert sparkline([0, 1, 0, 1, 0.9, 0.9], 3) == "▅▅█" and sparkline([0.1] * 5 + [1], 2, plain=True) == "_:"


def test_lines_keep_their_form():
    stream = io.StringIO()
    samples = samples_of([0.9, 0.9], 100)
    display = ProgressDisplay(LINES, STANDING._replace(done=10), lambda: samples, stream)
    display._line_at = time.monotonic()
    display.update()
    display.update()
    display.close()
    first, second = stream.getvalue().splitlines()
    assert first[8:] == " starting: 99,990 of 100,000 images to do"
    assert second[8:] == " 2,000 of 100,000 images (2.0%), 20.0 images/s, 0 failures, 1:21:40 left, 2/2 workers"
    assert "-:--:-- left, 0/0 workers" in progress_line(make_view([], STANDING))
    assert progress_line(view_of(state="killed")).endswith(" 0 failures, this start took 0:03:20")


def test_failures_of_this_start_count_too():
    samples = samples_of([0.9], 10, failures=5)
    display = ProgressDisplay(LINES, STANDING._replace(done=10, failures=2), lambda: samples, io.StringIO())
    assert display._view(0).failures == 5


def test_live_without_a_terminal_is_lines():
    stream = io.StringIO()
    ProgressDisplay(LIVE, STANDING, list, stream).close()
    assert "starting: 100,000 of 100,000 images to do" in stream.getvalue()


class Terminal:
    """A terminal of our own: what a program writes to `stream`, and what is then to be seen."""

    def __init__(self, monkeypatch, width=80, height=24):
        for name, value in (("COLUMNS", width), ("LINES", height), ("TERM", "xterm-256color")):
            monkeypatch.setenv(name, str(value))
        self._controller, terminal = pty.openpty()
        self.stream = os.fdopen(terminal, "w", encoding="utf-8")
        self.screen = Screen(width, height)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self._controller, 1 << 16)
            except OSError:  # The other side is closed.
                return
            self.screen.feed(data.decode("utf-8"))

    def close(self):
        self.stream.close()
        self._reader.join(10)
        os.close(self._controller)
        return self.screen


def test_sentences_stay_whole_above_the_view_and_the_view_goes(monkeypatch):
    terminal = Terminal(monkeypatch)
    samples = []
    display = ProgressDisplay(LIVE, STANDING, lambda: list(samples), terminal.stream)
    say("The first sentence.")
    samples += samples_of([0.9] * 4, 100)
    wait_for(lambda: "4/4 workers up" in terminal.screen.text)
    say("A second one, {}.".format("which is long " * 10))
    wait_for(lambda: "A second one" in terminal.screen.text and "bound by" in terminal.screen.text)
    display.close()
    say("not to this terminal any more")
    screen = terminal.close()
    lines = screen.text.splitlines()
    assert lines[0] == "The first sentence." and lines[1].startswith("A second one, which is long")
    assert len(lines) == 3, "nothing is left of the view: {!r}".format(lines)
    assert screen.cursor_shown


def test_a_fault_in_what_only_shows_does_not_cost_the_run(monkeypatch, caplog):
    terminal = Terminal(monkeypatch)

    def draw(width, height, plain):
        raise ZeroDivisionError

    screen = LiveScreen(terminal.stream, draw)
    screen.start()
    screen.stop()
    terminal.close()
    assert "the run goes on without" in caplog.text


def test_a_terminal_that_is_gone_does_not_cost_the_run(monkeypatch):
    terminal = Terminal(monkeypatch)
    display = ProgressDisplay(LIVE, STANDING, lambda: samples_of([0.9], 20), terminal.stream)
    descriptor = terminal.stream.fileno()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    os.close(full)
    say("A sentence that nobody hears.")
    display.close()
    terminal._reader.join(10)
    os.close(terminal._controller)
    with pytest.raises(OSError):
        terminal.stream.close()


def test_a_narrower_terminal_leaves_no_pieces(monkeypatch):
    terminal = Terminal(monkeypatch, 100, 24)
    widths = []

    def draw(width, height, plain):
        widths.append(width)
        return [[("x" * width, "")]] * 3

    screen = LiveScreen(terminal.stream, draw)
    screen.start()
    wait_for(lambda: terminal.screen.text.count("x") == 300)
    # As a terminal does that becomes narrower: each line goes on in the next one.
    terminal.screen.lines = ["x" * 60, "x" * 40] * 3
    terminal.screen.row, terminal.screen.width, terminal.screen.column = 5, 60, 40
    screen._console.size = (60, 24)
    wait_for(lambda: terminal.screen.text.count("x") == 180, "a narrower view")
    # A sentence comes before the view has seen that its terminal is narrower once more.
    terminal.screen.width = 50
    screen._console.size = (50, 24)
    say("This must stay.")
    wait_for(lambda: "This must stay." in terminal.screen.text)
    drawn = len(widths)
    wait_for(lambda: len(widths) > drawn + 1 and terminal.screen.text.count("x") == 150, "the next view")
    screen.stop()
    assert terminal.close().text == "This must stay."


def test_once_there_is_all_and_the_verdict_in_a_sentence(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    stream = io.StringIO()
    view = view_of(60)
    show_once(view, stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 65 and lines[-1] == view.verdict["sentence"] and "\x1b" not in stream.getvalue()
    assert lines[-2].startswith("CPU 3.2 of 16 cores") and max(map(len, lines[:-1])) <= 70


def test_the_most_important_notices_and_the_machine_stay_longest():
    samples = samples_of([0.9] * 4, 60)
    gpus = [gpu(number, throttled=["power cap"]) for number in range(3)] + [gpu(3, gone="the GPU is lost", xids=[79])]
    view = make_view(samples[:-1] + [samples[-1]._replace(gpus=gpus)], STANDING)
    for height in range(7, 24):
        lines = printed(view, 80, height).splitlines()
        assert len(lines) < height and lines[-1].startswith("CPU ")
        said = [line for line in lines if line.startswith("GPU")]
        assert said == ["GPU 3 does not answer: the GPU is lost", "GPU 3 reported critical errors: Xid 79",
                        "GPUs 0, 1, 2 are throttled: power cap"][: len(said)]  # fmt: skip
    assert len(said) == 3

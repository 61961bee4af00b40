"""Writes the pictures of docs/how-to: what terminal, browser and report show of a real run on this machine's CPUs.

    make pictures

Needs tmux and Chromium. The run is the one of `make demo` with more images, three of them damaged.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, List

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from browser import Browser  # type: ignore[import-not-found]  # noqa: E402

import divainfer  # noqa: E402

PICTURES = HERE / "how-to" / "pictures"
#: Scenes that are drawn, which takes a while, and how often each one is listed.
SCENES, TIMES = 200, 3
#: The run at work is shown when so much of it is done.
_SHOWN_AT = 0.35
#: Seconds that either of both takes at most.
_PATIENCE = 900.0
_COLUMNS, _LINES = 110, 9
_TERMINAL = """<meta charset="utf-8"><style>body {{ margin: 0; background: #0c0c0c; color: #d9d9d9 }}
pre {{ margin: 0; padding: 16px; font: 15px/1.25 "DejaVu Sans Mono", monospace }}</style><pre>{}</pre>"""


def command(*words: str) -> List[str]:
    """A command line of the program, on no GPU."""
    return ["env", "CUDA_VISIBLE_DEVICES=", "TF_CPP_MIN_LOG_LEVEL=3", sys.executable, "-m", "divainfer.cli", *words]


def wait_for(true: Callable[[], bool], what: str) -> None:
    """Waits until something is so, which of a run that failed it may never be."""
    until = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > until:
            sys.exit("{} has not come in {:.0f} s; does `make demo` work here?".format(what, _PATIENCE))
        time.sleep(1.0)


def make_frames(folder: Path) -> Path:
    """Draws the scenes, links each one to further names, and damages three; returns the list of them all."""
    scenes = [sys.executable, "-m", "divainfer.model.demo.scenes", "--out", str(folder), "--count", str(SCENES)]
    subprocess.run([*scenes, "--seed", "7"], check=True, stdout=subprocess.DEVNULL)
    frames = folder / "frames.lst"
    names = frames.read_text().splitlines()
    for time_of_day in ("noon", "evening")[: TIMES - 1]:
        for name in names[:SCENES]:
            link = folder / time_of_day / name
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(str(folder / name), str(link))
            names.append(str(Path(time_of_day) / name))
    frames.write_text("\n".join(names) + "\n")
    for name, content in ((names[40], b"\xff\xd8 no more"), (names[90], b""), (names[130], None)):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
    return frames


class Terminal:
    """A real terminal, in which one command runs.

    Args:
        socket_path: of the server of this terminal alone.
        words: the command that runs in it.
    """

    def __init__(self, socket_path: str, words: List[str]) -> None:
        self._tmux = ["tmux", "-f", os.devnull, "-S", socket_path]
        size = ["-x", str(_COLUMNS), "-y", str(_LINES)]
        shown = " ".join(map(shlex.quote, words)) + "; sleep 3600"
        subprocess.run([*self._tmux, "-u", "new-session", "-d", *size, shown], check=True)

    def html(self) -> str:
        """What is to be seen on it."""
        capture = [*self._tmux, "capture-pane", "-e", "-p"]
        shown = subprocess.run(capture, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8")
        console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
        console.print(Text.from_ansi(shown.rstrip("\n")))
        return _TERMINAL.format(console.export_html(theme=MONOKAI, code_format="{code}", inline_styles=True))

    def close(self) -> None:
        """Ends it and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


@contextlib.contextmanager
def page(out: Path) -> Iterator[str]:
    """The address at which the run's page is served."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = "127.0.0.1:{}".format(port)
    process = subprocess.Popen(command("monitor", str(out), "--serve", address), stderr=subprocess.DEVNULL)
    try:
        yield "http://{}/".format(address)
    finally:
        process.terminate()
        process.wait()


def take_live(browser: Browser, terminal: Terminal, out: Path, folder: Path) -> None:
    """Pictures of the run at work."""
    (folder / "terminal.html").write_text(terminal.html(), encoding="utf-8")
    browser.open((folder / "terminal.html").as_uri(), 1040, 200)
    browser.wait_for("document.querySelector('pre') !== null")
    browser.picture(str(PICTURES / "terminal.png"))
    with page(out) as url:
        time.sleep(3.0)
        for name, width, height, dark in (("page", 1200, 1640, False), ("page-phone", 390, 1640, True)):
            browser.open(url, width, height, dark)
            browser.wait_for("document.images.length > 3 && document.images[0].complete")
            time.sleep(2.0)
            browser.picture(str(PICTURES / (name + ".png")), whole=False)


def take_report(browser: Browser, out: Path) -> None:
    """The report of the run."""
    browser.open((out / ".divainfer" / "report.html").as_uri(), 1200, 1500)
    browser.wait_for("document.querySelectorAll('svg').length > 3")
    browser.picture(str(PICTURES / "report.png"), whole=False)


def main() -> None:
    """Takes them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, Browser(os.path.join(name, "browser")) as browser:
        folder = Path(name)
        frames, out = make_frames(folder / "frames"), folder / "out"
        run = command("run", "--model", "demo", "--images", str(frames), "--out", str(out), "--gpus", "cpu:2")
        terminal = Terminal(str(folder / "terminal"), run)
        try:
            metrics = out / ".divainfer" / "metrics.jsonl"
            wait_for(lambda: metrics.exists() and divainfer.view(str(out)).share >= _SHOWN_AT, "the run at work")
            take_live(browser, terminal, out, folder)
            wait_for((out / ".divainfer" / "report.html").exists, "the report that the run writes when it has ended")
        finally:
            terminal.close()
        take_report(browser, out)


if __name__ == "__main__":
    main()

"""The page in a real browser: the figures are there, all of them fit, and nobody else is asked for anything."""

from __future__ import annotations

import os
import re

import pytest
from browser import PROGRAM, Browser
from made_runs import MadeRun, gpu, samples_of
from running import Started, draw_images, wait_for

EVIL = "<img src=x onerror=\"document.title='broken into'\"> & it's.jpg"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page of a run with eight GPUs, and names that were made to break it."""
    folder = tmp_path_factory.mktemp("page")
    paths = draw_images(str(folder / "in"), 12)
    evil = str(folder / "in" / EVIL)
    os.rename(paths[11], evil)
    paths[11] = evil
    run = MadeRun(str(folder / ("out-" + "long-name-" * 12)), paths)
    gpus = [gpu(0, throttled=["<b>hot</b>"]), gpu(1, gone="the GPU is lost")] + [gpu(number) for number in range(2, 8)]
    run.measure(samples_of([0.9 - 0.05 * number for number in range(8)], 300, images=12, gpus=True)[:-1])
    run.measure([samples_of([0.9 - 0.05 * number for number in range(8)], 300, images=12)[-1]._replace(gpus=gpus)])
    run.finish(0, 12)
    run.close()
    with Started("monitor", run.folder.out, "--serve", "127.0.0.1:0") as monitor:
        wait_for(lambda: "until Ctrl-C" in monitor.errors)
        yield re.search(r"http://127\.0\.0\.1:\d+/", monitor.errors).group()


@pytest.mark.parametrize(
    "width,height,dark", [(375, 812, False), (375, 812, True), (1280, 900, False), (1280, 900, True)]
)
def test_the_page(served, tmp_path, width, height, dark):
    with Browser(str(tmp_path / "browser")) as browser:
        browser.open(served, width, height, dark)
        browser.wait_for("document.querySelectorAll('.worker').length === 8")
        browser.wait_for("document.images.length > 3")
        browser.value("scrollTo(0, document.body.scrollHeight)")  # Pictures that nobody looks at are not fetched.
        browser.wait_for("[...document.images].some(one => one.complete && one.naturalWidth > 50)")
        text = browser.text()
        for words in (
            "finished",
            "100.0 %",
            "12 of 12 images",
            "90 %",
            "55 %",
            "30/32",
            "66 °C",
            "400 W",
            "GPU 1 does not answer",
        ):
            assert words in text, words
        assert browser.value("document.documentElement.scrollWidth") <= width
        rights = "[...document.querySelectorAll('main *')].map(one => one.getBoundingClientRect().right)"
        assert browser.value("Math.max(...{})".format(rights)) <= width
        # Names are texts, whatever they look like.
        assert EVIL in text and "broken into" not in browser.value("document.title")
        assert browser.value("document.querySelectorAll('img[src=x], .notice b').length") == 0
        background = browser.value("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == dark
        assert browser.requests and all(address.startswith((served, "data:")) for address in browser.requests)
        assert browser.complaints == []


def test_the_page_of_a_run_at_work_renews_itself(tmp_path):
    draw_images(str(tmp_path / "in"), 40)
    out = str(tmp_path / "out")
    command = [
        "run",
        "--engine",
        "emulated:busy_ms=300",
        "--images",
        str(tmp_path / "in"),
        "--out",
        out,
        "--gpus",
        "cpu",
    ]
    command += ["--short-edge-size", "64", "--max-size", "96", "--loaders", "1"]
    with Browser(str(tmp_path / "browser")) as browser, Started(*command) as run:
        wait_for(lambda: os.path.exists(os.path.join(out, ".divainfer", "progress.json")))
        with Started("monitor", out, "--serve", "127.0.0.1:0") as monitor:
            wait_for(lambda: "until Ctrl-C" in monitor.errors)
            browser.open(re.search(r"http://127\.0\.0\.1:\d+/", monitor.errors).group(), 800, 600)
            browser.wait_for("document.getElementById('state').textContent === 'running'")
            browser.wait_for("document.getElementById('age').textContent === 'live'")
            assert run.wait().code == 0
            browser.wait_for("document.getElementById('state').textContent === 'finished'")
            browser.wait_for("document.getElementById('counts').textContent === '40 of 40 images'")
            browser.wait_for("document.images.length === 12")
            monitor.process.kill()
            browser.wait_for("document.getElementById('state').textContent === 'no connection'")

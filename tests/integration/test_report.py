"""The report, of real runs on emulated devices: read as a browser reads it, held against what the run has recorded."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest
from browser import PROGRAM, Browser
from made_runs import MadeRun, samples_of
from running import Started, draw_images, summary, wait_for, wait_for_results
from running import divainfer as program

import divainfer
from divainfer.dispatcher import endreport
from divainfer.monitor.metricslog import read_metrics
from divainfer.runfolder import RunFolder

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1"]
#: Elements without an end.
VOID = {"meta", "br", "img", "link", "input", "hr"}
STRANGE = [b'it\'s "quoted" <b>&amp;.jpg', b"new\nline.jpg", b"not-utf8-\xff\xfe.jpg", b"<script>alert(1)<script>.jpg"]


class Page(HTMLParser):
    """A page: its text, its elements, and whether each one is closed in order."""

    def __init__(self, path: str) -> None:
        super().__init__()
        with open(path, encoding="utf-8") as file:
            self.source = file.read()
        self.elements: List[tuple] = []
        self.words: List[str] = []
        self._open: List[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def pictures(self) -> List[np.ndarray]:
        """The photographs, decoded."""
        sources = [attrs["src"] for tag, attrs in self.elements if tag == "img"]
        data = [base64.b64decode(source.replace("data:image/jpeg;base64,", "")) for source in sources]
        return [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in data]

    def headings(self, level: str) -> List[str]:
        return re.findall("<{0}>([^<]*)</{0}>".format(level), self.source)

    def row(self) -> Dict[str, str]:
        """The row for the table of 2019, by its heads."""
        heads, _, cells = [line for line in "".join(self.words).splitlines() if line.startswith("| ")][:3]
        return dict(zip(*([cell.strip() for cell in line.strip("| ").split(" | ")] for line in (heads, cells))))

    def needs_nothing(self) -> None:
        """Nothing is fetched, nothing is run."""
        assert {"script", "link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in self.elements)
        for _, attrs in self.elements:
            assert not [name for name in attrs if name.startswith("on")]
            for name in ("src", "href", "xlink:href", "srcset", "action"):
                assert (attrs.get(name) or "#").startswith(("#", "data:image/jpeg;"))
        style = re.search("<style>(.*)</style>", self.source, re.DOTALL).group(1)
        assert "url(" not in style and "@import" not in style


def command(images: str, out: str, *more: str, busy_ms: int = 60) -> List[str]:
    return ["run", "--engine", "emulated:busy_ms={}".format(busy_ms), "--images", images, "--out", out, *SMALL, *more]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images, some with awkward names, and some that fail."""
    folder = os.fsencode(str(tmp_path_factory.mktemp("images") / "in"))
    paths = draw_images(os.fsdecode(folder), 60)
    for name, source in zip(STRANGE, paths):
        shutil.copy(os.fsencode(source), os.path.join(folder, name))
    with open(paths[0], "rb") as file:
        whole = file.read()
    for name, content in (
        (b"cut <i>.jpg", whole[: len(whole) // 2]),
        (b"no image\n.jpg", b"<html>"),
        (b"empty.jpg", b""),
    ):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    return os.fsdecode(folder)


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory):
    """A finished run with some samples; not to be changed."""
    out = str(tmp_path_factory.mktemp("finished") / "out")
    assert program(*command(images, out), "--sample-every", "0.2").code == 3
    return out


@pytest.fixture(scope="module")
def page(finished):
    return Page(divainfer.report(finished))


def test_utilisation_in_the_report_is_what_the_engines_recorded(finished, page):
    workers = [worker["stats"] for worker in summary(finished)["workers"]]
    span = sum(stats[state] for stats in workers for state in ("busy", "starved", "blocked", "idle"))
    recorded = 100 * sum(stats["busy"] for stats in workers) / span
    assert 20 < recorded <= 100
    row = page.row()
    assert float(row["Average busy"].rstrip("%")) == pytest.approx(recorded, abs=1)
    assert "{:.1f} % busy".format(recorded) in page.text
    for number, stats in enumerate(workers):
        share = 100 * stats["busy"] / sum(stats[state] for state in ("busy", "starved", "blocked", "idle"))
        cells = '<td>{}</td><td>CPU</td><td class="number">{}</td>'.format(number, stats["images"])
        assert cells in page.source and "{:.1f} %".format(share) in page.source[page.source.index(cells) :][:300]


def test_its_figures_are_those_of_the_summary(finished, page):
    found = summary(finished)
    row = page.row()
    assert row["# Image"] == "64" and row["# worker Used (processes)"] == "2 (2)" and row["Image Size"] == "96x64"
    assert float(row["runtime (s)"]) == pytest.approx(found["seconds"], abs=0.06)
    assert float(row["Per worker FPS"]) == pytest.approx(found["frames_per_second"] / 2, abs=0.01)
    assert found["verdict"]["sentence"][1:] in page.text
    assert "67 of 67 images are done" in page.text and "finished" in page.text
    assert "there is no GPU" in page.text


def test_it_has_all_parts_and_needs_nothing_from_outside(page):
    page.needs_nothing()
    assert page.headings("h2") == [
        "Row for the table of 2019", "Over time", "Workers", "How long things took", "Machine", "Detections", "Failures",
        "What ran",
    ]  # fmt: skip
    charts = {"Throughput", "Busy", "Queue fill", "Time split", "Detections by class", "Detections by score"}
    assert charts <= set(page.headings("h3"))
    assert sum(tag == "svg" for tag, _ in page.elements) >= len(charts)
    assert len(page.source) < 1000000
    assert "--loaders 1" in page.text and "emulated, 60 ms a frame" in page.text


def test_failures_stand_there_with_their_reasons_names_and_pictures(page):
    for words in ("truncated", "not-an-image", "the file is empty", "cut <i>.jpg", "no image\\n.jpg"):
        assert words in page.text, words
    pictures = page.pictures
    assert len(pictures) >= 5 and all(picture is not None for picture in pictures)
    captions = [attrs["alt"] for tag, attrs in page.elements if tag == "img"]
    assert [caption for caption in captions if caption.endswith("cut <i>.jpg")]
    assert not [caption for caption in captions if "no image" in caption or "empty" in caption]


def test_detections_are_counted_and_drawn(finished, page):
    found = [result.detections for result in divainfer.results(finished) if result.detections is not None]
    text = "Of 64 results 64 were looked at, spread evenly over the list: {} detections".format(sum(map(len, found)))
    assert text in page.text
    assert len(re.findall(r"\d+ of \d+ detections", page.text)) == 8


def test_strange_names_are_shown_and_do_nothing(images, tmp_path):
    """Only images with strange names, one of which fails; in a folder with a name that would be an element."""
    source = tmp_path / "<img src=x onerror=alert(1)>"
    source.mkdir()
    for name in STRANGE:
        shutil.copy(os.path.join(os.fsencode(images), name), os.path.join(os.fsencode(str(source)), name))
    with open(os.path.join(os.fsencode(str(source)), b"broken\xff<b>.jpg"), "wb") as file:
        file.write(b"none")
    out = str(tmp_path / '<h1>"out"')
    assert program(*command(str(source), out, busy_ms=1)).code == 3
    page = Page(divainfer.report(out))
    page.needs_nothing()
    for shown in (
        "<script>alert(1)<script>.jpg",
        "new\\nline.jpg",
        "not-utf8-\\udcff\\udcfe.jpg",
        "broken\\udcff<b>.jpg",
    ):
        assert shown in page.text, shown
    assert out in page.text and page.source.count("<h1>") == 1


def test_it_can_stand_in_any_folder(finished, weird_path):
    out = os.path.join(weird_path, "out")
    shutil.copytree(finished, out)
    path = divainfer.report(out)
    assert path == os.path.join(out, ".divainfer", "report.html")
    Page(path).needs_nothing()


def test_a_run_without_samples_says_so(finished, tmp_path):
    out = str(tmp_path / "out")
    shutil.copytree(finished, out)
    os.unlink(RunFolder(out).metrics)
    page = Page(divainfer.report(out))
    assert "There is no metrics.jsonl" in page.text and "Throughput" not in page.headings("h3")
    assert "Time split" in page.headings("h3")
    row = Page(divainfer.report(finished)).row()
    assert page.row() == dict(row, **{"Median busy": "-"})
    os.unlink(RunFolder(out).summary)
    os.unlink(RunFolder(out).progress)
    page = Page(divainfer.report(out))
    assert "Nothing tells what bounds this run" in page.text and "Row for the table" not in page.source


def test_damaged_files_cost_what_they_hold_and_no_more(finished, tmp_path):
    out = str(tmp_path / "out")
    shutil.copytree(finished, out)
    folder = RunFolder(out)
    results = [name for name in sorted(os.listdir(out)) if name.endswith(".json")]
    with open(os.path.join(out, results[0]), "w") as file:
        file.write("[{")
    with open(folder.metrics, "ab") as file:
        file.write(b'{"time": 12, "workers": [\n{}\n[]\nnull\n')
    for path in (folder.summary, folder.progress):
        with open(path, "w") as file:
            file.write("no JSON")
    page = Page(divainfer.report(out))
    assert "63 were looked at" in page.text and "1 more could not be read" in page.text
    assert "Throughput" in page.headings("h3")
    with open(folder.index, "ab") as file:
        file.write(b"more")
    assert "Neither results nor failures were looked at" in Page(divainfer.report(out)).text


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_shards_are_read_as_well(images, tmp_path, format):
    out = str(tmp_path / "out")
    assert program(*command(images, out, "--format", format, busy_ms=1)).code == 3
    page = Page(divainfer.report(out))
    assert "Of 64 results 64 were looked at" in page.text
    assert len(re.findall(r"\d+ of \d+ detections", page.text)) == 8 and len(page.pictures) >= 9


def test_at_work_killed_and_resumed(tmp_path):
    images, out = str(tmp_path / "in"), str(tmp_path / "out")
    # So many that a report can be made meanwhile, on a busy machine too.
    draw_images(images, 50)
    with Started(*command(images, out, "--sample-every", "0.2", busy_ms=1000)) as run:
        wait_for_results(out, 2)
        assert program("report", out).code == 0
        assert "running (process" in Page(RunFolder(out).report).text

        def all_computed():
            *_, sample = read_metrics(RunFolder(out).metrics)
            return all(worker.stats.batches for worker in sample.workers)

        wait_for(all_computed)
        run.signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda: not run.processes())
    killed = Page(divainfer.report(out))
    assert "ended without a word" in killed.text and "Time split" in killed.headings("h3")
    assert program("resume", out, "--gpus", "cpu:8").code == 0
    again = Page(divainfer.report(out))
    assert "finished" in again.text and "run time, 2 starts" in again.text
    # What was done between the last sample and the kill, nobody has counted; what had no record then was done twice.
    assert 45 <= int(again.row()["# Image"]) <= 70


def test_a_driver_that_died_in_the_middle_is_told_of(tmp_path):
    made = MadeRun(str(tmp_path / "out"), ["/data/f{}.jpg".format(number) for number in range(100)])
    samples = samples_of([0.9, 0.8], 20)
    missing = "the NVIDIA driver has gone (Driver Not Loaded)"
    made.measure(samples[:12] + [sample._replace(gpus=[], gpus_missing=missing) for sample in samples[12:]])
    made.close()
    page = Page(divainfer.report(made.folder.out))
    assert "The GPUs could not be sampled in 8 of 20 samples: {}".format(missing) in page.text
    assert page.row()["GPU Average Utilization"] == "90.0%" and "GPU 1 (NVIDIA H100)" in page.text


def test_a_start_that_finds_nothing_to_do_leaves_the_figures(finished, tmp_path):
    out = str(tmp_path / "out")
    shutil.copytree(finished, out)
    before = summary(out), divainfer.view(out), divainfer.status(out).lines()[1:]
    outcome = program("resume", out)
    assert outcome.code == 3 and "Nothing was left to do." in outcome.out
    assert (summary(out), divainfer.view(out), divainfer.status(out).lines()[1:]) == before
    assert "starts" not in Page(divainfer.report(out)).text.split("run time", 1)[1][:20]


def test_it_never_takes_the_place_of_something_else(finished, tmp_path):
    pipe, link = str(tmp_path / "pipe"), str(tmp_path / "link")
    os.mkfifo(pipe)
    os.symlink(str(tmp_path / "there.html"), link)
    (tmp_path / "there.html").write_text("old")
    outcome = program("report", finished, "-o", pipe)
    assert outcome.code == 2 and "this is no regular file" in outcome.err and stat.S_ISFIFO(os.stat(pipe).st_mode)
    assert program("report", finished, "-o", link).code == 0
    assert os.path.islink(link) and "<html" in (tmp_path / "there.html").read_text(encoding="utf-8")


def test_two_runs_side_by_side(finished, images, tmp_path):
    other = str(tmp_path / "other")
    assert program(*command(images, other, "--batch-size", "4", "--format", "jsonl", busy_ms=30)).code == 3
    outcome = program("report", finished, other)
    assert outcome.code == 0 and outcome.out == RunFolder(finished).comparison + "\n"
    page = Page(outcome.out.strip())
    page.needs_nothing()
    for words in ("--batch-size 1 4", "--format json jsonl", "--engine emulated:busy_ms=60 emulated:busy_ms=30"):
        assert words in page.text, words
    assert "results 64 64 × 1" in page.text
    speeds = [summary(out)["frames_per_second"] for out in (finished, other)]
    assert re.search(r"frames/s {:.2f} {:.2f} × {:.3g}".format(*speeds, speeds[1] / speeds[0]), page.text)
    assert {"Time split", "Detections by class"} <= set(page.headings("h3"))
    same = Page(divainfer.report(finished, finished, str(tmp_path / "same.html")))
    assert "are the same" in same.text


def test_what_cannot_be_reported_is_one_sentence(finished, tmp_path):
    outcome = program("report", str(tmp_path))
    assert outcome.code == 2 and "there is no run of divainfer in this folder" in outcome.err
    outcome = program("report", finished, "-o", str(tmp_path / "none" / "page.html"))
    assert outcome.code == 2 and "page.html: the report cannot be written (No such file or directory)." in outcome.err
    assert os.listdir(str(tmp_path)) == []
    outcome = program("report", finished, "-o", str(tmp_path / "page.html"))
    assert outcome.out == str(tmp_path / "page.html") + "\n" and os.listdir(str(tmp_path)) == ["page.html"]


# --- at the end of a start


def started(images, out, said, **more):
    """A start inside of this process."""
    config = divainfer.RunConfig(
        images=images,
        out=out,
        engine="emulated:busy_ms=1",
        gpus="cpu:1",
        loaders=1,
        short_edge_size=64,
        max_size=96,
        **more,
    )
    return divainfer.run(config, say=said.append)


def test_a_start_leaves_a_report_of_its_end(images, tmp_path, monkeypatch):
    out, said = str(tmp_path / "out"), []
    assert started(images, out, said).exit_code == 3
    assert not os.path.exists(RunFolder(out).report), "it was too short"
    monkeypatch.setattr(endreport, "LEAST_SECONDS", 0.0)
    started(images, out, said, report=False)
    assert not os.path.exists(RunFolder(out).report)
    assert started(images, out, said).exit_code == 3
    assert said[-1] == "Report: {}".format(RunFolder(out).report)
    assert ": finished" not in Page(RunFolder(out).report).text and "finished" in Page(RunFolder(out).report).text


def test_a_report_that_cannot_be_written_changes_nothing_else(images, tmp_path, monkeypatch):
    monkeypatch.setattr(endreport, "LEAST_SECONDS", 0.0)
    out, said = str(tmp_path / "out"), []
    os.makedirs(RunFolder(out).report)
    assert started(images, out, said).exit_code == 3
    assert said[-1].startswith("The report was not written (ended with status 2; its log ")
    assert said[-1].endswith("`divainfer report {}` writes it.".format(out)) and "Is a directory" in said[-1]
    monkeypatch.setattr(endreport, "_MOST_SECONDS", 0.0)
    monkeypatch.setattr(endreport, "_WORTH_TRYING", 0.0)
    assert started(images, out, said).exit_code == 3
    assert said[-1].startswith("The report was not written (it took too long). Nothing else is affected")


# --- in a browser


@pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here to show the page")
def test_a_browser_shows_and_prints_it(finished, page, tmp_path):
    path = Path(divainfer.report(finished, file=str(tmp_path / "report.html")))
    with Browser(str(tmp_path / "profile")) as browser:
        for width, height, dark in ((1200, 900, False), (390, 844, True)):
            browser.open(path.as_uri(), width, height, dark)
            assert "Time split" in browser.text()
            assert browser.value("document.querySelectorAll('svg').length") == page.source.count("<svg")
            assert browser.value("document.documentElement.scrollWidth") <= width
        printed = base64.b64decode(browser.command("Page.printToPDF")["data"])
        assert printed[:5] == b"%PDF-" and len(printed) > 20000
        assert browser.requests and all(address.startswith(("file:", "data:")) for address in browser.requests)
        assert browser.complaints == []

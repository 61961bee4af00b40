"""The documentation holds: its commands work, its links lead somewhere, its tables are those of the code."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from running import divainfer, draw_images, result_files

from divainfer import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"] + sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {ROOT / "docs" / target for target in re.findall(r"\]\(([^)#]+)", index)}
    assert linked == {page for page in PAGES if "docs" in page.parts and page.name != "README.md"}


def test_the_tests_that_the_promises_name_exist():
    page = (ROOT / "docs" / "explanation" / "what-is-promised.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", page))
    assert len(named) > 20
    for file, test in named:
        assert not test or "def {}(".format(test) in (ROOT / file).read_text(encoding="utf-8"), (file, test)
        assert (ROOT / file).exists(), file


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    assert named and named <= targets


@pytest.mark.parametrize("name", ["make_options.py", "make_prometheus.py"])
def test_the_pages_made_from_the_code_are_up_to_date(name):
    script = runpy.run_path(str(ROOT / "docs" / name))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run `make docs`"


def test_exit_codes_are_those_of_the_code():
    page = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)}
    assert listed == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def test_the_python_examples_run(tmp_path):
    """The examples of docs/how-to/python.md, as they stand there; the engine through a real entry point."""
    text = (ROOT / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    run, folder, engine = re.findall(r"```python\n(.*?)```", text, re.S)[:3]
    draw_images(str(tmp_path / "frames"), 4)
    done = subprocess.run(
        [sys.executable, "-c", run + folder], cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode().splitlines()
    assert said[0].startswith("4 0 ") and said[-5] == "finished" and said[-3] == "True" and said[-1] == "2"
    assert (tmp_path / "all.json").exists()

    package = tmp_path / "site" / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "engine.py").write_text(engine)
    info = tmp_path / "site" / "my_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1\n")
    entry = re.search(r"\[project.entry-points.\"divainfer.engines\"\]\n(\w+) = \"(.*?)\"", text)
    (info / "entry_points.txt").write_text("[divainfer.engines]\n{} = {}\n".format(*entry.groups()))
    outcome = divainfer(
        *["run", "--engine", "brightness", "--images", str(tmp_path / "frames"), "--out", str(tmp_path / "bright")],
        *["--gpus", "cpu"],
        env={"PYTHONPATH": str(tmp_path / "site")},
    )
    assert outcome.code == 0, outcome.err
    assert len(result_files(str(tmp_path / "bright"))) == 4


def test_the_readme_s_commands_are_the_makefile_s():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"```\n(.*?)```", readme, re.S).group(1).split("\n")
    assert first[:2] == ["make demo", "make test"]


@pytest.mark.timeout(600)
def test_the_demo(tmp_path):
    """What `make demo` does, on fewer frames: draw, run, evaluate, contact sheet."""
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M).group(1)
    environment = dict(os.environ, PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    output = ""
    for line in recipe.replace("--count 200", "--count 40").splitlines():
        if line.startswith("\t@echo"):
            continue
        command = line.strip().replace("$(BIN)/", "").replace("$(DEMO)", str(tmp_path))
        done = subprocess.run(
            command.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=str(tmp_path)
        )
        output += done.stdout.decode()
        assert done.returncode == 0, output
    assert "40 images: 40 results, 0 failures" in output
    assert float(re.search(r"^AP50 (\S+)$", output, re.M).group(1)) >= 0.90
    assert (tmp_path / "sheet.jpg").stat().st_size > 50000

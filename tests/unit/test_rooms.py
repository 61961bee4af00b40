"""Who may import whom: the table in docs/explanation/architecture.md, held against the code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY = {
    "dispatcher": {"monitor", "output", "modelfile", "video"},
    "worker": {"loader.memory", "output", "model", "modelfile", "video"},
    "loader": {"video"},
    "monitor": set(),
    "model": {"modelfile"},
    "modelfile": set(),
    "output": set(),
    "drawing": {"output", "loader.decode", "loader.imagefile", "loader.video", "video"},
    "page": {"monitor", "output", "drawing", "loader.decode", "loader.imagefile", "loader.video", "video"},
    "reporting": {"monitor", "output", "drawing", "loader"},
    "tuning": {"dispatcher", "monitor"},
    "video": set(),
    "commands": {"dispatcher", "monitor", "page", "tuning", "model", "modelfile", "output"},
    "ground": set(),
}
ROOMS = tuple(room for room in MAY if room != "ground")
HEAVY = {"tensorflow", "torch"}


def modules() -> Iterator[Path]:
    yield from (path for path in ROOT.glob("*.py") if path.name not in ("cli.py", "__init__.py"))
    for room in ROOMS:
        yield from (ROOT / room).rglob("*.py")


def imports(path: Path) -> Iterator[Tuple[str, str]]:
    """Kind and name: ("ours", "loader.memory") for relative imports, made absolute, ("other", "numpy") for the rest."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (("other", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield "other", node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) + (node.module.split(".") if node.module else [])
            yield "ours", ".".join(base)


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_to_its_room(path):
    here = path.relative_to(ROOT).parts
    room = here[0] if len(here) > 1 else "ground"
    for kind, name in imports(path):
        other = name.split(".")[0]
        if kind == "other":
            assert other != "divainfer", "inside the package imports are relative"
            assert other not in HEAVY or room in ("model", "worker"), "only workers may load {}".format(name)
        elif other in ROOMS and other != room:
            assert other in MAY[room] or name in MAY[room], "{} may not import {}".format(room, name)


def test_no_module_is_long_enough_for_two_nouns():
    every = [*modules(), ROOT / "cli.py"]
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in every}
    assert {path: lines for path, lines in long.items() if lines > 400} == {}


def test_the_table_names_every_room():
    table = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    assert all("`{}/`".format(room) in table for room in ROOMS)

"""Lists by the megabyte give what they give line by line; names that clash are found among any."""

from __future__ import annotations

import io
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer import entries as entries_module
from divainfer.dispatcher.names import Names
from divainfer.entries import entries

WORDS = st.sampled_from([b"a", b"b", b".", b"..", b"", b".jpg", b"a.jpg", b"a.png", b"b.tar.gz", b"\xff", b" ", b"x.y"])
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(b"/".join)
LINES = st.tuples(st.sampled_from([b"", b"/", b"//"]), PATHS)
NORMAL = PATHS.map(lambda path: os.path.normpath(b"/r/" + path))
ENDINGS = st.sampled_from([b"\n", b"\r\n", b"\0"])


@settings(max_examples=300)
@given(st.lists(LINES), ENDINGS, st.booleans(), st.integers(1, 40))
def test_a_list_is_read_alike_in_any_pieces(lines, ending, ended, chunk):
    lines = [start + path for start, path in lines]
    text = ending.join(lines) + (ending if ended else b"")
    if ending == b"\0" and b"\0" not in text[:chunk]:
        return  # The first piece tells what separates.
    base = b"/base"
    wanted = [line if line.startswith(b"/") else base + b"/" + line for line in lines if line.strip()]
    old, entries_module._CHUNK = entries_module._CHUNK, chunk
    try:
        found = [path for batch in entries(io.BytesIO(text), base) for path in batch]
    finally:
        entries_module._CHUNK = old
    assert found == [os.path.normpath(b"/" + path.lstrip(b"/")) for path in wanted]


@settings(max_examples=300)
@given(st.lists(NORMAL, min_size=1, max_size=12), st.booleans(), st.integers(1, 5))
def test_repeats_and_clashes_are_found(paths, flat, batch):
    paths = [path for path in paths if path != b"/"] or [b"/x"]
    names = Names(flat)
    for at in range(0, len(paths), batch):
        names.add(paths[at : at + batch])
    found = names.compare(paths)
    assert found.repeats == {index: path for index, path in enumerate(paths) if path in paths[:index]}
    stems = {}
    for path in set(paths):
        stem = os.path.splitext(path)[0]
        stems.setdefault(stem.rsplit(b"/", 1)[1] if flat else stem, set()).add(path)
    clashing = {path for group in stems.values() if len(group) > 1 for path in group}
    assert {path for pair in found.clashes for path in pair} == clashing
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    assert names.root == folder.rstrip(b"/")

"""Damaged videos: their tables are read or refused, never anything else, and a frame's number is never another one's."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from videos import FILES, FRAMES, mention, write_video

from divainfer.video.file import read_frame_table
from divainfer.video.table import VideoError

HEADS = {
    "mp4": (FILES / "h264.mp4").read_bytes()[:2400],  # the table comes first
    "avi": (FILES / "h264.avi").read_bytes(),
}


def table(content, thorough):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return read_frame_table(file.fileno(), thorough)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(HEADS)),
    st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    st.booleans(),
)
@example("avi", [(0.0, b"RIFF\xff\xff\xff\xff")], True)
def test_a_damaged_table_is_read_or_refused(kind, damages, thorough):
    content = bytearray(HEADS[kind])
    for place, garbage in damages:
        at = int(place * len(content))
        content[at : at + len(garbage)] = garbage
    try:
        found = table(bytes(content), thorough)
    except VideoError as error:
        assert error.kind in ("not-a-video", "unsupported", "truncated", "corrupt") and "\n" not in error.reason
        return
    assert found.frames == len(found.times) == len(found.sources) == len(found.cut) >= 1
    assert 0 <= found.sound <= found.frames
    assert (found.times[1:] >= found.times[:-1]).all() and found.times[0] == 0
    assert all(-1 <= source <= number for number, source in enumerate(found.sources.tolist()))
    assert all(0 <= key < found.frames for key in found.keys.tolist())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_video(str(tmp_path_factory.mktemp("plain") / "plain.avi"), 12)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 20)), st.sampled_from(["whole", "only", "none"]), st.booleans())
def test_mentioned_frames_have_the_pixels_of_the_one_before(plain, empties, index, thorough):
    with tempfile.TemporaryDirectory() as folder:
        filmed = mention(plain, os.path.join(folder, "x.avi"), empties, index)
        with open(filmed.path, "rb") as file:
            found = read_frame_table(file.fileno(), thorough)
    given_frames = [number for number, source in enumerate(found.sources.tolist()) if source == number]
    shown = [None if source < 0 else given_frames.index(source) for source in found.sources.tolist()]
    assert shown == filmed.shown and found.sound == found.frames


def test_a_whole_file_gives_all():
    for name in ("h264.mp4", "h264.avi", "changing.mp4"):
        for thorough in (False, True):
            found = table((FILES / name).read_bytes(), thorough)
            assert found.frames == FRAMES == found.sound and not found.cut.any()

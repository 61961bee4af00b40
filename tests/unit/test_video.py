"""Frames of videos: each number has its own pixels, however it is reached, or a reason why it has none."""

from __future__ import annotations

import os
import random
import shutil

import numpy as np
import psutil
import pytest
import videos
from videos import FRAMES, chunks, cut_short, made_videos, mention, overwrite, seen_number, trimmed, turned, write_video

from divainfer.loader.imagefile import ImageError
from divainfer.loader.video import Video, Videos, why_no_frames
from divainfer.video.file import (
    VideoFrame,
    frame_path,
    is_other_video,
    is_video,
    parse_frame_path,
    read_frame_table,
    runs_of_frames,
)

PLENTY = 10**8


@pytest.fixture
def opened():
    """Opens videos and closes them after the test."""
    found = []

    def open_one(path, max_pixels=PLENTY):
        found.append(Video(os.fsencode(path), max_pixels))
        return found[-1]

    yield open_one
    for video in found:
        video.close()


def frames_listed(path):
    """How many frames a list gets of a video."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_frame_table(descriptor, thorough=False).frames
    finally:
        os.close(descriptor)


def look(video, numbers):
    """What is seen on frames: the drawing's number, or the kind of the error."""
    found = []
    for number in numbers:
        try:
            found.append(seen_number(video.frame(number)))
        except ImageError as error:
            assert error.reason and "\n" not in error.reason
            found.append(error.kind)
    return found


def recorded(folder):
    """Videos as OpenCV writes them, and as some recorders do."""
    mjpg = write_video(str(folder / "mjpg.avi"))
    xvid = write_video(str(folder / "xvid.avi"), FRAMES, "XVID")
    return [
        mjpg,
        xvid,
        write_video(str(folder / "mp4v.mp4"), FRAMES, "mp4v", 30000 / 1001),
        mention(mjpg, str(folder / "mentioned.avi"), {3, 4, 10, 22}),
        mention(mjpg, str(folder / "index-only.avi"), {3, 4, 10, 22}, index="only"),
        mention(mjpg, str(folder / "no-index.avi"), {3, 4, 10, 22}, index="none"),
        mention(xvid, str(folder / "xvid-mentioned.avi"), {3, 4, 30, 31, 32}),
        mention(made_videos()[-1], str(folder / "h264-mentioned.avi"), {3, 4, 30, 31, 43}),
        trimmed(str(folder / "trimmed-start.mp4"), 17, FRAMES),
        trimmed(str(folder / "trimmed-end.mp4"), 0, 22),
        trimmed(str(folder / "trimmed-both.mp4"), 9, 31),
    ]


def test_every_frame_is_itself_in_order_backwards_and_at_random(tmp_path, opened):
    for filmed in recorded(tmp_path) + made_videos():
        count = len(filmed.shown)
        assert frames_listed(filmed.path) == count, filmed.path
        in_order = opened(filmed.path)
        decoded = [in_order.frame(number).copy() for number in range(count)]
        assert [seen_number(frame) for frame in decoded] == filmed.shown, filmed.path
        elsewhere = opened(filmed.path)
        places = random.Random(1)
        order = list(reversed(range(count))) + [places.randrange(count) for _ in range(100)] + list(range(0, count, 7))
        for number in order:
            assert np.array_equal(elsewhere.frame(number), decoded[number]), (filmed.path, number)
        # From each place a frame is also the first one that is asked for.
        for number in range(0, count, 9):
            assert np.array_equal(opened(filmed.path).frame(number), decoded[number]), (filmed.path, number)


def test_a_video_is_sought_only_where_that_is_certain(tmp_path, opened):
    copied = mention(
        write_video(str(tmp_path / "xvid.avi"), FRAMES, "XVID"), str(tmp_path / "no-index.avi"), (), index="none"
    )
    sought = {}
    for path in (videos.FILES / "h264.mp4", videos.FILES / "h264.avi", tmp_path / "xvid.avi", copied.path):
        video = opened(str(path))
        assert seen_number(video.frame(FRAMES - 1)) == FRAMES - 1
        sought[os.path.basename(str(path))] = video._sought
    assert sought == {"h264.mp4": True, "h264.avi": False, "xvid.avi": True, "no-index.avi": False}


@pytest.mark.parametrize("index", ["whole", "only", "none"])
def test_frames_that_are_only_mentioned_count_though_reading_gives_nothing_for_them(tmp_path, opened, index):
    plain = write_video(str(tmp_path / "plain.avi"))
    filmed = mention(plain, str(tmp_path / "mentioned.avi"), {3, 4, 10}, index)
    assert videos.count_reads(filmed.path) == 20, "whoever counts would number all frames after the third too low"
    assert frames_listed(filmed.path) == 23
    shown = look(opened(filmed.path), range(23))
    assert shown == [0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]


def test_a_mentioned_frame_with_none_before_it_has_no_pixels(tmp_path, opened):
    filmed = mention(write_video(str(tmp_path / "plain.avi"), 4), str(tmp_path / "mentioned.avi"), {0, 1})
    assert look(opened(filmed.path), range(7)) == ["empty", "empty", 0, 1, 2, 3, "missing"]


def test_a_video_lying_on_its_side_is_turned_upright(tmp_path, opened):
    frame = opened(turned(str(tmp_path / "turned.mp4"))).frame(3)
    assert frame.shape == (64, 48, 3) and seen_number(np.ascontiguousarray(np.rot90(frame))) == 3


def test_a_damaged_frame_fails_alone(tmp_path, opened):
    filmed = write_video(str(tmp_path / "mjpg.avi"))
    chunk = chunks((tmp_path / "mjpg.avi").read_bytes())[8]
    overwrite(filmed.path, chunk.at + 8, len(chunk.content))
    wanted = filmed.shown[:8] + ["corrupt"] + filmed.shown[9:]
    video = opened(filmed.path)
    assert look(video, range(20)) == wanted
    assert look(video, reversed(range(20))) == wanted[::-1]


def test_the_first_frame_may_be_the_damaged_one(tmp_path, opened):
    filmed = write_video(str(tmp_path / "mjpg.avi"))
    chunk = chunks((tmp_path / "mjpg.avi").read_bytes())[0]
    overwrite(filmed.path, chunk.at + 8, len(chunk.content))
    assert look(opened(filmed.path), range(20)) == ["corrupt"] + filmed.shown[1:]


def test_behind_a_damaged_chunk_of_an_avi_no_number_is_certain(tmp_path, opened):
    filmed = write_video(str(tmp_path / "mjpg.avi"))
    chunk = chunks((tmp_path / "mjpg.avi").read_bytes())[8]
    overwrite(filmed.path, chunk.at, 8)
    assert frames_listed(filmed.path) == 20
    assert look(opened(filmed.path), range(20)) == filmed.shown[:8] + ["corrupt"] * 12


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_an_avi_that_is_cut_short_has_the_frames_that_are_there(tmp_path, opened, codec):
    filmed = write_video(str(tmp_path / "whole.avi"), 20, codec)
    path = cut_short(filmed.path, str(tmp_path / "cut.avi"), 0.7)
    assert frames_listed(path) == 20, "its header tells how many it had"
    shown = look(opened(path), range(20))
    there = shown.index("truncated")
    assert 0 < there < 20 and shown == filmed.shown[:there] + ["truncated"] * (20 - there)


def test_an_mp4_that_is_cut_short_has_the_frames_that_are_there(tmp_path, opened):
    path = cut_short(str(videos.FILES / "h264.mp4"), str(tmp_path / "cut.mp4"), 0.75)
    assert frames_listed(path) == FRAMES, "its table comes first"
    shown = look(opened(path), range(FRAMES))
    assert set(map(type, shown[:8])) == {int} and set(shown[-8:]) == {"truncated"}
    assert all(seen in (number, "truncated", "corrupt") for number, seen in enumerate(shown))


def test_an_avi_whose_frames_have_no_times_fails_behind_a_damaged_one(tmp_path, opened):
    path = str(tmp_path / "h264.avi")
    shutil.copyfile(str(videos.FILES / "h264.avi"), path)
    chunk = chunks((tmp_path / "h264.avi").read_bytes())[21]
    overwrite(path, chunk.at + 8, len(chunk.content))
    shown = look(opened(path), range(FRAMES))
    assert shown[:15] == list(range(15)) and set(shown[25:]) == {"corrupt"}
    assert all(seen in (number, "corrupt") for number, seen in enumerate(shown)), "never another one's pixels"


@pytest.mark.parametrize(
    "content,kind",
    [
        (b"", "empty"),
        (b"no video at all, but long enough", "not-a-video"),
        (b"\x1aE\xdf\xa3" + bytes(100), "not-a-video"),
        (b"RIFF\0\0\0\0AVI ", "truncated"),
        (b"\0\0\0\x10ftypisom\0\0\0\0", "truncated"),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x09moov\0", "not-a-video"),
    ],
)
def test_what_is_no_video(tmp_path, content, kind):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(ImageError) as caught:
        Video(os.fsencode(str(tmp_path / "x.mp4")), PLENTY)
    assert caught.value.kind == kind
    assert why_no_frames(os.fsencode(str(tmp_path / "x.mp4"))).kind == kind


def test_videos_that_are_none_of_ours(tmp_path):
    assert why_no_frames(os.fsencode(str(videos.FILES / "fragments.mp4"))).kind == "unsupported"
    cut_short(str(videos.FILES / "open.mp4"), str(tmp_path / "no-table.mp4"), 0.5)
    assert why_no_frames(os.fsencode(str(tmp_path / "no-table.mp4"))).kind == "truncated"
    assert why_no_frames(b"/nowhere/x.avi").kind == "missing"
    assert why_no_frames(b"/nowhere/x.mkv").kind == "unsupported"
    os.mkfifo(str(tmp_path / "pipe.mp4"))
    assert why_no_frames(os.fsencode(str(tmp_path / "pipe.mp4"))).kind == "special"
    os.mkdir(str(tmp_path / "folder.mp4"))
    assert why_no_frames(os.fsencode(str(tmp_path / "folder.mp4"))).kind == "folder"
    assert "make a new run" in why_no_frames(os.fsencode(str(videos.FILES / "h264.mp4"))).reason


def test_a_video_of_a_codec_that_nobody_knows(tmp_path):
    data = (videos.FILES / "h264.mp4").read_bytes().replace(b"avc1", b"zzz1")
    (tmp_path / "x.mp4").write_bytes(data)
    with pytest.raises(ImageError) as caught:
        Video(os.fsencode(str(tmp_path / "x.mp4")), PLENTY)
    assert caught.value.kind == "unsupported"


def test_a_video_of_too_many_pixels_is_refused(opened):
    opened(str(videos.FILES / "h264.mp4"), 64 * 48)
    with pytest.raises(ImageError) as caught:
        opened(str(videos.FILES / "h264.mp4"), 64 * 48 - 1)
    assert caught.value.kind == "too-large"


def test_the_videos_used_last_stay_open(tmp_path):
    paths = [os.fsencode(write_video(str(tmp_path / "{}.avi".format(number)), 3).path) for number in range(5)]
    source = Videos(PLENTY)

    def open_now():
        found = {os.fsencode(file.path) for file in psutil.Process().open_files()}
        return [paths.index(path) for path in paths if path in found]

    try:
        for path in paths[:4] + paths[:1]:
            assert seen_number(source.frame(path, 1)) == 1
        assert open_now() == [0, 1, 2, 3]
        assert seen_number(source.frame(paths[4], 2)) == 2
        assert open_now() == [0, 2, 3, 4], "the one that was not used for longest gave way"
        for path, kind in ((b"/nowhere/x.avi", "missing"), (os.fsencode(__file__), "not-a-video")):
            for number in (0, 1):
                with pytest.raises(ImageError) as caught:
                    source.frame(path, number)
                assert caught.value.kind == kind
        assert seen_number(source.frame(paths[0], 2)) == 2
    finally:
        source.close()
    assert open_now() == []


def test_a_path_of_a_list_is_a_frame_or_an_image(tmp_path):
    (tmp_path / "cam.mp4").mkdir()
    source = Videos(PLENTY)
    try:
        assert seen_number(source.at(os.fsencode(str(videos.FILES / "h264.mp4" / "00000007")))) == 7
        # Of a folder that is named like a video.
        assert source.at(os.fsencode(str(tmp_path / "cam.mp4" / "00000012"))) is None
        assert source.at(b"/nowhere/a.jpg") is None
        for path, kind in ((b"/nowhere/x.mkv", "unsupported"), (b"/nowhere/x.avi/00000001", "missing")):
            with pytest.raises(ImageError) as caught:
                source.at(path)
            assert caught.value.kind == kind
    finally:
        source.close()


def test_any_path_will_do(weird_path, opened):
    path = os.path.join(weird_path, "cam.avi")
    shutil.copyfile(str(videos.FILES / "h264.avi"), path)
    assert look(opened(path), (0, 10)) == [0, 10]


def test_names():
    assert is_video(b"/a/b.MP4") and is_video(b"b.avi") and is_video(b"x.mov") and not is_video(b"/a.mp4/b.jpg")
    assert is_other_video(b"/a/b.MKV") and not is_other_video(b"/a.mkv/b")
    assert frame_path(b"/d/cam.mp4", 123) == b"/d/cam.mp4/00000123"
    assert parse_frame_path(b"/d/cam.mp4/00000123") == VideoFrame(b"/d/cam.mp4", 123)
    for other in (
        b"/d/cam.mp4",
        b"/d/cam.jpg/00000123",
        b"/d/cam.mp4/0000123",
        b"/d/cam.mp4/0000012x",
        b"",
        b"00000123",
    ):
        assert parse_frame_path(other) is None, other


def test_runs_of_frames():
    paths = [b"/a.jpg"] + [frame_path(b"/v.mp4", n) for n in range(3)] + [frame_path(b"/w.mp4", n) for n in range(2)]
    assert runs_of_frames(paths + [b"/b.jpg", frame_path(b"/v.mp4", 9)]) == [(1, 4), (4, 6)]
    assert runs_of_frames([b"/a.jpg", b"/b.jpg"]) == []

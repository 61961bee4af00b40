"""What a loader holds: files it reads ahead, and what it has to say."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from divainfer.histogram import bucket_of
from divainfer.loader.ahead import ReadAhead
from divainfer.loader.answer import Answer
from divainfer.loader.imagefile import ImageError
from divainfer.loader.memory import FrameMemory
from divainfer.messages import FrameReady, Ticket


def ticket(number, path):
    return Ticket(number, os.fsencode(str(path)), 0, 48)


def test_what_was_opened_ahead_is_read_though_its_name_is_gone(tmp_path):
    path = tmp_path / "a name with\nnewline.jpg"
    path.write_bytes(b"content")
    ahead = ReadAhead()
    ahead.begin(ticket(1, path))
    path.unlink()
    assert ahead.read(ticket(1, path)) == b"content"
    assert ahead.seconds() > 0 and ahead.seconds() == 0.0
    with pytest.raises(ImageError) as missing:
        ahead.read(ticket(2, path))
    assert missing.value.kind == "missing"


def test_what_cannot_be_opened_ahead_is_said_when_it_is_read(tmp_path):
    ahead = ReadAhead()
    for number, (path, kind) in enumerate(((tmp_path / "none.jpg", "missing"), (tmp_path, "folder"))):
        ahead.begin(ticket(number, path))
        with pytest.raises(ImageError) as error:
            ahead.read(ticket(number, path))
        assert error.value.kind == kind


def test_a_file_that_is_not_read_after_all_is_closed(tmp_path):
    path = tmp_path / "frame.jpg"
    path.write_bytes(b"content")
    before = os.listdir("/proc/self/fd")
    ahead = ReadAhead()
    ahead.begin(ticket(1, path))
    assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    ahead.end(ticket(1, path))
    ahead.end(ticket(1, path))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_frame_of_a_video_is_not_opened_as_a_file(tmp_path):
    before = os.listdir("/proc/self/fd")
    ReadAhead().begin(ticket(1, tmp_path / "cam.mp4" / "00000012"))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_an_answer_is_due_with_half_of_the_hand_or_after_some_work():
    now = [0.0]
    answer = Answer(clock=lambda: now[0])
    answer.ready.append(FrameReady(1, 4, 4, 8, 8))
    assert not answer.is_due(left=5)
    now[0] += 0.03
    assert answer.is_due(left=5), "the engine may be waiting"
    answer.take(0.0)
    now[0] += 0.03
    answer.waited(0.03)
    answer.ready.append(FrameReady(2, 4, 4, 8, 8))
    assert not answer.is_due(left=5), "waiting is no work"


def test_an_answer_asks_for_more_once():
    answer = Answer(clock=lambda: 0.0)
    for number in range(3):
        answer.ready.append(FrameReady(number, 4, 4, 8, 8))
    assert not answer.is_due(left=4)
    assert answer.is_due(left=3), "the next ones have to be asked for"
    answer.take(0.0)
    answer.ready.append(FrameReady(3, 4, 4, 8, 8))
    assert not answer.is_due(left=1), "they were asked for"
    assert answer.is_due(left=0), "nothing is left to do meanwhile"
    answer.more()
    assert answer.is_due(left=1), "more came, and they run out"


def test_an_answer_for_want_of_patience_does_not_ask():
    now = [0.0]
    answer = Answer(clock=lambda: now[0])
    answer.ready.append(FrameReady(1, 4, 4, 8, 8))
    now[0] += 0.03
    assert answer.is_due(left=5)
    answer.take(0.0)
    for number in range(2, 5):
        answer.ready.append(FrameReady(number, 4, 4, 8, 8))
    assert answer.is_due(left=2), "half of the hand is done only now"


def test_an_answer_says_what_is_done_and_what_it_cost_once():
    answer = Answer()
    answer.ready.append(FrameReady(1, 4, 4, 8, 8))
    answer.took(0.5)
    answer.too_large.append(2)
    answer.took(1e-5)
    until = time.thread_time() + 0.01
    while time.thread_time() < until:
        pass
    answer.waited(0.001)
    said = answer.take(0.002)
    assert said.ready == [FrameReady(1, 4, 4, 8, 8)] and said.too_large == [2] and said.failed == []
    assert said.cost.cpu >= 0.01 and said.cost.reading == 0.002 and said.cost.seconds > 0.005
    again = answer.take(0.0)
    assert again.ready == [] and again.too_large == [] and again.cost.cpu < 0.01
    assert said.times == bytes([bucket_of(0.5), 0]) and again.times == b""


def test_frames_that_lie_side_by_side_are_a_view_and_others_a_copy():
    memory = FrameMemory.create(4096)
    try:
        for number in range(3):
            memory.room(number * 48, 48)[:] = number
        batch = memory.view([0, 48, 96], 4, 4)
        assert batch.shape == (3, 4, 4, 3) and [int(frame[0, 0, 0]) for frame in batch] == [0, 1, 2]
        assert np.may_share_memory(batch, memory.room(0, 4096))
        assert memory.view([96, 0], 4, 4) is None
        apart = memory.gather([96, 0], 4, 4)
        assert [int(frame[0, 0, 0]) for frame in apart] == [2, 0]
        assert not np.may_share_memory(apart, memory.room(0, 4096))
    finally:
        os.close(memory._file)

"""The writer's room: whoever hands over too much waits, and is let go again."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import pytest

from divainfer.detections import Detections
from divainfer.worker import writer as writer_module
from divainfer.worker.commands import Done, Frame, Part
from divainfer.worker.results import ResultFormat
from divainfer.worker.writer import Settled, Writer, Written

NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


class GatedStore:
    """Takes rows only while its gate is open."""

    def __init__(self):
        self.gate = threading.Event()
        self.rows = []

    def put(self, row):
        self.gate.wait(10)
        self.rows.append(row.index)

    def settle(self, start, stop):
        return b""


@pytest.fixture
def store():
    return GatedStore()


@pytest.fixture
def told():
    return []


@pytest.fixture
def writer(store, told):
    images = [b"image.jpg"] * 1000
    made = Writer("worker-0", "out", images, ResultFormat(("BG",)), store, told.append, told.append)
    made.start()
    yield made
    store.gate.set()
    made.close()


def batch(index):
    return [(Frame(index, 0, 0, 0, 8, 8, 8, 8), NOTHING)]


def fill(writer):
    number = 0
    while not writer.is_full:
        writer.put(number, batch(number))
        number += 1
    return number


def test_it_is_full_with_many_batches_and_lets_go_once_they_are_taken(writer, store, told):
    count = fill(writer)
    most = writer_module._IMAGES
    assert most <= count <= 3 * most, "what is being written, what waits, and what came between"
    store.gate.set()
    writer.wait_for_room()
    assert not writer.is_full
    writer.close()
    assert store.rows == list(range(count))


def test_few_large_batches_fill_it(writer):
    frames = [(Frame(index, 0, 0, 0, 8, 8, 8, 8), NOTHING) for index in range(32)]
    number = 0
    while not writer.is_full:
        writer.put(number, frames)
        number += 1
    most = writer_module._BATCHES
    assert most <= number <= 3 * most


def test_blocks_to_settle_behind_the_last_batch_do_not_keep_it_full(writer, store, told):
    count = fill(writer)
    blocks = 2 * writer_module._IMAGES
    for number in range(blocks):
        writer.settle(Done(number, [Part(number, number + 1, [])]))
    store.gate.set()
    waiting = threading.Thread(target=writer.wait_for_room, daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    writer.close()
    assert [one.number for one in told if isinstance(one, Written)] == list(range(count))
    assert [one.block for one in told if isinstance(one, Settled)] == list(range(blocks))


def test_a_batch_comes_through_while_it_sleeps_and_while_it_gathers(writer, store, told):
    store.gate.set()
    for number, pause in enumerate((0.0, writer_module._GATHER_SECONDS / 2, 5 * writer_module._GATHER_SECONDS)):
        threading.Event().wait(pause)
        writer.put(number, batch(number))
    writer.close()
    assert store.rows == [0, 1, 2] and sum(writer.times) == writer.images == 3


def test_many_images_are_gone_through_in_portions_each_of_which_is_watched(store, told):
    class Format(NamedTuple):
        def rows(self, found):
            portions.append((len(found), made.since))
            return [[] for _ in found]

    portions = []
    made = Writer("worker-0", "out", [b"image.jpg"] * 1000, Format(), store, told.append, told.append)
    frames = [(Frame(index, 0, 0, 0, 8, 8, 8, 8), NOTHING) for index in range(32)]
    store.gate.set()
    for number in range(5):
        made.put(number, frames)
    made.start()
    made.close()
    assert [count for count, _ in portions] == [64, 64, 32]
    assert len({since for _, since in portions}) == 3 and made.images == 160

"""What is learned from batches that do not fit into the device's memory."""

from __future__ import annotations

from divainfer.worker.room import Room

SHAPE, OTHER = (1080, 1920), (1920, 1080)


def test_nothing_is_cut_before_something_is_known():
    room = Room()
    assert not room.worked(SHAPE, 8) and room.limit(SHAPE, 8) == 8
    room.out_of_memory(SHAPE, 8)
    assert room.limit(SHAPE, 8) == 8, "it is not known yet what fits"


def test_the_first_size_that_works_after_some_that_did_not_is_the_limit():
    room = Room()
    room.out_of_memory(SHAPE, 8)
    room.out_of_memory(SHAPE, 4)
    assert room.worked(SHAPE, 2), "that is news"
    assert not room.worked(SHAPE, 2) and not room.worked(SHAPE, 1), "and this is not"
    assert [room.limit(SHAPE, count) for count in (8, 2, 1)] == [2, 2, 1]
    assert room.limit(OTHER, 8) == 8


def test_a_larger_batch_of_another_thread_teaches_nothing():
    room = Room()
    room.out_of_memory(SHAPE, 4)
    assert not room.worked(SHAPE, 5)
    assert room.worked(SHAPE, 2)


def test_a_limit_that_does_not_fit_any_more_becomes_smaller():
    room = Room()
    room.out_of_memory(SHAPE, 8)
    room.worked(SHAPE, 4)
    room.out_of_memory(SHAPE, 4)
    assert room.worked(SHAPE, 2) and room.limit(SHAPE, 8) == 2


def test_where_not_even_one_frame_fits_nothing_is_learned():
    room = Room()
    for count in (8, 4, 2, 1):
        room.out_of_memory(SHAPE, count)
    assert room.limit(SHAPE, 8) == 8

"""Leases: nothing lost, nothing twice, blocks that shrink."""

from __future__ import annotations

from divainfer.dispatcher.scheduler import Scheduler


def drain(scheduler: Scheduler, workers, images: int = 1000):
    """Lets the workers take and finish blocks in turn; returns the blocks in the order they were leased."""
    blocks, held = [], []
    for worker in workers:
        held += scheduler.want(worker, images)
    while held:
        block = held.pop(0)
        blocks.append(block)
        more = scheduler.done(block.worker, block.block, block.count)
        held += more + scheduler.want(block.worker, images)
    return blocks


def indices(blocks):
    return sorted(index for block in blocks for index in range(block.start, block.start + block.count))


def test_every_image_is_leased_once():
    scheduler = Scheduler([(0, 500), (600, 1000)], 900, workers=3)
    blocks = drain(scheduler, ["a", "b", "c"])
    assert indices(blocks) == list(range(500)) + list(range(600, 1000))
    assert scheduler.finished


def test_blocks_shrink_near_the_end():
    sizes = [block.count for block in drain(Scheduler([(0, 2000)], 2000, workers=4, most=64), ["a", "b", "c", "d"])]
    assert max(sizes[:10]) == 64
    assert max(sizes[-4:]) <= 2


def test_blocks_are_whole_batches_except_the_last():
    blocks = drain(Scheduler([(0, 1003)], 1003, workers=2, most=64, least=8), ["a", "b"])
    assert all(block.count % 8 == 0 for block in blocks[:-1])
    assert indices(blocks) == list(range(1003))


def test_a_lost_workers_images_go_to_the_others():
    scheduler = Scheduler([(0, 100)], 100, workers=2)
    lost = scheduler.want("a", 1000)
    assert scheduler.outstanding("a") == sum(block.count for block in lost)
    kept = scheduler.want("b", 1000)
    scheduler.lost("a")
    assert scheduler.done("a", lost[0].block, 1) is None
    rest = []
    while kept:
        block = kept.pop(0)
        rest.append(block)
        kept += scheduler.done("b", block.block, block.count) + scheduler.want("b", 1000)
    assert indices(rest) == list(range(100))


def test_what_a_lost_worker_computed_is_leased_alone_and_convicted_the_second_time():
    scheduler = Scheduler([(0, 20)], 20, workers=2, most=10, proven=True)
    (first,) = scheduler.want("a", 10)
    convicted, _ = scheduler.lost("a", computing=[2, 3])
    assert convicted == []
    (alone,) = scheduler.want("b", 10)
    assert (alone.start, alone.count) == (2, 1)
    assert scheduler.want("b", 10) == [], "nothing beside a suspect"
    convicted, _ = scheduler.lost("b", computing=[2])
    assert convicted == [2]
    (alone,) = scheduler.want("c", 10)
    assert (alone.start, alone.count) == (3, 1)
    more = scheduler.done("c", alone.block, 1)
    blocks = more + scheduler.want("c", 10)
    while not scheduler.finished:
        block = blocks.pop(0)
        assert not {2, 3} & set(range(block.start, block.start + block.count))
        blocks += scheduler.done("c", block.block, block.count) + scheduler.want("c", 10)


def test_nobody_is_convicted_before_anything_worked():
    scheduler = Scheduler([(0, 3)], 3, workers=1, most=10)
    for number in range(6):
        (block,) = scheduler.want("w{}".format(number), 10)
        convicted, _ = scheduler.lost(block.worker, computing=[block.start])
        assert convicted == []
    assert not scheduler.finished


def test_a_request_waits_until_images_come_back():
    scheduler = Scheduler([(0, 1)], 1, workers=2)
    (only,) = scheduler.want("a", 10)
    assert scheduler.want("b", 10) == []
    (again,) = scheduler.lost("a")[1]
    assert (again.worker, again.start, again.count) == ("b", 0, 1)
    assert only.block != again.block


def test_nobody_hoards_more_than_a_share_near_the_end():
    scheduler = Scheduler([(0, 100)], 100, workers=2, most=64)
    taken = 0
    while True:
        blocks = scheduler.want("a", 1000)
        if not blocks:
            break
        taken += sum(block.count for block in blocks)
    assert taken <= 50


def test_a_stranger_cannot_finish_a_block():
    scheduler = Scheduler([(0, 10)], 10, workers=1)
    (block,) = scheduler.want("a", 10)
    assert scheduler.done("b", block.block, 1) is None
    assert not scheduler.finished


def test_what_a_lost_worker_had_reported_of_a_block_is_not_leased_again():
    scheduler = Scheduler([(0, 20)], 20, workers=1, most=10)
    (block,) = scheduler.want("a", 10)
    assert (block.start, block.count) == (0, 10)
    assert scheduler.part_done("a", block.block, 2, 5, 3)
    assert scheduler.outstanding("a") == 7
    convicted, _ = scheduler.lost("a", computing=[4, 6])
    assert convicted == []
    left, held = [], scheduler.want("b", 10)
    while held:
        one = held.pop(0)
        left += range(one.start, one.start + one.count)
        held += scheduler.done("b", one.block, one.count) + scheduler.want("b", 10)
    assert sorted(left) == [0, 1] + list(range(5, 20)) and scheduler.finished

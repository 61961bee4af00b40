"""The worker's queue, step by step; `tests/property` drives it at random."""

from __future__ import annotations

from divainfer.messages import Failure
from divainfer.worker.commands import Ask, Compute, Convicted, Done, Part, Retired, Stuck, Want
from divainfer.worker.queue import FrameQueue


def asks(commands):
    return [command for command in commands if isinstance(command, Ask)]


def ready(queue, ask, shape=(4, 4)):
    return queue.frame_ready(ask.loader, ask.ticket, shape[0], shape[1], 8, 8, 0.0)


def test_one_image_from_lease_to_done():
    queue = FrameQueue(2, 1, 10.0)
    assert queue.start() == [Want(2)]
    assert queue.loader_up("l", 0.0) == []
    (ask, want) = queue.lease(5, 70, 1, 0.0)
    assert ask == Ask("l", 1, 70, 0) and isinstance(want, Want)
    (batch,) = ready(queue, ask)
    assert isinstance(batch, Compute) and batch.frames[0].index == 70
    assert queue.has_work and not queue.at_rest
    assert queue.computed(batch.number, 0.0) == []
    assert queue.written(batch.number, [], 0.0) == [Done(5, [Part(70, 71, [])])]
    assert queue.at_rest and not queue.has_work


def test_no_ticket_without_a_slot():
    queue = FrameQueue(2, 1, 10.0)
    queue.start()
    first = asks(queue.lease(0, 0, 10, 0.0) + queue.loader_up("a", 0.0) + queue.loader_up("b", 0.0))
    assert len(first) == 2
    batch = ready(queue, first[0])[0]
    assert asks(queue.computed(batch.number, 0.0))[0].slot == first[0].slot


def test_a_batch_is_neighbouring_slots_in_the_lists_order_whoever_is_first():
    queue = FrameQueue(8, 4, 10.0)
    queue.start()
    tickets = asks(queue.loader_up("a", 0.0) + queue.loader_up("b", 0.0) + queue.lease(0, 0, 4, 0.0))
    held = {"a": [], "b": []}
    for ask in tickets:
        held[ask.loader].append(ask)
    commands = []
    for loader in ("b", "a", "b", "a"):
        commands += ready(queue, held[loader].pop(0))
    (batch,) = [command for command in commands if isinstance(command, Compute)]
    assert [frame.slot for frame in batch.frames] == [0, 1, 2, 3]
    assert [frame.index for frame in batch.frames] == [0, 1, 2, 3]


def test_other_shapes_wait_for_their_like_and_are_not_forgotten():
    queue = FrameQueue(4, 2, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    commands = queue.lease(0, 0, 4, 0.0)
    shapes = {0: (4, 4), 1: (2, 6), 2: (4, 4), 3: (4, 4)}
    batches = []
    while commands:
        command = commands.pop(0)
        if isinstance(command, Ask):
            commands += ready(queue, command, shapes[command.index])
        elif isinstance(command, Compute):
            batches.append([frame.index for frame in command.frames])
            commands += queue.computed(command.number, 0.0) + queue.written(command.number, [], 0.0)
        elif isinstance(command, Done):
            assert command == Done(0, [Part(0, 4, [])])
    assert sorted(index for batch in batches for index in batch) == [0, 1, 2, 3]
    assert [1] in batches and not queue.has_work


def test_a_lost_loaders_tickets_are_handed_out_again():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    first = asks(queue.lease(0, 0, 2, 0.0))
    queue.loader_up("b", 0.0)
    again = asks(queue.loader_gone("a", "killed", 0.0))
    assert [(ask.loader, ask.index, ask.slot) for ask in again] == [("b", ask.index, ask.slot) for ask in first]
    assert ready(queue, first[0]) == [], "the dead do not speak"


def test_an_image_that_takes_two_loaders_down_is_a_failure():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    queue.lease(0, 7, 1, 0.0)
    queue.loader_gone("a", "SIGSEGV", 0.0)
    queue.loader_up("b", 0.0)
    (done,) = [command for command in queue.loader_gone("b", "SIGSEGV", 0.0) if isinstance(command, Done)]
    ((start, stop, (failure,)),) = done.parts
    assert (start, stop, failure.index, failure.kind) == (7, 8, 7, "crash") and "SIGSEGV" in failure.reason


def test_a_stuck_loader_is_named_once():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    queue.lease(0, 0, 1, 100.0)
    assert queue.tick(109.0) == []
    assert queue.tick(111.0) == [Stuck("a")]
    assert queue.tick(112.0) == []


def test_failures_of_decoding_and_writing_are_reported_with_the_block():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    one, two = asks(queue.lease(3, 0, 2, 0.0))
    queue.frame_failed("a", one.ticket, "truncated", "why", 0.0)
    (batch,) = [command for command in ready(queue, two) if isinstance(command, Compute)]
    queue.computed(batch.number, 0.0)
    (done,) = queue.written(batch.number, [Failure(1, "write", "no")], 0.0)
    assert done == Done(3, [Part(0, 2, [Failure(0, "truncated", "why"), Failure(1, "write", "no")])])


def test_draining_gives_back_what_is_not_done():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    first = asks(queue.lease(3, 0, 4, 0.0))
    one = ready(queue, first[0])[0]
    two = ready(queue, first[1])[0]
    queue.drain()
    assert queue.computed(one.number, 0.0) == []
    queue.dropped(two.number)
    assert not queue.at_rest
    assert queue.written(one.number, [], 0.0) == []
    assert queue.at_rest
    assert queue.give_back() == [Done(3, [Part(0, 1, [])])]


def test_a_whole_block_is_asked_for_at_once_however_few_slots_there_are():
    queue = FrameQueue(4, 1, 10.0, block=100)
    assert queue.start() == [Want(100)]
    queue.loader_up("a", 0.0)
    wants = [command for command in queue.lease(0, 0, 3, 0.0) if isinstance(command, Want)]
    assert wants == [Want(99)], "one of the three is with the loader"


def test_what_loaders_say_after_the_end_is_passed_over():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    one, two = asks(queue.lease(3, 0, 4, 0.0))
    queue.drain()
    queue.give_back()
    assert queue.frame_failed("a", one.ticket, "truncated", "why", 0.0) == []
    assert ready(queue, two) == []
    assert queue.loader_gone("a", "killed", 0.0) == []


def test_the_finished_part_of_a_slow_block_is_reported_after_a_while():
    queue = FrameQueue(4, 1, 1000.0, report_every=5.0)
    queue.start()
    queue.loader_up("a", 0.0)
    first = asks(queue.lease(3, 0, 4, 0.0))
    assert queue.tick(0.0) == []
    queue.frame_failed("a", first[0].ticket, "truncated", "why", 1.0)
    assert queue.tick(4.0) == []
    assert queue.tick(5.0) == [Done(3, [Part(0, 1, [Failure(0, "truncated", "why")])], over=False)]
    assert queue.tick(10.0) == [], "nothing new"
    queue.frame_failed("a", first[1].ticket, "truncated", "why", 11.0)
    assert queue.drain() == [Done(3, [Part(1, 2, [Failure(1, "truncated", "why")])], over=False)], "at once"
    assert queue.give_back() == [Done(3, [], over=True)]


def finish(queue, commands, held, order=None):
    """Plays loaders and engine for some commands: notes what each loader is asked for, in `order`."""
    for command in commands:
        if isinstance(command, Ask):
            held[command.loader].append(command)
            if order is not None:
                order.setdefault(command.loader, []).append(command.index)
        elif isinstance(command, Compute):
            finish(queue, queue.computed(command.number, 0.0) + queue.written(command.number, [], 0.0), held, order)


def test_a_run_of_frames_goes_to_one_loader_in_order_and_the_others_take_other_pieces():
    queue = FrameQueue(32, 1, 10.0)
    queue.start()
    held, order = {"a": [], "b": [], "c": []}, {}
    commands = queue.lease(0, 0, 30, 0.0, runs=[(3, 13), (13, 25)])
    for loader in held:
        commands += queue.loader_up(loader, 0.0)
    finish(queue, commands, held, order)
    while any(held.values()):
        for loader in held:
            if held[loader]:
                finish(queue, ready(queue, held[loader].pop(0)), held, order)
    assert sorted(sum(order.values(), [])) == list(range(30))
    for run in (range(3, 13), range(13, 25)):
        (took,) = [loader for loader in order if run[0] in order[loader]]
        assert [index for index in order[took] if index in run] == list(run)
    assert not queue.has_work


def test_an_idle_loader_takes_half_of_a_long_run_when_the_engine_waits():
    queue = FrameQueue(8, 1, 10.0)
    queue.start()
    first = asks(queue.loader_up("a", 0.0) + queue.lease(0, 0, 64, 0.0, runs=[(0, 64)]))
    assert [ask.index for ask in first] == [0, 1]
    assert [ask.index for ask in asks(queue.loader_up("b", 0.0))] == [33, 34]
    (batch,) = [command for command in ready(queue, first[0]) if isinstance(command, Compute)]
    assert asks(queue.loader_up("c", 0.0)) == [], "the engine has work"
    assert [ask.index for ask in asks(queue.computed(batch.number, 0.0))] == [18, 19], "now it waits"


def test_a_short_run_is_not_split():
    queue = FrameQueue(32, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    queue.lease(0, 0, 17, 0.0, runs=[(0, 17)])
    assert asks(queue.loader_up("b", 0.0)) == []


def test_the_run_of_a_loader_that_is_gone_or_stuck_goes_to_another():
    queue = FrameQueue(32, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    queue.lease(0, 0, 12, 0.0, runs=[(0, 12)])
    queue.loader_up("b", 0.0)
    assert [ask.index for ask in asks(queue.loader_gone("a", "killed", 0.0))] == [0, 1]
    assert queue.tick(20.0) == [Stuck("b")]
    again = asks(queue.loader_up("c", 20.0))
    assert [ask.index for ask in again] == [2, 3]


def test_the_rest_of_a_run_that_takes_loaders_down_fails_untried():
    doomed = set()
    queue = FrameQueue(8, 1, 10.0, doomed=doomed.__contains__)
    queue.start()
    queue.lease(0, 0, 20, 0.0, runs=[(0, 18)])
    commands = queue.loader_up("a", 0.0)
    for loader in ("a", "b"):
        commands = queue.loader_gone(loader, "killed", 0.0) + queue.loader_up(chr(ord(loader) + 1), 0.0)
    assert Convicted(0) in commands
    doomed.update(range(18))
    queue.give_up(0.0)
    assert queue.failed == 1 + 15, "two of the eighteen are still with a loader"
    queue.loader_gone("c", "killed", 0.0)
    assert [ask.index for ask in asks(queue.loader_up("d", 0.0))] == [1, 2]
    before = queue.failed
    queue.lease(1, 40, 10, 0.0, runs=[(40, 50)])
    assert queue.failed == before
    doomed.update(range(50, 60))
    queue.lease(2, 50, 10, 0.0, runs=[(50, 60)])
    assert queue.failed == before + 10


def test_a_retiring_loader_finishes_what_it_holds_and_is_named_once():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    held = asks(queue.loader_up("a", 0.0) + queue.lease(0, 0, 10, 0.0))
    assert queue.retire("a") == [] and queue.retire("unknown") == []
    commands = ready(queue, held[0])
    assert not asks(commands) and Retired("a") not in commands
    commands = queue.frame_failed("a", held[1].ticket, "kind", "reason", 0.0)
    assert Retired("a") in commands and not asks(commands)
    assert asks(queue.loader_gone("a", "retired", 0.0) + queue.loader_up("b", 0.0))


def test_a_loader_without_tickets_retires_at_once():
    queue = FrameQueue(4, 1, 10.0)
    queue.start()
    queue.loader_up("a", 0.0)
    assert queue.retire("a") == [Retired("a")]
    assert not asks(queue.lease(0, 0, 4, 0.0))

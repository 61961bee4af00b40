"""The worker's queue, step by step; `tests/property` drives it at random."""

from __future__ import annotations

from divainfer.messages import Failure, FrameFailed, FrameReady
from divainfer.worker.commands import Ask, Compute, Done, Frame, Part, Retired, Stuck, Want
from divainfer.worker.queue import FrameQueue

SMALL = 48


class Stepwise:
    """A queue that is asked what follows after each event."""

    def __init__(self, slots, batch_size, deadline, **options):
        self.queue = FrameQueue(slots, batch_size, SMALL, deadline, **options)

    def __getattr__(self, name):
        event = getattr(self.queue, name)
        if not callable(event):
            return event

        def step(*values, now=0.0, **options):
            self.returned = event(*values, **options)
            return self.queue.follow(now)

        return step

    def start(self):
        return self.queue.follow(0.0)

    def tick(self, now):
        self.queue.tick(now)
        return self.queue.follow(now)

    def ready(self, loader, ticket, height, width, now=0.0):
        self.queue.loaded(loader, [FrameReady(ticket, height, width, 8, 8)], [], [], 1.0, now)
        return self.queue.follow(now)

    def frame_failed(self, loader, ticket, kind, reason, now=0.0):
        self.queue.loaded(loader, [], [FrameFailed(ticket, kind, reason)], [], 1.0, now)
        return self.queue.follow(now)


def asks(commands):
    return [command for command in commands if isinstance(command, Ask)]


def ready(queue, ask, shape=(4, 4)):
    return queue.ready(ask.loader, ask.ticket, *shape)


def test_one_image_from_lease_to_done():
    queue = Stepwise(2, 1, 10.0)
    assert queue.start() == [Want(2)]
    assert queue.loader_up("l") == []
    (ask, want) = queue.lease(5, 70, 1)
    assert ask == Ask("l", 1, 70, 0, SMALL) and isinstance(want, Want)
    (batch,) = ready(queue, ask)
    assert isinstance(batch, Compute) and batch.frames[0].index == 70
    assert queue.has_work and queue.feeds and not queue.at_rest
    assert queue.computed(batch.number) == []
    assert queue.has_work and not queue.feeds, "its result is still to be written"
    assert queue.written(batch.number, []) == [Done(5, [Part(70, 71, [])])]
    assert queue.at_rest and not queue.has_work


def test_no_ticket_without_a_slot():
    queue = Stepwise(2, 1, 10.0)
    queue.start()
    first = asks(queue.lease(0, 0, 10) + queue.loader_up("a") + queue.loader_up("b"))
    assert len(first) == 2
    batch = ready(queue, first[0])[0]
    assert asks(queue.computed(batch.number))[0].offset == first[0].offset


def test_a_batch_is_neighbouring_slots_in_the_lists_order_whoever_is_first():
    queue = Stepwise(8, 4, 10.0)
    queue.start()
    tickets = asks(queue.loader_up("a") + queue.loader_up("b") + queue.lease(0, 0, 4))
    held = {"a": [], "b": []}
    for ask in tickets:
        held[ask.loader].append(ask)
    commands = []
    for loader in ("b", "a", "b", "a"):
        commands += ready(queue, held[loader].pop(0))
    (batch,) = [command for command in commands if isinstance(command, Compute)]
    assert [frame.offset for frame in batch.frames] == [0, SMALL, 2 * SMALL, 3 * SMALL]
    assert [frame.index for frame in batch.frames] == [0, 1, 2, 3]


def test_other_shapes_wait_for_their_like_and_are_not_forgotten():
    queue = Stepwise(4, 2, 10.0)
    queue.start()
    queue.loader_up("a")
    commands = queue.lease(0, 0, 4)
    shapes = {0: (4, 4), 1: (2, 6), 2: (4, 4), 3: (4, 4)}
    batches = []
    while commands:
        command = commands.pop(0)
        if isinstance(command, Ask):
            commands += ready(queue, command, shapes[command.index])
        elif isinstance(command, Compute):
            batches.append([frame.index for frame in command.frames])
            commands += queue.computed(command.number) + queue.written(command.number, [])
        elif isinstance(command, Done):
            assert command == Done(0, [Part(0, 4, [])])
    assert sorted(index for batch in batches for index in batch) == [0, 1, 2, 3]
    assert [1] in batches and not queue.has_work


def test_frames_of_other_shapes_do_not_wait_while_the_engine_would():
    queue = Stepwise(12, 4, 10.0)
    queue.start()
    queue.loader_up("a")
    held, batches = asks(queue.lease(0, 0, 8)), []
    for shape in ((4, 4), (2, 6), (4, 4), (6, 2)):
        commands = ready(queue, held.pop(0), shape)
        held += asks(commands)
        batches += [command for command in commands if isinstance(command, Compute)]
    # The first cell is full, of three shapes: one batch is computed and one waits, the third may still find its like.
    assert [[frame.index for frame in batch.frames] for batch in batches] == [[0, 2], [1]]
    assert queue.is_hard_up and queue.waiting == 4
    (third,) = [command for command in queue.computed(batches[0].number) if isinstance(command, Compute)]
    assert [frame.index for frame in third.frames] == [3]


def test_a_lost_loaders_tickets_are_tried_alone_and_nothing_else_meanwhile():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    first = asks(queue.lease(0, 0, 4))
    assert [ask.index for ask in first] == [0, 1]
    queue.loader_up("b")
    queue.queue.loaded("b", [], [], [], 0.0, 0.0)
    assert asks(queue.loader_gone("a", "killed")) == [], "b holds others, and must finish them first"
    assert ready(queue, first[0]) == [], "the dead do not speak"
    for index in (2, 3):
        held = asks(queue.tick(0.0)) or asks(queue.ready("b", index + 1, 4, 4))
    assert [(ask.loader, ask.index, ask.offset) for ask in held] == [("b", 0, first[0].offset)]
    assert [ask.index for ask in asks(ready(queue, held[0]))] == [1], "then the other, alone too"


def test_an_image_that_takes_two_loaders_down_is_a_failure():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    queue.lease(0, 7, 1)
    queue.loader_gone("a", "SIGSEGV")
    queue.loader_up("b")
    (done,) = [command for command in queue.loader_gone("b", "SIGSEGV") if isinstance(command, Done)]
    ((start, stop, (failure,)),) = done.parts
    assert (start, stop, failure.index, failure.kind) == (7, 8, 7, "crash") and "SIGSEGV" in failure.reason


def test_a_stuck_loader_is_named_once():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    queue.lease(0, 0, 1, now=100.0)
    assert queue.tick(109.0) == []
    assert queue.tick(111.0) == [Stuck("a")]
    assert queue.tick(112.0) == []


def test_failures_of_decoding_and_writing_are_reported_with_the_block():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    one, two = asks(queue.lease(3, 0, 2))
    queue.frame_failed("a", one.ticket, "truncated", "why", 0.0)
    (batch,) = [command for command in ready(queue, two) if isinstance(command, Compute)]
    queue.computed(batch.number)
    (done,) = queue.written(batch.number, [Failure(1, "write", "no")])
    assert done == Done(3, [Part(0, 2, [Failure(0, "truncated", "why"), Failure(1, "write", "no")])])


def test_draining_gives_back_what_is_not_done():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    first = asks(queue.lease(3, 0, 4))
    one = ready(queue, first[0])[0]
    two = ready(queue, first[1])[0]
    queue.drain()
    assert queue.computed(one.number) == []
    queue.dropped(two.number)
    assert not queue.at_rest
    assert queue.written(one.number, []) == []
    assert queue.at_rest
    assert queue.give_back() == [Done(3, [Part(0, 1, [])])]


def test_a_whole_block_is_asked_for_at_once_however_few_slots_there_are():
    queue = Stepwise(4, 1, 10.0, block=100)
    assert queue.start() == [Want(100)]
    queue.loader_up("a")
    wants = [command for command in queue.lease(0, 0, 3) if isinstance(command, Want)]
    assert wants == [Want(99)], "one of the three is with the loader"


def test_what_loaders_say_after_the_end_is_passed_over():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    one, two = asks(queue.lease(3, 0, 4))
    queue.drain()
    queue.give_back()
    assert queue.frame_failed("a", one.ticket, "truncated", "why", 0.0) == []
    assert ready(queue, two) == []
    assert queue.loader_gone("a", "killed") == []


def test_the_finished_part_of_a_slow_block_is_reported_after_a_while():
    queue = Stepwise(4, 1, 1000.0, report_every=5.0)
    queue.start()
    queue.loader_up("a")
    first = asks(queue.lease(3, 0, 4))
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
            finish(queue, queue.computed(command.number) + queue.written(command.number, []), held, order)


def test_a_run_of_frames_goes_to_one_loader_in_order_and_the_others_take_other_pieces():
    queue = Stepwise(32, 1, 10.0)
    queue.start()
    held, order = {"a": [], "b": [], "c": []}, {}
    commands = queue.lease(0, 0, 30, runs=[(3, 13), (13, 25)])
    for loader in held:
        commands += queue.loader_up(loader)
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
    queue = Stepwise(8, 1, 10.0)
    queue.start()
    first = asks(queue.loader_up("a") + queue.lease(0, 0, 64, runs=[(0, 64)]))
    assert [ask.index for ask in first] == [0, 1]
    assert [ask.index for ask in asks(queue.loader_up("b"))] == [33, 34]
    (batch,) = [command for command in ready(queue, first[0]) if isinstance(command, Compute)]
    assert asks(queue.loader_up("c")) == [], "the engine has work"
    assert [ask.index for ask in asks(queue.computed(batch.number))] == [18, 19], "now it waits"


def test_a_short_run_is_not_split():
    queue = Stepwise(32, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    queue.lease(0, 0, 17, runs=[(0, 17)])
    assert asks(queue.loader_up("b")) == []


def test_the_run_of_a_loader_that_is_gone_or_stuck_goes_to_another():
    queue = Stepwise(32, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    queue.lease(0, 0, 12, runs=[(0, 12)])
    queue.loader_up("b")
    (suspect,) = asks(queue.loader_gone("a", "killed"))
    assert suspect.index == 0
    assert queue.tick(20.0) == [Stuck("b")]
    assert asks(queue.loader_up("c", now=20.0)) == [], "one suspect after the other"
    (suspect,) = asks(queue.loader_gone("b", "killed", now=20.0))
    assert queue.returned == [0] and suspect.index == 1
    assert [ask.index for ask in asks(ready(queue, suspect))] == [2, 3]


def test_the_rest_of_a_run_that_takes_loaders_down_fails_untried():
    doomed = set()
    queue = Stepwise(8, 1, 10.0, doomed=doomed.__contains__)
    queue.start()
    queue.lease(0, 0, 20, runs=[(0, 18)])
    queue.loader_up("a")
    queue.loader_gone("a", "killed")
    queue.loader_up("b")
    queue.loader_gone("b", "killed")
    assert queue.returned == [0]
    doomed.update(range(18))
    queue.give_up()
    assert queue.failed == 18, "the one that was held as well, too"
    assert [ask.index for ask in asks(queue.loader_up("d"))] == [18, 19]
    queue.lease(1, 40, 10, runs=[(40, 50)])
    assert queue.failed == 18
    doomed.update(range(50, 60))
    queue.lease(2, 50, 10, runs=[(50, 60)])
    assert queue.failed == 28


def test_quick_images_are_asked_for_many_at_a_time_within_the_memory():
    queue = Stepwise(64, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    (one, two) = asks(queue.lease(0, 0, 300))
    queue.queue.loaded("a", [FrameReady(ask.ticket, 4, 4, 8, 8) for ask in (one, two)], [], [], 0.008, 0.0)
    many = asks(queue.tick(0.0))
    assert len(many) == 14, "fifty milliseconds of work, and one"
    assert asks(ready(queue, many[0])) == [], "not each time one comes back"
    queue.loader_up("b")
    queue.queue.loaded("b", [], [], [], 0.0, 0.0)
    assert len(asks(queue.tick(0.0))) <= 16, "a quarter of the memory each"


def test_frames_smaller_than_their_places_come_to_lie_side_by_side():
    queue = Stepwise(8, 2, 10.0)
    queue.start()
    commands = queue.loader_up("a") + queue.lease(0, 0, 40)
    offsets = []
    while len(offsets) < 6:
        command = commands.pop(0)
        if isinstance(command, Ask):
            commands += ready(queue, command, (2, 3))
        elif isinstance(command, Compute):
            offsets.append([frame.offset % 128 for frame in command.frames])
            commands += queue.computed(command.number) + queue.written(command.number, [])
    assert offsets[0] == [0, SMALL] and offsets[-1] == [0, 18]
    held = asks(commands)
    assert {ask.room for ask in held} == {18}
    queue.queue.loaded("a", [], [], [held[0].ticket], 1.0, 0.0)
    again = asks(queue.tick(0.0))
    while held[0].index not in [ask.index for ask in again]:
        again = asks(ready(queue, held.pop(1), (2, 3)))
    assert {ask.room for ask in again} == {SMALL}, "now any frame fits"
    assert not queue.failed


def test_a_retiring_loader_finishes_what_it_holds_and_is_named_once():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    held = asks(queue.loader_up("a") + queue.lease(0, 0, 10))
    assert queue.retire("a") == [] and queue.retire("unknown") == []
    commands = ready(queue, held[0])
    assert not asks(commands) and Retired("a") not in commands
    commands = queue.frame_failed("a", held[1].ticket, "kind", "reason", 0.0)
    assert Retired("a") in commands and not asks(commands)
    assert asks(queue.loader_gone("a", "retired") + queue.loader_up("b"))


def test_a_loader_without_tickets_retires_at_once():
    queue = Stepwise(4, 1, 10.0)
    queue.start()
    queue.loader_up("a")
    assert queue.retire("a") == [Retired("a")]
    assert not asks(queue.lease(0, 0, 4))


def test_one_suspect_is_tried_at_a_time_and_a_doomed_one_not_at_all():
    doomed = set()
    queue = Stepwise(32, 1, 10.0, doomed=doomed.__contains__)
    queue.start()
    queue.lease(0, 0, 8, runs=[(0, 8)])
    held = asks(queue.loader_up("a"))
    queue.loader_up("b")
    queue.loader_up("c")
    (first,) = asks(queue.loader_gone("a", "killed"))
    assert first.index == held[0].index and asks(queue.tick(0.0)) == [], "the other loader waits"
    queue.queue.loader_gone(first.loader, "killed")
    doomed.update(range(8))
    queue.give_up()
    assert queue.failed == 8 and queue.loaders == 1


def test_parts_and_the_end_of_a_block_are_reported_in_order_though_a_conviction_comes_between():
    doomed = set()
    queue = Stepwise(32, 1, 10.0, doomed=doomed.__contains__, report_every=5.0)
    queue.start()
    queue.tick(0.0)
    commands = queue.lease(5, 0, 8, runs=[(0, 8)])
    (zero, one) = asks(commands + queue.loader_up("a"))
    (batch,) = [command for command in ready(queue, zero) if isinstance(command, Compute)]
    queue.queue.computed(batch.number)
    queue.queue.written(batch.number, [])
    queue.queue.loader_gone("a", "killed")
    queue.loader_up("b")
    assert queue.queue.loader_gone("b", "killed") == [one.index]
    doomed.update(range(8))
    queue.queue.give_up()
    queue.queue.tick(6.0)
    done = [command for command in queue.queue.follow(6.0) if isinstance(command, Done)]
    assert [command.over for command in done] == [True]
    assert [(part.start, part.stop) for part in done[0].parts] == [(0, 8)] and len(done[0].parts[0].failures) == 7


def test_a_rare_large_frame_does_not_end_packing_for_good():
    queue = Stepwise(8, 2, 10.0)
    cells = queue.queue._cells
    for _ in range(20):
        for _ in range(70):
            for place in (cells.take(), cells.take()):
                cells.ready(Frame(0, 0, place.cell, place.offset, 2, 3, 8, 8))
                cells.release(place.cell)
        place = cells.take()
        assert place.room == 18, "packed again"
        cells.too_large(place)

"""Random histories through the pure cores: no image is lost, done twice, or left waiting for ever."""

from __future__ import annotations

import collections

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.dispatcher.scheduler import Scheduler
from divainfer.messages import FrameFailed, FrameReady
from divainfer.worker.commands import Ask, Compute, Done, Want
from divainfer.worker.hands import ATTEMPTS, MOST
from divainfer.worker.queue import FrameQueue


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400), st.integers(1, 5), st.integers(1, 9), st.data())
def test_the_scheduler_finishes_every_image_once(total, workers, least, data):
    scheduler = Scheduler([(0, total)], total, workers, most=32, least=least, proven=data.draw(st.booleans()))
    names = ["w{}".format(number) for number in range(workers)]
    held = collections.defaultdict(list)
    done = collections.Counter()
    strikes = collections.Counter()

    def give(blocks):
        for block in blocks:
            held[block.worker].append(block)
            alone = [index for index in range(block.start, block.start + block.count) if strikes[index]]
            assert not alone or (block.count == 1 and len(held[block.worker]) == 1), "a suspect is leased alone"

    generation = 0
    for name in names:
        give(scheduler.want(name, 40))
    while not scheduler.finished:
        busy = [name for name in names if held[name]]
        assert busy, "work is left, but nobody has any"
        name = data.draw(st.sampled_from(busy))
        if data.draw(st.integers(0, 9)) == 9:
            mine = [index for block in held.pop(name) for index in range(block.start, block.start + block.count)]
            mine = [index for index in mine if not done[index]]
            computing = data.draw(st.lists(st.sampled_from(mine), max_size=least)) if mine else []
            strikes.update(set(computing))
            convicted, leases = scheduler.lost(name, computing)
            assert all(strikes[index] >= 2 for index in convicted), "an innocent image was given up"
            done.update(convicted)
            give(leases)
            generation += 1
            names[names.index(name)] = name = "{}.{}".format(name.split(".")[0], generation)
            give(scheduler.want(name, 40))
        elif data.draw(st.integers(0, 4)) == 4:
            block = data.draw(st.sampled_from(held[name]))
            start = data.draw(st.integers(block.start, block.start + block.count - 1))
            part = [
                i for i in range(start, data.draw(st.integers(start + 1, block.start + block.count))) if not done[i]
            ]
            for index in part:
                assert scheduler.part_done(name, block.block, index, index + 1, 1)
            done.update(part)
            assert not scheduler.part_done("stranger", block.block, start, start + 1, 1)
        else:
            block = held[name].pop(data.draw(st.integers(0, len(held[name]) - 1)))
            done.update(index for index in range(block.start, block.start + block.count) if not done[index])
            give(scheduler.done(name, block.block, block.count))
            give(scheduler.want(name, 40))
    assert done == collections.Counter(range(total))


SHAPES = [(2, 3), (3, 2), (4, 4)]
LARGEST = 48


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 6), st.integers(1, 60), st.integers(1, 4), st.integers(1, len(SHAPES)), st.data()
)
def test_the_frame_queue_finishes_every_image_once(batch_size, cells, total, loaders, shapes, data):
    queue = FrameQueue(batch_size * cells, batch_size, LARGEST, deadline=1e9, report_every=3.0)
    now, idle, reported = 0.0, 0, collections.Counter()
    unleased, wanted = total, 0
    next_block = next_loader = 0
    tickets = collections.OrderedDict()
    computing, writing, over, leased = [], [], [], set()
    in_use, occupied = {}, set()
    killed = collections.Counter()

    def leave(index):
        occupied.difference_update(in_use.pop(index))

    def do(certainly=False):
        nonlocal wanted
        if not certainly and not data.draw(st.integers(0, 3)):
            return  # More happens before it is asked what follows.
        for command in queue.follow(0.0):
            if isinstance(command, Ask):
                if command.index in killed and command.index in in_use:
                    leave(command.index)
                in_use[command.index] = range(command.offset, command.offset + command.room)
                assert occupied.isdisjoint(in_use[command.index]), "places overlap"
                occupied.update(in_use[command.index])
                tickets[command.loader].append(command)
                assert len(tickets[command.loader]) <= MOST
                assert not killed[command.index] or len(tickets[command.loader]) == 1, "a suspect is tried alone"
            elif isinstance(command, Compute):
                assert 1 <= len(command.frames) <= batch_size
                assert len({(frame.height, frame.width) for frame in command.frames}) == 1
                computing.append(command)
            elif isinstance(command, Want):
                assert command.images > 0 and not wanted
                wanted = command.images
            elif isinstance(command, Done):
                reported.update(index for part in command.parts for index in range(part.start, part.stop))
                if command.over:
                    over.append(command.block)

    def new_loader():
        nonlocal next_loader
        name = "l{}".format(next_loader)
        next_loader += 1
        tickets[name] = []
        queue.loader_up(name)
        do()

    do()
    for _ in range(loaders):
        new_loader()
    outcomes = collections.Counter()
    while unleased or queue.has_work:
        events = []
        if wanted and unleased:
            events.append("lease")
        events += ["ready"] * 4 + ["failed", "gone"] if any(tickets.values()) else []
        events += ["computed"] * 3 if computing else []
        events += ["written"] * 3 if writing else []
        if data.draw(st.integers(0, 3)) == 3:
            now += 1.0
            queue.tick(now)
            do()
        if not events:
            idle += 1
            assert idle < 3, "work is left, but nothing can happen"
            do(certainly=True)
            continue
        idle = 0
        event = data.draw(st.sampled_from(events))
        if event == "lease":
            count = data.draw(st.integers(1, min(unleased, wanted)))
            wanted = 0
            start = total - unleased
            unleased -= count
            leased.add(next_block)
            next_block += 1
            edges = sorted(data.draw(st.sets(st.integers(start, start + count), max_size=6)))
            runs = [run for run in zip(edges, edges[1:]) if data.draw(st.booleans())]
            queue.lease(next_block - 1, start, count, runs)
            do()
        elif event in ("ready", "failed", "gone"):
            name = data.draw(st.sampled_from([name for name, held in tickets.items() if held]))
            if event == "gone":
                held = tickets.pop(name)
                for ask in held:
                    killed[ask.index] += 1
                    if killed[ask.index] >= ATTEMPTS:
                        outcomes[ask.index] += 1
                        leave(ask.index)
                queue.loader_gone(name, "killed")
                do()
                new_loader()
                continue
            ready, failed, too_large = [], [], []
            for _ in range(data.draw(st.integers(1, len(tickets[name])))):
                ask = tickets[name].pop(0)
                if event == "ready":
                    height, width = SHAPES[data.draw(st.integers(0, shapes - 1))]
                    if height * width * 3 <= ask.room:
                        ready.append(FrameReady(ask.ticket, height, width, 9, 9))
                        continue
                    assert ask.room < LARGEST
                    too_large.append(ask.ticket)
                else:
                    outcomes[ask.index] += 1
                    failed.append(FrameFailed(ask.ticket, "bad", "bad"))
                leave(ask.index)
            seconds = data.draw(st.sampled_from([0.0, 0.0001, 0.1]))
            queue.loaded(name, ready, failed, too_large, seconds, 0.0)
            do()
        elif event == "computed":
            batch = computing.pop(0)
            writing.append(batch)
            for frame in batch.frames:
                leave(frame.index)
            queue.computed(batch.number)
            do()
        else:
            batch = writing.pop(0)
            outcomes.update(frame.index for frame in batch.frames)
            queue.written(batch.number, [])
            do()
    do(certainly=True)
    assert outcomes == collections.Counter(range(total))
    assert set(over) == leased and len(over) == len(leased)
    assert reported == collections.Counter(range(total)), "each image is reported once"
    assert queue.at_rest

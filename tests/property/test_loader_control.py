"""Whatever workers report, the number of loaders stays within its limits, and each change has a reason."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.dispatcher.loadercontrol import LoaderControl, Seen
from divainfer.messages import WorkerStats

SECONDS = st.one_of(st.just(0.0), st.floats(0.0, 60.0))
COUNT = st.one_of(st.just(0), st.integers(0, 500))
SPAN = st.fixed_dictionaries(
    {
        **dict.fromkeys(("images", "decoded", "batches"), COUNT),
        **dict.fromkeys(("busy", "starved", "blocked", "idle", "decoding", "reading", "decoding_cpu", "cpu"), SECONDS),
    }
)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.1, 64.0),
    st.integers(2, 16),
    st.lists(st.integers(1, 2), min_size=1, max_size=3),
    st.lists(
        st.tuples(st.integers(0, 2), SPAN, st.sampled_from(["works", "works", "works", "restarts", "settles"])),
        max_size=60,
    ),
)
def test_counts_stay_within_limits_and_changes_have_reasons(cores, most, starts, history):
    control = LoaderControl(cores, most)
    counts = list(starts)
    sums = [dict.fromkeys(WorkerStats._fields, 0) for _ in starts]
    restarts = [0] * len(starts)
    for place, span, event in history:
        seat = place % len(starts)
        for name, value in span.items():
            sums[seat][name] += value
        restarts[seat] += event == "restarts"
        crews = [
            Seen(
                number,
                "GPU {}".format(number),
                "worker-{}.{}".format(number, restarts[number]),
                counts[number],
                WorkerStats(**sums[number])._replace(loaders=counts[number] - (event == "settles")),
            )
            for number in range(len(starts))
        ]
        changes = control.look(crews)
        assert len({change.seat for change in changes}) == len(changes)
        for change in changes:
            assert 1 <= change.loaders <= most
            assert re.match(
                r"worker \d, GPU \d: .*the engine .*\.$|worker \d, GPU \d: \d+ -> \d+ loaders: .{20,}\.$",
                change.sentence,
            )
            if change.loaders != counts[change.seat]:
                said = "worker {0}, GPU {0}: {1} -> {2} loaders: ".format(
                    change.seat, counts[change.seat], change.loaders
                )
                assert change.sentence.startswith(said)
            counts[change.seat] = change.loaders

"""Whatever the figures are: a verdict, with a gain that is a number."""

from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.messages import WorkerStats
from divainfer.monitor.facts import Facts, WorkerFacts
from divainfer.monitor.verdict import WORDS, verdict

SECONDS = st.one_of(st.just(0.0), st.floats(0, 1e9), st.floats(0, 1e-300), st.floats(0, 100))
COUNTS = st.integers(0, 10**9)
STATS = st.builds(
    WorkerStats,
    **{name: COUNTS if isinstance(usual, int) else SECONDS for name, usual in WorkerStats()._asdict().items()},
)
WORKERS = st.builds(
    WorkerFacts, st.sampled_from(["CPU", "GPU 7 (NVIDIA H200)"]), st.booleans(), st.integers(0, 256), STATS
)
FACTS = st.builds(
    Facts,
    st.lists(WORKERS, max_size=4).map(tuple),
    st.floats(0.1, 1024),
    SECONDS,
    st.booleans(),
    st.integers(1, 16),
    st.sampled_from(["json", "jsonl", "parquet"]),
    st.sampled_from([None, False, True]),
)


@settings(max_examples=200, deadline=None)
@given(FACTS)
def test_there_is_always_a_verdict_and_no_gain_beyond_the_engine(facts):
    found = verdict(facts)
    assert found.bound in WORDS
    assert found.gain is None or (math.isfinite(found.gain) and found.gain >= 0)
    assert "nan" not in found.sentence.split() and "inf" not in found.sentence.split()
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["bound"] == found.bound
    # None is beyond an engine that never waits; a stream more, or a longer list, is something else.
    if found.bound not in ("graph-cpu", "start") and found.gain is not None:
        left = facts.wall - facts.span + facts.mean("busy")
        assert found.gain <= facts.wall / left - 1 + 1e-6 * facts.wall / left if left > 0 else True

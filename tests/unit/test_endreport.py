"""Whether there is a report at a start's end, and how long it may take."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from divainfer import RunConfig
from divainfer.dispatcher import endreport
from divainfer.dispatcher.interrupts import Interrupts
from divainfer.runfolder import RunFolder


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Ends a start, with what the operator wished before; tells how many seconds its report may take, None for no report."""
    monkeypatch.setattr(endreport, "LEAST_SECONDS", 0.0)
    seconds = []
    monkeypatch.setattr(
        endreport.EndReport, "_write", lambda self, until: seconds.append(round(until - time.monotonic()))
    )

    def end(wishes=0, since=None, error=None, **config):
        interrupts = Interrupts()
        interrupts._wishes = wishes
        interrupts.since = since
        report = endreport.EndReport(RunFolder(str(tmp_path / "out")), print)
        report.begin(SimpleNamespace(interrupts=interrupts), RunConfig(**config))
        report.__exit__(error, None, None)
        return seconds[-1] if seconds else None

    return end


def test_one_that_ended_by_itself_or_early_has_one(ended):
    assert ended() == 60
    assert ended(error=OSError) == 60


def test_one_that_was_told_not_to_has_none(ended):
    assert ended(report=False) is None


def test_after_ctrl_c_there_is_what_is_left_of_the_grace(ended):
    assert ended(1, time.monotonic() - 10, grace=30.0) == 20


@pytest.mark.parametrize("wishes,since,error", [(1, -58, None), (2, -1, None), (0, None, KeyboardInterrupt)])
def test_one_that_is_to_end_at_once_has_none(ended, wishes, since, error):
    assert ended(wishes, since if since is None else time.monotonic() + since, error, grace=60.0) is None

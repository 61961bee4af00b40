"""What a worker was computing, as its dispatcher reads it after the worker's death."""

from __future__ import annotations

import pytest

from divainfer.computingfile import ComputingFile, computing_at_death, note_of
from divainfer.errors import EngineBootError


def test_each_stream_has_a_row_that_it_empties(tmp_path):
    path = str(tmp_path / "worker-0.computing")
    file = ComputingFile(path, 2, 300)
    assert computing_at_death(path, 300) == []
    many = list(range(2**40, 2**40 + 256))
    file.begin(0, note_of(many))
    file.begin(1, note_of([7, 9]))
    assert computing_at_death(path, 300) == many + [7, 9]
    file.end(0)
    assert computing_at_death(path, 300) == [7, 9]
    file.begin(0, note_of([3]))
    file.end(1)
    assert computing_at_death(path, 300) == [3]


def test_one_that_was_never_written_out_tells_nothing(tmp_path):
    path = tmp_path / "worker-0.computing"
    assert computing_at_death(str(path), 4) == []
    path.write_bytes(b"")
    assert computing_at_death(str(path), 4) == []
    path.write_bytes(b"\1" + bytes(20))
    assert computing_at_death(str(path), 4) == []


def test_where_it_cannot_be_made_the_file_is_named(tmp_path):
    with pytest.raises(EngineBootError, match="gone/worker-0.computing: cannot be written"):
        ComputingFile(str(tmp_path / "gone" / "worker-0.computing"), 1, 1)

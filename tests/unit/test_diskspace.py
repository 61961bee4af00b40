"""Whether results fit, and what is said when they do not."""

from __future__ import annotations

import os

import pytest

from divainfer.dispatcher.diskspace import result_bytes, shortage, space_note

BLOCK = 4096


@pytest.mark.parametrize(
    "free_bytes,free_files,images,bytes_each,files",
    [
        (10**9, 10**6, 0, 500, 0),
        (100 * BLOCK, 100, 100, 500, 100),
        (100 * BLOCK, None, 100, BLOCK, 100),
        (200 * BLOCK, 100, 100, BLOCK + 1, 100),
        (14 * BLOCK, 1, 100, 550, 1),
    ],
    ids=["nothing to do", "to the last block", "files without number", "two blocks each", "all in one file"],
)
def test_what_fits_is_not_worth_a_word(free_bytes, free_files, images, bytes_each, files):
    assert shortage(free_bytes, free_files, BLOCK, images, bytes_each, files) is None


def test_a_small_result_takes_a_block():
    note = shortage(2 * 10**9, 10**9, BLOCK, 10**6, 300, 10**6)
    assert note.startswith(
        "2.0 GB are free and the results need about 4.1 GB: about 488,281 of 1,000,000 results will fit."
    )
    assert "Make room" in note and "same command" in note


def test_many_results_in_one_file_do_not():
    assert shortage(2 * 10**9, 10**9, BLOCK, 10**6, 300, 10) is None
    assert "about 13 of 1,000 results" in shortage(BLOCK, 10**9, BLOCK, 1000, 300, 1)


def test_files_may_run_out_before_the_bytes():
    note = shortage(10**12, 250, BLOCK, 1000, 300, 1000)
    assert note.startswith("250 more files can be made here and the results need 1,000: about 250 of 1,000")


def test_what_runs_out_first_is_named():
    assert "are free" in shortage(10 * BLOCK, 20, BLOCK, 1000, 300, 1000)
    assert "more files" in shortage(20 * BLOCK, 10, BLOCK, 1000, 300, 1000)


def test_a_real_folder(tmp_path):
    out = str(tmp_path)
    assert space_note(out, 10, 500, 10) is None
    assert space_note(out, 10**15, 10**6, 10**15).startswith("--out {}: ".format(out))
    assert space_note(str(tmp_path / "none"), 10**15, 10**6, 10**15) is None


def test_the_size_of_a_result_is_that_of_those_that_are_there(tmp_path):
    paths = [os.path.join(os.fsencode(str(tmp_path)), b"%d.json" % number) for number in range(3)]
    assert result_bytes(paths, 77) == 77
    for path, size in zip(paths, (100, 301)):
        with open(path, "wb") as file:
            file.write(b"x" * size)
    assert result_bytes(paths, 77) == 201

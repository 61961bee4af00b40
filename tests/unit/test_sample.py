"""The sample that `divainfer tune` measures on."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.tuning.sample import Sample, _spreading_step


def paths_of(count):
    return [b"/data/cam%d/f%05d.jpg" % (index // 100, index) for index in range(count)]


def numbers(paths):
    return [int(path[-9:-4]) for path in paths]


def test_a_part_of_the_sample_is_spread_over_the_list(tmp_path):
    sample = Sample(paths_of(64000), b"/data", str(tmp_path))
    taken = numbers(sample.following(6400))
    assert len(set(taken)) == 6400
    counts = [sum(start <= number < start + 8000 for number in taken) for start in range(0, 64000, 8000)]
    assert max(counts) <= 2 * min(counts)
    # In pieces that follow each other, as in a run.
    assert taken[:64] == list(range(taken[0], taken[0] + 64))


def test_it_is_always_the_same(tmp_path):
    first, second = (Sample(paths_of(1000), b"/data", str(tmp_path)) for _ in range(2))
    assert first.following(700) == second.following(700)


def test_trials_get_other_images_until_all_were_used(tmp_path):
    sample = Sample(paths_of(1000), b"/data", str(tmp_path))
    seen = []
    for used in (300, 300, 390):
        seen += numbers(sample.following(5000))[:used]
        sample.used(used)
        assert not sample.used_up
    assert len(set(seen)) == 990
    seen += numbers(sample.following(5000))[:10]
    sample.used(10)
    assert sample.used_up and sorted(seen) == list(range(1000))


def test_a_short_list_comes_again_by_other_paths_to_the_same_files(tmp_path):
    (tmp_path / "data" / "cam").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    files = []
    for index in range(5):
        path = tmp_path / "data" / "cam" / "{}.jpg".format(index)
        path.write_text(str(index))
        files.append(os.fsencode(str(path)))
    sample = Sample(files, os.fsencode(str(tmp_path / "data")), str(tmp_path / "links"))
    sample.used(3)
    paths = sample.following(12)
    assert len(set(paths)) == 12
    assert all(path.startswith(sample.links + b"/") for path in paths)
    content = [open(path).read() for path in paths]
    assert sorted(content[2:7]) == list("01234") and content[2:7] == content[7:12]
    assert {os.path.realpath(path) for path in paths} == set(files)


def test_images_of_the_root_folder_itself(tmp_path):
    sample = Sample([b"/a.jpg", b"/data/b.jpg"], b"", str(tmp_path))
    assert [path[len(sample.links) :] for path in sample.following(2)] == [b"/0/a.jpg", b"/0/data/b.jpg"]
    assert os.readlink(sample.links + b"/0") == b"/"


@pytest.mark.parametrize("count,wanted", [(1000, 16), (5, 16), (1, 1)])
def test_single_images_are_spread_as_well(tmp_path, count, wanted):
    paths = paths_of(count)
    spread = Sample(paths, b"/data", str(tmp_path)).spread(wanted)
    assert len(set(spread)) == len(spread) == min(count, wanted)
    assert set(spread) <= set(paths) and numbers(spread) == sorted(numbers(spread))
    assert numbers(spread)[-1] >= count - 1 - count // wanted


@given(st.integers(1, 700), st.lists(st.integers(0, 300), max_size=5), st.integers(1, 500))
@settings(deadline=None, max_examples=60)
def test_no_image_comes_again_before_all_others_have(tmp_path_factory, count, used, wanted):
    sample = Sample(paths_of(count), b"/data", str(tmp_path_factory.getbasetemp()))
    everything = []
    for number in used:
        everything += numbers(sample.following(wanted))[: min(number, wanted)]
        sample.used(min(number, wanted))
    everything += numbers(sample.following(wanted))
    for start in range(0, len(everything) - count + 1, count):
        assert sorted(everything[start : start + count]) == list(range(count))


@given(st.integers(1, 10000))
def test_the_step_visits_every_place(count):
    assert len({number * _spreading_step(count) % count for number in range(count)}) == count

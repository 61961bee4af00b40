"""The benchmarks run, tiny, and their figures are figures; how large these are is not for tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import gpu  # noqa: E402
import hollow_run  # noqa: E402
import scale  # noqa: E402
import seed_tables  # noqa: E402
from common import make_frames  # noqa: E402

from divainfer.dispatcher.devices import CPU  # noqa: E402


def test_a_long_list_is_written_line_by_line(tmp_path, monkeypatch):
    monkeypatch.setattr(hollow_run, "_LIST_CHUNK", 7000)
    hollow_run.write_list(tmp_path / "list", 120000)
    lines = (tmp_path / "list").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 120000
    assert lines[0] == "/data/night/camera0000/000000000.jpg"
    assert lines[119999] == "/data/night/camera0001/000119999.jpg"


def test_scale_measures_a_dispatcher_at_work_and_a_whole_run(tmp_path):
    listed = tmp_path / "frames.lst"
    hollow_run.write_list(listed, 50000)
    figures = scale.steady(listed, tmp_path, devices=2, rate=500.0, seconds=0.5)
    assert set(figures) == set(scale.FIGURES)
    assert 0 < figures["images/s"] <= 1500, "two devices do 1000 images a second at most, but report them by the block"
    assert 0 < figures["wait ms, median"] <= figures["wait ms, 99 %"]
    assert figures["own MB"] > 1
    (tmp_path / "whole").mkdir()
    run = scale.whole(20000, 2, tmp_path / "whole")
    assert set(run) == set(scale.WHOLE_FIGURES)
    assert run["images"] == 20000 and run["plan, s"] > 0 and run["rest, s"] > 0
    assert 20000 * 4 < run["ledger MB"] * 1e6 < 20000 * 8, (
        "four bytes of checksum an image, and what a record has besides"
    )
    row = dict(figures, devices=2, pace=scale.PACED)
    (median,) = scale.medians([row, dict(row, **{"images/s": 1.0}), dict(row, **{"images/s": 1e6})])
    assert median == row
    assert "| 20,000 |" in scale.tables({"medians": [median], "whole": [run]})


def test_gpu_compares_the_loop_and_the_pool_on_one_device(tmp_path):
    # Enough behind the warm-up that not all of them are written within one tick of the file system's clock.
    images = make_frames(tmp_path / "frames", 60, 128, 96)
    for name in (gpu.LOOP, "divainfer"):
        folder = tmp_path / name
        folder.mkdir()
        figures = gpu.run(name, "demo", "", images, (128, 96), CPU, str(folder))
        assert figures["frames/s"] > 0 and figures["utilisation, mean"] is None
    quick = {"frames/s": 1e9, "utilisation, mean": 50.0, "utilisation, median": 40.0}
    (row,) = gpu.medians([dict(one, contestant="a") for one in (figures, quick, figures)])
    assert row == dict(quick, contestant="a", **{"frames/s": figures["frames/s"]})
    assert "| 50.0 % | 40.0 % |" in gpu.table([row])


def test_the_seeds_rows_agree_with_themselves():
    """Frames a second of a GPU are said twice, also as a runtime."""
    assert len(seed_tables.ROWS) == 18
    for row in seed_tables.ROWS:
        assert seed_tables.IMAGES / row.seconds / row.gpus == pytest.approx(row.speed, abs=0.01), row


def test_seed_tables_replays_a_row(tmp_path):
    images = make_frames(tmp_path / "frames", 8, 96, 54)
    # One process for two GPUs, and one for each.
    rows = [seed_tables.Row(1, 1, 2, 1, 41190.9, 0.1, 5.0), seed_tables.Row(2, 6, 2, 2, 13433.3, 0.1, 5.0)]
    rounds = []
    for number, contestant in ((0, seed_tables.LOOP), (1, seed_tables.LOOP), (1, seed_tables.POOL)):
        row, scratch = rows[number], tmp_path / "{} {}".format(number, contestant)
        scratch.mkdir()
        if contestant == seed_tables.LOOP:
            figures = seed_tables.run_loop(row, images, scratch)
            assert len(list(scratch.rglob("*.jpg.json"))) == len(images)
        else:
            figures = seed_tables.run_pool(row, images, (96, 54), scratch)
        assert 0 < figures["busy"] <= 1
        # No frame takes less than its 20 ms.
        assert 0 < figures["frames/s"] * row.busy_ms / 1e3 <= figures["busy"] * 1.001
        rounds.append(dict(figures, row=number, contestant=contestant))
    # What divainfer makes of the other row is not run.
    rounds.append(dict(rounds[2], row=0))
    first, second = seed_tables.medians(rows, rounds)
    assert first["seed"] == {"busy": 0.1, "frames/s": 5.0, "hours": 41190.9 / 3600}
    assert second["divainfer"]["hours"] == 206268 / 2 / rounds[2]["frames/s"] / 3600
    assert "| 2 | 6 | 2 / 1* | 20 |" in seed_tables.table([first, second])

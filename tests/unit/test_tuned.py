"""What `divainfer tune` says and leaves: TOML, JSON, table, plot."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml

import pytest

from divainfer.config import RunConfig, resolve
from divainfer.dispatcher.plan import make_plan
from divainfer.errors import ConfigError, OutputError
from divainfer.machine import usable_cores
from divainfer.tuning.figures import describe_machine, rows
from divainfer.tuning.outcome import OutcomeFiles, Tuned, ceiling_lines, check_options, choice_line, to_json, to_toml
from divainfer.tuning.plot import draw
from divainfer.tuning.sweep import DECODE, ENGINE, RUN, Setting, Step, Sweep
from divainfer.tuning.table import markdown, table
from divainfer.tuning.trial import Trial, trial_config
from divainfer.tuning.tuner import limits, progress_line
from divainfer.tuning.window import Figures


def trial(kind, setting, rate, error=""):
    figures = Figures(rate, 0.75, 0.2, 0.05, 4.25, 2.0, 100, 5.0) if not error else None
    return Trial(Step(kind, Setting(*setting)), figures, error, 0, 7.0)


TRIALS = [
    trial(ENGINE, (2, 1, 1), 20.0),
    trial(ENGINE, (2, 1, 2), 0.0, "the engine | takes\none frame"),
    trial(DECODE, (1, 1, 1), 150.0),
    trial(DECODE, (2, 1, 1), 310.0),
    trial(RUN, (2, 1, 1), 39.0),
    trial(RUN, (1, 1, 1), 38.0),
    trial(RUN, (1, 1, 1), 38.6),
]


def tuned(config=None, trials=TRIALS, **more):
    plan = make_plan(config or RunConfig(engine="emulated:busy_ms=50", gpus="cpu:2"))
    sweep = Sweep(limits(plan, frozenset()))
    for one in trials:
        sweep.add(one.step, one.rate)
    fields = dict({"missing": (), "interrupted": False, "notes": ()}, **more)
    return Tuned(plan, describe_machine(plan), trials, sweep.choice(), **fields)


@pytest.mark.parametrize(
    "options",
    [
        {"engine": "emulated:busy_ms=50", "gpus": "cpu:2"},
        {"engine": "emulated", "gpus": "cpu", "short_edge_size": "64", "max_size": "96", "classes": "3,1"},
        {
            "model": "demo",
            "gpus": "cpu",
            "score_threshold": "0.25",
            "format": "jsonl",
            "flat": True,
            "queue_mem": "64MiB",
        },
    ],
)
def test_the_toml_is_the_user_s_options_and_the_setting(options, tmp_path):
    given = dict(options, images="frames/", loaders="7", batch_size="3", progress="none", out="out/", retry="failed")
    path = tmp_path / "tuned.toml"
    path.write_text(to_toml(tuned(resolve(given, {}))), encoding="utf-8")
    expected = dict(options, loaders=1, streams=1, batch_size=1)
    assert resolve({}, {}, str(path)) == resolve(expected, {})


def test_the_toml_tells_what_was_measured():
    text = to_toml(tuned(missing=("more loaders alone",), notes=("Two\nlines.",)))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == text.splitlines()[: len(comments)]
    said = "\n".join(comments)
    assert "loaders 1, streams 1, batch size 1: 38.3 frames/s, the best" not in said
    assert "Loaders 1, streams 1, batch size 1: 38.3 frames/s; the best was 39.0 with loaders 2" in said
    assert "2 x CPU; {} core".format(usable_cores()) in said
    assert "busy 75.0%" in said and "4.2 ms of CPU" in said
    assert "The engine alone, on one device: 20.0 frames/s" in said
    assert "Loaders alone: 310.0 frames/s (loaders 2, workers 2), the most that was measured." in said
    assert "Two lines." in said and "Not measured: more loaders alone." in said


def test_json_has_every_trial():
    plain = json.loads(json.dumps(to_json(tuned(missing=("x",)))))
    assert plain["choice"]["setting"] == {"loaders": 1, "streams": 1, "batch_size": 1}
    assert plain["choice"]["best_frames_per_second"] == 39.0
    assert (plain["complete"], plain["not_measured"]) == (False, ["x"])
    assert [one["kind"] for one in plain["trials"]] == [one.step.kind for one in TRIALS]
    assert plain["trials"][0]["frames_per_second"] == 20.0 and plain["trials"][1]["error"].startswith("the engine")
    assert to_json(tuned(trials=TRIALS[:1]))["choice"] is None


def test_a_choice_without_a_run_says_that_it_was_not_run():
    outcome = tuned(trials=TRIALS[:4])
    assert not outcome.choice.measured and "it was not run itself" in choice_line(outcome.choice)
    assert "it was not run itself" in to_toml(outcome)


def test_the_table_has_a_row_a_step_and_marks_the_choice():
    outcome = tuned()
    cells = table(rows(outcome.trials), outcome.choice)
    assert len({len(line) for line in cells}) == 1
    assert [line[-1] for line in cells[1:]] == ["", "the engine | takes one frame", "", "", "best", "chosen"]
    assert cells[-1][:6] == ["run", "1", "1", "1", "38.3", "2 (38.0 - 38.6)"]
    lines = markdown(cells)
    assert len({len(line) for line in lines}) == 1
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_the_plot_is_an_svg_and_always_the_same(tmp_path):
    outcome = tuned()
    for name in ("one.svg", "two.svg"):
        draw(rows(outcome.trials), outcome.choice, 2, str(tmp_path / name))
    assert xml.parse(str(tmp_path / "one.svg")).getroot().tag.endswith("svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    draw(rows(TRIALS[:1]), None, 1, str(tmp_path / "few.svg"))
    assert (tmp_path / "few.svg").exists()


def test_trials_are_the_user_s_run_but_for_what_they_are_about():
    config = RunConfig(
        engine="emulated:busy_ms=50", gpus="cpu:2", max_pixels=1000, retry="failed", force=True, loaders=9
    )
    plan = make_plan(config)
    run = trial_config(plan, Step(RUN, Setting(3, 2, 4)))
    assert (run.loaders, run.streams, run.batch_size) == (3, 2, 4)
    assert (run.engine, run.gpus, run.max_pixels, run.retry) == (config.engine, config.gpus, 1000, "none")
    decode = trial_config(plan, Step(DECODE, Setting(3, 1, 1)))
    assert (decode.engine, decode.gpus, decode.loaders) == ("emulated", "cpu:2", 3)
    assert (decode.short_edge_size, decode.max_size) == (1080, 1920)


def test_limits_follow_the_machine_the_model_and_what_is_fixed():
    plan = make_plan(RunConfig(engine="emulated", gpus="cpu", loaders=5, streams=3, batch_size=7))
    free = limits(plan, frozenset())
    assert free.loaders[0] == 1 and free.loaders[-1] <= 2 * usable_cores() and usable_cores() in free.loaders
    assert free.streams[:2] == (1, 2) and free.batch_sizes[:3] == (1, 2, 4)
    fixed = limits(plan, frozenset(["loaders", "streams", "batch_size"]))
    assert (fixed.loaders, fixed.streams, fixed.batch_sizes) == ((5,), (3,), (7,))
    many = limits(make_plan(RunConfig(engine="emulated", gpus="cpu:1000")), frozenset())
    assert (many.loaders, many.devices) == ((1,), 1000)


def test_a_graph_with_a_batch_of_its_own_is_run_with_that(tmp_path):
    card = {"card": 1, "batch_size": 4}
    model = tmp_path / "fixed.pb"
    model.write_bytes(b"x")
    (tmp_path / "fixed.config.json").write_text(json.dumps(card))
    plan = make_plan(RunConfig(engine="emulated", gpus="cpu", model=str(model)))
    assert limits(plan, frozenset()).batch_sizes == (4,)


def test_a_trial_is_one_line():
    line = " ".join(progress_line(3, TRIALS[0]).split())
    assert line == "3 engine alone streams 1 batch size 1 20.0 frames/s busy 75.0% CPU 4.2 ms a frame (7 s)"
    assert "failed: the engine | takes one frame" in progress_line(4, TRIALS[1])
    assert "\n" not in progress_line(4, TRIALS[1])
    assert "busy" not in progress_line(5, TRIALS[2])


def test_files_that_cannot_be_written_are_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "x.svg").mkdir()
    refused = [("tuned", "a TOML file"), ("none/tuned.toml", "no file can be written"), ("x.toml", "x.svg is a folder")]
    for name, words in refused:
        with pytest.raises(OutputError) as caught:
            OutcomeFiles(str(tmp_path / name))
        assert words in str(caught.value)


def test_options_that_toml_cannot_hold_are_refused_before_anything_is_measured():
    check_options(RunConfig(model="modèle.pb", images="\udcff"))
    with pytest.raises(ConfigError, match="--model .* not UTF-8"):
        check_options(RunConfig(model="\udcff.pb"))


def test_the_ceilings_are_said_as_far_as_they_are_known():
    assert ceiling_lines(tuned(trials=[])) == []
    assert len(ceiling_lines(tuned(trials=TRIALS[:1]))) == 1

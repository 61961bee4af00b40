"""What a report is made of: pieces of HTML, charts, the row for the table of 2019."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml

import pytest

from divainfer.histogram import BOUNDS, Histogram
from divainfer.reporting import charts
from divainfer.reporting.charts import Bars, Line
from divainfer.reporting.markup import code, escaped, shown, table
from divainfer.reporting.seedtable import Row
from divainfer.reporting.svg import VARIABLES

STRANGE = [
    "<script>alert(1)</script>",
    "a\nb",
    'it\'s "quoted" & more',
    "\udcff\udcfe",
    "\x1b[31m",
    "\u202egpj",
    "$x_1$ $",
    "",
    "名",
]


@pytest.mark.parametrize("text", STRANGE)
def test_anything_can_be_shown(text):
    assert "\n" not in shown(text) and shown(text).isprintable()
    shown(text).encode("utf-8")
    for made in (escaped(text), code(text)):
        inside = made.replace("<code>", "").replace("</code>", "")
        assert not re.search("[<>\"']", inside)
        assert xml.fromstring("<p>{}</p>".format(escaped(text))).text in (shown(text), None)


def test_a_table_has_its_rows():
    found = xml.fromstring(table(["a", "<b>"], [[escaped("<x>"), "1"], ["y", "2"]], [1]))
    assert [cell.text for cell in found.iter("td")] == ["<x>", "1", "y", "2"]
    assert [cell.get("class") for cell in found.iter("td")] == [None, "number", None, "number"]


def all_charts(label):
    times = [float(second) for second in range(300)]
    values = [None if second == 50 else second % 7 / 7 for second in range(300)]
    histogram = Histogram()
    histogram.add(0.02, 5)
    yield charts.lines([Line(label, times, values), Line("other", times, values)], "%", 1.0, True, [50.0])
    yield charts.lines([Line("{} {}".format(label, number), times, values) for number in range(20)], "W")
    yield charts.lines([Line(label, [1.0], [None])], "W")
    yield charts.stacked([Bars(label, (0.4, 0.3, 0.2, 0.1)), Bars("other", (0.0, 0.0, 0.0, 0.0))], ["a", "b", "c", "d"])
    yield charts.histogram([(label, histogram.counts), ("other", [])], BOUNDS, "images")
    yield charts.histogram([(label, [0] * 41 + [3])], BOUNDS, "images")
    yield charts.counts([label, "other"], [(label, [1.0, 2.0]), ("other", [0.0, 0.0])], "detections")
    yield charts.columns([(label, [0.0, 1.0])], 0.0, 1.0, "detections", "score")


def test_charts_are_small_vector_pictures_in_the_pages_colours_with_text_as_text():
    for found in all_charts("a worker"):
        picture = xml.fromstring(found)
        assert picture.tag == "svg" and picture.get("viewBox") and picture.get("role") == "img"
        assert len(found) < 40000 and "://" not in found and "<image" not in found
        assert "<text" in found and "#010203" not in found and "var(--ink)" in found
        # What is referred to is there.
        for name in re.findall(r"#([\w.-]+)", found):
            assert 'id="{}"'.format(name) in found
    assert set(re.findall(r"var\((--\w+)\)", found)) <= set(VARIABLES.values())


@pytest.mark.parametrize("name", STRANGE)
def test_names_stand_in_charts_as_they_are(name):
    found = charts.counts([shown(name), "other"], [("A", [1.0, 2.0])], "detections")
    texts = ["".join(node.itertext()) for node in xml.fromstring(found).iter("text")]
    assert not name or shown(name) in texts


@pytest.mark.parametrize("name", STRANGE + ["a$_$b", "v1.23456 #0072b2"])
def test_two_runs_may_have_any_names(name):
    label = shown("A: " + name)
    for found in all_charts(label):
        assert xml.fromstring(found).tag == "svg"
    for found in (
        charts.histogram([(label, [1, 2]), ("B", [2])], BOUNDS, "images"),
        charts.counts(["x"], [(label, [1.0]), ("B", [2.0])], "detections"),
        charts.columns([(label, [0.0, 1.0]), ("B", [1.0, 0.0])], 0.0, 1.0, "detections", "score"),
    ):
        assert label in ["".join(node.itertext()) for node in xml.fromstring(found).iter("text")]


def test_numbers_at_the_axes_are_whole():
    found = charts.counts(["x"], [("A", [0.004])], "detections an image")
    texts = ["".join(node.itertext()) for node in xml.fromstring(found).iter("text")]
    numbers = [float(text) for text in texts if re.match(r"0\.\d+$", text)]
    assert len(numbers) >= 4 and numbers == sorted(set(numbers)) and 0.003 < numbers[-1] < 0.005


def test_the_same_figures_give_the_same_chart():
    assert next(all_charts("x")) == next(all_charts("x"))


def test_lines_differ_in_more_than_colour():
    times = [0.0, 1.0]
    found = charts.lines([Line(str(number), times, [0.0, 1.0]) for number in range(6)], "x")
    dashes = re.findall(r"stroke-dasharray: ([\d.,]+)", found)
    assert len(set(dashes)) == 5


def test_a_value_without_neighbours_is_a_dot():
    def dots(values):
        found = charts.lines([Line("a", [float(time) for time in range(len(values))], values)], "W")
        return sum("fill: var(--blue)" in use for use in re.findall("<use[^>]*>", found))

    for values, expected in (
        ([1.0], 1), ([1.0, None, 1.0], 2), ([None, 1.0, None], 1), ([1.0, 1.0, None, 2.0], 1), ([1.0, 2.0], 0), ([None], 0)
    ):  # fmt: skip
        assert dots(values) == expected, values


def test_the_row_is_markdown():
    row = Row(["RunType", "# Image"], ["a | b", "3"], [])
    assert row.markdown() == "| RunType | # Image |\n| --- | --- |\n| a \\| b | 3 |"

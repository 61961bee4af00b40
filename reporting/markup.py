"""Pieces of HTML. All that comes from outside is escaped here."""

from __future__ import annotations

import html
import re
from typing import Iterable, List, Sequence

from ..console import one_line

_TYPED = re.compile("`([^`]+)`")
_UNPRINTABLE = re.compile("[\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shown(text: object) -> str:
    """Any text or path for people: on one line, valid, and without characters that would show as something else."""
    return _UNPRINTABLE.sub(lambda match: ascii(match.group())[1:-1], one_line(str(text)))


def escaped(text: object) -> str:
    """The same as HTML."""
    return html.escape(shown(text))


def code(value: object) -> str:
    """Text as it stands in a file or on a command line, or a plain value of an option."""
    if isinstance(value, dict):
        value = ["{}: {}".format(name, one) for name, one in value.items()]
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    return "<code>{}</code>".format(escaped(value)) if value not in (None, "") else "–"


def with_code(text: object) -> str:
    """A sentence in which what stands between backticks is typed as it is."""
    return _TYPED.sub(r"<code>\1</code>", escaped(text))


def paragraph(text: object, kind: str = "") -> str:
    """A paragraph of text."""
    return "<p{}>{}</p>".format(' class="{}"'.format(kind) if kind else "", escaped(text))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table.

    Args:
        heads: texts.
        rows: HTML, by `escaped` or `code`.
        numbers: columns that hold numbers.
    """

    def cells(kind: str, row: Sequence[str]) -> str:
        return "".join(
            "<{0}{1}>{2}</{0}>".format(kind, ' class="number"' if place in numbers else "", cell)
            for place, cell in enumerate(row)
        )

    head = cells("th", [escaped(head) for head in heads])
    body = "\n".join("<tr>{}</tr>".format(cells("td", row)) for row in rows)
    return '<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>\n{}\n</tbody></table></div>'.format(head, body)


def section(title: str, parts: Iterable[str]) -> str:
    """A part of the page under a heading; nothing when it is empty."""
    inside: List[str] = [part for part in parts if part]
    if not inside:
        return ""
    return "<section>\n<h2>{}</h2>\n{}\n</section>".format(escaped(title), "\n".join(inside))


def folded(title: str, inside: str) -> str:
    """Something that is read when it is opened; on paper it is open."""
    return "<details><summary>{}</summary>\n{}\n</details>".format(escaped(title), inside)

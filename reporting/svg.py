"""SVG as matplotlib writes it, made fit to stand in a page: small, without addresses, in the page's own colours and letters."""

from __future__ import annotations

import html
import re

#: Of the palette of Okabe and Ito, which eyes of all kinds tell apart. What text and axes are drawn in has colours that nothing
#: else has; the page says what all of them are, by light and by dark.
BLUE, RED, GREEN, PINK, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
INK, PALE = "#010203", "#d1d2d3"
VARIABLES = {
    BLUE: "--blue",
    RED: "--red",
    GREEN: "--green",
    PINK: "--pink",
    ORANGE: "--orange",
    SKY: "--sky",
    INK: "--ink",
    PALE: "--pale",
}

_COLOUR = re.compile("|".join(VARIABLES), re.IGNORECASE)
_NOT_NEEDED = re.compile(
    r"<metadata>.*?</metadata>|<!--.*?-->|\s*<style type=\"text/css\">\*\{[^}]*\}</style>", re.DOTALL
)
_NAMESPACE = re.compile(r'\s(?:xmlns(?::\w+)?|version|width|height)="[^"]*"')
_IDENTIFIER = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r"#([\w.-]+)")
_FONT = re.compile(r"font:\s*(?:\w+\s+)*?([\d.]+px)[^;\"]*")
_FAMILY = re.compile(r"\s*font-family:[^;\"]*;?|\stransform=\"rotate\(-?0(?:\.0)? [^\"]*\)\"")
_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
#: Not the text between them: that has numbers and names of its own.
_TAG = re.compile(r"<[^<>]*>")


def for_page(svg: str, title: str) -> str:
    """The picture as an element of a page.

    Args:
        svg: the file's text.
        title: what it shows, for who cannot see it.
    """
    svg = svg[svg.index("<svg") :].strip()
    head, body = svg[: svg.index(">")], svg[svg.index(">") :]
    head = '{} role="img" aria-label="{}"'.format(_NAMESPACE.sub("", head), html.escape(title))
    body = _NOT_NEEDED.sub("", body).replace("xlink:href", "href")
    body = _TAG.sub(lambda tag: _shortened(tag.group()), body)
    used = set(_REFERENCE.findall(body))
    body = _IDENTIFIER.sub(lambda match: match.group() if match.group(1) in used else "", body)
    return re.sub(r"\s*\n\s*", " ", head + body).replace("> <", "><")


def _shortened(tag: str) -> str:
    """A tag without letters' names and needless digits, and with the page's colours."""
    tag = _NUMBER.sub(r"\1", _FAMILY.sub("", _FONT.sub(r"font-size: \1", tag)))
    return _COLOUR.sub(lambda match: "var({})".format(VARIABLES[match.group().lower()]), tag)

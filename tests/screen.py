"""A terminal of some size, as far as our programs use one: what is to be seen on it after what was written to it."""

from __future__ import annotations

import re
from typing import List

_PIECES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Lines of text and a cursor; what scrolls off the top stays readable."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.lines: List[str] = [""]
        self.row = self.column = 0
        self.cursor_shown = True

    def feed(self, text: str) -> "Screen":
        """Takes what a program has written."""
        position = 0
        for piece in _PIECES.finditer(text):
            assert piece.start() == position, "not understood: {!r}".format(text[position : position + 20])
            position = piece.end()
            number, command, control, plain = piece.groups()
            if plain:
                self._write(plain)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self._down()
            else:
                self._obey(number, command)
        return self

    def _obey(self, number: str, command: str) -> None:
        if command == "A":
            self.row = max(self._top, self.row - int(number or 1))
        elif command == "K":
            assert number == "2"
            self.lines[self.row] = ""
        elif command in "hl":
            assert number == "?25"
            self.cursor_shown = command == "h"
        else:
            assert command == "m", "not understood: {}{}".format(number, command)

    @property
    def _top(self) -> int:
        return max(0, len(self.lines) - self.height)

    def _write(self, text: str) -> None:
        for character in text:
            if self.column == self.width:
                self.column = 0
                self._down()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    @property
    def text(self) -> str:
        """All lines, those that have scrolled off included."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")

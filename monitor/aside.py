"""Asking what may never answer, such as a driver: in a thread of its own, and not for long."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Generic, Optional, Tuple, TypeVar

Answer = TypeVar("Answer")


class NoAnswer(Exception):
    """There is no answer; the text says for how long, or why."""


class Aside(Generic[Answer]):
    """Calls something in a thread, one call at a time.

    Args:
        name: the thread's.
        call: what is called. It may hang: then its thread does, which does not keep the program from its end.
        end: called in the same thread at the end.
        patience: seconds to wait for an answer.
    """

    def __init__(
        self, name: str, call: Callable[..., Answer], end: Callable[[], None] = lambda: None, patience: float = 0.5
    ) -> None:
        self._call = call
        self._end = end
        self._patience = patience
        self._questions: "queue.SimpleQueue[Optional[Tuple[Any, ...]]]" = queue.SimpleQueue()
        self._answers: "queue.SimpleQueue[Tuple[Optional[Answer], Optional[Exception]]]" = queue.SimpleQueue()
        self._asked_at: Optional[float] = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def ask(self, *question: Any) -> Answer:
        """Calls with these arguments.

        While a call hangs it is waited for, and no other one is made; should it end, this is its answer.

        Raises:
            NoAnswer: when there is none yet, or the call has failed.
        """
        if self._asked_at is None:
            self._start()
            self._asked_at = time.monotonic()
            self._questions.put(question)
        try:
            answer, failed = self._answers.get(timeout=self._patience)
        except queue.Empty:
            raise NoAnswer("has not answered for {:.1f} s".format(time.monotonic() - self._asked_at))
        self._asked_at = None
        if failed is not None:
            raise NoAnswer("failed: {!r}".format(failed))
        return answer  # type: ignore[return-value]

    def close(self) -> None:
        """Ends the thread, if it answers."""
        if self._thread.is_alive():
            self._questions.put(None)
            self._thread.join(self._patience)

    def _start(self) -> None:
        if self._thread.is_alive():
            return
        try:
            self._thread.start()
        except RuntimeError as failed:  # The machine allows no more threads.
            raise NoAnswer("is not asked: {}".format(failed))

    def _run(self) -> None:
        question = self._questions.get()
        while question is not None:
            try:
                self._answers.put((self._call(*question), None))
            except Exception as failed:  # Whatever it is, whoever asked goes on without.
                self._answers.put((None, failed))
            question = self._questions.get()
        self._end()

"""Whose turn it is: some analyses run at once, some wait in a line, and whoever comes to a full line is told so.

gradio has a queue of its own, but it hands out places by event and not by analysis: a visitor with fifty clips would
hold a place for all of them, and a page whose progress is drawn by itself would not be told where it stands.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import cache

from app import settings

AT_ONCE, WAITING = 2, 16  # analyses at the same time, and how many may wait for their turn


class BusyError(Exception):
    """The line is full; the message is a sentence for whoever asked."""


class Turns:
    """A line, first come first served: the first `at_once` have their turn, and `waiting` more may stand in it."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.at_once, self.waiting = at_once, waiting
        self._line: list[Turn] = []
        self._moved = threading.Condition(threading.RLock())

    def join(self) -> Turn:
        """A place at the end of the line. Raises BusyError where the line is full."""
        with self._moved:
            place = len(self._line) - self.at_once + 1
            if place > self.waiting:
                raise BusyError(
                    f"The server is busy: your place in the line would be {place}, and it ends at {self.waiting}. "
                    "Please try again in a minute."
                )
            turn = Turn(self)
            self._line.append(turn)
            return turn

    def place(self, turn: Turn) -> int:
        """0 once it is the turn's time, or when it left; else 1 for the next, 2 for the one behind it, and so on."""
        with self._moved:
            return max(0, self._line.index(turn) - self.at_once + 1) if turn in self._line else 0

    def wait(self, turn: Turn, last: int, seconds: float) -> int:
        """The turn's place, once it is another than `last`, or after so many seconds."""
        end = time.monotonic() + seconds
        with self._moved:
            while (place := self.place(turn)) == last and (left := end - time.monotonic()) > 0:
                self._moved.wait(left)
        return place

    def leave(self, turn: Turn) -> None:
        """Give the place up; no harm where it was given up before."""
        with self._moved:
            if turn in self._line:
                self._line.remove(turn)
                self._moved.notify_all()


class Turn:
    """A place in a line."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @property
    def place(self) -> int:
        """0 when it is one's turn, else how many are to have theirs first, and oneself."""
        return self._turns.place(self)

    def wait(self, last: int, seconds: float) -> int:
        """The place, once it is another than `last`, or after so many seconds."""
        return self._turns.wait(self, last, seconds)

    def leave(self) -> None:
        """Give the place up, when done or when no longer wanted."""
        self._turns.leave(self)


@cache
def turns_of_server() -> Turns:
    """The one line of this process: COUPLED_MAMBA_AT_ONCE run at the same time, COUPLED_MAMBA_WAITING may wait.

    Raises InputError where one of them is no whole number.
    """
    return Turns(
        settings.whole_number(settings.AT_ONCE, AT_ONCE, 1), settings.whole_number(settings.WAITING, WAITING)
    )


@cache
def answers_of_server() -> Turns:
    """Another line, for the steps of what is asked of analyses that are done: as many at once, and all may wait.

    So that an answer that takes a second does not stand behind clips that take minutes.
    """
    return Turns(settings.whole_number(settings.AT_ONCE, AT_ONCE, 1), waiting=sys.maxsize)

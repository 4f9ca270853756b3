"""The stages of an analysis: how long each took, how far it is, and a way to stop them all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.estimate import Estimate
from app.memory import give_back

Progress = Callable[[str, float], None]
SELDOM = 0.005  # seconds between two reports of a stage that are passed on

STAGES = {
    "probe": "Opening the clip",
    "sound": "Reading the sound",
    "speech": "Finding speech",
    "words": "Recognising words",
    "text": "Reading the words' meaning",
    "voice": "Describing the voice",
    "faces": "Looking at the face",
    "grid": "Putting all on one time line",
    "model": "Running the coupled network",
}
"""Every stage in the order in which it ends on most clips, and what a person is told while it runs."""


class Stages:
    """Times the stages of one analysis and passes their progress on, from several threads at once.

    Where `progress` raises, that is the wish to stop: every other thread of the analysis gets `StoppedError` at
    its next report. Stages report as often as they can be stopped; `progress` hears of each stage at most once in
    SELDOM seconds, and of every beginning and end. `estimate`, where it is set, hears all.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.timings: dict[str, float] = {}
        self._progress = progress
        self._lock = threading.Lock()
        self.cause: BaseException | None = None
        self.estimate: Estimate | None = None
        self._told: dict[str, float] = {}

    def report(self, name: str, fraction: float) -> None:
        """Say that stage `name` is `fraction` (0..1) done. Raises StoppedError once the analysis is to stop."""
        if self.cause is not None:
            raise StoppedError("another stage stopped") from self.cause
        now = time.perf_counter()
        if self.estimate is not None:
            self.estimate.report(name, fraction, now)
        if self._progress is not None and (not 0 < fraction < 1 or now - self._told.get(name, 0.0) > SELDOM):
            self._told[name] = now
            with self._lock:
                try:
                    self._progress(name, min(1.0, max(0.0, fraction)))
                except BaseException as error:
                    self.stop(error)
                    raise

    def stop(self, cause: BaseException | None) -> None:
        """Make every thread of the analysis stop at its next report, unless `cause` is None; the first one is kept."""
        self.cause = self.cause or cause

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time what happens inside; gives a function that reports the stage's fraction done."""
        self.report(name, 0.0)
        begin = time.perf_counter()
        # Short of the end, which is told once the stage really is at it.
        yield lambda fraction: self.report(name, min(fraction, 0.999))
        self.timings[name] = round(time.perf_counter() - begin, 4)
        give_back()
        self.report(name, 1.0)


class StoppedError(Exception):
    """The analysis was stopped on request."""

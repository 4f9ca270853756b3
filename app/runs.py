"""Analyses under way: run in a thread, watched stage by stage, stopped on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.analysis import Analysis
from app.stages import STAGES, StoppedError
from extractors.cache import Cache

if TYPE_CHECKING:
    from extractors.records import Grid

POLL = 0.15  # seconds between looks at a run


@dataclass
class Run:
    """One analysis: how far each stage is (0..1), when it began, and its end."""

    fractions: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    result: Analysis | None = None
    grid: Grid | None = None  # what the result was read from, for further questions
    error: BaseException | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """How far the whole is, 0..1."""
        return sum(self.fractions.values()) / len(STAGES)

    def report(self, name: str, fraction: float) -> None:
        """Take a stage's progress; raises StoppedError once the run is to stop."""
        if self.stop.is_set():
            raise StoppedError("stopped by the user")
        now = time.perf_counter()
        begin = self.began.setdefault(name, now)
        self.fractions[name] = fraction
        if fraction >= 1:
            self.seconds[name] = now - begin

    def start(
        self, clip: str | Path, transcript: str | Path | None, cache: Cache | None = None
    ) -> threading.Thread:
        """Begin in a thread of its own; what was worked out before is read from the cache."""
        thread = threading.Thread(
            target=self._work, args=(clip, transcript, cache), daemon=True, name="analysis"
        )
        thread.start()
        return thread

    def _work(self, clip: str | Path, transcript: str | Path | None, cache: Cache | None) -> None:
        try:
            from app.analyze import analyze

            self.result = analyze(clip, transcript, self.report, cache, keep=self._keep)
        except Exception as error:  # handed to whoever watches, who decides what a person is told
            self.error = error

    def _keep(self, grid: Grid) -> None:
        self.grid = grid


class Runs:
    """The runs under way by session, so that a session can stop its own.

    What a session's analyses worked out is kept in the folder `kept`, if one is given, for that session alone: nobody
    can learn from a quick answer that another visitor brought the same clip.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._by_session: dict[str, Run] = {}
        self._lock = threading.Lock()

    def watch(self, session: str, clip: str | Path, transcript: str | Path | None) -> Iterator[Run]:
        """Start a run and give it again at every change until it ends; an earlier one of the session is stopped.

        The run is stopped when the iterator is closed.
        """
        run = Run()
        with self._lock:
            earlier = self._by_session.get(session)
            self._by_session[session] = run
        if earlier is not None:
            earlier.stop.set()
        cache = Cache.from_environment(self._kept, session) if self._kept and session else None
        thread = run.start(clip, transcript, cache)
        try:
            seen: dict[str, float] | None = None
            while thread.is_alive() and not run.stop.is_set():
                if run.fractions != seen:
                    seen = dict(run.fractions)
                    yield run
                thread.join(POLL)
            yield run
        finally:
            run.stop.set()
            with self._lock:
                if self._by_session.get(session) is run:
                    del self._by_session[session]

    def stop(self, session: str) -> None:
        """Stop the session's run, if there is one."""
        with self._lock:
            run = self._by_session.get(session)
        if run is not None:
            run.stop.set()

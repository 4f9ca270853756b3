"""Analyses under way: run in a thread when it is their turn, watched stage by stage, stopped on request."""

from __future__ import annotations

import contextvars
import gc
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.analysis import Analysis
from app.estimate import Estimate
from app.memory import give_back
from app.sample import OWNER, is_sample, stages_folder
from app.server.keeping import Rooms
from app.server.turns import BusyError, Turn, Turns, turns_of_server
from app.stages import StoppedError
from extractors.cache import Cache
from extractors.records import InputError
from extractors.words.align import forget_words

if TYPE_CHECKING:
    from extractors.records import Grid

POLL = 0.15  # seconds between looks at a run
Told = TypeVar("Told")


@dataclass
class Run:
    """One analysis: its place in the line, how far each stage is (0..1), when it began, and its end."""

    place: int = 0  # 1 for the next in line, 0 once it has its turn
    fractions: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    result: Analysis | None = None
    grid: Grid | None = None  # what the result was read from, for further questions
    error: BaseException | None = None
    estimate: Estimate | None = None  # of the time left, once the clip is opened
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_under_way(self) -> bool:
        """Whether it waits or works, and is to go on."""
        return self.result is None and self.error is None and not self.stop.is_set()

    @property
    def share(self) -> float:
        """How far the whole is, 0..1; nothing is done before the clip is opened."""
        return 0.0 if self.estimate is None else self.estimate.share()

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
        self,
        clip: str | Path,
        transcript: str | Path | None,
        cache: Cache | None = None,
        done: Callable[[], None] = lambda: None,
        language: str | None = None,
    ) -> threading.Thread:
        """Begin in a thread of its own; what was worked out before is read from the cache. `done` is called at its end.

        The thread sees the context it is begun in: on ZeroGPU that says for whom a GPU is asked.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._work, clip, transcript, cache, done, language),
            daemon=True,
            name="analysis",
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads are to be had
            done()
            raise
        return thread

    def _work(
        self,
        clip: str | Path,
        transcript: str | Path | None,
        cache: Cache | None,
        done: Callable[[], None],
        language: str | None,
    ) -> None:
        try:
            from app.analyze import analyze

            self.result = analyze(
                clip,
                transcript,
                self.report,
                cache,
                language=language,
                keep=self._keep,
                expect=self._expect,
            )
        except StoppedError as error:
            # Without its frames, which hold the clip's sound and features.
            self.error = StoppedError(str(error))
        except Exception as error:  # handed to whoever watches, who decides what a person is told
            self.error = error
        finally:
            try:
                forget_words()
                gc.collect()
                give_back()
            finally:
                done()  # whatever happens: a turn that is not given up stops everybody behind it

    def _keep(self, grid: Grid) -> None:
        self.grid = grid

    def _expect(self, estimate: Estimate) -> None:
        self.estimate = estimate


class Runs:
    """Starts runs when it is their turn, and watches them.

    What a session's analyses worked out is kept in its room, if `rooms` are given, for that session alone: nobody
    can learn from a quick answer that another visitor brought the same clip.
    """

    def __init__(self, rooms: Rooms | None = None, turns: Turns | None = None) -> None:
        self._rooms, self._turns = rooms, turns

    def tell(self, told: Callable[[Run], Told], *asked: Any, **more: Any) -> Generator[Told, None, Run]:
        """What is `told` of a run at every change while it is under way, and in the end the run; else as `watch`."""
        run = Run()
        for run in self.watch(*asked, **more):
            if run.is_under_way:
                yield told(run)
        return run

    def watch(
        self,
        session: str,
        clip: str | Path,
        transcript: str | Path | None,
        *,
        language: str | None = None,
        stop: threading.Event | None = None,
        also: Callable[[], object] = lambda: None,
    ) -> Iterator[Run]:
        """Start a run when it is its turn, and give it again at every change until it ends, with its place until then.

        The run ends early once `stop` is set, and it is set when the iterator is closed. `language` is that of the
        speech. `also` is asked at every look, and another answer counts as a change. Where the line is full, the run's
        error is a BusyError.
        """
        run = Run(stop=stop or threading.Event())
        try:
            yield from self._watch(run, session, clip, transcript, language, also)
        finally:
            if run.is_under_way:
                run.stop.set()

    def _watch(
        self,
        run: Run,
        session: str,
        clip: str | Path,
        transcript: str | Path | None,
        language: str | None,
        also: Callable[[], object],
    ) -> Iterator[Run]:
        try:
            turn = (self._turns or turns_of_server()).join()
        except BusyError as error:
            run.error = error
            yield run
            return
        kept = self._rooms if session else None
        with ExitStack() as ending:
            ending.callback(turn.leave)
            try:
                room = ending.enter_context(kept.at_work(session)) if kept else None
                if kept:
                    ending.enter_context(kept.in_use(clip, transcript))
                yield from _wait(run, turn, also)
                if not run.stop.is_set():
                    cache = _cache_of(session, clip, room) if room else None
                    # From here on the run itself gives all this up, once it really ended.
                    held = ending.pop_all()
                    thread = run.start(clip, transcript, cache, held.close, language)
                    yield from _follow(run, thread, also)
            except (OSError, InputError) as error:  # nowhere to keep what is found
                run.error = error
        yield run


def _cache_of(session: str, clip: str | Path, room: Path) -> Cache | None:
    """The session's own; of the sample also what was found in it for everybody, since it tells of no visitor."""
    if is_sample(Path(clip)):
        return Cache.from_environment(room / "stages", OWNER, stages_folder())
    return Cache.from_environment(room / "stages", session)


def _wait(run: Run, turn: Turn, also: Callable[[], object]) -> Iterator[Run]:
    """The run, at every move in the line and at every change of `also`, until it has its turn or is stopped."""
    run.place = turn.place
    while run.place and not run.stop.is_set():
        yield run
        seen = run.place, also()
        while (now := (turn.wait(run.place, POLL), also())) == seen and not run.stop.is_set():
            continue
        run.place = now[0]


def _follow(run: Run, thread: threading.Thread, also: Callable[[], object]) -> Iterator[Run]:
    """The run, at every change, while its thread is at work and it is not to stop."""
    seen: object = None
    while thread.is_alive() and not run.stop.is_set():
        if (now := (dict(run.fractions), also())) != seen:
            seen = now
            yield run
        thread.join(POLL)

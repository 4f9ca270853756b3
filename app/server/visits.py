"""What every visit has under way, which event ends which of it, and the language that the visit is told in.

An analysis takes seconds to minutes and what follows it seconds, and meanwhile the visitor asks for something else. So
whatever takes time is registered here while it goes on, and ENDS is the one place that says what each event ends. What
was ended stops at its next step and shows nothing more: by then something else is shown.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.i18n.labels import language_of
from app.server.turns import answers_of_server
from app.stages import StoppedError

if TYPE_CHECKING:
    import gradio as gr

ANALYSIS, COMPARISON, BATCH, CALL = "analysis", "comparison", "batch", "call"
SHOW, LOOK, PORTRAY, REPORT = "show", "look", "portray", "report"
RETELL, LOOK_AGAIN, DRAW, WHY, WITHOUT = "retell", "look again", "draw", "why", "without"
# All that belongs to the analysis shown, or that is to be shown.
OF_ONE = (ANALYSIS, SHOW, LOOK, PORTRAY, REPORT, RETELL, LOOK_AGAIN, DRAW, WHY, WITHOUT, COMPARISON)
EVERYTHING = (*OF_ONE, BATCH, CALL)
ENDS = {
    "another": OF_ONE,  # an analysis is begun, with corrected words too, or opened; or the video is another one
    "cancel": (ANALYSIS,),
    "stop comparing": (COMPARISON,),
    "stop all": (BATCH,),
    "delete": EVERYTHING,
    "leave": EVERYTHING,
}
"""What is ended by each event of the page. What is begun also ends what goes on of its own kind, but for calls."""
# By these a visitor stops the work itself, which then says so; what any other event ends shows nothing more.
STOPS = ("cancel", "stop comparing", "stop all")
POLL = 0.15  # seconds between looks at whether one is still wanted while waiting for one's turn
Made = TypeVar("Made")


@dataclass(eq=False)
class Work:
    """Something that a visit asked for and that takes time; `stop` is set once an event ended it."""

    kind: str
    stop: threading.Event = field(default_factory=threading.Event)
    by: str = ""  # the event that ended it
    met: set[str] = field(default_factory=set)  # kinds of what went on beside it at any time

    @property
    def is_replaced(self) -> bool:
        """Whether nothing of it is to be shown any more."""
        return self.stop.is_set() and self.by not in STOPS

    def go_on(self, *_: object) -> None:
        """To be called now and then by what takes long. Raises StoppedError once it was ended."""
        if self.stop.is_set():
            raise StoppedError(f"ended by {self.by!r}")

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step of it, when it is its turn: of all visitors' answers as few are worked out at once as analyses.

        Raises StoppedError where it was ended by then.
        """
        turn = answers_of_server().join()
        try:
            while (place := turn.place) and not self.stop.is_set():
                turn.wait(place, POLL)
            self.go_on()
            yield
        finally:
            turn.leave()


class Visits:
    """The visits of one page, by the session's name."""

    def __init__(self) -> None:
        self._under_way: dict[str, list[Work]] = {}
        self._notes: list[dict[str, Any]] = []
        self._spoken: dict[str, str] = self.notes()
        # When each visit, by its page's own clock, did what is newest of its video.
        self._newest: dict[str, float] = self.notes()
        self._lock = threading.RLock()

    def notes(self) -> dict[str, Any]:
        """A new mapping by session, of which a visit's part goes with the visit."""
        self._notes.append({})
        return self._notes[-1]

    def noted(self) -> set[str]:
        """The sessions of which something is noted and nothing is under way."""
        with self._lock:
            return {session for notes in self._notes for session in list(notes)} - set(self._under_way)

    def forget(self, sessions: Iterable[str]) -> None:
        """Nothing is noted of the sessions any more, whose pages never said that they were left."""
        with self._lock:
            for session in sessions:
                for notes in self._notes:
                    notes.pop(session, None)

    def language(self, request: gr.Request | None) -> str:
        """The language the visitor chose last, also after what is asked for was begun."""
        chosen = self._spoken.get((request and request.session_hash) or "")
        return chosen or language_of(request)

    def speak(self, request: gr.Request) -> None:
        """From now on the visit is told in the request's language; nothing is noted where it has no name."""
        if request.session_hash:
            with self._lock:
                self._spoken[request.session_hash] = language_of(request)

    def is_late(self, request: gr.Request | None, at: object) -> bool:
        """Whether something newer is known of the page's video than what the page did `at`, in ms of its own clock.

        A page's news may overtake one another on their way. None is never late, nor is what a client wrote there that
        is no finite number: kept, it would be in the way of all that the session does later.
        """
        session, told = (request and request.session_hash) or "", _finite(at)
        if told is None or not session:
            return False
        with self._lock:
            newest = self._newest[session] = max(told, self._newest.get(session, told))
        return told < newest

    def has_video(self, request: gr.Request | None) -> bool:
        """Whether the page ever told anything of its video."""
        return ((request and request.session_hash) or "") in self._newest

    def begin(self, session: str, kind: str) -> Work:
        """Work that is under way until it is `finished`. What goes on of its kind is ended, but for calls."""
        work = Work(kind)
        with self._lock:
            under_way = self._under_way.setdefault(session, [])
            if kind != CALL:
                _end(under_way, (kind,), "again")
            for other in under_way:
                if not other.stop.is_set():
                    other.met.add(kind)
                    work.met.add(other.kind)
            under_way.append(work)
        return work

    def end(self, session: str, event: str, only: Work | None = None) -> None:
        """The event, a key of ENDS, ends the session's work that it is to end, or `only` this of it.

        With "leave" the visit is over.
        """
        with self._lock:
            under_way = self._under_way.get(session, [])
            _end([work for work in under_way if only in (None, work)], ENDS[event], event)
            if event == "leave":
                self.forget([session])

    def is_under_way(self, session: str, kind: str) -> bool:
        """Whether the session has work of the kind that was not ended."""
        with self._lock:
            return any(w.kind == kind and not w.stop.is_set() for w in self._under_way.get(session, []))

    def finished(self, session: str, work: Work) -> None:
        """The work is done; no harm where it was before."""
        with self._lock:
            under_way = self._under_way.get(session, [])
            if work in under_way:
                under_way.remove(work)
            if not under_way:
                self._under_way.pop(session, None)

    def finished_in(self, language: str, work: Work, request: gr.Request | None, session: str) -> bool:
        """Finish the work, unless it was not told in the visit's language of now and is still wanted.

        At once, so that whoever chooses another language meets either the work under way or what it showed.
        """
        with self._lock:
            if language != self.language(request) and not work.is_replaced:
                return False
            self.finished(session, work)
            return True

    def answer(self, request: gr.Request | None, kind: str, make: Callable[[str, Work], Made]) -> Made | None:
        """What `make` makes of the visit's language and the work; None where an event ended it before it was done."""
        session = session_of(request)
        work = self.begin(session, kind)
        try:
            while True:
                language = self.language(request)
                made = make(language, work)
                if self.finished_in(language, work, request, session):
                    return None if work.stop.is_set() else made
        except StoppedError:
            return None
        finally:
            self.finished(session, work)


def session_of(request: gr.Request | None) -> str:
    """The session's name; one that nobody else has where there is none, whose files then go by age alone."""
    return (request.session_hash if request is not None else None) or secrets.token_hex()


def _finite(given: object) -> float | None:
    try:
        return float(given) if isinstance(given, (int, float)) and math.isfinite(given) else None
    except OverflowError:  # a whole number beyond all that a float can be
        return None


@cache
def visits_of(folder: str | Path) -> Visits:
    """The visits of the page with the folder: one object for all of the page's parts."""
    return Visits()


def _end(under_way: list[Work], kinds: tuple[str, ...], event: str) -> None:
    for work in under_way:
        if work.kind in kinds and not work.is_replaced:
            work.by = event
            work.stop.set()

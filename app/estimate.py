"""How long an analysis will still take, from what each stage usually costs and from how this clip has gone so far."""

from __future__ import annotations

import threading
import time

from app.i18n import DEFAULT, tell
from extractors.records import MediaInfo

# Seconds of work for a second of clip, on two cores with nothing else to do, in the order of the work: what
# `python -m app.longrun` found for 30 min, 352 and 1350 pixels wide.
HEARING = {"sound": 0.002, "speech": 0.006, "words": 0.055, "text": 0.005, "voice": 0.022}
LOOKING, LOOKING_A_MEGAPIXEL = 0.12, 0.025
AFTER = {"grid": 0.0002, "model": 0.004}
TRUST = 0.2  # the share of a stage from which on its own pace alone counts
START = 3.0  # seconds of work whose pace is taken to be the usual one: the first reports tell little
KEPT = 0.1  # of its usual time: a stage that ended within it was read from the cache


class Estimate:
    """The time left, learnt as the stages report. Reports may come from several threads."""

    def __init__(self, info: MediaInfo) -> None:
        faces = LOOKING + LOOKING_A_MEGAPIXEL * info.width * info.height / 1e6
        usual = (HEARING if info.has_audio else {}) | ({"faces": faces} if info.has_video else {}) | AFTER
        self._usual = {name: cost * info.duration for name, cost in usual.items()}
        self._begun: dict[str, float] = {}
        self._last: dict[str, tuple[float, float]] = {}  # fraction, and when it was told
        self._lock = threading.Lock()

    def report(self, name: str, fraction: float, now: float | None = None) -> None:
        """Take a stage's progress."""
        now = time.perf_counter() if now is None else now
        with self._lock:
            self._begun.setdefault(name, now)
            self._last[name] = (fraction, now)

    def share(self) -> float:
        """How far the work is, 0..1, each stage counted by what it usually costs."""
        with self._lock:
            done = sum(self._usual.get(name, 0.0) * fraction for name, (fraction, _) in self._last.items())
        return min(1.0, done / max(sum(self._usual.values()), 1e-9))

    def left(self, now: float | None = None) -> float:
        """Seconds that the whole will still take: the longer of what runs side by side, then what follows."""
        now = time.perf_counter() if now is None else now
        with self._lock:
            pace = self._pace()
            rest = {name: self._rest(name, pace, now) for name in self._usual}
        hearing = sum(rest.get(name, 0.0) for name in HEARING)
        return max(hearing, rest.get("faces", 0.0)) + sum(rest[name] for name in AFTER)

    def of(self, name: str, now: float | None = None) -> float:
        """Seconds that one stage will still take; 0 for one that is done, or of which nothing is known."""
        now = time.perf_counter() if now is None else now
        with self._lock:
            return self._rest(name, self._pace(), now) if name in self._usual else 0.0

    def _pace(self) -> float:
        """How much longer than usual this clip takes here, from what was done of it so far."""
        taken, usual = START, START
        for name, (fraction, now) in self._last.items():
            spent, cost = now - self._begun[name], self._usual.get(name, 0.0) * fraction
            if fraction < 1 or spent > KEPT * cost:
                taken, usual = taken + (spent if cost else 0.0), usual + cost
        return taken / usual

    def _rest(self, name: str, pace: float, now: float) -> float:
        fraction, told = self._last.get(name, (0.0, now))
        usual = pace * self._usual[name] * (1 - fraction)
        if fraction <= 0:
            return usual
        own = (told - self._begun[name]) * (1 - fraction) / fraction
        trust = min(1.0, fraction / TRUST)
        # What has passed since the last report is of the work that was left then.
        return max(0.0, trust * own + (1 - trust) * usual - (now - told))


def about(seconds: float, language: str = DEFAULT) -> str:
    """The time left, as roughly as it is known: "about 40 s left"."""
    if seconds < 5:
        return tell("left.few", language)
    if seconds < 90:
        return tell("left.seconds", language, number=5 * round(seconds / 5))
    return tell("left.minutes", language, number=round(seconds / 60))

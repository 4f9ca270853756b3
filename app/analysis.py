"""Everything that is known of one clip, as plain data with a versioned JSON form.

An `Analysis` is what the page draws, what `/analyze` returns and what is saved. Scores are in -3..3, times in
seconds from the clip's start; tick i covers ticks.start[i] .. ticks.start[i] + ticks.step, and every line has one
number a tick. A modality that was not observed has presence 0 throughout and is not in `sentiment.alone`.
Numbers are finite: NaN never enters; what is not there at a tick is null, in `tone` alone.

Fields are added under the same schema name where they have a default: earlier readers ignore them, and files without
them are read. The name changes when a field changes its meaning, moves or goes. Added so far: `transcript.sentences`,
`transcript.language`, `sentiment.interval`, `sentiment.alone.*.interval`, `tone`, `confidence`.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.decoding import SchemaError, decode

SCHEMA = "coupled-mamba/1"
MODALITIES = ("text", "audio", "visual")
NAMES = {"text": "words", "audio": "voice", "visual": "face"}  # in files, and in what the analysis says
LOWEST, HIGHEST = -3.0, 3.0
SHARE_TOLERANCE = 1e-4

Line = tuple[float, ...]
Gapped = tuple[float | None, ...]

_LABELS = (
    (-2.5, "strongly negative"),
    (-1.5, "negative"),
    (-0.5, "slightly negative"),
    (0.5, "neutral"),
    (1.5, "slightly positive"),
    (2.5, "positive"),
)


def label(score: float) -> str:
    """The score in words.

    Halfway between whole scores is where one word ends and the next begins: strongly negative < -2.5 <= negative
    < -1.5 <= slightly negative < -0.5 <= neutral < 0.5 <= slightly positive < 1.5 <= positive < 2.5 <= strongly
    positive.
    """
    return next((words for limit, words in _LABELS if score < limit), "strongly positive")


@dataclass(frozen=True)
class Clip:
    """The clip as probed; width, height and fps are 0 where there are no pictures."""

    duration: float
    width: int
    height: int
    fps: float
    has_audio: bool
    has_video: bool


@dataclass(frozen=True)
class TimedWord:
    """A word and when it was said."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """Words in order; source is "given", "embedded", "recognised" or "none".

    sentences[i] is the number of the sentence that words[i] is in; empty where that is not known. language is the code
    of ISO 639-1 of what is said, "und" where it is not English and nothing more is known; empty where it is not told.
    """

    source: str
    words: tuple[TimedWord, ...]
    sentences: tuple[int, ...] = ()
    language: str = ""


@dataclass(frozen=True)
class Ticks:
    """The common grid: start of each tick, and its length."""

    start: Line
    step: float

    def touched(self, start: float, end: float) -> range:
        """The ticks with some of the time from `start` to `end` (seconds) in them; of no time the one it stands in.

        0.6 / 0.2 is a little less than 3: without room for such rounding a time would touch the tick before it.
        """
        first = min(len(self.start) - 1, max(0, int(start / self.step + 1e-6)))
        return range(first, min(len(self.start), max(first + 1, math.ceil(end / self.step - 1e-6))))


@dataclass(frozen=True)
class ClipScore:
    """The clip as a whole; label is the score in words, see `label`."""

    score: float
    label: str


@dataclass(frozen=True)
class Interval:
    """The 90 % interval, as measured on synthetic streams: the clip's is low..high, a tick's ticks_low..ticks_high."""

    low: float
    high: float
    ticks_low: Line
    ticks_high: Line


@dataclass(frozen=True)
class AloneScore:
    """What one modality says with the others masked; interval is None where the model was not calibrated for it."""

    score: float
    ticks: Line
    interval: Interval | None = None


@dataclass(frozen=True)
class Sentiment:
    """Score of the clip, score at every tick, and each observed modality's alone; interval as in `AloneScore`."""

    clip: ClipScore
    ticks: Line
    alone: Mapping[str, AloneScore]
    interval: Interval | None = None


@dataclass(frozen=True)
class Dynamics:
    """The last layer's states: norm of each chain, and share[target][source].

    The signed shares of one target sum to 1 over the sources at every tick, or are all 0 where the target's output
    is zero. A share passes 1 or falls below 0 where sources cancel each other.
    """

    state_norm: Mapping[str, Line]
    share: Mapping[str, Mapping[str, Line]]


@dataclass(frozen=True)
class Tone:
    """How the voice sounds at every tick: nothing of it enters a score in this form.

    pitch: hertz, None where the tick is not voiced. loudness: decibels beside the clip's speech as a whole, which has
    0 dB whatever the recording's volume; None where nobody speaks.
    """

    pitch: Gapped
    loudness: Gapped


@dataclass(frozen=True)
class Analysis:
    """One analysed clip; tone is None without a voice. Raises SchemaError where the parts do not fit together.

    presence: the share of each tick observed times how sure that was, which is what the network is given. confidence:
    how sure alone, 0 where nothing was observed; None in files from before it was added.
    """

    schema: str
    clip: Clip
    transcript: Transcript
    ticks: Ticks
    presence: Mapping[str, Line]
    sentiment: Sentiment
    dynamics: Dynamics
    timings: Mapping[str, float]
    warnings: tuple[str, ...]
    tone: Tone | None = None
    confidence: Mapping[str, Line] | None = None

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise SchemaError(f"schema is {self.schema!r}: this program reads {SCHEMA!r}")
        if not self.ticks.start or not self.ticks.step > 0:
            raise SchemaError("ticks: at least one tick and a step above 0 are needed")
        for where, score in self._scores().items():
            if not LOWEST <= score <= HIGHEST:
                raise SchemaError(f"{where}: {score:g} is outside {LOWEST:g}..{HIGHEST:g}")
        for where, line in self._lines().items():
            _check_line(where, line, len(self.ticks.start))
        named = {*self.presence, *self.sentiment.alone, *self.dynamics.state_norm, *self.dynamics.share}
        for name in {*named, *(self.confidence or {})}:
            if name not in MODALITIES:
                raise SchemaError(f"unknown modality {name!r}: known are {', '.join(MODALITIES)}")
        for target, sources in self.dynamics.share.items():
            _check_shares(target, sources)
        for where, interval in self._intervals().items():
            _check_interval(where, interval)
        if self.tone is not None:
            for name in ("pitch", "loudness"):
                _check_gapped(f"tone.{name}", getattr(self.tone, name), len(self.ticks.start))
        if self.transcript.sentences and len(self.transcript.sentences) != len(self.transcript.words):
            raise SchemaError(
                f"transcript.sentences: {len(self.transcript.sentences)} numbers for "
                f"{len(self.transcript.words)} words: give one a word, or none"
            )

    @property
    def end(self) -> float:
        """Seconds at which the last tick ends."""
        return self.ticks.start[-1] + self.ticks.step

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and tuples with the field names as keys, ready for JSON."""
        return asdict(self)

    def to_json(self, indent: int | None = None) -> str:
        """The JSON text; numbers are rounded to 6 decimals."""
        return json.dumps(_rounded(self.to_dict()), allow_nan=False, ensure_ascii=False, indent=indent)

    @classmethod
    def from_dict(cls, data: Any) -> Analysis:
        """The opposite of `to_dict`. Raises SchemaError that names the place and the value seen."""
        if isinstance(data, Mapping) and data.get("schema") != SCHEMA:
            raise SchemaError(f"schema is {reprlib.repr(data.get('schema'))}: this program reads {SCHEMA!r}")
        return decode(cls, data)

    @classmethod
    def from_json(cls, text: str) -> Analysis:
        """The opposite of `to_json`. Raises SchemaError that names the place and the value seen."""
        try:
            data = json.loads(text)
        except RecursionError:
            raise SchemaError("not a result: its lists stand in one another without end") from None
        except ValueError as error:  # no JSON, or a number of thousands of digits
            raise SchemaError(f"not JSON: {error}") from None
        return cls.from_dict(data)

    def _scores(self) -> dict[str, float]:
        alone = {f"sentiment.alone.{m}.score": a.score for m, a in self.sentiment.alone.items()}
        return {"sentiment.clip.score": self.sentiment.clip.score, **alone}

    def _intervals(self) -> dict[str, Interval]:
        """Every interval that is known, by its place."""
        found = {f"sentiment.alone.{m}.interval": a.interval for m, a in self.sentiment.alone.items()}
        found["sentiment.interval"] = self.sentiment.interval
        return {where: interval for where, interval in found.items() if interval is not None}

    def _lines(self) -> dict[str, Line]:
        """Every line that must have one number a tick, by its place."""
        lines = {"sentiment.ticks": self.sentiment.ticks, "ticks.start": self.ticks.start}
        lines |= {f"presence.{m}": line for m, line in self.presence.items()}
        lines |= {f"confidence.{m}": line for m, line in (self.confidence or {}).items()}
        lines |= {f"sentiment.alone.{m}.ticks": a.ticks for m, a in self.sentiment.alone.items()}
        lines |= {f"dynamics.state_norm.{m}": line for m, line in self.dynamics.state_norm.items()}
        for target, sources in self.dynamics.share.items():
            lines |= {f"dynamics.share.{target}.{m}": line for m, line in sources.items()}
        for where, interval in self._intervals().items():
            lines |= {f"{where}.ticks_low": interval.ticks_low, f"{where}.ticks_high": interval.ticks_high}
        return lines


def _check_line(where: str, line: Line, length: int) -> None:
    if len(line) != length:
        raise SchemaError(f"{where}: {len(line)} numbers for {length} ticks: give one a tick")
    for i, value in enumerate(line):
        if not math.isfinite(value):
            raise SchemaError(f"{where}[{i}]: {value} is not a finite number")


def _check_gapped(where: str, line: Gapped, length: int) -> None:
    _check_line(where, tuple(0.0 if value is None else value for value in line), length)


def _check_interval(where: str, interval: Interval) -> None:
    pairs = [(interval.low, interval.high), *zip(interval.ticks_low, interval.ticks_high, strict=True)]
    for low, high in pairs:
        if not LOWEST <= low <= high <= HIGHEST:
            raise SchemaError(
                f"{where}: {low:g}..{high:g} is no interval within {LOWEST:g}..{HIGHEST:g}: give its low end first"
            )


def _check_shares(target: str, sources: Mapping[str, Line]) -> None:
    for i, parts in enumerate(zip(*sources.values(), strict=True)):
        # Large shares of opposite sign are rounded, so the tolerance grows with them.
        tolerance = SHARE_TOLERANCE * max(1.0, *(abs(p) for p in parts))
        if any(parts) and abs(sum(parts) - 1) > tolerance:
            raise SchemaError(
                f"dynamics.share.{target}: the shares at tick {i} sum to {sum(parts):g}, not to 1"
            )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value

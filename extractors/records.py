"""What extractors return: plain records of values, times and names.

Time is always seconds from presentation timestamps, counted from the clip's start, never frame indices.
An absent modality is an empty track or zero confidence, never invented values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
SecondsArray = NDArray[np.float64]
Progress = Callable[[float], None]  # is called with the share done, 0..1; what it raises ends the work

MODALITIES = ("text", "audio", "visual")


class InputError(ValueError):
    """The clip or the transcript cannot be used; its message is one sentence fit for the person who gave it.

    Files' names come into these sentences, and a name may hold line breaks, control characters or bytes that are no
    text: they are shown as spaces and �.
    """

    def __init__(self, sentence: str) -> None:
        plain = ("\N{REPLACEMENT CHARACTER}" if not (c.isprintable() or c.isspace()) else c for c in sentence)
        super().__init__("".join(" " if c.isspace() else c for c in plain))


@dataclass(frozen=True)
class MediaInfo:
    """A probed clip. `fps` is the average rate and only for display; width and height are after rotation."""

    path: str
    duration: float
    width: int
    height: int
    fps: float
    has_audio: bool
    has_video: bool
    rotation: int = 0


@dataclass(frozen=True)
class Sound:
    """Mono samples [n] in -1..1 at `rate` Hz; sample i was heard at `start + i / rate` seconds."""

    samples: FloatArray
    rate: int = 16_000
    start: float = 0.0

    @property
    def duration(self) -> float:
        """Seconds of sound held."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Frame:
    """One picture: BGR uint8 [height, width, 3], upright, shown at `time` seconds."""

    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Glance:
    """A picture between two that are looked at, shown at `time` seconds; `make` gives it as a Frame's image.

    It is decoded and not yet made: most are never asked for.
    """

    time: float
    make: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class Span:
    """A stretch of time, seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Word:
    """A word as spoken, with its time in seconds and the confidence (0..1) that it was said then."""

    word: str
    start: float
    end: float
    confidence: float = 1.0


@dataclass(frozen=True)
class Transcript:
    """Words in the order spoken, grouped into sentences: `sentences[i]` is the sentence of `words[i]`.

    `source` is "given", "embedded" or "recognised"; "none" where there are no words. `language` is the code of ISO
    639-1, "und" where it is not English and nothing more is known.
    """

    words: tuple[Word, ...] = ()
    sentences: tuple[int, ...] = ()
    source: str = "none"
    language: str = "en"

    def __post_init__(self) -> None:
        if len(self.words) != len(self.sentences):
            raise ValueError(
                f"{len(self.words)} words but {len(self.sentences)} sentence numbers: give one a word"
            )


@dataclass(frozen=True)
class Track:
    """One modality over time.

    values [T, D] float32; start and end [T] seconds; confidence [T] in 0..1, 0 where nothing was observed;
    columns: D names, or one name standing for all of an embedding's D columns.
    """

    values: FloatArray
    start: SecondsArray
    end: SecondsArray
    confidence: FloatArray
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ValueError(f"expected values [T, D], got shape {self.values.shape}")
        for name in ("start", "end", "confidence"):
            length = len(getattr(self, name))
            if length != len(self.values):
                raise ValueError(
                    f"values has {len(self.values)} rows but {name} has {length}: give one a row"
                )


@dataclass(frozen=True)
class Looks:
    """Where the main face was at the looks that found it.

    time [T] seconds; boxes [T, 4]: x, y, width, height as shares (0..1) of the upright picture; count [T]: faces in
    the picture, this one among them.
    """

    time: SecondsArray
    boxes: FloatArray
    count: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.time), 4) or self.count.shape != (len(self.time),):
            raise ValueError(
                f"expected boxes [T, 4] and count [T] for {len(self.time)} times, got shapes {self.boxes.shape} and "
                f"{self.count.shape}"
            )


@dataclass(frozen=True)
class Grid:
    """Every track on the same L ticks of `step` seconds; tick i covers [start[i], start[i] + step).

    values[m] [L, D_m] float32, zero where absent. presence[m] [L] in 0..1: the share of the tick observed times how
    sure that was, which is what the network is given; a tick with presence 0 is masked for that modality.
    confidence[m] [L] in 0..1: how sure what was observed is, whatever its share of the tick; 0 where nothing was. So
    presence / confidence is the share of the tick observed. looks: where the face was found, for pictures of it; the
    network is given neither.
    """

    step: float
    start: SecondsArray
    values: dict[str, FloatArray] = field(default_factory=dict)
    presence: dict[str, FloatArray] = field(default_factory=dict)
    confidence: dict[str, FloatArray] = field(default_factory=dict)
    looks: Looks | None = None

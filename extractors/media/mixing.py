"""Decoded sound mixed to one channel at 16 kHz, and placed by its time stamps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from extractors.records import FloatArray, Sound

RATE = 16_000
GAP = 0.05  # seconds by which sound may stray from its time stamps before it is placed anew
# Hz: no voice is in less, and a small packet of a few samples a second would last for hours.
LEAST_RATE = 1_000
SLACK = 10.0  # seconds past the longest clip that its last packet may last
# Pieces at most, and at most at the beginning and for each second reached: each takes some 5 ms to begin. Half an hour
# with a gap in every second has 1,800.
MOST_PIECES, FIRST_PIECES, PIECES_A_SECOND = 5_000, 300, 10
# A mix in which all channels together have the weight of one, as it has no headroom above them: what is as loud in
# every channel is as loud in the mix, and nothing clips that does not clip in a channel. In floating point ffmpeg
# would let the weights add up to as much as 4.4.
WEIGHED = {"rematrix_maxval": "1"}
MIXED = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24}  # channels without names that ffmpeg knows how to mix


@dataclass
class Mixer:
    """Decoded sound of any layout and rate, mixed to 16 kHz and placed by its time stamps.

    The mix is to `layout`, and its first channel is kept: "mono" is everything, "stereo" leaves out the right. The same
    sound in every channel is the same sound in the mix.
    """

    longest: float
    layout: str = "mono"
    # Each piece's place, in samples, and its samples in one growing buffer: thousands of small arrays would leave
    # their memory in holes that nothing else fits.
    pieces: list[tuple[int, bytearray]] = field(default_factory=list)
    _resampler: Any = None
    _kind: tuple[Any, ...] = ()
    _due: float = 0.0
    _before: int = 0  # bytes in all pieces but the last
    overfull: bool = False  # there was more than a clip can need, which was left out

    def add(self, time: float | None, frame: Any) -> bool:
        """Take a frame heard at `time` seconds (None: after the last); False once the clip is at its longest.

        Raises FFmpegError, OSError or ValueError where its sound cannot be converted.
        """
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        time = self._due if time is None else time
        if time > self.longest:
            return False
        if frame.sample_rate < LEAST_RATE:
            raise ValueError(f"expected sound of at least {LEAST_RATE} Hz, got {frame.sample_rate}")
        lasting = frame.samples / frame.sample_rate
        if self._is_too_much(time + lasting):
            self.overfull = True
            return False
        if kind != self._kind or abs(time - self._due) > GAP:
            self._begin(time, kind)
        self._due += lasting
        try:
            self._keep(self._resampled(frame))
        except (av.FFmpegError, OSError, ValueError):
            self._resampler, self._kind = None, ()  # it would fail again when it is emptied
            raise
        return True

    def _is_too_much(self, end: float) -> bool:
        """Whether a frame that ends there is more than a clip can need: packets may all hold, or begin, at one time."""
        kept = sum(len(data) for _, data in self.pieces[-1:]) + self._before
        most = self.longest + SLACK
        pieces = min(MOST_PIECES, FIRST_PIECES + PIECES_A_SECOND * end)
        return end > most or kept > 4 * RATE * most or len(self.pieces) > pieces

    def _begin(self, time: float, kind: tuple[Any, ...]) -> None:
        """Begin a piece at `time` of frames of the kind."""
        self._flush()
        self._before += sum(len(data) for _, data in self.pieces[-1:])
        self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=RATE, options=WEIGHED)
        self._kind, self._due = kind, time
        self.pieces.append((round(time * RATE), bytearray()))

    def _resampled(self, frame: Any) -> list[Any]:
        frame.pts = None  # the resampler would fill gaps of its own accord; places are kept here
        count = frame.layout.nb_channels
        if count not in MIXED and frame.layout.name == f"{count} channels":
            frame = _averaged(frame, first=self.layout != "mono")
        return list(self._resampler.resample(frame))

    def overwritten(self) -> float:
        """The share, 0..1, of the sound taken that other sound takes the place of: its times began anew."""
        pieces = sorted((place, place + len(data) // 4) for place, data in self.pieces)
        taken, free, reached = sum(end - place for place, end in pieces), 0, -math.inf
        for place, end in pieces:
            free += int(max(0, end - max(place, reached)))
            reached = max(reached, end)
        return 1 - free / taken if taken else 0.0

    def sound(self) -> Sound | None:
        """Everything taken, gaps as silence, from the first sample's time, and let go of; None where nothing was."""
        self._flush()
        self.pieces = [(place, data) for place, data in self.pieces if data]
        if not self.pieces:
            return None
        first = max(0, min(place for place, _ in self.pieces))
        if len(self.pieces) == 1:  # as nearly always: half an hour is not held twice
            place, data = self.pieces.pop()
            whole = np.frombuffer(data, np.float32)[max(0, first - place) :]
        else:
            whole = self._join(first)
        # Floating-point tracks can hold anything at all.
        np.nan_to_num(whole, copy=False, posinf=1.0, neginf=-1.0)
        return Sound(np.clip(whole, -1.0, 1.0, out=whole), RATE, first / RATE)

    def _join(self, first: int) -> FloatArray:
        """The pieces at their places from sample `first` on, each let go of once it is copied."""
        last = max(place + len(data) // 4 for place, data in self.pieces)
        whole = np.zeros(max(0, last - first), np.float32)
        self.pieces.reverse()
        while self.pieces:
            place, data = self.pieces.pop()
            kept = np.frombuffer(data, np.float32)[max(0, first - place) :]
            begin = max(place, first) - first
            whole[begin : begin + len(kept)] = kept
        return whole

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))

    def _keep(self, frames: list[Any]) -> None:
        for frame in frames:
            self.pieces[-1][1].extend(frame.to_ndarray()[0].tobytes())


def _averaged(frame: Any, first: bool) -> Any:
    """The frame's channels, or the first alone, as one of floating point."""
    planes = frame.to_ndarray()
    channels = planes if frame.format.is_planar else planes.reshape(-1, frame.layout.nb_channels).T
    if channels.dtype.kind in "iu":
        middle = 128 if channels.dtype == np.uint8 else 0  # the one kind without a sign
        channels = (channels.astype(np.float64) - middle) / 2 ** (8 * channels.dtype.itemsize - 1)
    mono = channels[0] if first else channels.mean(axis=0)
    made = av.AudioFrame.from_ndarray(mono[None].astype(np.float32), format="fltp", layout="mono")
    made.sample_rate = frame.sample_rate
    return made

"""Packets to pictures and sound: what `reading` is made of once a container is open.

Damage is counted, not raised: a packet that cannot be decoded is skipped and the next one tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from extractors.media.codecs import is_drawable
from extractors.records import FloatArray, Sound

RATE = 16_000
WHOLE = 0.97  # a stream decoded to this share counts as whole: headers round their durations
HOLES = {"audio": 0.5, "video": 2.0}  # seconds without a packet that are told; slow pictures are none
GAP = 0.05  # seconds by which sound may stray from its time stamps before it is placed anew


@dataclass
class Tally:
    """How much of a stream was read: packets that decoded, packets that did not, the end of the last, seconds.

    `missing` is the seconds between packets that the file skips. In a file without an index, nothing else tells that
    a part of it was overwritten.
    """

    good: int = 0
    bad: int = 0
    end: float = 0.0
    missing: float = 0.0

    def take_time(self, kind: str, start: float, duration: float) -> None:
        """Note that a packet lasts `duration` seconds from `start` on, in a stream of "audio" or "video"."""
        if self.end > 0 and start - self.end > HOLES[kind]:
            self.missing += start - self.end
        self.end = max(self.end, start + duration)

    def warning(self, what: str, promised: int, duration: float) -> str | None:
        """A sentence with the share decoded, or None where all was.

        `promised` is the packet count the header gives (0 where it gives none) and `duration` the clip's,
        seconds.
        """
        expected = max(promised, self.good + self.bad)
        if not promised and duration > 0 and self.end < WHOLE * duration - 1:
            expected = max(expected, round((self.good + self.bad) * duration / max(self.end, 0.04)))
        if expected == 0 or self.good >= WHOLE * expected:
            return f"The file holds no {what} for {self.missing:.1f} s of its time." if self.missing else None
        unit = "frames" if what == "pictures" else "packets of sound"
        share = round(100 * self.good / expected)
        return f"The file is damaged or cut short: decoded {self.good:,} of {expected:,} {unit}, {share} %."


def decode(
    container: InputContainer, stream: Any, start: float, tally: Tally
) -> Iterator[tuple[float | None, Any]]:
    """Time and frame of all that the stream holds, in presentation order, past any damage, counted in `tally`.

    `start` is the time, as the file counts it, that is the clip's zero. A frame without a time stamp has time None.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            packet = None  # the container itself breaks off here: flush the decoder and end
        frames = decode_packet(stream, packet, tally)
        if packet is not None and packet.size:
            time = packet.pts if packet.pts is not None else packet.dts
            if time is not None:
                base = packet.time_base
                tally.take_time(stream.type, float(time * base) - start, float((packet.duration or 0) * base))
        for frame in frames:
            # Not frame.time: the last frames, drained from the decoder, come without a time base of their own.
            yield None if frame.pts is None else float(frame.pts * stream.time_base) - start, frame
        if packet is None:
            return


def decode_packet(stream: Any, packet: Any, tally: Tally) -> list[Any]:
    """Frames that the packet completes; none where it is damaged. No packet, or an empty one, drains the decoder."""
    counted = packet is not None and packet.size > 0
    try:
        frames = stream.decode(packet if counted else None)
    except av.error.EOFError:
        return []  # drained before
    except (av.FFmpegError, ValueError):
        tally.bad += 1
        # With several threads a packet's damage may come to light only when drained, after it was counted as good.
        tally.good -= not counted and tally.good > 0
        return []
    tally.good += counted
    return [frame for frame in frames if stream.type != "video" or is_drawable(frame)]


def slots(per_second: float | None) -> Callable[[float], bool]:
    """Whether a time, each later than the one before, is the first in its slot of 1 / per_second; None: all are."""
    last = -1

    def due(time: float) -> bool:
        nonlocal last
        slot = last + 1 if per_second is None else math.floor(time * per_second + 1e-6)
        last, before = max(slot, last), last
        return slot > before

    return due


def picture(frame: Any, long_side: int | None, aspect: float = 1.0) -> NDArray[np.uint8]:
    """The frame as upright BGR [height, width, 3], its longer side at most `long_side` pixels.

    Pixels of the picture are square; `aspect` is a stored pixel's width over its height.
    """
    width, height = frame.width * aspect, float(frame.height)
    scale = 1.0 if long_side is None else min(1.0, long_side / max(width, height))
    size = {"width": max(2, round(width * scale)), "height": max(2, round(height * scale))}
    image = frame.reformat(**size, format="bgr24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(image, turns(frame) // 90))


def turns(frame: Any) -> int:
    """Degrees (0, 90, 180, 270) counter-clockwise by which the stored picture is to be turned to be upright."""
    return round((frame.rotation or 0) / 90) * 90 % 360


def pixel_aspect(stream: Any) -> float:
    """Width of a pixel over its height; 1 where the file gives none or an absurd one."""
    aspect = stream.sample_aspect_ratio
    return float(aspect) if aspect and 0.4 <= aspect <= 2.5 else 1.0


@dataclass
class Mixer:
    """Decoded sound of any layout and rate, mixed to 16 kHz and placed by its time stamps.

    The mix is to `layout`, and its first channel is kept: "mono" is everything, "stereo" leaves out the right.
    """

    longest: float
    layout: str = "mono"
    # Each piece's place, in samples, and its samples in one growing buffer: thousands of small arrays would leave
    # their memory in holes that nothing else fits.
    pieces: list[tuple[int, bytearray]] = field(default_factory=list)
    _resampler: Any = None
    _kind: tuple[Any, ...] = ()
    _due: float = 0.0

    def add(self, time: float | None, frame: Any) -> bool:
        """Take a frame heard at `time` seconds (None: after the last); False once the clip is at its longest."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        time = self._due if time is None else time
        if time > self.longest:
            return False
        if kind != self._kind or abs(time - self._due) > GAP:
            self._flush()
            self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=RATE)
            self._kind = kind
            self.pieces.append((round(time * RATE), bytearray()))
            self._due = time
        self._due += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would fill gaps of its own accord; places are kept here
        self._keep(self._resampler.resample(frame))
        return True

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

"""Packets to pictures and sound: what `reading` is made of once a container is open.

Damage is counted, not raised: a packet that cannot be decoded is skipped and the next one tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from extractors.media.codecs import is_drawable
from extractors.media.packets import packets
from extractors.media.tally import Tally


def decode(
    container: InputContainer, stream: Any, start: float, tally: Tally
) -> Iterator[tuple[float | None, Any]]:
    """Time and frame of all that the stream holds, in presentation order, past any damage, counted in `tally`.

    `start` is the time, as the file counts it, that is the clip's zero. A frame without a time stamp has time None.
    """
    for packet in itertools.chain(packets(container, stream, tally=tally), [None]):
        frames = decode_packet(stream, packet, tally)
        if packet is not None and packet.size and not packet.is_discard:  # an edit list leaves packets out
            time = packet.pts if packet.pts is not None else packet.dts
            if time is not None:
                base = packet.time_base
                tally.take_time(stream.type, float(time * base) - start, float((packet.duration or 0) * base))
        for frame in frames:
            # Not frame.time: the last frames, drained from the decoder, come without a time base of their own.
            yield None if frame.pts is None else float(frame.pts * stream.time_base) - start, frame


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
    drawable = [frame for frame in frames if stream.type != "video" or is_drawable(frame)]
    if counted:
        tally.take_frames(whole=len(drawable) == len(frames))
    return drawable


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
    if is_mirrored(frame):
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, turns(frame) // 90))


def turns(frame: Any) -> int:
    """Degrees (0, 90, 180, 270) counter-clockwise by which the stored picture is to be turned to be upright.

    One that is mirrored is turned after its left and right were exchanged.
    """
    a, b, _, _ = _layout(frame)
    degrees = 180 * is_mirrored(frame) - math.degrees(math.atan2(b, a))
    return round(degrees / 90) * 90 % 360


def is_mirrored(frame: Any) -> bool:
    """Whether the picture is stored as in a mirror, as some phones do with their front camera."""
    a, b, c, d = _layout(frame)
    return a * d < b * c


def _layout(frame: Any) -> tuple[float, float, float, float]:
    """a, b, c, d where what is stored at (x, y) is shown at (ax + cy, bx + dy) (ISO 14496-12, 8.3.2.3).

    The angle that PyAV makes of it does not show a mirror, and is any number where the matrix shows nothing at all.
    """
    if "DISPLAYMATRIX" not in frame.side_data:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32)[:5].tolist()
    return a, b, c, d


def pixel_aspect(stream: Any) -> float:
    """Width of a pixel over its height; 1 where the file gives none or an absurd one."""
    aspect = stream.sample_aspect_ratio
    return float(aspect) if aspect and 0.4 <= aspect <= 2.5 else 1.0

"""A few pictures of a clip, found by time: those of the face at chosen moments.

A look's box is of the picture at that very time, so that picture is found again: from the last key frame before it.
Where recordings may be joined the times are those of the whole, which the file knows nothing of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from extractors.media.decode import decode_packet, picture, pixel_aspect
from extractors.media.opening import Limits, clip_start, first_stream, open_clip
from extractors.media.packets import JOINED, packets
from extractors.media.tally import Tally
from extractors.records import FloatArray, Frame, Looks

SIDE = 112  # pixels of a face's picture: twice what a page shows, for dense screens
MARGIN = 1.35  # how much wider than the box, which ends at the chin and the brows
QUALITY = 80  # of a JPEG, 0..100: some 4 kB each
NEAR = 0.5  # seconds within which a look stands for a moment
EXACT = 1e-3  # seconds by which times may differ that are the same
LATE = 0.06  # seconds after its time stamp that a picture still counts as found
CLOSE = 0.5  # seconds before it from which every picture is decoded
EARLIER = 10.0  # seconds by which to seek further back where a container without an index lands too late
MOST_DECODED = 1500  # pictures decoded in search of one: a minute without a key frame


def face_pictures(
    path: str | Path, looks: Looks, moments: Sequence[float], limits: Limits | None = None
) -> list[tuple[float, bytes]]:
    """(seconds, JPEG of SIDE x SIDE pixels) of the face nearest to each moment, in order; none where it was not seen.

    A picture that cannot be found again, in a damaged file, is left out.

    Raises:
        InputError: the file cannot be opened.
    """
    chosen = sorted({i for moment in moments for i in _nearest(looks, moment)})
    found = []
    with open_clip(path, limits or Limits.from_environment()) as container:
        stream = first_stream(container, "video")
        if stream is None:
            return []
        find = _walked if container.format.name in JOINED else _sought
        for i, still in zip(chosen, find(container, stream, looks.time[chosen].tolist()), strict=True):
            if still is not None:
                found.append((still.time, _cut(still.image, looks.boxes[i])))
    return found


def _nearest(looks: Looks, moment: float) -> list[int]:
    """The look nearest to the moment, in a list that is empty where none is near."""
    apart = np.abs(looks.time - moment)
    return [int(apart.argmin())] if len(apart) and apart.min() <= NEAR else []


def _sought(container: InputContainer, stream: Any, times: Sequence[float]) -> Iterator[Frame | None]:
    """The clip's picture at each of the times, upright, from the key frame before it that the container finds."""
    for time in times:
        found = None
        for back in (0.0, EARLIER):
            try:
                container.seek(int((clip_start(container) + max(0.0, time - back)) * av.time_base))
            except (av.FFmpegError, OSError):
                break
            found = _at(container, stream, time, packets(container, stream))
            if found is not None:
                break
        yield found


def _walked(container: InputContainer, stream: Any, times: Sequence[float]) -> Iterator[Frame | None]:
    """What `_sought` gives, of a container in which seeking goes by the times of one recording; `times` ascend.

    All packets are read from the first on. Those since the last key frame before a time are held, and decoded.
    """
    coming, start = packets(container, stream), clip_start(container)
    held: list[Any] = []
    for time in times:
        before, held = held, []
        for packet in itertools.chain(before, coming):
            if (
                packet.is_keyframe
                and packet.pts is not None
                and _seconds(packet.pts, packet) - start <= time + EXACT
            ):
                held.clear()
            held.append(packet)
            del held[MOST_DECODED:]  # none in a minute: the time is not reached
            # No packet after this one is shown before it is decoded.
            if packet.dts is not None and _seconds(packet.dts, packet) - start > time + LATE:
                break
        yield _at(container, stream, time, held)


def _at(container: InputContainer, stream: Any, time: float, coming: Iterable[Any]) -> Frame | None:
    """The picture of that time that the packets hold; None where they begin later."""
    start = clip_start(container)
    for frame in _decoded(stream, itertools.islice(coming, MOST_DECODED), start + time - CLOSE):
        stamp = -1.0 if frame.pts is None else _seconds(frame.pts, stream) - start
        if stamp >= time - EXACT:
            found = stamp <= time + LATE and not frame.is_corrupt
            return Frame(stamp, picture(frame, None, pixel_aspect(stream))) if found else None
    return None


def _decoded(stream: Any, coming: Iterable[Any], near: float) -> Iterator[Any]:
    """All frames of the packets that are shown after `near`, and those before that others are made from."""
    codec = stream.codec_context
    codec.flush_buffers()
    for packet in itertools.chain(coming, [None]):
        if packet is not None:
            # On the way there, pictures that no other is made from are passed over: about half of them.
            is_near = packet.pts is None or _seconds(packet.pts, packet) > near
            codec.skip_frame = "DEFAULT" if is_near else "NONREF"
        yield from decode_packet(stream, packet, Tally())


def _seconds(stamp: int, timed: Any) -> float:
    return float(stamp * timed.time_base)


def _cut(image: NDArray[np.uint8], box: FloatArray) -> bytes:
    """The face with some room around it, square and inside of the picture, as JPEG."""
    height, width = image.shape[:2]
    x, y, across, down = (float(share) for share in box)
    side = min(MARGIN * max(across * width, down * height), width, height)
    left = min(max(0.0, (x + across / 2) * width - side / 2), width - side)
    top = min(max(0.0, (y + down / 2) * height - side / 2), height - side)
    edge = max(1, int(side))
    face = image[int(top) : int(top) + edge, int(left) : int(left) + edge]
    small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()

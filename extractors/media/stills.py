"""A few pictures of a clip, found by time: those of the face at chosen moments.

A look's box is of the picture at that very time, so that picture is found again: from the last key frame before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from extractors.media.decode import decode_packet, picture, pixel_aspect
from extractors.media.opening import Limits, clip_start, first_stream, open_clip
from extractors.media.tally import Tally
from extractors.records import FloatArray, Frame, Looks

SIDE = 112  # pixels of a face's picture: twice what a page shows, for dense screens
MARGIN = 1.35  # how much wider than the box, which ends at the chin and the brows
QUALITY = 80  # of a JPEG, 0..100: some 4 kB each
NEAR = 0.5  # seconds within which a look stands for a moment
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
        for i in chosen if stream is not None else ():
            still = _find(container, stream, float(looks.time[i]))
            if still is not None:
                found.append((still.time, _cut(still.image, looks.boxes[i])))
    return found


def _nearest(looks: Looks, moment: float) -> list[int]:
    """The look nearest to the moment, in a list that is empty where none is near."""
    apart = np.abs(looks.time - moment)
    return [int(apart.argmin())] if len(apart) and apart.min() <= NEAR else []


def _find(container: InputContainer, stream: Any, time: float) -> Frame | None:
    """The clip's picture at `time`, upright."""
    for back in (0.0, EARLIER):
        try:
            container.seek(int((clip_start(container) + max(0.0, time - back)) * av.time_base))
            found = _first_from(container, stream, time)
        except (av.FFmpegError, OSError):
            return None
        if found is not None:
            return found
    return None


def _first_from(container: InputContainer, stream: Any, time: float) -> Frame | None:
    """The picture of that time among those that follow; None where they begin later."""
    start, codec = clip_start(container), stream.codec_context
    for packet in itertools.islice(container.demux(stream), MOST_DECODED):
        # On the way there, pictures that no other is made from are passed over: about half of them.
        near = packet.pts is None or float(packet.pts * packet.time_base) - start > time - CLOSE
        codec.skip_frame = "DEFAULT" if near else "NONREF"
        for frame in decode_packet(stream, packet, Tally()):
            stamp = -1.0 if frame.pts is None else float(frame.pts * stream.time_base) - start
            if stamp >= time - 1e-3:
                found = stamp <= time + LATE and not frame.is_corrupt
                return Frame(stamp, picture(frame, None, pixel_aspect(stream))) if found else None
    return None


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

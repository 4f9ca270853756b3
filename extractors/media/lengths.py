"""How long a clip is, and what a stream that was read lacks of what the headers promise."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer

from extractors.media.opening import clip_start, header_seconds, open_anew
from extractors.media.packets import JOINED, packets
from extractors.media.tally import WHOLE, Tally

# Containers without a length: what ffmpeg tells is reckoned from the bytes of the first packets, or from the last time
# stamp, which begins anew where two recordings were joined.
RECKONED = JOINED | {"mp3", "mpegvideo"}
FAR = 1.0  # seconds by which such a length may be wrong
LEAST_PACKET = 32  # samples that a packet of any compressed sound holds at least
ROUNDED = 0.02  # seconds by which two lengths in a header may differ that are the same


def clip_seconds(container: InputContainer) -> float:
    """The clip's seconds by its header, or by its last packet where the header cannot be believed.

    So it is with browsers' webm, which says nothing, with Matroska that begins late, whose length counts from 0, and
    with containers that have no length.
    """
    seconds = header_seconds(container)
    late = "matroska" in container.format.name and clip_start(container) > FAR
    if seconds > 0 and not late and container.format.name not in RECKONED:
        return seconds
    last = _last_end(container)
    return last if late or abs(last - seconds) > FAR else seconds


def _last_end(container: InputContainer) -> float:
    """The seconds at which the last packet of any stream ends, 0 where there is none."""
    start, last = clip_start(container), 0.0
    with contextlib.suppress(av.FFmpegError, OSError), _from_start(container) as whole:
        for packet in packets(whole):
            if packet.pts is not None and packet.size and not packet.is_discard:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
    return last


@contextlib.contextmanager
def _from_start(container: InputContainer) -> Iterator[InputContainer]:
    """The container at its beginning: opened anew if it is an ogg, in which no way leads back to an earlier link."""
    if container.format.name == "ogg":
        with open_anew(container) as anew:
            yield anew
    else:
        container.seek(0)
        yield container


def damage(what: str, container: InputContainer, stream: Any, tally: Tally) -> str | None:
    """A sentence on what the stream, read to its end, lacks of what the headers promise; None where it is whole."""
    clip = clip_seconds(container)
    seconds = _stream_seconds(container, stream, clip)
    promised = _promised(stream, seconds)
    # Matroska promises a length of the clip alone: where another stream keeps it, this one merely ends before.
    least = WHOLE * clip - 1
    if not promised and seconds == clip and tally.end < least <= _last_end(container):
        tally.gaps.append(seconds - tally.end)
        seconds = tally.end
    told = tally.warning(what, promised, seconds)
    if told is None and tally.end > clip + FAR:
        return (
            f"The file says that it lasts {clip:.1f} s and holds {what} until {tally.end:.1f} s: what comes later than "
            "it says is left out."
        )
    return told


def _stream_seconds(container: InputContainer, stream: Any, clip: float) -> float:
    """The stream's seconds by its header, or the clip's where it says nothing, or reckons."""
    if not stream.duration or container.format.name in RECKONED:
        return clip
    seconds = float(stream.duration * stream.time_base)
    return clip if abs(seconds - clip) < ROUNDED else seconds


def _promised(stream: Any, seconds: float) -> int:
    """The packets that the header promises, 0 where it gives no number that goes with the stream's `seconds`.

    An mp4 that was cut by its edit list still counts what is not to be shown, and mov and avi count uncompressed sound
    by samples.
    """
    if stream.type == "video":
        lasting = float(stream.frames / stream.average_rate) if stream.average_rate else seconds
    else:
        samples, rate = stream.codec_context.frame_size or LEAST_PACKET, stream.rate or 0
        lasting = stream.frames * samples / rate if rate else math.inf
        if not stream.codec_context.frame_size:
            lasting = seconds if lasting <= seconds else math.inf
    return int(stream.frames) if abs(lasting - seconds) <= (1 - WHOLE) * seconds + 1 else 0

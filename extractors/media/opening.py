"""A clip's container opened, once it is known to keep to the limits and without following it to any other file."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from extractors.media.codecs import WHITELIST, is_read
from extractors.records import InputError

# Containers by their ffmpeg names. Playlists (concat, hls, dash) are left out: they open other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,wav,mp3,ogg,flac"
SPOKEN_FORMATS = "mp4, mov, webm, mkv, avi or mpg; wav, mp3, m4a, ogg or flac"
ADDRESS = re.compile("(?:https?|ftps?|rtsp|rtmp):/", re.IGNORECASE)  # as a path writes it: with one slash
TIMEOUT = 30.0  # seconds without a byte before a read is given up


@dataclass(frozen=True)
class Limits:
    """What a clip may cost, checked before any decoding; each can be set by an environment variable.

    The variables are COUPLED_MAMBA_ and the field's name in capitals, for example COUPLED_MAMBA_MAX_SECONDS.
    """

    max_bytes: int = 500_000_000
    max_seconds: int = 1800
    max_width: int = 4096
    max_height: int = 4096
    max_streams: int = 32

    @classmethod
    def from_environment(cls) -> Limits:
        """The defaults, with whatever the environment sets instead.

        Raises:
            InputError: a variable is not a positive whole number.
        """
        values = {}
        for name in (f.name for f in fields(cls)):
            text = os.environ.get(_variable(name), "")
            if text and not (text.isascii() and text.isdigit() and int(text) > 0):
                raise InputError(f"{_variable(name)} is {text!r}: a positive whole number is needed.")
            if text:
                values[name] = int(text)
        return cls(**values)

    def check(self, name: str, value: float, unit: str) -> None:
        """Raise InputError where `value` passes the limit called `name`."""
        limit = getattr(self, name)
        if value > limit:
            told = max(round(value), limit + 1)  # a little past the limit must not read like the limit itself
            raise InputError(
                f"The clip has {told:,} {unit}, more than the limit of {limit:,}: "
                f"cut it or raise {_variable(name)}."
            )


def _variable(name: str) -> str:
    return f"COUPLED_MAMBA_{name.upper()}"


def open_clip(path: str | Path, limits: Limits) -> InputContainer:
    """The container, opened without following references to other files or to the network, for the caller to close.

    Raises:
        InputError: no such file, not a clip, past a limit.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(f"{path.name or path} is a folder: give a video file.")
        if size == 0:
            raise InputError(f"{path.name} is empty (0 bytes).")
        limits.check("max_bytes", size, "bytes")
        container = _open(str(path.resolve()))
    except InputError:
        raise
    except FileNotFoundError:
        if ADDRESS.match(str(path)):
            raise InputError("There is no file there: addresses are not fetched, so name a file.") from None
        raise InputError(f"There is no file {path.name}.") from None
    except PermissionError:
        raise InputError(f"{path.name} cannot be read: permission is denied.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            raise InputError(f"There is no file {path.name}.") from None
        raise InputError(
            f"{path.name} cannot be read as a video or as sound ({SPOKEN_FORMATS}): it is of another kind, damaged, or "
            "cut short."
        ) from None
    try:
        _check_streams(container, limits)
    except InputError:
        container.close()
        raise
    return container


def open_anew(container: InputContainer) -> InputContainer:
    """The same file opened once more, for the caller to close.

    Raises FFmpegError or OSError where it is there no longer.
    """
    return _open(container.name)


def _open(path: str) -> InputContainer:
    return av.open(
        path,
        metadata_errors="replace",
        timeout=TIMEOUT,
        container_options={
            "format_whitelist": FORMATS,
            "protocol_whitelist": "file",
            "codec_whitelist": WHITELIST,
        },
    )


def _check_streams(container: InputContainer, limits: Limits) -> None:
    """Raise InputError where the header already says that the clip passes a limit."""
    limits.check("max_streams", len(container.streams), "streams")
    for stream in container.streams.video:
        if stream.codec_context is None or is_cover(stream):  # `first_stream` passes them over
            continue
        limits.check("max_width", stream.width, "pixels across")
        limits.check("max_height", stream.height, "pixels down")
        # The header can lie: the decoder itself refuses pictures past the limit.
        stream.codec_context.options = {"max_pixels": str(limits.max_width * limits.max_height)}
    late = clip_start(container) if "matroska" in container.format.name else 0.0  # its length counts from 0
    limits.check("max_seconds", header_seconds(container) - max(late, 0.0), "seconds")


def first_stream(container: InputContainer, kind: str, passed: int = 0) -> Any:
    """The first stream of the kind that is decoded here, after `passed` others; a cover picture is no video."""
    for stream in getattr(container.streams, kind):
        if not is_read(stream, kind) or is_cover(stream):
            continue
        if passed == 0:
            stream.codec_context.thread_type = "AUTO"
            return stream
        passed -= 1
    return None


def is_cover(stream: Any) -> bool:
    """Whether the stream is a picture of an album, or of the clip itself, beside what is played."""
    return bool(stream.disposition & Disposition.attached_pic)


def unread_codec(container: InputContainer, kind: str) -> str | None:
    """The codec of the kind's first stream where it is known and not decoded here, by ffmpeg's name; else None."""
    streams = [s for s in getattr(container.streams, kind) if not is_cover(s)]
    first = next((s for s in streams if s.codec_context is not None), None)
    return None if first is None or is_read(first, kind) else str(first.codec_context.name)


def clip_start(container: InputContainer) -> float:
    """The clip's first presentation time as the file counts it, seconds."""
    return (container.start_time or 0) / av.time_base


def header_seconds(container: InputContainer) -> float:
    """The clip's seconds as its header says, 0 where it says nothing."""
    return (container.duration or 0) / av.time_base

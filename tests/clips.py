"""Tiny clips for tests, made on the spot from what the installed packages carry: seeded, so always the same.

The face is scikit-image's astronaut (NASA, public domain); the voice is the LibriVox reading (public domain) that
the speech recogniser's wheel holds.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet
from numpy.typing import NDArray

RATE = 16_000
SOUND_CODECS = {".webm": "libopus", ".mpg": "mp2", ".avi": "mp2", ".wav": "pcm_s16le"}
PICTURE_CODECS = {".webm": "libvpx-vp9", ".mpg": "mpeg1video", ".avi": "mpeg4"}
TEXT_CODECS = {".mp4": "mov_text", ".mov": "mov_text", ".webm": "webvtt"}
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,0,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
Cue = tuple[float, float, str]


@dataclass(frozen=True)
class Subtitles:
    """A stream of subtitles for a clip: cues of start and end in seconds and text, which may hold ASS's tags."""

    cues: Sequence[Cue]
    language: str | None = None
    forced: bool = False
    codec: str | None = None


def make_clip(
    path: Path,
    seconds: float = 2.0,
    *,
    video: str | None = "face",
    sound: str | None = "speech",
    codec: str | None = None,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    rotation: int = 0,
    layout: str = "mono",
    rate: int = RATE,
    times: list[float] | None = None,
    options: dict[str, str] | None = None,
    subtitles: Sequence[Subtitles] = (),
) -> Path:
    """Write a clip of the container that the path's ending names, and return the path.

    video: "face", "two" (faces), "plain" (a grey gradient that drifts) or None. sound: see `make_sound`, or None.
    rotation: degrees that a player turns the picture clockwise (mp4 and mov). times: seconds of each picture
    instead of `fps`. codec: the picture's, by ffmpeg's name. options: the container's.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        if video:
            name = codec or PICTURE_CODECS.get(path.suffix, "libx264")
            pictures = container.add_stream(
                name, rate=fps, options={"preset": "ultrafast"} if "264" in name else {}
            )
            pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
            if times is not None:
                pictures.codec_context.time_base = Fraction(1, 1000)
        if sound:
            voice: Any = container.add_stream(SOUND_CODECS.get(path.suffix, "aac"), rate=rate, layout=layout)
        texts = [_add_subtitles(container, path.suffix, given) for given in subtitles]
        if video:
            for i, time in enumerate(times if times is not None else np.arange(round(seconds * fps)) / fps):
                frame = av.VideoFrame.from_ndarray(make_picture(video, size, float(time)), format="bgr24")
                frame.pts = i if times is None else round(time * 1000)
                frame.time_base = Fraction(1, fps) if times is None else Fraction(1, 1000)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        if sound:
            _write_sound(container, voice, make_sound(sound, seconds))
        for text, given in zip(texts, subtitles, strict=True):
            _write_cues(container, text, given.cues)
    if rotation:
        turn_clip(path, rotation)
    return path


def make_picture(kind: str, size: tuple[int, int], time: float) -> NDArray[np.uint8]:
    """One BGR picture [height, width, 3] of a kind named in `make_clip`."""
    import cv2

    width, height = size
    across = np.linspace(60, 180, width) + 20 * np.sin(time)
    picture = np.repeat(np.broadcast_to(across, (height, width))[..., None], 3, axis=2).astype(np.uint8)
    side = min(height, width // 2 if kind == "two" else width)
    if kind in ("face", "two"):
        face = cv2.resize(portrait(), (side, side), interpolation=cv2.INTER_AREA)
        left = (width // 2 - side) // 2 if kind == "two" else (width - side) // 2
        picture[:side, left : left + side] = face
        if kind == "two":
            picture[:side, left + width // 2 : left + width // 2 + side] = face[:, ::-1]
    return picture


@cache
def portrait() -> NDArray[np.uint8]:
    """The astronaut's head and shoulders, BGR [300, 300, 3]."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:300, 80:380, ::-1])


def make_sound(kind: str, seconds: float) -> NDArray[np.float32]:
    """Samples at 16 kHz: "speech" (looped), "quiet" (the same at 1 %), "tone", "noise", "music" or "silence"."""
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    if kind in ("speech", "quiet"):
        loud = np.resize(speech(), count)
        return loud if kind == "speech" else loud * np.float32(0.01)
    if kind == "noise":
        return np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
    if kind == "music":
        notes = np.array([262, 330, 392, 523])[(time * 4).astype(int) % 4]
        chord = np.sin(2 * np.pi * np.cumsum(notes) / RATE) + 0.5 * np.sin(np.pi * np.cumsum(notes) / RATE)
        return (0.2 * chord * np.exp(-4 * (time * 4 % 1))).astype(np.float32)
    if kind == "tone":
        return (0.2 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    if kind == "silence":
        return np.zeros(count, np.float32)
    raise ValueError(f"no sound called {kind!r}")


@cache
def speech() -> NDArray[np.float32]:
    """The reading in the recogniser's wheel, 44 s at 16 kHz: "It was the best of times, ..."."""
    from moonshine_voice import get_assets_path

    with wave.open(str(get_assets_path() / "two_cities.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        rate = file.getframerate()
    wanted = np.arange(0, len(samples), rate / RATE)
    return np.interp(wanted, np.arange(len(samples)), samples).astype(np.float32)


def _write_sound(container: OutputContainer, stream: Any, samples: NDArray[np.float32]) -> None:
    """Encode mono samples into the stream, whatever its rate and layout."""
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout=stream.codec_context.layout, rate=stream.codec_context.rate
    )
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    for part in (frame, None):
        for mixed in resampler.resample(part):
            container.mux(stream.encode(mixed))
    container.mux(stream.encode(None))


def _add_subtitles(container: OutputContainer, suffix: str, given: Subtitles) -> Any:
    stream: Any = container.add_stream(given.codec or TEXT_CODECS.get(suffix, "subrip"))
    stream.codec_context.subtitle_header = ASS_HEADER
    stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
    if given.language is not None:
        stream.metadata["language"] = given.language
    if given.forced:
        stream.disposition = Disposition.forced
    return stream


def _write_cues(container: OutputContainer, stream: Any, cues: Sequence[Cue]) -> None:
    for i, (start, end, text) in enumerate(cues):
        line = f"{i},0,Default,,0,0,0,,{text}".encode()
        packet = stream.codec_context.encode_subtitle(
            SubtitleSet.create(line, 0, round(1000 * (end - start)))
        )
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = round(1000 * start)
        packet.duration = round(1000 * (end - start))
        container.mux(packet)


def turn_clip(path: Path, degrees: int) -> None:
    """Write a rotation into the first track header of an mp4 or mov, as a phone does (ISO 14496-12, tkhd's matrix)."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    lay_out(path, cos, sin, -sin, cos)


def lay_out(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write into the first track header of an mp4 or mov that a picture's (x, y) is shown at (ax + cy, bx + dy)."""
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    data = bytearray(path.read_bytes())
    begin = data.index(b"tkhd") + 44
    data[begin : begin + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(bytes(data))

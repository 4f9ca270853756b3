"""A copy of a clip that browsers can play, for clips whose format they cannot (mpg, avi, hevc).

The copy is only looked at: what is analysed is always the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from extractors.records import Frame, InputError, Sound

# Codecs by container; mp4 and mov share a demuxer, and so do webm and mkv, of which browsers know webm alone.
PLAYED = {
    "mp4": {"h264", "vp9", "av1", "aac", "mp3", "opus", "flac"},
    "webm": {"vp8", "vp9", "av1", "opus", "vorbis"},
}
LONGEST = 300.0  # seconds; a longer clip would be ready too late to be of use
PER_SECOND, LONG_SIDE = 25.0, 480


def is_playable(path: str | Path) -> bool:
    """Whether common browsers play the clip, by its container and codecs; True for what is no clip, or past a limit."""
    import av

    from extractors.media.reading import Limits, open_clip

    try:
        with open_clip(path, Limits.from_environment()) as container:
            codecs = {_codec(s) for s in (*container.streams.video, *container.streams.audio)}
            plain = all(s.pix_fmt in ("yuv420p", "yuvj420p", None) for s in container.streams.video)
            names = container.format.name.split(",")
    except (InputError, av.FFmpegError, OSError, ValueError):
        return True  # nothing to copy; the analysis will say what is wrong with it
    return plain and any(codecs <= played for name, played in PLAYED.items() if name in names)


def is_seekable(path: str | Path) -> bool:
    """Whether the file says how long it is: what a browser records does not, and cannot be jumped about in.

    True for what is no clip, or past a limit.
    """
    import av

    from extractors.media.reading import Limits, open_clip

    try:
        with open_clip(path, Limits.from_environment()) as container:
            return container.duration is not None
    except (InputError, av.FFmpegError, OSError, ValueError):
        return True


def is_too_long(path: str | Path) -> bool:
    """Whether the clip has pictures, for more time than a copy is made of; False for what is no clip."""
    import av

    from extractors.media.reading import probe

    try:
        info = probe(path)
    except (InputError, av.FFmpegError, OSError, ValueError):
        return False
    return info.has_video and info.duration > LONGEST


def make_seekable(clip: str | Path, path: str | Path, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Write the clip's packets as they are to `path`, of the same ending, with its length and an index.

    False where that cannot be done, or once `stopped`. Nothing is encoded anew: it takes as long as reading the file.
    """
    import av

    from extractors.media.reading import Limits, open_clip

    try:
        with open_clip(clip, Limits.from_environment()) as given, av.open(str(path), "w") as copy:
            streams = {s.index: copy.add_stream_from_template(s) for s in _streams(given)}
            for packet in given.demux(*(given.streams[i] for i in streams)):
                if stopped():
                    return False
                if packet.dts is not None:  # the empty packet at a stream's end has no time
                    packet.stream = streams[packet.stream.index]
                    copy.mux(packet)
    except (InputError, av.FFmpegError, OSError, ValueError):
        return False
    return True


def make_preview(clip: str | Path, path: str | Path, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Write the clip to `path` as h264 and aac in mp4, at most 480 pixels long.

    False where that makes no sense or cannot be done, or once `stopped`.
    """
    import av

    from extractors.media.reading import probe, read_frames, read_sound

    try:
        info = probe(clip)
        if not info.has_video or stopped():
            return False
        sound = read_sound(clip) if info.has_audio else None
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            frames = read_frames(clip, per_second=PER_SECOND, long_side=LONG_SIDE)
            for packet in _packets(container, frames, sound):
                if stopped():
                    return False
                container.mux(packet)
    except (InputError, av.FFmpegError, OSError, ValueError):
        return False
    return True


def _streams(container: Any) -> list[Any]:
    """The pictures and the sound that have a decoder."""
    return [s for s in (*container.streams.video, *container.streams.audio) if s.codec_context is not None]


def _codec(stream: Any) -> str:
    """The codec's own name, whichever decoder is used for it; empty where there is none."""
    return str(stream.codec_context.codec.canonical_name) if stream.codec_context else ""


def _packets(container: Any, frames: Iterator[Frame], sound: Sound | None) -> Iterator[Any]:
    """The packets of both streams; the streams are added once the first picture tells its size."""
    import av

    first = next(frames, None)
    if first is None:
        return
    pictures = container.add_stream(
        "libx264", rate=round(PER_SECOND), options={"preset": "ultrafast", "crf": "27"}
    )
    pictures.height, pictures.width = (side // 2 * 2 for side in first.image.shape[:2])
    pictures.pix_fmt, pictures.codec_context.time_base = "yuv420p", Fraction(1, 1000)
    if sound is not None:
        voice = container.add_stream("aac", rate=sound.rate, layout="mono")
        heard = av.AudioFrame.from_ndarray(sound.samples[None], format="fltp", layout="mono")
        heard.sample_rate, heard.time_base = sound.rate, Fraction(1, sound.rate)
        heard.pts = round(sound.start * sound.rate)
        yield from voice.encode(heard)
        yield from voice.encode(None)
    for shown in chain([first], frames):
        yield from pictures.encode(_picture(shown))
    yield from pictures.encode(None)


def _picture(frame: Frame) -> Any:
    import av

    height, width = (side // 2 * 2 for side in frame.image.shape[:2])  # h264 halves its colours
    picture = av.VideoFrame.from_ndarray(frame.image[:height, :width].copy(), format="bgr24")
    picture.pts, picture.time_base = round(frame.time * 1000), Fraction(1, 1000)
    return picture

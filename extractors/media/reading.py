"""A clip read: a path in, a probed description, upright pictures and mono sound out.

Every time is a presentation time in seconds from the clip's start. Damage is not an error: what can be
decoded is given, and a sentence with the share of it is appended to the `warnings` list that a caller passes
in. A clip that cannot be used at all raises InputError with one sentence fit for its owner.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard

from extractors.media.codecs import is_drawable
from extractors.media.decode import decode, picture, pixel_aspect, slots, turns
from extractors.media.lengths import clip_seconds, damage
from extractors.media.mixing import Mixer
from extractors.media.opening import Limits, clip_start, first_stream, open_clip, unread_codec
from extractors.media.packets import BACK, appears_midway, packets
from extractors.media.tally import Tally
from extractors.records import Frame, Glance, InputError, MediaInfo, Progress, Sound

PROBE_PACKETS = 600  # packets of a stream that are tried before it counts as one that cannot be decoded
SILENT = 1e-4  # level (root mean square) under which a track holds nothing that anybody could hear
TRACKS = 8  # of sound that are looked at for one that is not silent: each is decoded whole
FAINT = 0.005  # level (root mean square) of a mix under which its channels are looked at apart
CANCELLED = 20.0  # how much louder a channel must be than the mix to take its place
KINDS: tuple[tuple[Literal["video", "audio"], str], ...] = (("video", "pictures"), ("audio", "sound"))
LONG_SIDE = 640  # pixels to which pictures are shrunk


def probe(path: str | Path, limits: Limits | None = None, warnings: list[str] | None = None) -> MediaInfo:
    """What the clip holds, after a check of the limits and with a first picture and sound decoded as proof.

    `has_video` and `has_audio` mean that something of it can be decoded; a track that cannot be gives a
    warning.

    Raises:
        InputError: no such file, a folder, an empty file, not a clip, past a limit, neither picture nor
        sound.
    """
    limits = limits or Limits.from_environment()
    name = Path(path).name
    with open_clip(path, limits) as container:
        streams = {kind: first_stream(container, kind) for kind in ("video", "audio")}
        frames, tried = _first_frames(
            container, {k: s for k, s in streams.items() if s is not None}, limits.max_seconds
        )
        unread: list[str] = []
        for kind, what in KINDS:
            if tried[kind] and kind not in frames:
                _report(f"The clip's {what} cannot be decoded, so it is analysed without.", warnings)
            if streams[kind] is None and (codec := unread_codec(container, kind)):
                unread.append(codec)
                _report(
                    f"The clip's {what} cannot be read here (coded as {codec}), so it is analysed without: save it "
                    "as mp4.",
                    warnings,
                )
        if not frames and unread:
            raise InputError(
                f"{name} holds neither pictures nor sound of a kind that is read here ({', '.join(unread)}): save it "
                "as mp4."
            )
        if not frames:
            raise InputError(f"{name} holds neither pictures nor sound that can be decoded.")
        width, height, rotation = _shape(frames.get("video"), streams["video"])
        duration = _duration(container, limits)
        for kind, what in KINDS:
            if streams[kind] is None and appears_midway(container, kind):
                _report(f"The clip's {what} cannot be decoded, so it is analysed without.", warnings)
        return MediaInfo(
            path=str(path),
            duration=duration,
            width=width,
            height=height,
            fps=float(streams["video"].average_rate or 0) if "video" in frames else 0.0,
            has_audio="audio" in frames,
            has_video="video" in frames,
            rotation=rotation,
        )


def read_sound(
    path: str | Path,
    warnings: list[str] | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Sound | None:
    """All of the clip's sound at 16 kHz mono, from any layout; None where there is none.

    Sound is placed by its time stamps, so a gap in the file is silence of the same length here. Of several tracks the
    first that is not silent is heard: recorders of screens write one for each source. Its damage is told in `warnings`,
    and so is that a silent track was passed over. `progress` is called with the second of the clip that was reached.

    Raises:
        InputError: the file cannot be opened.
    """
    limits = limits or Limits.from_environment()
    told: list[str] = []
    sound = _track(path, 0, told, limits, progress)
    if sound is not None and _level(sound) < SILENT:
        for number in range(1, TRACKS):
            others: list[str] = []
            other = _track(path, number, others, limits, progress)
            if other is None:
                break
            if _level(other) >= SILENT:
                silent = f"The clip's first track of sound is silent: track {number + 1} was heard."
                sound, told = other, [silent, *others]
                break
    for sentence in told:
        _report(sentence, warnings)
    return sound


def _track(
    path: str | Path,
    number: int,
    warnings: list[str] | None,
    limits: Limits,
    progress: Progress | None,
) -> Sound | None:
    """The sound track `number`, from 0; None where the clip has no so many."""
    sound, channels = _mix(path, number, "mono", warnings, limits, progress)
    if sound is not None and channels > 1 and _level(sound) < FAINT:
        # A microphone wired wrongly gives two channels that cancel each other out when they are mixed.
        left, _ = _mix(path, number, "stereo", None, limits, progress)
        if left is not None and _level(left) > CANCELLED * _level(sound):
            return left
    return sound


def _mix(
    path: str | Path,
    number: int,
    layout: str,
    warnings: list[str] | None,
    limits: Limits,
    progress: Progress | None,
) -> tuple[Sound | None, int]:
    """The sound track `number` mixed to the layout, of which the first channel is kept, and the channels it had."""
    with open_clip(path, limits) as container:
        stream = first_stream(container, "audio", number)
        if stream is None:
            return None, 0
        channels = 0
        tally, mixer = Tally(), Mixer(limits.max_seconds, layout)
        for time, frame in decode(container, stream, clip_start(container), tally):
            channels = max(channels, frame.layout.nb_channels)
            try:
                if not mixer.add(time, frame):
                    break
            except (av.FFmpegError, OSError, ValueError):
                tally.spoil()  # of a kind that cannot be converted
            if progress is not None:
                progress(time or 0.0)
        tally.stopped |= mixer.overfull
        tally.spoil(round(tally.good * mixer.overwritten()))
        _report(damage("sound", container, stream, tally), warnings)
        return mixer.sound(), channels


def _level(sound: Sound) -> float:
    """Root mean square of the samples, without a copy of them."""
    return math.sqrt(float(np.dot(sound.samples, sound.samples)) / max(len(sound.samples), 1))


def read_frames(
    path: str | Path,
    per_second: float | None = None,
    long_side: int | None = LONG_SIDE,
    warnings: list[str] | None = None,
    limits: Limits | None = None,
) -> Iterator[Frame]:
    """The clip's pictures in order: upright, BGR, at most `per_second` in each second of time (all by default).

    Time is cut into slots of 1 / per_second from the clip's start and the first picture of each slot is
    given, so a variable frame rate changes nothing. Pictures longer than `long_side` pixels are shrunk to it
    (None keeps them). Memory is flat: one picture at a time. A clip without pictures gives none. Damage is
    told in `warnings` once the last picture has been drawn.

    Raises:
        InputError: the file cannot be opened.
    """
    due = slots(per_second)
    for glance in _read_pictures(path, long_side, warnings, limits):
        if due(glance.time):
            yield Frame(glance.time, glance.make())


def read_looks(
    path: str | Path, per_second: float, glances: float, warnings: list[str] | None = None
) -> Iterator[Frame | Glance]:
    """What `read_frames` gives, and between those the pictures of `glances` slots a second, not yet made.

    Raises:
        InputError: the file cannot be opened.
    """
    look_due, glance_due = slots(per_second), slots(glances)
    for glance in _read_pictures(path, LONG_SIDE, warnings, None):
        wanted = glance_due(glance.time)
        if look_due(glance.time):
            yield Frame(glance.time, glance.make())
        elif wanted:
            yield glance


def _read_pictures(
    path: str | Path, long_side: int | None, warnings: list[str] | None, limits: Limits | None
) -> Iterator[Glance]:
    """Every undamaged picture of the clip, in order, not yet made."""
    limits = limits or Limits.from_environment()
    with open_clip(path, limits) as container:
        stream = first_stream(container, "video")
        if stream is None:
            return
        rate = float(stream.average_rate or 25)
        aspect = pixel_aspect(stream)
        tally, last, anew = Tally(), -1.0, False
        for stamp, frame in decode(container, stream, clip_start(container), tally):
            time = max(0.0, last + 1 / rate if stamp is None else stamp)
            if time > limits.max_seconds:
                break
            anew = time < last - (0 if anew else BACK)  # another file's pictures, joined to this one's
            tally.spoil(int(anew))
            if time > last and not frame.is_corrupt:
                last = time
                yield Glance(time, partial(picture, frame, long_side, aspect))
        _report(damage("pictures", container, stream, tally), warnings)


def _first_frames(
    container: InputContainer, streams: dict[str, Any], longest: float
) -> tuple[dict[str, Any], Counter[str]]:
    """The first decoded frame of each stream that gives one, and of how many packets of each that was tried.

    Of a stream at most PROBE_PACKETS are tried, none after `longest` seconds. Other streams' packets do not count:
    pictures may begin long after the sound, and sound after the pictures.
    """
    frames: dict[str, Any] = {}
    tried: Counter[str] = Counter()
    missing = {stream.index: kind for kind, stream in streams.items()}
    last = clip_start(container) + longest
    for packet in packets(container, *streams.values()) if streams else ():
        kind = missing.get(packet.stream.index)
        if kind is None:
            continue  # not every container leaves out what is to be discarded
        is_late = packet.pts is not None and float(packet.pts * packet.time_base) > last
        tried[kind] += packet.size > 0 and not is_late
        if found := [] if is_late else _decoded(packet):
            frames[kind] = found[0]
        if found or is_late or tried[kind] >= PROBE_PACKETS:
            del missing[packet.stream.index]
            packet.stream.discard = Discard.all
        if not missing:
            break
    for stream in streams.values():
        stream.discard = Discard.default
    return frames, tried


def _decoded(packet: Any) -> list[Any]:
    try:
        frames = packet.decode()
    except (av.FFmpegError, ValueError):
        return []
    if packet.stream.type != "video":
        return list(frames)
    return [frame for frame in frames if is_drawable(frame) and not frame.is_corrupt]


def _shape(frame: Any, stream: Any) -> tuple[int, int, int]:
    """Width and height once upright, with square pixels, and the degrees clockwise to get there, or zeros."""
    if frame is None:
        return 0, 0, 0
    rotation = -turns(frame) % 360
    width, height = round(frame.width * pixel_aspect(stream)), frame.height
    return (height, width, rotation) if rotation in (90, 270) else (width, height, rotation)


def _duration(container: InputContainer, limits: Limits) -> float:
    """The clip's seconds, checked against the limit again where they are not what the header says."""
    seconds = clip_seconds(container)
    limits.check("max_seconds", seconds, "seconds")
    return max(seconds, 0.04)


def _report(sentence: str | None, warnings: list[str] | None) -> None:
    if sentence and warnings is not None and sentence not in warnings:
        warnings.append(sentence)

"""Subtitles that the clip itself carries: text streams (mov_text, SubRip, WebVTT, ASS), read through PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard, Disposition

from extractors.media.codecs import TEXTS
from extractors.media.opening import Limits, clip_start, open_clip
from extractors.media.packets import packets
from extractors.records import Sound, Span, Transcript
from extractors.words.captions import Caption, is_drawing, plain_caption
from extractors.words.cues import Cue, gather_cues
from extractors.words.languages import (
    DETECT,
    ENGLISH,
    UNTOLD,
    guess_language,
    language_name,
    language_tags,
    read_language,
)
from extractors.words.recognition import transcript_of
from extractors.words.subtitles import MAX_BYTES, is_too_much, place_cues, within

LONGEST_TAG = 8  # letters of a tag before its first hyphen (BCP 47); files use three
LONGEST_CUE = 7.0  # seconds that a cue without a duration stays, unless the next one comes first
# Share of the speech that the cues must cover: fewer translate signs or foreign lines, and leave out what is said.
COVERED = 0.3


def read_embedded(
    path: str | Path,
    sound: Sound | None,
    speech: Sequence[Span],
    duration: float,
    warnings: list[str] | None = None,
    language: str = ENGLISH,
    asked: bool = False,
) -> Transcript | None:
    """The words of the clip's own subtitles with their times, source "embedded"; None where they are not to be used.

    The first stream of text in `language` is read, or else the first that names no language ("auto" takes the first
    of all); forced ones (foreign lines alone) come last. Words are placed within their cue as `read_transcript` does.
    Where there is text that cannot be used (in another language, damaged, over 5 MB, for less than 30 % of the
    speech), `warnings` is told why in one sentence. English that was `asked` for is what text without a tag is taken
    for, whatever it looks like.

    Raises:
        InputError: the clip cannot be opened.
    """
    with open_clip(path, Limits.from_environment()) as container:
        streams = [s for s in container.streams.subtitles if _is_text(s)]
        wanted = language_tags(language)
        fitting = [s for s in streams if language == DETECT or _language(s) in wanted | UNTOLD]
        stream = min(fitting, key=lambda s: _rank(s, wanted), default=None)
        if stream is not None:
            untold, told = _language(stream) in UNTOLD, read_language(_language(stream), language)
            cues, reason = _read(container, stream, duration)
        elif streams:
            tags = ", ".join(dict.fromkeys(_language(s) for s in streams))
            untold = False
            cues, reason = [], f"are tagged as not {language_name(language)} ({tags})"
        else:
            return None
    words = [word for _, said in cues for word in said]
    if untold and language == ENGLISH and not asked and (spoken := guess_language(words)):
        cues, reason = [], f"are in {language_name(spoken)}"
    if is_too_much(words, duration):
        cues, reason = [], "hold more words than can be said in its time"
    if cues and _covered(cues, speech) < COVERED:
        cues, reason = [], "cover little of what is said"
    if not cues:
        if reason and warnings is not None:
            warnings.append(f"The clip's own subtitles {reason}, so they were not used.")
        return None
    return transcript_of(place_cues(cues, sound, speech), "embedded", language=told)


def _is_text(stream: Any) -> bool:
    return stream.codec_context is not None and stream.codec_context.name in TEXTS


def _language(stream: Any) -> str:
    """What the stream's tag says of its language, as far as it can be one: a file writes there what it likes."""
    return (stream.language or "").lower().split("-")[0][:LONGEST_TAG]


def _rank(stream: Any, wanted: set[str]) -> tuple[bool, bool, int]:
    """The smallest is read."""
    return bool(stream.disposition & Disposition.forced), _language(stream) not in wanted, stream.index


def _read(container: InputContainer, stream: Any, duration: float) -> tuple[list[Cue], str]:
    """The stream's cues, or none and why: "" where it has no words at all."""
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    captions: list[Caption] = []
    size = 0
    try:
        for span, text in _shown(container, stream):
            size += len(text)
            if size > MAX_BYTES:
                return [], f"hold more than {MAX_BYTES:,} letters"
            captions.append((span, plain_caption(text)))
    except (av.FFmpegError, OSError, ValueError):
        pass  # the file breaks off here; what was read stands
    return gather_cues(_with_ends(captions), duration), ""


def _with_ends(captions: Sequence[Caption]) -> Iterator[Caption]:
    """The captions, one without a duration until the next one begins, or for LONGEST_CUE."""
    for i, (span, lines) in enumerate(captions):
        end = span.end
        if end <= span.start:
            following = [later.start for later, _ in captions[i + 1 : i + 2] if later.start > span.start]
            end = min([round(span.start + LONGEST_CUE, 3), *following])
        yield Span(span.start, end), lines


def _shown(container: InputContainer, stream: Any) -> Iterator[tuple[Span, str]]:
    """Time and ASS of every caption of the stream; its end is its start where the file gives no duration."""
    start = clip_start(container)
    for packet in packets(container, stream):
        if packet.pts is None or not packet.size:
            continue
        try:
            rectangles = stream.decode(packet)
        except (av.FFmpegError, ValueError):
            continue  # a damaged cue: the next one may be whole
        begin = float(packet.pts * packet.time_base) - start
        end = begin + float((packet.duration or 0) * packet.time_base)
        for shown in rectangles:
            # ffmpeg turns every text subtitle into a line of ASS: eight fields, then the text.
            text = shown.ass.decode("utf-8", errors="replace").split(",", 8)[-1]
            if not is_drawing(text):
                yield Span(round(begin, 3), round(end, 3)), text


def _covered(cues: Sequence[Cue], speech: Sequence[Span]) -> float:
    """The share of the speech that lies within cues; 1 where there is no speech."""
    spoken = sum(span.end - span.start for span in speech)
    # Cues may overlap (two speakers at once): merged, no moment counts twice.
    edge, shared = 0.0, 0.0
    for cue, _ in cues:
        begin, edge = max(edge, cue.start), max(edge, cue.end)
        if edge > begin:
            shared += sum(span.end - span.start for span in within(speech, Span(begin, cue.end)))
    return shared / spoken if spoken > 0 else 1.0

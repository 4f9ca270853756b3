"""Speech to words: moonshine hears what is said, pocketsphinx when.

Only speech found beforehand is listened to, so silence, music and noise invent no words. English; other languages
are heard by `extractors.words.other_languages`, where what that needs is at hand.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from extractors.cores import cores
from extractors.records import FloatArray, Progress, Sound, Span, Transcript, Word
from extractors.voice.vad import level_gain
from extractors.words.align import align_words
from extractors.words.languages import ENGLISH

LONGEST = 16.0  # seconds heard at once: the recogniser profits from context, its cost grows with the square
PAUSE = 1.5  # seconds of silence that part two stretches
# Seconds (0.06 of them margins) a lone span needs: shorter ones are clicks heard as "you" or "oh".
LEAST = 0.36
PAD = 0.1
CLOSED = 1.5  # a pause of this length ends a sentence whatever its punctuation
OPEN = 0.6  # and one of this length where the text has no punctuation at all
SENTENCE = 60  # words after which any pause of BREATH seconds ends the sentence
BREATH = 0.25
_ABBREVIATIONS = {"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs.", "e.g.", "i.e."}
# Seconds of speech from which the recognisers are let go of: what follows in so long a clip needs their 130 MB.
LONG = 600.0
_POOLING = threading.Lock()  # nothing is given to a pool that another clip has let go
_LOCAL = threading.local()
_LOADING = threading.Lock()  # the library's own loader is not safe to enter twice


def recognise(
    sound: Sound,
    speech: Sequence[Span],
    progress: Progress | None = None,
    language: str = ENGLISH,
) -> Transcript:
    """What is said in the spans of `speech`, with a time for every word; no words where there is no speech.

    `progress` is called with the share done, 0..1. Two stretches are heard side by side where there are two cores.
    `language` is a code of ISO 639-1, or "auto" to have it found out.

    Raises:
        LanguageError: another language than English is asked for, and what recognises it is not at hand.
    """
    if language != ENGLISH:
        from extractors.words.other_languages import recognise_other

        return recognise_other(sound, speech, language, progress)
    stretches = stretch_speech(speech)
    words: list[Word] = []
    # The recogniser lets go of Python's lock while it works; each thread has one of its own.
    with _POOLING:
        waiting = [_pool().submit(_hear, sound, stretch) for stretch in stretches]
    try:
        for done, (stretch, heard) in enumerate(zip(stretches, waiting, strict=True), 1):
            words += align_words(heard.result().split(), sound, stretch)
            if progress is not None:
                progress(done / len(stretches))
    finally:
        for heard in waiting:  # where `progress` ended it, nobody waits for the rest
            heard.cancel()
        if sum(span.end - span.start for span in speech) > LONG:
            _let_go()
    return transcript_of(words, "recognised")


def hear_stretch(sound: Sound, stretch: Sequence[Span]) -> list[str]:
    """The English words of one stretch of speech, without their times."""
    with _POOLING:
        heard = _pool().submit(_hear, sound, stretch)
    return heard.result().split()


def stretch_speech(speech: Sequence[Span]) -> list[list[Span]]:
    """Spans gathered into stretches of at most LONGEST seconds, parted at long pauses; lone clicks left out.

    A single span longer than LONGEST is cut into equal parts.
    """
    stretches: list[list[Span]] = []
    for span in (part for whole in speech for part in _cut(whole)):
        near = stretches and span.start - stretches[-1][-1].end < PAUSE
        if near and span.end - stretches[-1][0].start <= LONGEST:
            stretches[-1].append(span)
        else:
            stretches.append([span])
    return [s for s in stretches if s[-1].end - s[0].start >= LEAST]


def transcript_of(words: Sequence[Word], source: str, language: str = ENGLISH) -> Transcript:
    """The words as a Transcript, parted into sentences; source "none" where there are no words."""
    kept = tuple(words)
    return Transcript(kept, number_sentences(kept), source if kept else "none", language)


def number_sentences(words: Sequence[Word]) -> tuple[int, ...]:
    """The sentence each word is in, from 0: parted after . ! ? and at long pauses, at shorter ones without any."""
    pause = CLOSED if any(_ends(word.word) for word in words) else OPEN
    numbers: list[int] = []
    number, length = 0, 0
    for index, word in enumerate(words):
        if index:
            gap = word.start - words[index - 1].end
            if _ends(words[index - 1].word) or gap >= pause or (length >= SENTENCE and gap >= BREATH):
                number, length = number + 1, 0
        numbers.append(number)
        length += 1
    return tuple(numbers)


def _ends(word: str) -> bool:
    return word.lower() not in _ABBREVIATIONS and re.search(r"[.!?…。！？][\"'”’)\]]*$", word) is not None


def _cut(span: Span) -> list[Span]:
    """The span in equal parts of at most LONGEST seconds."""
    parts = max(1, -int(-(span.end - span.start) // LONGEST))
    step = (span.end - span.start) / parts
    return [Span(span.start + i * step, span.start + (i + 1) * step) for i in range(parts)]


def _let_go() -> None:
    """Free the recognisers: whoever is still being heard is heard to the end, and the next clip loads them anew."""
    with _POOLING:
        _pool().shutdown(wait=False)
        _pool.cache_clear()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(2, cores()), thread_name_prefix="recogniser")


def _transcriber() -> Any:
    """This thread's recogniser, with the tiny English model in the wheel."""
    if not hasattr(_LOCAL, "transcriber"):
        from moonshine_voice import ModelArch, Transcriber, get_model_path

        # Its own speech detection is off (ours has run), as is telling speakers apart.
        options = {"vad_threshold": "0.0", "identify_speakers": "false", "return_audio_data": "false"}
        with _LOADING:
            _LOCAL.transcriber = Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY, options=options)
    return _LOCAL.transcriber


def _hear(sound: Sound, stretch: Sequence[Span]) -> str:
    """The text of one stretch of speech."""
    samples = between(sound, stretch[0].start - PAD, stretch[-1].end + PAD)
    if len(samples) == 0:
        return ""
    samples = np.clip(samples * np.float32(level_gain(samples)), -1, 1)
    heard = _transcriber().transcribe_without_streaming(samples, sound.rate)
    return " ".join(line.text.strip() for line in heard.lines)


def between(sound: Sound, start: float, end: float) -> FloatArray:
    """The sound's samples from `start` to `end`, clip seconds, as far as there are any."""
    first, last = (max(0, round((time - sound.start) * sound.rate)) for time in (start, end))
    return sound.samples[first:last]

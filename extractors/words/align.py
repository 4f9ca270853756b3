"""When each word was said: forced alignment by pocketsphinx, and honest guesses where it cannot say.

A word's confidence tells which: 1 aligned; GUESSED aligned by a sounded-out spelling, or placed between neighbours;
SPREAD where nothing could be aligned, so that words share the time of the speech by their length.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from extractors.records import FloatArray, Sound, Span, Word

GUESSED = 0.8
SPREAD = 0.5
FRAME = 0.01  # pocketsphinx's frame, seconds
LONGEST = 120.0  # seconds aligned at once: the cost grows faster than the length
LEAST = 0.06  # seconds a guessed word needs; with less room it takes from the word before
PAD = 0.1
MAX_LETTERS = 40
MOST_LEARNT = 1000  # words sounded out before the decoder is loaded anew, should nobody call `forget_words`
# How a word that is in no dictionary is sounded out: longest group of letters first.
_SOUNDS = {
    "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ng": "NG", "ck": "K", "qu": "K W", "oo": "UW", "ee": "IY",
    "ea": "IY", "ou": "AW", "ow": "OW", "ai": "EY", "ay": "EY", "oi": "OY", "oy": "OY",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
    "0": "Z IH R OW", "1": "W AH N", "2": "T UW", "3": "TH R IY", "4": "F AO R", "5": "F AY V", "6": "S IH K S",
    "7": "S EH V AH N", "8": "EY T", "9": "N AY N",
}  # fmt: skip
_LETTERS = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))
_LOCK = threading.Lock()  # the decoder holds one utterance at a time


@dataclass
class _Aligner:
    """The decoder with the English model in its wheel, and how many words it has learnt since it was loaded."""

    decoder: Any
    learnt: int = 0


@cache
def _aligner() -> _Aligner:
    """Loaded once, in a tenth of a second, and again after `forget_words`."""
    from pocketsphinx import Decoder

    return _Aligner(Decoder(lm=None, loglevel="FATAL"))


def forget_words() -> None:
    """Drop what was aligned last and every word that was sounded out: the decoder itself cannot unlearn one.

    To be called when a clip is done, or a server would keep its visitors' words, and grow by each.
    """
    with _LOCK:
        if not _aligner.cache_info().currsize:
            return
        if _aligner().learnt:
            _aligner.cache_clear()
        else:
            _aligner().decoder.set_align_text("a")


def align_words(words: Sequence[str], sound: Sound | None, speech: Sequence[Span]) -> list[Word]:
    """Times for `words`, all of which were said within `speech` (in order, disjoint, clip seconds).

    Forced alignment where there is sound of at most LONGEST seconds and it fits; otherwise the words are spread over
    the speech. Raises ValueError where `speech` is empty: there is no time to give the words then.
    """
    if not speech:
        raise ValueError("expected at least one span of speech to place the words in, got none")
    first, last = speech[0].start, speech[-1].end
    if words and sound is not None and last - first <= LONGEST:
        begin = max(0, round((first - PAD - sound.start) * sound.rate))
        end = max(0, round((last + PAD - sound.start) * sound.rate))
        found = _force(list(words), sound.samples[begin:end], sound.start + begin / sound.rate)
        if found is not None:
            return _fill(list(words), found, max(0.0, first), last)
    return spread_words(words, speech)


def spread_words(words: Sequence[str], spans: Sequence[Span], confidence: float = SPREAD) -> list[Word]:
    """Words one after the other over the spans, each for a time in proportion to its letters, none across a gap."""
    if not words:
        return []
    edges = np.concatenate([[0.0], np.cumsum([len(word) + 1 for word in words])])
    lengths = np.array([span.end - span.start for span in spans])
    reached = np.concatenate([[0.0], np.cumsum(lengths)])
    edges = edges / edges[-1] * reached[-1]
    placed = []
    for word, begin, end in zip(words, edges[:-1], edges[1:], strict=True):
        held = int(np.clip(np.searchsorted(reached, (begin + end) / 2) - 1, 0, len(spans) - 1))
        offset = spans[held].start - reached[held]
        start = max(spans[held].start, offset + begin)
        placed.append(
            Word(word, float(start), float(max(start, min(spans[held].end, offset + end))), confidence)
        )
    return placed


def pronunciations(word: str) -> tuple[list[str], bool]:
    """The word as entries of the pronouncing dictionary ("well-known" is two), and whether it had them itself.

    A word it does not know is sounded out letter by letter under a new entry, which holds the word's time well enough.
    A word without Latin letters or digits gives no entry.
    """
    plain = re.sub(r"[^a-z0-9'.-]", "", word.lower().replace("’", "'")).strip("'.-")[:MAX_LETTERS]
    aligner = _aligner()
    decoder = aligner.decoder
    for pieces in ([plain], re.split(r"[-.']+", plain)):
        if all(piece and decoder.lookup_word(piece) is not None for piece in pieces):
            return pieces, True
    sounds = " ".join(_SOUNDS[letters] for letters in _LETTERS.findall(plain))
    entry = f"~{plain}"
    if sounds and decoder.lookup_word(entry) is None:
        decoder.add_word(entry, sounds, False)
        aligner.learnt += 1
    return ([entry] if sounds else []), False


def _force(words: list[str], samples: FloatArray, begin: float) -> dict[int, Word] | None:
    """Every word that can be pronounced, timed, by its index; None where text and sound do not fit."""
    with _LOCK:
        if _aligner().learnt > MOST_LEARNT:
            _aligner.cache_clear()
        known: dict[int, bool] = {}
        pieces = []
        for index, word in enumerate(words):
            entries, known[index] = pronunciations(word)
            pieces += [(index, entry) for entry in entries]
        if not pieces or len(samples) < 800:
            return None
        decoder = _aligner().decoder
        decoder.set_align_text(" ".join(piece for _, piece in pieces))
        decoder.reinit_feat()  # forgets the sound before: the same clip gets the same times, whatever came first
        decoder.start_utt()
        loud = samples / max(float(np.abs(samples).max()), 1e-4)  # quiet sound keeps its detail in 16 bits
        decoder.process_raw((loud * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        segments = [s for s in decoder.seg() or () if not s.word.startswith("<")] if decoder.hyp() else []
        times = [
            (s.start_frame * FRAME + begin, (s.end_frame + 1) * FRAME + begin)
            for s in segments
            if s.word[0] != "["
        ]
    if len(times) != len(pieces):
        return None
    found: dict[int, Word] = {}
    for (index, _), (start, end) in zip(pieces, times, strict=True):
        first = found[index].start if index in found else start
        found[index] = Word(words[index], first, end, 1.0 if known[index] else GUESSED)
    return found


def _fill(words: list[str], found: dict[int, Word], first: float, last: float) -> list[Word]:
    """All words with times: the found ones as found, runs of others between their neighbours within first..last."""
    placed: list[Word] = []
    index = 0
    while index < len(words):
        if index in found:
            placed.append(found[index])
            index += 1
            continue
        stop = index
        while stop < len(words) and stop not in found:
            stop += 1
        # The aligner is given a little of the sound before the speech: the first word found may begin there.
        begin = placed[-1].end if placed else min(first, found[stop].start if stop in found else first)
        end = found[stop].start if stop < len(words) else max(last, begin)
        run = words[index:stop]
        if placed and end - begin < LEAST * len(run):
            taken = placed.pop()
            shared = spread_words([taken.word, *run], [Span(taken.start, max(end, taken.end))], GUESSED)
            placed += [Word(taken.word, shared[0].start, shared[0].end, taken.confidence), *shared[1:]]
        else:
            placed += spread_words(run, [Span(begin, max(begin, end))], GUESSED)
        index = stop
    return placed

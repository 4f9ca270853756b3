"""The transcript a person gives: subtitles (.srt, .vtt) with their cues, or plain text (.txt) laid over the speech."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from extractors.records import InputError, Sound, Span, Transcript, Word
from extractors.words.agreement import matching
from extractors.words.align import SPREAD, align_words, spread_words
from extractors.words.captions import has_cues, read_captions
from extractors.words.cues import Cue, gather_cues, one_after_another, plain_lines
from extractors.words.languages import guess_language
from extractors.words.recognition import hear_stretch, recognise, stretch_speech, transcript_of

MAX_BYTES = 5_000_000
SUBTITLES = {".srt": "srt", ".vtt": "vtt"}
MOST = 15  # words a second, averaged over a clip: the fastest speakers on record say 11
LETTERS = 30  # letters a word, averaged: a "word" of a million letters is a way to keep the server busy
# Seconds: a cue of one word and no longer than this was timed by the word, by hand or by a machine.
TIMED = 1.0
LOOSE = 7.0  # seconds: a cue as long as cues get tells no more of a word's time than a stretch of speech does
# Share of letters beyond ASCII in an encoding of one byte; whole French texts have under a tenth.
WESTERN = 0.3
DAMAGED = (
    0.01  # share of letters that no encoding has, in text that says its encoding; a file cut short has one
)
FAST = 6.0  # words a second of speech, about twice those of a conversation: a judgement, not measured
SQUEEZED, CROWDED = 0.04, 0.2  # seconds in which no word is said, and the share of such words that is told
# Share of the given words that must be heard in the speech for its times to be used, or not to be doubted: of one
# reading, the right text had all of them and another's 17 %.
MATCHED = 0.3
LEAST_SAMPLE = 8  # words of a stretch that can be compared with what is heard in it
_WEBVTT = re.compile(r"\s{0,9}WEBVTT\b")
# How a file begins that says its encoding, the longer ones first: they begin as the shorter ones do.
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_BINARY = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")


def read_transcript(
    path: str | Path,
    sound: Sound | None,
    speech: Sequence[Span],
    duration: float,
    heard: Callable[[], Transcript] | None = None,
    warnings: list[str] | None = None,
    english: bool = False,
) -> Transcript:
    """The words of a transcript file with their times, source "given".

    Notes in brackets, tags and speakers' names (in capitals, or where they come again) are left out. Subtitles: each
    cue's words are aligned to the sound within the cue, or share its time. Plain text: its words are aligned to
    `speech`; where it does not fit what is said, or nothing is, they are spread evenly. A word's confidence is the
    aligner's, half for what is spread, and more for what shares a short cue (`place_cues`): the words are certain,
    their times are not. `duration` is the clip's, seconds. `heard` gives what is recognised in the speech, for
    whoever has it already; it is asked only where alignment fails. Text that holds subtitles is read as such,
    whatever its ending. `warnings` is told of cues after the clip's end, which are left out, and of plain text that
    does not fit the speech; in a clip that is known to be `english`, some of the speech is heard for that.

    Raises:
        InputError: no such file, another ending, over 5 MB, no text in it or in an encoding that cannot be told, no cue
        within the clip, or more words than can be said in it.
    """
    path = Path(path)
    if path.suffix.lower() not in (*SUBTITLES, ".txt"):
        raise InputError(f"{path.name} is no transcript: give a .srt, .vtt or .txt file.")
    text = _read(path)
    kind = _kind(path, text)
    if kind:
        cues = _cues(path, text, kind, duration, warnings)
        _check_count(path, [word for _, said in cues for word in said], duration)
        words = place_cues(cues, sound, speech)
    else:
        said = [word for line in plain_lines(text) for word in line.split()]
        _check_count(path, said, duration)
        words = _place_text(said, sound, speech, duration, heard)
        _tell_misfit(words, speech, warnings)
        if english and sound is not None and warnings is not None and not guess_language(said):
            _tell_other(words, sound, speech, warnings)
    return transcript_of(words, "given")


def _kind(path: Path, text: str) -> str:
    """How the text is to be parsed: by what it holds, else by its ending; "" is plain text."""
    if _WEBVTT.match(text):
        return "vtt"
    return "srt" if has_cues(text) else SUBTITLES.get(path.suffix.lower(), "")


def is_too_much(words: Sequence[str], duration: float) -> bool:
    """Whether nobody could say so much in `duration` seconds; a short clip is granted two seconds' worth."""
    most = MOST * max(duration, 2.0)
    return len(words) > most or sum(map(len, words)) > LETTERS * most


def _check_count(path: Path, words: Sequence[str], duration: float) -> None:
    if not any(letter.isalnum() for word in words for letter in word):
        raise InputError(f"{path.name} holds no words.")
    if is_too_much(words, duration):
        raise InputError(
            f"{path.name} holds {len(words):,} {'word' if len(words) == 1 else 'words'} of {sum(map(len, words)):,} "
            f"letters, more than can be said in the clip's {duration:.1f} s: give the transcript of this clip alone."
        )


def _read(path: Path) -> str:
    """The file's text, whatever its usual encoding."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path.name} is larger than {MAX_BYTES:,} bytes: that is no transcript of a clip."
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path.name}.") from None
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from None
    marked = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), None)
    try:
        text = data.decode(marked or "utf-8-sig", errors="replace" if marked else "strict")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        if _is_foreign(data):
            raise InputError(
                f"{path.name} is written in an encoding that cannot be told: save it as UTF-8."
            ) from None
    is_wide = marked is not None or "\x00" in text
    if is_wide and not marked:
        text = _wide(data)
    if is_wide and (_BINARY.search(text) or text.count("\ufffd") > DAMAGED * len(text) + 1):
        raise InputError(f"{path.name} is not text.")
    return text


def _is_foreign(data: bytes) -> bool:
    """Whether so many letters are beyond ASCII that cp1252 would make words of another alphabet's bytes."""
    beyond = sum(byte >= 0x80 for byte in data)
    return beyond > WESTERN * (beyond + sum(bytes((byte,)).isalpha() for byte in data))


def _wide(data: bytes) -> str:
    """UTF-16 without its mark, whose zeros are all on one side of the letters; other zeros are left for the caller."""
    first, second = data[::2].count(0), data[1::2].count(0)
    if first and second:
        return "\x00"
    return data.decode("utf-16-be" if first else "utf-16-le", errors="replace")


def _cues(path: Path, text: str, kind: str, duration: float, warnings: list[str] | None) -> list[Cue]:
    """Time and words of each cue in the clip."""
    captions = read_captions(text, kind)
    cues = gather_cues(captions, duration, entities=kind == "vtt")
    if captions and not cues:
        raise InputError(f"No cue of {path.name} with words in it lies within the clip's {duration:.1f} s.")
    late = sum(span.start >= duration for span, _ in captions)
    if late and warnings is not None:
        warnings.append(
            f"Of the transcript's {len(captions):,} cues {late:,} come after the clip's end and are left out: does it "
            "belong to this clip?"
        )
    return cues


def place_cues(cues: Iterable[Cue], sound: Sound | None, speech: Sequence[Span]) -> list[Word]:
    """Every cue's words within it: on its speech where there is some, else over all of its time.

    Cues that lie over each other are first given a time each (`one_after_another`).
    A word that its cue times (TIMED) stays there: who corrects one word finds the others where they were.
    Aligned words have the aligner's confidence. One that shares the cue's time lies at most the rest of that time from
    where it is put: its confidence falls from 1, alone in its cue, to SPREAD at LOOSE seconds of rest. The slope is a
    judgement; it was not measured.
    """
    words: list[Word] = []
    for cue, said in one_after_another(cues):
        is_timed = len(said) == 1 and cue.end - cue.start <= TIMED
        spoken = [] if is_timed else [s for s in within(speech, cue) if s.end - s.start > 0.1]
        room = spoken or [cue]
        time = sum(span.end - span.start for span in room)
        placed = align_words(said, sound if spoken else None, room)
        words += [_sure_by_cue(word, time) if word.confidence == SPREAD else word for word in placed]
    return _in_order(words)


def within(speech: Sequence[Span], cue: Span) -> list[Span]:
    """What of the spans (in order, disjoint) lies in the cue's time."""
    first = bisect_right(speech, cue.start, key=lambda span: span.end)
    last = bisect_left(speech, cue.end, lo=first, key=lambda span: span.start)
    return [Span(max(s.start, cue.start), min(s.end, cue.end)) for s in speech[first:last]]


def _in_order(words: Iterable[Word]) -> list[Word]:
    """The words as they were said, none beginning before the one in front of it.

    A cue's words are aligned with a little of the sound around it, so the next cue's first may be put before them.
    """
    ordered: list[Word] = []
    for word in words:
        start = max(word.start, ordered[-1].start) if ordered else word.start
        ordered.append(word if start == word.start else replace(word, start=start, end=max(start, word.end)))
    return ordered


def _sure_by_cue(word: Word, time: float) -> Word:
    """The word with the confidence that comes from sharing `time` seconds of a cue."""
    rest = min(max(time - (word.end - word.start), 0.0) / LOOSE, 1.0)
    return replace(word, confidence=1 - (1 - SPREAD) * rest)


def _place_text(
    said: list[str],
    sound: Sound | None,
    speech: Sequence[Span],
    duration: float,
    heard: Callable[[], Transcript] | None,
) -> list[Word]:
    """Words over the speech: aligned in one go, else by the words recognised in it, else evenly."""
    if not speech or sound is None:
        return spread_words(said, [Span(0.0, duration)])
    words = align_words(said, sound, speech)
    if any(word.confidence == 1 for word in words):
        return words
    recognised = recognise(sound, speech) if heard is None else heard()
    return _match(said, recognised.words, speech) or words


def _tell_misfit(words: Sequence[Word], speech: Sequence[Span], warnings: list[str] | None) -> None:
    """Tell where the words are more than anybody says in the speech, or many had to be squeezed into no time."""
    seconds = sum(span.end - span.start for span in speech)
    squeezed = sum(word.end - word.start < SQUEEZED for word in words)
    if speech and warnings is not None and (len(words) > FAST * seconds or squeezed > CROWDED * len(words)):
        warnings.append(
            f"The transcript's {len(words):,} words do not fit the {seconds:.1f} s of speech: "
            "does it belong to this clip?"
        )


def _tell_other(words: Sequence[Word], sound: Sound, speech: Sequence[Span], warnings: list[str]) -> None:
    """Tell where the stretch of speech with the most words is heard to hold others: any text is aligned, if it fits."""
    stretches = [(stretch, _said_in(words, stretch)) for stretch in stretch_speech(speech)]
    stretch, placed = max(stretches, key=lambda pair: len(pair[1]), default=([], []))
    if len(placed) < LEAST_SAMPLE:
        return
    heard = [plain for word in hear_stretch(sound, stretch) if (plain := _plain(word))]
    agreed = len(matching(placed, heard))
    if heard and agreed < MATCHED * len(placed):
        warnings.append(
            f"Of {len(placed):,} words of the transcript {agreed:,} are heard where they are placed: does it belong "
            "to this clip?"
        )


def _said_in(words: Sequence[Word], stretch: Sequence[Span]) -> list[str]:
    """The words that begin within the stretch, as they are compared."""
    return [_plain(w.word) for w in words if stretch[0].start <= w.start < stretch[-1].end and _plain(w.word)]


def _plain(word: str) -> str:
    """A word as it is compared with others: small letters, digits and apostrophes."""
    return re.sub(r"[^\w']", "", word.lower())


def _match(said: list[str], heard: Sequence[Word], speech: Sequence[Span]) -> list[Word]:
    """Times of heard words given to the same words as said, the rest between them; none where too few agree."""
    times = {a: heard[b] for a, b in matching([_plain(w) for w in said], [_plain(w.word) for w in heard])}
    if len(times) < MATCHED * len(said):
        return []
    words: list[Word] = []
    while len(words) < len(said):
        index = len(words)
        if index in times:
            words.append(replace(times[index], word=said[index]))
        else:
            words += _between(said, index, times, speech)
    return words


def _between(said: list[str], first: int, times: dict[int, Word], speech: Sequence[Span]) -> list[Word]:
    """The run of unheard words that begins at `first`, spread over the speech between its heard neighbours."""
    stop = first
    while stop < len(said) and stop not in times:
        stop += 1
    begin = times[first - 1].end if first else speech[0].start
    end = times[stop].start if stop < len(said) else max(begin, speech[-1].end)
    spans = [Span(max(begin, s.start), min(end, s.end)) for s in speech if s.end > begin and s.start < end]
    return spread_words(
        said[first:stop], [s for s in spans if s.end > s.start] or [Span(begin, max(begin, end))]
    )

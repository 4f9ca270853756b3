"""Subtitles inside the clip: every container and codec of text, and when they are left alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from extractors.records import Sound, Span, Transcript
from extractors.voice.vad import find_speech
from extractors.words.align import SPREAD
from extractors.words.embedded import _covered, _with_ends, read_embedded
from tests.clips import RATE, Cue, Subtitles, make_clip, make_sound, speech

STYLED: list[Cue] = [
    (1.0, 2.5, r"{\i1}Hello{\i0} there,\N{\b1}friend{\b0} [music]"),
    (3.0, 5.0, "JOHN: How are you?"),
]


def write(path: Path, *subtitles: Subtitles) -> Path:
    """A clip of 6 s of silence with streams of subtitles."""
    return make_clip(path, 6.0, video=None, sound="silence", subtitles=subtitles)


def said(transcript: Transcript | None) -> str:
    assert transcript is not None
    assert transcript.source == "embedded"
    return " ".join(word.word for word in transcript.words)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mov_text"),
        ("a.mov", "mov_text"),
        ("a.mkv", "subrip"),
        ("a.mkv", "ass"),
        ("a.mkv", "webvtt"),
        ("a.webm", "webvtt"),
    ],
)
def test_every_kind_of_text_is_read_without_its_styling(tmp_path: Path, name: str, codec: str) -> None:
    warnings: list[str] = []
    clip = write(tmp_path / name, Subtitles(STYLED, codec=codec))
    transcript = read_embedded(clip, None, (), 6.0, warnings)
    assert said(transcript) == "Hello there, friend How are you?"
    assert transcript is not None
    starts = [w.start for w in transcript.words]
    assert starts[0] == pytest.approx(1.0, abs=0.05)
    assert starts[3] == pytest.approx(3.0, abs=0.05)
    assert transcript.words[-1].end == pytest.approx(5.0, abs=0.05)
    assert all(SPREAD < word.confidence < 1 for word in transcript.words)  # they share their cues' time
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(transcript.words))
    assert warnings == []


def test_words_are_aligned_to_the_sound_within_their_cue(tmp_path: Path) -> None:
    reading = Sound(speech()[: int(6.6 * RATE)])
    clip = write(
        tmp_path / "a.mkv",
        Subtitles([(0.9, 4.8, "It was the best of times, it was the worst of times.")]),
    )
    transcript = read_embedded(clip, reading, find_speech(reading), 6.6)
    assert transcript is not None
    assert transcript.words[9].word == "worst"
    assert transcript.words[9].start == pytest.approx(3.37, abs=0.15)
    assert all(word.confidence == 1 for word in transcript.words)


def test_a_clip_without_subtitles_gives_none_in_silence(tmp_path: Path) -> None:
    warnings: list[str] = []
    assert read_embedded(write(tmp_path / "a.mp4"), None, (), 6.0, warnings) is None
    assert read_embedded(write(tmp_path / "b.mkv", Subtitles([])), None, (), 6.0, warnings) is None
    assert warnings == []


def test_english_is_preferred_and_forced_lines_come_last(tmp_path: Path) -> None:
    french, untold = Subtitles([(1, 3, "bonjour")], "fre"), Subtitles([(1, 3, "untold")])
    forced = Subtitles([(1, 3, "a sign")], "eng", forced=True)
    english = Subtitles([(1, 3, "good day")], "eng")
    clip = write(tmp_path / "a.mkv", french, forced, untold, english)
    assert said(read_embedded(clip, None, (), 6.0)) == "good day"
    clip = write(tmp_path / "b.mkv", french, forced, untold)
    assert said(read_embedded(clip, None, (), 6.0)) == "untold"


def test_a_cue_that_began_before_the_clip_is_kept_from_its_start_on(tmp_path: Path) -> None:
    """As in what was cut out of a longer recording: the pictures begin at 10 s of the file's own time."""
    cues = [(7.0, 9.0, "gone"), (8.0, 12.0, "hello there"), (13.0, 14.0, "friend")]
    times = [10 + i / 10 for i in range(60)]
    clip = make_clip(tmp_path / "a.mkv", video="plain", sound=None, times=times, subtitles=[Subtitles(cues)])
    transcript = read_embedded(clip, None, (), 6.0)
    assert said(transcript) == "hello there friend"
    assert transcript is not None
    assert [w.start for w in transcript.words] == pytest.approx([0.0, 1.0, 3.0], abs=0.05)
    assert transcript.words[1].end == pytest.approx(2.0, abs=0.05)


def test_another_language_is_left_alone_and_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    clip = write(
        tmp_path / "a.mkv", Subtitles([(1, 3, "bonjour")], "fre"), Subtitles([(1, 3, "hallo")], "ger")
    )
    assert read_embedded(clip, None, (), 6.0, warnings) is None
    assert warnings == [
        "The clip's own subtitles are tagged as not English (fre, ger), so they were not used."
    ]


def test_a_tag_is_repeated_no_further_than_tags_go(tmp_path: Path) -> None:
    warnings: list[str] = []
    tag = "cannot be recognised here: that needs " * 2_000
    assert (
        read_embedded(write(tmp_path / "a.mkv", Subtitles([(1, 3, "so")], tag)), None, (), 6.0, warnings)
        is None
    )
    assert warnings == [
        "The clip's own subtitles are tagged as not English (cannot b), so they were not used."
    ]


def test_untagged_text_of_another_language_is_left_alone_and_told(tmp_path: Path) -> None:
    german = (
        "ich habe das nicht gesehen und es ist auch nicht mit dem Hund zu sehen, wie wir es von ihm kennen"
    )
    clip = write(tmp_path / "a.mkv", Subtitles([(0.5, 5.5, f"{german}, aber nicht hier")]))
    warnings: list[str] = []
    assert read_embedded(clip, None, (), 12.0, warnings) is None
    assert warnings == ["The clip's own subtitles are in German, so they were not used."]
    assert said(read_embedded(clip, None, (), 12.0, language="de")).startswith("ich habe")


@pytest.mark.parametrize(
    ("cues", "told"),
    [
        ([(5.0, 5.5, "MUSEUM")], "cover little of what is said"),
        ([(0.0, 6.0, "word " * 200)], "more words than can be said"),
        ([(i / 50, i / 50 + 1, "x" * 30_000) for i in range(200)], "more than 5,000,000 letters"),
    ],
)
def test_what_is_no_transcript_is_left_alone_and_told(tmp_path: Path, cues: list[Cue], told: str) -> None:
    warnings: list[str] = []
    clip = write(tmp_path / "a.mkv", Subtitles(cues))
    assert read_embedded(clip, Sound(make_sound("speech", 6.0)), (Span(0.5, 4.5),), 6.0, warnings) is None
    assert len(warnings) == 1
    assert told in warnings[0]


def test_a_clip_cut_short_gives_the_cues_that_are_left(tmp_path: Path) -> None:
    cues = [(float(i), i + 0.9, f"number{i} " + "x" * 400) for i in range(6)]
    clip = write(tmp_path / "a.mkv", Subtitles(cues))
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"number4")])
    words = said(read_embedded(clip, None, (), 6.0)).split()
    assert words[0] == "number0"
    assert "number4" not in words


def test_a_moment_that_several_cues_share_counts_once() -> None:
    speech = [Span(0.0, 4.0), Span(6.0, 10.0)]
    cues = [
        (Span(1.0, 3.0), ["a"]),
        (Span(1.0, 3.0), ["b"]),
        (Span(2.0, 3.5), ["c"]),
        (Span(2.5, 3.0), ["d"]),
    ]
    assert _covered(cues, speech) == pytest.approx(2.5 / 8)
    assert _covered(cues, []) == 1


def test_a_caption_without_a_duration_stays_until_the_next_one() -> None:
    begins = (1.0, 3.0, 3.0, 20.0)
    ends = [span.end for span, _ in _with_ends([(Span(begin, begin), ["so"]) for begin in begins])]
    assert ends == [3.0, 10.0, 10.0, 27.0]
    assert next(_with_ends([(Span(1.0, 9.0), ["so"]), (Span(3.0, 3.0), ["it"])]))[0] == Span(1.0, 9.0)

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from extractors.records import InputError, Sound, Span, Transcript, Word
from extractors.voice.vad import find_speech
from extractors.words import align, subtitles
from extractors.words.align import GUESSED, SPREAD
from extractors.words.captions import is_drawing, plain_caption
from extractors.words.cues import gather_cues
from extractors.words.subtitles import place_cues, read_transcript, within
from tests.clips import RATE, speech

SAID = "It was the best of times, it was the worst of times. It was the age of wisdom."


@pytest.fixture(scope="module")
def reading() -> Sound:
    return Sound(speech()[: int(6.6 * RATE)])


def read(path: Path, text: str | bytes, sound: Sound | None = None, duration: float = 6.6) -> Transcript:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_transcript(path, sound, find_speech(sound) if sound else (), duration)


def said(transcript: Transcript) -> str:
    return " ".join(word.word for word in transcript.words)


def test_cues_are_aligned_within_their_time(tmp_path: Path, reading: Sound) -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:04,800\n<i>It was the best</i> of times,\nit was the worst of times. [music]\n\n"
        "2\n00:00:04,900 --> 00:00:06,500\nJOHN: It was the age of wisdom. (sighs)\n"
    )
    transcript = read(tmp_path / "a.srt", text, reading)
    assert said(transcript) == SAID
    assert transcript.source == "given"
    assert transcript.sentences == (0,) * 12 + (1,) * 6
    assert transcript.words[9].start == pytest.approx(3.37, abs=0.15)  # "worst", as in the whole reading
    assert transcript.words[12].start >= 4.8
    assert all(word.confidence == 1 for word in transcript.words)


def test_a_word_that_its_cue_times_stays_there_and_longer_cues_are_searched(
    tmp_path: Path, reading: Sound
) -> None:
    text = "1\n00:00:00,600 --> 00:00:01,300\nworst\n\n"  # said at 3.4 s: whoever wrote 0.6 s wants it there
    text += "2\n00:00:01,400 --> 00:00:04,800\nthe best of times, it was the worst of times\n"
    words = read(tmp_path / "a.srt", text, reading).words
    assert (words[0].start, words[0].end, words[0].confidence) == (0.6, 1.3, 1.0)
    assert words[8].start == pytest.approx(3.37, abs=0.15)


def test_cues_without_sound_share_their_time(tmp_path: Path) -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Mary>Hello <c>there</c>\n\n00:03.000 --> 00:09.000\nfriend\n"
    )
    transcript = read(tmp_path / "a.vtt", text)
    assert said(transcript) == "Hello there friend"
    assert [w.start for w in transcript.words] == pytest.approx([1.0, 1.5, 3.0])
    assert transcript.words[-1].end == pytest.approx(6.6)  # cut to the clip


def test_a_word_is_as_sure_as_its_cue_is_short(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nthen\n\n00:03.000 --> 00:05.000\nhere we\n\n"
    text += f"00:10.000 --> 00:40.000\n{'long ' * 30}\n"
    sure = [word.confidence for word in read(tmp_path / "a.vtt", text, duration=60.0).words]
    assert sure[0] == 1  # the file says when, as it does of every word of a file timed by words
    assert GUESSED < sure[1] < 1
    assert set(sure[3:]) == {SPREAD}


def test_rolling_captions_are_said_once(tmp_path: Path) -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nhello there\n\n00:02.000 --> 00:03.000\nhello there\nmy friend\n\n"
        "00:03.000 --> 00:04.000\nmy friend\nhow are you\n"
    )
    assert said(read(tmp_path / "a.vtt", text)) == "hello there my friend how are you"


def stamp(seconds: float) -> str:
    return f"00:00:{seconds:06.3f}".replace(".", ",")


def test_captions_that_roll_in_steps_of_a_moment_are_said_once(tmp_path: Path) -> None:
    """As video sites write them: between two cues one of 10 ms that shows what stays."""
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.990\nhello there\n\n00:02.990 --> 00:03.000\nhello there\n\n"
        "00:03.000 --> 00:04.990\nhello there\nmy friend\n\n00:04.990 --> 00:05.000\nmy friend\n"
    )
    assert said(read(tmp_path / "a.vtt", text)) == "hello there my friend"


@pytest.mark.parametrize(
    ("cues", "heard"),
    [
        ([(0, 1, "No."), (2, 3, "No."), (3.5, 4.5, "No, never.")], "No. No. No, never."),
        ([(1, 1.4, "very"), (1.4, 1.8, "very"), (1.8, 2.2, "happy")], "very very happy"),
        ([(0, 2, "Well.\nNo."), (3, 4, "No.")], "Well. No. No."),
        ([(1, 3, "hello"), (1, 3, "hello")], "hello"),  # a text and its shadow
        ([(0, 1, "hello"), (0.5, 3, "hello\nthere")], "hello there"),
        ([(0, 2, "- You love him?\n- No."), (2, 4, "- No.\n- Then why?")], "You love him? No. No. Then why?"),
        ([(0, 2, "I love you\nso much"), (2, 4, "I love you")], "I love you so much I love you"),
        ([(0, 3, "Yes"), (2, 5, "Yes")], "Yes Yes"),
        ([(0, 2, "we\ncame\nwe\nsaw"), (2, 4, "came\nwe\nsaw\nand won")], "we came we saw and won"),
    ],
)
def test_what_is_said_again_is_kept(tmp_path: Path, cues: list[tuple[float, float, str]], heard: str) -> None:
    stamped = [
        f"{i}\n{stamp(start)} --> {stamp(end)}\n{text}\n" for i, (start, end, text) in enumerate(cues, 1)
    ]
    assert said(read(tmp_path / "a.srt", "\n".join(stamped))) == heard


def test_cues_over_each_other_are_told_one_after_another(tmp_path: Path) -> None:
    """Two who speak at once, and captions that stay while the next are said: never word by word in turns."""
    text = "1\n{} --> {}\nI loved it so much\n\n2\n{} --> {}\nyou are a liar\n"
    at_once = read(tmp_path / "a.srt", text.format(*map(stamp, (1, 4, 1.2, 4))))
    assert said(at_once) == "I loved it so much you are a liar"
    assert at_once.words[5].start == pytest.approx(
        1 + 3 * 14 / 25, abs=0.001
    )  # 14 letters of 25 in three seconds
    stays = read(tmp_path / "b.srt", text.format(*map(stamp, (1, 5, 3, 6)))).words
    assert " ".join(word.word for word in stays) == "I loved it so much you are a liar"
    assert (stays[4].end, stays[5].start) == (pytest.approx(3), pytest.approx(3))


VTT = "WEBVTT - made\n\nSTYLE\n::cue {}\n\nNOTE Confidence: 0.93\n\n"


@pytest.mark.parametrize(
    ("name", "text", "heard"),
    [
        ("a.vtt", VTT + "6f3a-8d2e/11-0\n00:01.000 --> 00:02.000 align:start\nhello\n\nNOTE\nsad\n", "hello"),
        ("a.vtt", VTT + "00:01.000 --> 00:02.000\nhello\n\nthere\n", "hello there"),
        ("a.vtt", VTT + "00:01.000 --> 00:02.000\nI<00:01.300><c> hate</c><00:01.800><c> this</c>\n", "I hate this"),
        ("a.srt", "1\r00:00:01,000 --> 00:00:02,000\rhi\r\r2\r00:00:02,500 --> 00:00:03,000\rthere\r", "hi there"),
        ("a.srt", "1\n00:01,000 --> 00:02,000\nhello\n", "hello"),
        ("a.srt", "1\n-00:00:02,000 --> 00:00:01,000\nhello\n", "hello"),
        ("a.txt", "Mary Jones  0:01\nhello\n\n0:04\nthere 0:05 o'clock\n", "hello there 0:05 o'clock"),
        ("a.txt", "0:00 hello\n0:04 there\n", "hello there"),
        ("a.txt", "Mary Jones: hello\nBob: this: is\nMary Jones: me\nBob: not you\n", "hello this: is me not you"),
        ("a.txt", "Listen: it is over\nI said: no\n", "Listen: it is over I said: no"),
        ("a.txt", "MARY: it is over\n", "it is over"),
        ("a.txt", "MARY: No.\n", "No."),
        (
            "a.vtt",
            VTT + "00:01.000 --> 00:02.000\nListen: it\n\n00:02.000 --> 00:03.000\nListen: it\nis over\n",
            "Listen: it is over",  # once, though it is shown twice: no name
        ),
        ("a.txt", "MARY:\nI think so.\nJOHN:\nNot I.\n", "I think so. Not I."),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nMARY:\nI think so.\n", "I think so."),
        ("a.txt", "Élodie: Hello.\nSpeaker 2: Hi.\nÉlodie: Bye.\nSpeaker 2: So long.\n", "Hello. Hi. Bye. So long."),
        ("a.txt", "élodie: Hello.\nélodie: Bye.\n", "élodie: Hello. élodie: Bye."),
        ("a.txt", "so (he says\nin a low voice) it is\n", "so it is"),
        ("a.txt", "so (one\ntwo\nthree\nfour) it is\n", "so (one two three four) it is"),
        (
            "a.vtt",
            VTT + "00:01.000 --> 00:02.000\n[upbeat music\nplaying]\n\n"
            "00:02.000 --> 00:03.000\n(door slams\nloudly) What?\n",
            "What?",
        ),
        (
            "a.vtt",
            VTT + "00:01.000 --> 00:02.000\n&gt;&gt; MARY: I am &amp; was\n&gt;&gt;&gt; Hello &gt;&gt; MARY: you\n",
            "I am & was Hello you",
        ),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n>>> Good evening. >> Hi\n— Yes\n", "Good evening. Hi Yes"),
        ("a.txt", "LISTEN: IT IS OVER AND I MEAN it\n", "LISTEN: IT IS OVER AND I MEAN it"),  # most are capitals
        ("a.txt", "LISTEN: IT IS OVER\nI SAID: NO\n", "LISTEN: IT IS OVER I SAID: NO"),
        ("a.txt", "f**k *this* s*** #happy C#\n", "f**k this s*** happy C#"),
    ],
)  # fmt: skip
def test_what_stands_about_the_words_is_not_said(tmp_path: Path, name: str, text: str, heard: str) -> None:
    assert said(read(tmp_path / name, text)) == heard


FIRST, SECOND, THIRD = (f"00:00:0{i},000 --> 00:00:0{i + 1},000\n" for i in (1, 2, 3))


@pytest.mark.parametrize(
    ("name", "text", "heard"),
    [
        ("a.vtt", f"WEBVTT\n\n{FIRST}How old?\n42\n\n{SECOND}In\n1984\n", "How old? 42 In 1984"),
        ("a.srt", f"{FIRST}How old?\n42\n\n{SECOND}In\n1984\n", "How old? 42 In 1984"),
        ("a.srt", f"1\n{FIRST}How old?\n42\n\n2\n{SECOND}In\n1984\n", "How old? 42 In 1984"),
        ("a.srt", f"1\n{FIRST}How old?\n42\n2\n{SECOND}7\n\n", "How old? 42 7"),
        ("a.srt", f"1\n\n{FIRST}\nIn\n\n42\n\n2\n\n{SECOND}\nso\n", "In 42 so"),
        ("a.srt", f"{FIRST}I\n42\n{SECOND}so\n\n3\n{THIRD}am\n", "I 42 so am"),
    ],
)
def test_numbers_that_are_said_are_kept_and_those_of_cues_are_not(
    tmp_path: Path, name: str, text: str, heard: str
) -> None:
    assert said(read(tmp_path / name, text)) == heard


@pytest.mark.parametrize(
    ("times", "begin", "end"),
    [
        ("00:00:01 --> 00:00:02", 1, 2),
        ("00:00:01:250 --> 00:00:02:500", 1.25, 2.5),
        ("0:1:2,5 --> 0:1:4,25", 62.5, 64.25),
        ("00:01.05 --> 00:02.5", 1.05, 2.5),
        ("00:00:01,000 -> 00:00:02,000 X1:10", 1, 2),
        ("00:00:01,000 → 00:00:02,000", 1, 2),
        ("7 00:00:01,000 --> 00:00:02,000", 1, 2),
    ],
)
def test_times_are_read_however_they_are_written(
    tmp_path: Path, times: str, begin: float, end: float
) -> None:
    (word,) = read(tmp_path / "a.srt", f"1\n{times}\nhello\n", duration=99.0).words
    assert (word.word, word.start, word.end) == ("hello", begin, end)


def test_times_that_are_said_are_no_cues(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nOpen\n5:00 - 6:00 daily\n"
    assert said(read(tmp_path / "a.srt", text)) == "Open 5:00 - 6:00 daily"
    assert said(read(tmp_path / "a.txt", "0:01 --> 0:04\nhello\n")) == "hello"
    noted = "WEBVTT\n\nNOTE 00:00:03.000 --> 00:00:04.000\nno\n\n00:01.000 --> 00:02.000\nyes\n"
    assert said(read(tmp_path / "a.vtt", noted)) == "yes"


def test_plain_text_that_does_not_fit_the_speech_is_told(tmp_path: Path, reading: Sound) -> None:
    path, speech = tmp_path / "a.txt", find_speech(reading)
    for text, misfit in ((SAID, False), (3 * f"{SAID} ", True), (f"{SAID} {SAID}", True)):
        told: list[str] = []
        path.write_text(text)
        read_transcript(path, reading, speech, 6.6, warnings=told)
        assert any("do not fit" in warning for warning in told) == misfit


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("R&amp;B", "R&B"),
        ("&lt;b&gt;bold&lt;/b&gt;", "<b>bold</b>"),  # as text: it is no tag, and the page escapes it again
        ("&amp;lt;", "&lt;"),  # undone once
        ("f&#40;x&#41; (sighs)", "f(x)"),  # as text: no note, which has brackets
        ("a&nbsp;b&lrm;&#39;s &#x41;", "a b\u200e's A"),
        ("&copy; &notme; &amp &#0; &#xD800;", "&copy; &notme; &amp \ufffd \ufffd"),  # HTML's others are text
    ],
)
def test_what_webvtt_writes_for_signs_is_undone(tmp_path: Path, written: str, heard: str) -> None:
    text = f"WEBVTT\n\n00:01.000 --> 00:05.000\n{written}\n"
    assert said(read(tmp_path / "a.vtt", text)) == heard
    srt = f"1\n00:00:01,000 --> 00:00:05,000\n{written}\n"
    assert said(read(tmp_path / "a.srt", srt)) == written.replace(
        " (sighs)", ""
    )  # SubRip knows no such thing


BOMBS = {
    **{
        f"open {tag}": tag * (300_000 // len(tag))
        for tag in ("<", "{", "[", "(", "< ", "<i", "</", "<a ", "<\n", "{\n")
    },
    "a tag of blanks": "<" + 150_000 * " " + "1>" + "{" + 150_000 * " " + "1}",
    "a tag of strokes": "</" + 150_000 * " /" + "1>",
    "notes that never end": "[a\n\n(b\n\n" * 30_000,
    "a note of blanks": "[" + 100_000 * " " + "\n" + 100_000 * " " + "x",
    "turns": ">" * 150_000 + " >> " * 30_000,
    "names": "Mary." * 60_000 + ":" + "Mary " * 30_000 + ":",
    "stars": "*a" * 100_000 + "*" * 100_000,
    "numbers of cues": "1\n" * 100_000 + "1 \n" * 50_000,
    "drawings": r"{\p" * 100_000 + "}",
    "tags of ASS": r"{\i1}" * 50_000,
    "gaps": "a" + 300_000 * "\n" + "a",
    "gaps of blanks": "a" + 100_000 * "\n \r" + "a",
    "cues": 5_000 * "00:01.000 --> 00:02.000\nhi\n\n",
    "rolling lines": 2 * ("00:01.000 --> 00:02.000\n" + "".join(f"{i}a\n" for i in range(25_000))),
    "numbers": "1" * 300_000,
    "times": "00:01.000 " * 30_000,
    "arrows": "-->" * 100_000,
    "entities": "&amp;" * 60_000,
}


@pytest.mark.parametrize("ending", ["vtt", "srt"])
@pytest.mark.parametrize("bomb", list(BOMBS))
def test_no_text_takes_time_by_its_square(tmp_path: Path, bomb: str, ending: str) -> None:
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{BOMBS[bomb]}\n"
    begin = time.process_time()
    with suppress(InputError):
        read(tmp_path / "a.txt", BOMBS[bomb])
    with suppress(InputError):
        read(tmp_path / f"a.{ending}", text if ending == "vtt" else text.replace(".0", ",0"))
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_no_caption_of_a_clip_takes_time_by_its_square(bomb: str) -> None:
    begin = time.process_time()
    for text in (BOMBS[bomb], BOMBS[bomb] + "}"):
        is_drawing(text)
        gather_cues([(Span(1.0, 2.0), plain_caption(text))], 6.0)
    assert time.process_time() - begin < 2


def test_drawings_are_no_captions() -> None:
    assert is_drawing(r"{\an7\p1}m 0 0 l 100 0 100 100{\p0}")
    assert not any(map(is_drawing, (r"{\pos(1,2)}hi {\p0}there", r"never closed {\p1 hi", r"\p1")))
    assert plain_caption(r"{\i1}Hello\hyou\N<b>my</b> fr<i>ie</i>nd\nI <3") == [
        "Hello you",
        "my friend",
        "I 3",
    ]


def test_no_text_takes_time_by_its_square_where_it_is_matched_to_what_is_heard(tmp_path: Path) -> None:
    """Half an hour of one word, given where one word in five is that one."""
    heard = Transcript(
        tuple(Word("the" if i % 5 == 0 else f"other{i}", i / 3, i / 3 + 0.3) for i in range(5400)),
        (0,) * 5400,
    )
    (tmp_path / "a.txt").write_text("the " * 26_000, encoding="utf-8")
    silence, speech = Sound(np.zeros(1800 * RATE, np.float32)), [Span(0.0, 1800.0)]
    begin = time.process_time()
    read_transcript(tmp_path / "a.txt", silence, speech, 1800.0, lambda: heard)
    assert time.process_time() - begin < 6


def test_many_cues_and_many_spans_take_no_time_by_their_product() -> None:
    speech = [Span(0.4 * i, 0.4 * i + 0.3) for i in range(4500)]
    cues = [(Span(0.4 * i, 0.4 * i + 0.39), ["word"]) for i in range(4500)]
    begin = time.process_time()
    assert len(place_cues(cues, None, speech)) == 4500
    assert time.process_time() - begin < 1


def test_what_lies_within_a_cue() -> None:
    speech = [Span(0.0, 1.0), Span(2.0, 3.0), Span(4.0, 5.0)]
    assert within(speech, Span(0.5, 4.5)) == [Span(0.5, 1.0), Span(2.0, 3.0), Span(4.0, 4.5)]
    assert (
        within(speech, Span(1.0, 2.0)) == within(speech, Span(5.0, 9.0)) == within([], Span(0.0, 1.0)) == []
    )


def test_words_of_neighbouring_cues_keep_their_order(reading: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cue's words are looked for a little beyond it, so the next one's may be found before them."""

    def align(words: list[str], _: Sound, spans: list[Span]) -> list[Word]:
        return [Word(word, spans[0].start - 0.1, spans[-1].end + 0.1) for word in words]

    monkeypatch.setattr(subtitles, "align_words", align)
    cues = [(Span(1.0, 1.4), ["It", "was"]), (Span(1.4, 1.45), ["the", "best"])]
    words = place_cues(cues, reading, [Span(0.0, 5.0)])
    assert [word.word for word in words] == ["It", "was", "the", "best"]
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert all(word.end >= word.start for word in words)


def test_a_word_that_was_put_before_another_ends_no_sooner_than_it_begins() -> None:
    moved = subtitles._in_order([Word("so", 1.0, 1.5), Word("it", 0.2, 0.6), Word("is", 1.1, 1.3)])
    assert [(word.start, word.end) for word in moved] == [(1.0, 1.5), (1.0, 1.0), (1.1, 1.3)]


def test_a_short_clip_may_hold_the_words_of_two_seconds() -> None:
    assert not subtitles.is_too_much(["no"] * 30, 0.4)
    assert subtitles.is_too_much(["no"] * 31, 0.4)


def test_words_that_are_not_heard_lie_between_those_that_are() -> None:
    heard = [Word("one", 1.0, 1.4), Word("two", 3.0, 3.5), Word("three", 4.0, 4.5)]
    given = ["so", "one", "and", "then", "two", "three", "go"]
    words = subtitles._match(given, heard, [Span(0.5, 2.0), Span(2.5, 6.0)])
    assert [word.word for word in words] == given
    assert (words[0].start, words[0].end) == (0.5, 1.0)
    assert (words[2].start, words[3].end) == (1.4, 3.0)
    assert (words[6].start, words[6].end) == (4.5, 6.0)
    assert subtitles._match(["and", "then", "we", "all", "go"], heard, [Span(0.5, 6.0)]) == []


def test_where_most_words_are_placed_it_is_heard_whether_they_are_said(
    reading: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Span] = []

    def hear(_: Sound, stretch: list[Span]) -> list[str]:
        asked.extend(stretch)
        return ["w5", "other"]

    monkeypatch.setattr(subtitles, "hear_stretch", hear)
    speech, told = [Span(0.0, 9.0), Span(20.0, 30.0), Span(40.0, 49.0)], list[str]()
    starts = [*range(3), *(20 + i / 2 for i in range(12)), *range(40, 48)]
    words = [Word(f"w{i}", start, start + 0.3) for i, start in enumerate(starts)]
    subtitles._tell_other(words, reading, speech, told)
    assert asked == [speech[1]]
    assert told[0].startswith("Of 12 words of the transcript 1 are heard where they are placed")


def test_a_first_word_that_cannot_be_pronounced_comes_first(tmp_path: Path, reading: Sound) -> None:
    text = "1\n00:00:01,000 --> 00:00:04,800\n我 it was the best of times, it was the worst of times\n"
    starts = [word.start for word in read(tmp_path / "a.srt", text, reading).words]
    assert starts == sorted(starts)
    found = {1: Word("it", 0.9, 1.2)}
    assert [word.start for word in align._fill(["我", "it"], found, 1.0, 2.0)] == [0.9, 0.9]


def test_plain_text_is_laid_over_the_speech(tmp_path: Path, reading: Sound) -> None:
    transcript = read(tmp_path / "a.txt", SAID.replace(". ", ".\n"), reading)
    assert said(transcript) == SAID
    assert transcript.words[9].start == pytest.approx(3.37, abs=0.15)
    assert all(word.confidence == 1 for word in transcript.words)


def test_plain_text_of_another_recording_is_told(tmp_path: Path, reading: Sound) -> None:
    other = (
        "We hold these truths to be self evident, that all men are created equal and free in their rights."
    )
    asked = ((SAID, True, 0), (other, True, 1), (other, False, 0))
    for text, english, count in asked:
        warnings: list[str] = []
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        read_transcript(
            tmp_path / "a.txt", reading, find_speech(reading), 6.6, warnings=warnings, english=english
        )
        assert len(warnings) == count, warnings
        assert all("are heard where they are placed: does it belong" in told for told in warnings)


def test_plain_text_is_cleared_of_what_nobody_says(tmp_path: Path) -> None:
    text = "[00:00] ANNA: It was the best\n- of times (laughs)\n[00:04]\nit was <i>the worst</i>"
    assert said(read(tmp_path / "a.txt", text)) == "It was the best of times it was the worst"


def test_plain_text_without_speech_is_spread_evenly_and_half_sure(tmp_path: Path) -> None:
    transcript = read(tmp_path / "a.txt", "one two six ten", duration=4.0)
    assert {word.confidence for word in transcript.words} == {SPREAD}
    assert [w.start for w in transcript.words] == pytest.approx([0, 1, 2, 3])
    assert transcript.words[-1].end == pytest.approx(4.0)


def test_plain_text_with_other_words_takes_what_agrees(tmp_path: Path, reading: Sound) -> None:
    strange = SAID.replace("of", "extraordinarily unbelievably incomprehensibly")
    transcript = read(tmp_path / "a.txt", strange, reading)
    assert said(transcript) == strange
    starts = [w.start for w in transcript.words]
    assert starts == sorted(starts)
    assert starts[0] > 0.9
    assert transcript.words[-1].end < 6.6
    # Words that are heard are as sure as they were when heard; those put between them are not.
    assert {word.confidence for word in transcript.words} <= {1.0, GUESSED, SPREAD}
    assert [word.confidence for word in transcript.words].count(SPREAD) >= 3


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nhéllo\n"
    assert said(read(tmp_path / "a.srt", text.encode(encoding))) == "héllo"


FOREIGN = [
    ("gb18030", "我今天很高兴"),
    ("shift_jis", "今日はとても嬉しいです"),
    ("cp1251", "Я сегодня очень рад"),
]


@pytest.mark.parametrize(("encoding", "text"), FOREIGN, ids=[encoding for encoding, _ in FOREIGN])
def test_letters_of_another_alphabet_are_not_read_as_western_ones(
    tmp_path: Path, encoding: str, text: str
) -> None:
    """Their bytes would make words of Latin letters, which pass for English and get a score."""
    for name, whole in (("a.txt", text), ("a.srt", f"1\n00:00:01,000 --> 00:00:05,000\n{text}\n")):
        with pytest.raises(
            InputError, match=f"{name} is written in an encoding that cannot be told: save it as"
        ):
            read(tmp_path / name, whole.encode(encoding))


def test_western_letters_are_read_however_many(tmp_path: Path) -> None:
    text = "Où êtes-vous allés cet été, là-bas, à l’île de Ré, cher élève zélé?"
    assert said(read(tmp_path / "a.txt", text.encode("cp1252"))) == text


SRT = "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nthere\n"
VTT = "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n\n00:03.000 --> 00:04.000\nthere\n"


@pytest.mark.parametrize(("name", "text"), [("a.txt", SRT), ("a.txt", VTT), ("a.srt", VTT), ("a.vtt", SRT)])
def test_subtitles_are_read_as_such_whatever_the_files_ending(tmp_path: Path, name: str, text: str) -> None:
    words = read(tmp_path / name, text).words
    assert [(word.word, word.start) for word in words] == [("hello", 1.0), ("there", 3.0)]


def test_a_cue_that_begins_before_the_clip_is_kept_from_its_start_on() -> None:
    shown = [(Span(-3.0, -1.0), ["gone"]), (Span(-2.0, 1.0), ["hello"]), (Span(5.0, 9.0), ["there"])]
    assert gather_cues(shown, 6.0) == [(Span(0.0, 1.0), ["hello"]), (Span(5.0, 6.0), ["there"])]


def test_cues_after_the_clips_end_are_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8")
    words = read_transcript(tmp_path / "a.srt", None, (), 2.5, None, warnings).words
    assert [word.word for word in words] == ["hello"]
    assert warnings == [
        "Of the transcript's 2 cues 1 come after the clip's end and are left out: does it belong to this clip?"
    ]
    warnings.clear()
    read_transcript(tmp_path / "a.srt", None, (), 3.5, None, warnings)  # the last is only cut short
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.doc", b"hello", "give a .srt, .vtt or .txt"),
        ("a.srt", b"", "holds no words"),
        ("a.srt", b"nothing like subtitles", "holds no words"),
        ("a.txt", b" \n ", "holds no words"),
        ("a.txt", b"... --- !!!", "holds no words"),
        ("a.txt", rb"{\rtf1\ansi It was the best of times}", "holds no words"),
        ("a.txt", b"\x00\x01\x02", "is not text"),
        ("a.txt", b"\xff\xfe" + bytes(range(256)) * 2, "is not text"),
        ("a.txt", b"\xff\xfeh\x00i\x00\x00\x00\x01\x00", "is not text"),
        ("a.txt", b"\xff\xfe\x00\x00" + bytes(range(256)), "is not text"),
        ("a.txt", b"\x00\x00\xfe\xff\x00\x00\x00h\x00\x00\x00\x07", "is not text"),
        (
            "a.txt",
            b"word " * 200,
            "holds 200 words of 800 letters, more than can be said in the clip's 6.6 s",
        ),
        ("a.txt", b"a" * 4_000_000, "holds 1 word of 4,000,000 letters, more than can be said"),
        ("a.vtt", b"WEBVTT\n\n09:00:00.000 --> 09:00:01.000\nhi\n", "No cue of a.vtt"),
        ("a.srt", b"1\n99:99:99,999 --> -1:00:00,000\nhi\n", "a.srt"),
    ],
)
def test_bad_transcripts_are_one_sentence(tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / name, data)


def test_a_missing_or_huge_transcript(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_transcript(tmp_path / "none.srt", None, (), 5.0)
    with pytest.raises(InputError, match="larger than"):
        read(tmp_path / "a.txt", b"word " * 1_100_000)

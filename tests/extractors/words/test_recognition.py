from __future__ import annotations

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from extractors.records import Sound, Span, Word
from extractors.voice.vad import find_speech
from extractors.words import align
from extractors.words.align import GUESSED, SPREAD, align_words, forget_words, spread_words
from extractors.words.recognition import LONGEST, number_sentences, recognise, stretch_speech, transcript_of
from tests.clips import RATE, make_sound, speech
from tests.sounds import SOUNDS

SAID = "it was the best of times it was the worst of times it was the age of wisdom it was the age of foolishness"

WORST = 0.5 + 3.37  # where "worst" begins when the whole 44 s are aligned; the reading starts at 0.5 s here


def plain(words: list[str]) -> list[str]:
    return [re.sub(r"[^a-z']", "", word.lower()) for word in words]


@pytest.fixture(scope="module")
def reading() -> Sound:
    return Sound(speech()[: int(8.5 * RATE)], start=0.5)


def test_speech_is_found_where_it_is(reading: Sound) -> None:
    spans = find_speech(reading)
    assert 1.5 < spans[0].start < 1.9
    assert 8.6 < spans[-1].end < 9.0
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_torchs_threads_are_left_as_they_were() -> None:
    """In a process of its own: the first import of the network's package sets one thread for all that follows."""
    script = (
        "import numpy, torch\n"
        "from extractors.voice import vad\n"
        "from extractors.records import Sound\n"
        "torch.set_num_threads(2)\n"
        "network, used = vad._network, []\n"
        "vad._network = lambda: used.append(torch.get_num_threads()) or network()\n"
        "vad.find_speech(Sound(numpy.zeros(16_000, numpy.float32)))\n"
        "assert used == [1], used\n"
        "assert torch.get_num_threads() == 2, torch.get_num_threads()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "music"])
def test_no_speech_no_words(kind: str) -> None:
    sound = Sound(make_sound(kind, 6.0))
    spans = find_speech(sound)
    assert spans == ()
    assert recognise(sound, spans) == transcript_of([], "recognised")
    assert recognise(sound, spans).source == "none"


@pytest.mark.parametrize("name", list(SOUNDS))
def test_noise_music_and_claps_invent_no_words(name: str) -> None:
    sound = Sound(SOUNDS[name](12 * RATE))
    assert find_speech(sound) == ()


def test_speech_between_music_is_all_that_is_heard() -> None:
    music, said = SOUNDS["drums and chords"](8 * RATE), speech()[: 4 * RATE]
    sound = Sound(np.concatenate([music, said, music]))
    words = recognise(sound, find_speech(sound)).words
    assert "times" in " ".join(plain([word.word for word in words]))
    assert all(8 < word.start < word.end < 12.6 for word in words)


def test_the_level_does_not_move_the_speech(reading: Sound) -> None:
    assert find_speech(Sound(reading.samples * np.float32(0.25), start=0.5)) == find_speech(reading)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 700])
def test_very_short_sound(count: int) -> None:
    assert find_speech(Sound(np.zeros(count, np.float32))) == ()


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        find_speech(Sound(np.zeros(44_100, np.float32), rate=44_100))


def test_words_are_heard_and_timed(reading: Sound) -> None:
    shares: list[float] = []
    transcript = recognise(reading, find_speech(reading), shares.append)
    heard = plain([word.word for word in transcript.words])
    said = SAID.split()
    assert sum(a == b for a, b in zip(heard, said, strict=False)) >= len(said) - 3
    assert transcript.source == "recognised"
    assert len(set(transcript.sentences)) >= 3
    assert shares[-1] == 1.0
    times = [(w.start, w.end) for w in transcript.words]
    assert all(a < b for a, b in times)
    assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(times))
    worst = transcript.words[heard.index("worst")]
    assert worst.start == pytest.approx(WORST, abs=0.15)


def test_recognition_from_several_threads(reading: Sound) -> None:
    spans = find_speech(reading)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: recognise(reading, spans), range(3)))
    assert results[0] == results[1] == results[2]


def test_after_long_speech_the_recognisers_are_let_go(
    reading: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans, hearing = find_speech(reading), "recogniser"
    first = recognise(reading, spans)
    assert [t for t in threading.enumerate() if t.name.startswith(hearing)]
    monkeypatch.setattr("extractors.words.recognition.LONG", 1.0)
    assert recognise(reading, spans) == first
    for thread in [t for t in threading.enumerate() if t.name.startswith(hearing)]:
        thread.join(60)
        assert not thread.is_alive()
    assert recognise(reading, spans) == first


def test_quiet_speech_is_heard(reading: Sound) -> None:
    quiet = Sound(reading.samples * np.float32(0.01), start=0.5)
    heard = plain([w.word for w in recognise(quiet, find_speech(quiet)).words])
    assert sum(word in heard for word in ("best", "times", "worst", "wisdom", "foolishness")) >= 4


def test_stretches_part_at_pauses_and_are_never_too_long() -> None:
    speech = [Span(0, 3), Span(3.2, 12), Span(12.1, 18), Span(25, 65), Span(70, 70.2), Span(80, 81)]
    stretches = stretch_speech(speech)
    assert stretches[0] == [Span(0, 3), Span(3.2, 12)]
    assert all(s[-1].end - s[0].start <= LONGEST for s in stretches)
    assert [Span(70, 70.2)] not in stretches
    kept = sum(s.end - s.start for stretch in stretches for s in stretch)
    assert kept == pytest.approx(sum(s.end - s.start for s in speech) - 0.2)


def test_alignment_finds_the_words(reading: Sound) -> None:
    words = align_words(SAID.split(), reading, find_speech(reading))
    assert [w.word for w in words] == SAID.split()
    assert words[9].start == pytest.approx(WORST, abs=0.15)
    assert all(w.confidence == 1 for w in words)


def test_words_outside_the_dictionary_keep_their_place(reading: Sound) -> None:
    said = ["It", "—", "was", "zzthe", "best-of", "times,", *SAID.split()[6:]]
    words = align_words(said, reading, find_speech(reading))
    assert [w.word for w in words] == said
    assert words[1].confidence == words[3].confidence == GUESSED
    assert next(w for w in words if w.word == "worst").start == pytest.approx(WORST, abs=0.15)
    assert all(a.start <= b.start for a, b in pairwise(words))


def test_words_outside_the_dictionary_are_forgotten(reading: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    said, speech = ["It", "was", "zzthe", *SAID.split()[3:]], find_speech(reading)
    times = align_words(said, reading, speech)
    assert align._aligner().decoder.lookup_word("~zzthe") is not None
    assert "zzthe" in align._aligner().decoder.hyp().hypstr
    forget_words()
    assert align._aligner().decoder.lookup_word("~zzthe") is None
    assert align_words(said, reading, speech) == times  # nor does it hear otherwise than before
    monkeypatch.setattr(align, "MOST_LEARNT", 2)
    for i in range(5):
        align_words([f"zz{i}the", *said[3:]], reading, speech)
        assert align._aligner().learnt <= 3


def test_the_words_that_were_aligned_last_are_forgotten_too(reading: Sound) -> None:
    forget_words()
    align_words(SAID.split(), reading, find_speech(reading))
    assert not align._aligner().learnt
    forget_words()
    assert "worst" not in str(align._aligner().decoder.hyp())


def test_text_that_was_not_said_is_spread_over_the_speech(reading: Sound) -> None:
    words = align_words(["extraordinarily"] * 300, reading, find_speech(reading))
    assert len(words) == 300
    assert all(w.confidence == SPREAD for w in words)


def test_words_need_speech_to_be_placed(reading: Sound) -> None:
    with pytest.raises(ValueError, match="at least one span"):
        align_words(["hello"], reading, ())


def test_spreading_fills_the_spans_and_crosses_no_gap() -> None:
    words = spread_words(["a", "bbb", "cc", "dddd"], [Span(1, 2), Span(5, 6)])
    assert words[0].start == 1
    assert words[-1].end == pytest.approx(6)
    assert all(w.end <= 2 or w.start >= 5 for w in words)
    assert spread_words([], [Span(0, 1)]) == []


def timed(text: str, gap: float = 0.0) -> list[Word]:
    return [Word(word, i * (0.3 + gap), i * (0.3 + gap) + 0.3) for i, word in enumerate(text.split())]


def test_sentences_end_at_punctuation_but_not_after_titles() -> None:
    assert number_sentences(timed("Hi Dr. Who. Are you well? Yes")) == (0, 0, 0, 1, 1, 1, 2)


def test_sentences_end_at_pauses_where_there_is_no_punctuation() -> None:
    assert number_sentences(timed("so it goes", gap=0.7)) == (0, 1, 2)
    assert number_sentences(timed("so it goes", gap=0.1)) == (0, 0, 0)


def test_endless_sentences_are_cut_at_a_breath() -> None:
    assert max(number_sentences(timed("word " * 200, gap=0.3))) >= 2

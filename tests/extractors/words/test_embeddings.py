from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from extractors.grid import to_grid
from extractors.records import Transcript, Word
from extractors.words.align import SPREAD
from extractors.words.embeddings import (
    COLUMNS,
    EMBEDDING,
    MAX_WORDS,
    WIDTH,
    _fitting,
    embed_sentences,
    embed_words,
    load_encoder,
)
from extractors.words.subtitles import read_transcript


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_row_is_the_mean_of_its_words_tokens() -> None:
    encoder = load_encoder()
    sentence = "an unbelievably tedious film"
    tokens = encoder.encode([sentence], output_value="token_embeddings")[0].numpy()
    owners = encoder.tokenizer(sentence).word_ids()
    (rows,) = embed_sentences([sentence.split()])
    assert owners.count(1) > 1  # "unbelievably" is several tokens
    for word in range(4):
        held = [i for i, owner in enumerate(owners) if owner == word]
        assert rows[word][:EMBEDDING] == pytest.approx(tokens[held].mean(axis=0), abs=1e-5)


def test_batches_give_what_single_sentences_give() -> None:
    sentences = [("word " * n + "good").split() for n in (0, 1, 7, 40, 130, 3)] + [[]]
    together = embed_sentences(sentences)
    assert [len(rows) for rows in together] == [len(s) for s in sentences]
    for sentence, rows in zip(sentences, together, strict=True):
        assert rows.dtype == np.float32
        assert rows == pytest.approx(embed_sentences([sentence])[0], abs=1e-4)


def test_a_sentence_that_was_not_split_is_refused() -> None:
    with pytest.raises(TypeError, match=r"'a dull film': give its words, as sentence.split\(\) does"):
        embed_sentences([["a", "dull", "film"], "a dull film"])


def test_a_word_depends_on_its_sentence() -> None:
    river, money, cash = embed_sentences(
        [
            ["the", "river", "bank", "was", "muddy"],
            ["the", "bank", "lent", "money"],
            ["a", "bank", "lent", "cash"],
        ]
    )
    assert cosine(money[1], cash[1]) > cosine(river[2], money[1])


@pytest.mark.parametrize("word", ["", "\x00", "日本語", "🙂", "a" * 10_000, "http://x.y/" * 300, "<b>", "."])
def test_any_word_has_finite_numbers(word: str) -> None:
    (rows,) = embed_sentences([["so", word, "good"]])
    assert rows.shape == (3, WIDTH)
    assert np.isfinite(rows).all()
    assert np.abs(rows).sum(axis=1).min() > 0


def test_long_sentences_are_read_in_windows() -> None:
    (rows,) = embed_sentences([["fine"] * (3 * MAX_WORDS + 5)])
    assert np.abs(rows).sum(axis=1).min() > 0


def test_words_of_many_tokens_are_all_read() -> None:
    """115 such numbers are over 800 tokens, and the encoder takes 510: what came after them had no token of its own."""
    numbers = [f"1,234,56{i % 10}.89" for i in range(115)]
    hated, loved = embed_sentences([[*numbers, "I", word, "this"] for word in ("hate", "love")])
    assert hated.shape == (118, WIDTH)
    assert np.abs(hated[-2] - loved[-2]).max() > 0.1
    assert np.abs(hated[-1] - hated[-3]).max() > 0.1
    assert np.isfinite(embed_sentences([["🙂!" * 32] * 120])[0]).all()


def test_ordinary_words_are_read_in_windows_as_long_as_ever() -> None:
    words = ("extraordinarily " * MAX_WORDS).split()
    assert _fitting(load_encoder, 7, words) == [(7, words)]
    assert [(first, len(part)) for first, part in _fitting(load_encoder, 7, ["1,234.5"] * 120)] == [
        (7, 60),
        (67, 60),
    ]


def test_the_track_has_the_words_times() -> None:
    words = (Word("so", 0.5, 0.7, 0.8), Word("good", 0.8, 1.2), Word("Bye", 3.0, 3.5))
    track = embed_words(Transcript(words, (0, 0, 1), "given"))
    first, second = embed_sentences([["so", "good"], ["Bye"]])
    assert track.values == pytest.approx(np.concatenate([first, second]), abs=1e-4)
    assert track.columns == COLUMNS
    assert track.values.shape == (3, WIDTH)
    assert list(track.start) == [0.5, 0.8, 3.0]
    assert list(track.confidence) == pytest.approx([0.8, 1.0, 1.0])
    assert embed_words(Transcript()).values.shape == (0, WIDTH)


def test_it_is_told_how_far_the_words_are_embedded() -> None:
    words = tuple(Word(f"word{i}", float(i), i + 0.5) for i in range(70))
    transcript, told = Transcript(words, tuple(range(70)), "given"), list[float]()
    track = embed_words(transcript, told.append)
    assert told == pytest.approx([32 / 70, 64 / 70, 1.0])
    assert track.values == pytest.approx(embed_words(transcript).values)

    def refuse(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        embed_words(transcript, refuse)


def test_threads_agree() -> None:
    sentences = [["one", "two", "three"][: i % 3 + 1] for i in range(50)]
    alone = embed_sentences(sentences)
    with ThreadPoolExecutor(3) as pool:
        for rows in pool.map(lambda _: embed_sentences(sentences), range(3)):
            assert np.concatenate(rows) == pytest.approx(np.concatenate(alone), abs=1e-4)


def test_importing_the_room_loads_nothing_heavy() -> None:
    script = (
        "import sys, extractors, extractors.words.embeddings, extractors.words.recognition\n"
        "import extractors.voice.features, extractors.voice.vad\n"
        "heavy = {'torch', 'librosa', 'cv2', 'sentence_transformers', 'moonshine_voice', 'pysubs2', 'av', 'numba'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert 'probe' in dir(extractors) and extractors.to_grid is not None\n"
        "try:\n    extractors.nonsense\nexcept AttributeError as error:\n    assert 'nonsense' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=os.getcwd())


@pytest.mark.parametrize(
    "name",
    [
        "Limits",
        "probe",
        "read_frames",
        "read_sound",
        "find_speech",
        "recognise",
        "read_transcript",
        "embed_words",
        "describe_voice",
        "to_grid",
        "Track",
    ],
)
def test_names_of_the_room_are_found(name: str) -> None:
    import extractors

    assert callable(getattr(extractors, name))


def test_text_spread_over_silence_is_half_present(tmp_path: Path) -> None:
    written = tmp_path / "said.txt"
    written.write_text("one two six ten")
    transcript = read_transcript(written, None, (), 4.0)
    grid = to_grid({"text": embed_words(transcript)}, 4.0)
    assert grid.presence["text"] == pytest.approx(SPREAD)

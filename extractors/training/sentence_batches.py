"""Rated sentences as the encoder is trained on them: tokens in batches, and the mean over a sentence's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.training.rated import Sentence
from extractors.words.embeddings import MAX_WORDS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LONGEST = 256  # tokens; the longest rated sentence has fewer than 200
Tokens = tuple[list[int], list[float]]  # token numbers, and each token's share in the mean over words


@dataclass(frozen=True)
class Batch:
    """ids and mask [n, T]; weight [n, T] sums to one over a sentence, alike over words; the rest [n]."""

    ids: Tensor
    mask: Tensor
    weight: Tensor
    score: Tensor
    spread: Tensor
    label: Tensor


def tokenise(encoder: SentenceTransformer, sentences: Sequence[Sentence]) -> list[Tokens]:
    """Token numbers of each sentence, and each token's share in the mean over words."""
    words = [s.text.split()[:MAX_WORDS] for s in sentences]
    encoded = encoder.tokenizer(words, is_split_into_words=True, truncation=True, max_length=LONGEST)
    result = []
    for i, ids in enumerate(encoded["input_ids"]):
        owners = encoded.word_ids(i)
        counts = np.bincount([o for o in owners if o is not None] or [0])
        share = 1 / max(int(np.count_nonzero(counts)), 1)
        result.append((ids, [0.0 if o is None else share / counts[o] for o in owners]))
    return result


def batches(
    sentences: Sequence[Sentence],
    tokens: Sequence[Tokens],
    size: int,
    order: NDArray[np.int64],
) -> Iterator[Batch]:
    """Batches of sentences of like length, themselves in the order their first sentences have in `order`."""
    spread = _spreads(sentences)
    pool = size * 32
    for first in range(0, len(order), pool):
        near = sorted(order[first : first + pool], key=lambda i: len(tokens[i][0]))
        groups = [near[i : i + size] for i in range(0, len(near), size)]
        rank = {int(i): n for n, i in enumerate(order[first : first + pool])}
        for group in sorted(groups, key=lambda g: rank[int(g[0])]):
            yield batch_of([sentences[i] for i in group], [tokens[i] for i in group], spread)


def _spreads(sentences: Sequence[Sentence]) -> dict[str, float]:
    """Each source's standard deviation: a miss by one counts more where scores lie close together."""
    sources = {s.source for s in sentences}
    return {
        source: max(float(np.std([s.score for s in sentences if s.source == source])), 0.5)
        for source in sources
    }


def batch_of(sentences: Sequence[Sentence], tokens: Sequence[Tokens], spread: dict[str, float]) -> Batch:
    """The sentences as one batch, padded to the longest; `spread` is each source's standard deviation."""
    length = max(len(ids) for ids, _ in tokens)
    ids = torch.zeros(len(tokens), length, dtype=torch.long)
    mask, weight = torch.zeros_like(ids), torch.zeros(len(tokens), length)
    for row, (numbers, shares) in enumerate(tokens):
        ids[row, : len(numbers)] = torch.tensor(numbers)
        mask[row, : len(numbers)] = 1
        weight[row, : len(numbers)] = torch.tensor(shares)
    return Batch(
        ids,
        mask,
        weight,
        torch.tensor([s.score for s in sentences]),
        torch.tensor([spread[s.source] for s in sentences]),
        torch.tensor([s.label for s in sentences]),
    )


def pool(encoder: SentenceTransformer, batch: Batch) -> Tensor:
    """Mean of the words' embeddings [n, 384], float32."""
    hidden = encoder[0].auto_model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    return (hidden.float() * batch.weight[:, :, None]).sum(1)

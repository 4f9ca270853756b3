"""Figures for words beside their peers: python -m extractors.results_text --data DIR.

DIR holds gzipped tables of rated sentences. Every method is measured on the same validation tenth in the same run:
VADER (Hutto and Gilbert 2014), ridge regression on TF-IDF of words and word pairs, ridge regression on the packaged
MiniLM's mean embedding, and our readout. The ridges train on the nine other tenths, which is more than ours; their
strength is chosen by generalised cross-validation or on the tenth kept for the fusion. Prints a section for RESULTS.md.
Needs scikit-learn and vaderSentiment (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from extractors.records import FloatArray
from extractors.training.rated import Sentence, agreement, held_for_fusion, held_out, read_sentences
from extractors.words.adapter import attach
from extractors.words.embeddings import EMBEDDING, embed_sentences, load_base

STRENGTHS = (0.3, 1.0, 3.0, 10.0)
SPEED_SENTENCES, SPEED_TURNS = 400, 3
Figures = dict[str, dict[str, float]]
COLUMNS = (
    ("sst5", "sign", "SST sign, %"),
    ("sst5", "five", "SST five classes, %"),
    ("sst5", "five_nearest", "by nearest score, %"),
    ("sst5", "mae", "SST MAE"),
    ("movie", "sign", "movie sign, %"),
    ("movie", "mae", "MAE"),
    ("amazon", "sign", "amazon sign, %"),
    ("amazon", "mae", "MAE"),
    ("tweet", "sign", "tweets sign, %"),
    ("tweet", "mae", "MAE"),
    ("news", "sign", "news sign, %"),
    ("news", "mae", "MAE"),
)


def vader(sentences: Sequence[Sentence]) -> FloatArray:
    """VADER's compound score [n], times three to our range."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()
    return np.array([3 * analyser.polarity_scores(s.text)["compound"] for s in sentences], np.float32)


def tfidf_ridge(train: Sequence[Sentence], valid: Sequence[Sentence]) -> FloatArray:
    """Scores [n] of ridge regression on TF-IDF of words and word pairs.

    The strength is the one of STRENGTHS with the least error on the tenth kept for the fusion when the others train.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    def fit(part: Sequence[Sentence], strength: float, asked: Sequence[Sentence]) -> FloatArray:
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
        model = make_pipeline(words, Ridge(strength))
        model.fit([s.text for s in part], [s.score for s in part])
        return np.asarray(model.predict([s.text for s in asked]), np.float32)

    kept = [s for s in train if held_for_fusion(s.group)]
    others = [s for s in train if not held_for_fusion(s.group)]
    wanted = np.array([s.score for s in kept])
    errors = [np.abs(fit(others, strength, kept) - wanted).mean() for strength in STRENGTHS]
    return fit(train, STRENGTHS[int(np.argmin(errors))], valid)


def frozen_ridge(train: Sequence[Sentence], valid: Sequence[Sentence]) -> FloatArray:
    """Scores [n] of ridge regression on the mean of the packaged encoder's word embeddings."""
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(np.logspace(-2, 3, 11)).fit(_means(train, adapted=False), [s.score for s in train])
    return np.asarray(model.predict(_means(valid, adapted=False)), np.float32)


def _means(sentences: Sequence[Sentence], adapted: bool) -> FloatArray:
    rows = embed_sentences([s.text.split() for s in sentences], adapted=adapted)
    return np.stack([r.mean(axis=0) for r in rows])


def measure(sentences: Sequence[Sentence]) -> dict[str, Figures]:
    """Every method's figures on the validation tenth of the sentences."""
    valid = [s for s in sentences if held_out(s.group)]
    train = [s for s in sentences if not held_out(s.group)]
    out = _means(valid, adapted=True)[:, EMBEDDING:]
    return {
        "VADER": agreement(vader(valid), valid),
        "TF-IDF, ridge": agreement(tfidf_ridge(train, valid), valid),
        "MiniLM as packaged, ridge": agreement(frozen_ridge(train, valid), valid),
        "ours": agreement(out[:, 0], valid, out[:, 1:]),
    }


def speeds(sentences: Sequence[Sentence]) -> dict[str, float]:
    """Sentences a processor second on one thread, in batches of 32 of like length; the best of turns taken by turns."""
    torch.set_num_threads(1)
    merged, unmerged, half = (
        attach(load_base()),
        attach(load_base(), merged=False),
        attach(load_base()).bfloat16(),
    )
    encoders = {
        "packaged": load_base(),
        "unmerged": unmerged,
        "merged": merged,
        "merged, bfloat16": half,
    }
    texts = [s.text for s in sentences[:SPEED_SENTENCES]]
    best = dict.fromkeys(encoders, np.inf)
    for turn in range(SPEED_TURNS + 1):
        for name, encoder in encoders.items():
            took = _seconds(partial(encoder.encode, texts, batch_size=32, convert_to_numpy=False))
            best[name] = min(best[name], took) if turn else np.inf  # the first turn warms
    return {name: len(texts) / took for name, took in best.items()}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def likeness(sentences: Sequence[Sentence]) -> float:
    """The least cosine between a token's embedding in float32 and in bfloat16."""
    texts = [s.text for s in sentences[:SPEED_SENTENCES]]
    pair = [attach(load_base()), attach(load_base()).bfloat16()]
    full, half = (e.encode(texts, output_value="token_embeddings") for e in pair)
    return min(
        float(torch.cosine_similarity(a.float(), b.float(), dim=1).min())
        for a, b in zip(full, half, strict=True)
    )


def table(figures: dict[str, Figures]) -> str:
    """The figures as a Markdown table, a column a method."""
    lines = ["| | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for source, key, title in COLUMNS:
        cells = [
            _cell(by_source.get(source, {}).get(key), percent=key != "mae") for by_source in figures.values()
        ]
        lines.append(
            f"| {title if key != 'mae' or source == 'sst5' else f'{source} MAE'} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def _cell(value: float | None, percent: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if percent else f"{value:.2f}"


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m extractors.results_text", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of rated_sentences.csv.gz")
    parser.add_argument("--no-speed", action="store_true", help="leave the speeds out")
    options = parser.parse_args()
    sentences = read_sentences(options.data)
    figures = measure(sentences)
    print(table(figures))
    counts = ", ".join(f"{name} {f['sentences']:.0f}" for name, f in figures["ours"].items())
    print(f"\nValidation sentences: {counts}.")
    if not options.no_speed:
        valid = [s for s in sentences if held_out(s.group)]
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in speeds(valid).items())
        print(f"\nSentences a processor second: {rates}; bfloat16's least cosine {likeness(valid):.4f}.")


if __name__ == "__main__":
    main()

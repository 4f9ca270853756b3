"""Figures of a network on rated data: each modality alone on its own corpora, then streams and intervals.

Every row stands beside the best constant for those very ratings, which a model has to beat to have read anything.
Figures whose names end in "_all" are of all faces of a file, those that trained too, as published ones are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from model.coupled.network import CoupledMamba
from model.data.pool import Pool
from model.data.streams import ALL
from model.evaluation.reading import clip_scores, in_classes, sentence_scores
from model.evaluation.report import Figures, Report
from model.evaluation.streams import coverage, on_streams
from model.measures import metrics
from model.measures.intervals import name_of, subsets

Array = NDArray[np.float32]
FACE_TICKS = 5
CLASSES = {
    "ravdess": ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise"),
    "emodb": ("angry", "bored", "disgust", "fear", "happy", "neutral", "sad"),
}
"""What each utterance of a corpus was acted as one of, whichever of them a part of it holds."""


def evaluate(
    network: CoupledMamba, pools: Mapping[str, Pool], seed: int = 7, all_faces: Pool | None = None
) -> Report:
    """Every modality alone on its own corpora, then streams and intervals where all three are there.

    all_faces: those that trained too, for the figures whose names end in "_all".

    Left out is what cannot be told: a modality without ratings, signs where all ratings are 0, the intervals of a
    network that was never calibrated.
    """
    report: Report = {}
    if "text" in pools:
        report["text"] = on_sentences(network, pools["text"], seed)
    if "audio" in pools:
        report["speech"] = on_voices(network, pools["audio"])
    if "visual" in pools:
        whole = {} if all_faces is None else on_faces(network, all_faces)
        more = {f"{name}_all": figure for name, figure in whole.items() if not name.endswith("_constant")}
        report["faces"] = on_faces(network, pools["visual"]) | more
    signed = {m: p.select(np.isfinite(p.score)) for m, p in pools.items()}
    if all(m in signed and len(signed[m]) for m in ALL):
        report["streams"] = on_streams(network, signed, seed)
        if all(name_of(given, ALL) in network.config.intervals for given in subsets(ALL)):
            report["interval"] = coverage(network, signed, seed)
    return {part: rows for part, rows in report.items() if rows}


def on_sentences(network: CoupledMamba, pool: Pool, seed: int) -> dict[str, Figures]:
    """{source: figures} of sentences read at an even pace; "sst", of all sources so called, has five classes too.

    acc5 tells the class from the score times the network's class_spread, acc5_nearest from the score as it is.
    """
    scores = sentence_scores(network, pool, seed)
    report = by_source(scores, pool, compare)
    graded = in_classes(pool)
    if graded.any():
        own, rated = scores[graded], pool.score[graded]
        report["sst"] = compare(own, rated) | {
            "acc5": metrics.five_class_accuracy(network.config.class_spread * own, rated),
            "acc5_nearest": metrics.five_class_accuracy(own, rated),
        }
    return report


def on_voices(network: CoupledMamba, pool: Pool) -> dict[str, Figures]:
    """{corpus: figures} of the recordings that have a score, with uar and n_uar where emotions can be told apart.

    uar is the recall of each emotion that is there, averaged over them, from the voice's track, which chooses among the
    corpus's `classes`; n_uar is how many recordings are of one of these.
    """
    signed = pool.select(np.isfinite(pool.score))
    if not len(signed):
        return {}
    clips = [(signed.features(i).astype(np.float32), signed.observed(i)) for i in range(len(signed))]
    report = by_source(clip_scores(network, "audio", clips), signed, compare)
    guessed = emotions(pool)
    for name, keep in rows_by_source(pool).items():
        told = keep & (guessed != "")
        if name in report and told.any():
            report[name]["uar"] = metrics.unweighted_recall(guessed[told], pool.emotion[told])
            report[name]["n_uar"] = int(told.sum())
    return report


def classes(corpus: str, said: NDArray[np.str_]) -> tuple[str, ...]:
    """The emotions of which an utterance of this corpus has one: of RAVDESS and EmoDB all that they were acted in.

    Of other corpora those that their labels name, where these are more than one; else none: to choose the only one
    there is would always be right.
    """
    if corpus.lower() in CLASSES:
        return CLASSES[corpus.lower()]
    from extractors.voice.encoder import EMOTIONS

    named = tuple(e for e in EMOTIONS if e in said)
    return named if len(named) > 1 else ()


def emotions(pool: Pool) -> NDArray[np.str_]:
    """The likeliest emotion of each utterance by its voice's track, among its corpus's `classes`.

    Empty where the corpus has none, or none that is the utterance's own.
    """
    from extractors.records import Track
    from extractors.voice import encoder as voice_encoder
    from extractors.voice import features as voice

    columns = (*voice.COLUMNS, *voice_encoder.COLUMNS)
    likely = np.zeros((len(pool), len(voice_encoder.EMOTIONS)))
    for i in range(len(pool)):
        rows = pool.features(i).astype(np.float32)
        start = voice.HOP_SECONDS * np.arange(len(rows), dtype=np.float64)
        track = Track(rows, start, start + voice.HOP_SECONDS, pool.observed(i), columns)
        likely[i] = voice_encoder.emotion_probabilities(track)
    names, found = np.array(voice_encoder.EMOTIONS), np.full(len(pool), "", "<U16")
    for source in np.unique(pool.source):
        offered = classes(str(source), pool.emotion[pool.source == source])
        rows_of = (pool.source == source) & np.isin(pool.emotion, offered)
        found[rows_of] = names[np.where(np.isin(names, offered), likely[rows_of], -1).argmax(1)]
    return found


def on_faces(network: CoupledMamba, pool: Pool) -> Figures:
    """Accuracy and macro F1 of seven classes by the expression network; the score's figures by this one.

    n counts all faces, whose classes are told; n_scored those with a score, which the score's figures are of: surprise
    has none.
    """
    from extractors.face.expression import EXPRESSIONS

    probabilities = pool.rows[:, -len(EXPRESSIONS) :].astype(np.float32)
    guessed = np.array(EXPRESSIONS)[probabilities.argmax(1)]
    signed = pool.select(np.isfinite(pool.score))
    shown = np.ones(FACE_TICKS, np.float32)
    clips = [(signed.features(i).astype(np.float32).repeat(FACE_TICKS, 0), shown) for i in range(len(signed))]
    figures: Figures = {"n": len(pool)}
    if clips:
        compared = compare(clip_scores(network, "visual", clips), signed.score)
        figures |= {"n_scored": compared.pop("n")} | compared
    return figures | {
        "acc": float((guessed == pool.emotion).mean()),
        "macro_f1": metrics.macro_f1(guessed, pool.emotion),
    }


def by_source(scores: Array, pool: Pool, measure: Callable[[Array, Array], Figures]) -> dict[str, Figures]:
    """`measure(scores, ratings)` for each corpus and for all."""
    return {name: measure(scores[keep], pool.score[keep]) for name, keep in rows_by_source(pool).items()}


def rows_by_source(pool: Pool) -> dict[str, NDArray[np.bool_]]:
    """Which utterances [n] each row of the report is of: "all", then every corpus; one so called is "all (corpus)"."""
    rows = {"all": np.full(len(pool), True)}
    for source in np.unique(pool.source):
        rows["all (corpus)" if source == "all" else str(source)] = pool.source == source
    return rows


def compare(scores: Array, rated: Array) -> Figures:
    """The measures of model.measures.metrics, and what the best constant would get on the same ratings.

    Without those of signs where all ratings are 0.
    """
    figures: Figures = {
        "n": len(rated),
        "mae": metrics.mae(scores, rated),
        "mae_constant": metrics.mae(np.full_like(rated, np.median(rated)), rated),
        "r": metrics.pearson(scores, rated),
        "ccc": metrics.ccc(scores, rated),
    }
    if not metrics.has_signs(rated):
        return figures
    positive = float((rated > 0).sum() / (rated != 0).sum())
    return figures | {
        "acc2": metrics.sign_accuracy(scores, rated),
        "acc2_constant": max(positive, 1 - positive),
        "balanced_acc2": metrics.balanced_sign_accuracy(scores, rated),
    }

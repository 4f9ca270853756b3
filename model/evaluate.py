"""Measure a checkpoint on rated data: `python -m model.evaluate DATA_DIR [--checkpoint DIR] [--json OUT]`.

DATA_DIR holds any of text/*.csv.gz, speech/labels.csv, faces/*.npz and mosi_utterances/test.npz. Whatever trained the
checkpoint or the extractors (its seen.npz) is left out. Every row stands beside the best constant for those very
ratings, which a model has to beat to have read anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from model import metrics
from model.corpora import Pool, load_unseen
from model.inference import WEIGHTS, load_checked
from model.intervals import name_of, subsets
from model.measure_streams import coverage, on_streams
from model.network import CoupledMamba
from model.seen import Seen
from model.streams import ALL, spread_words

Array = NDArray[np.float32]
Figures = dict[str, float | None]
Report = dict[str, dict[str, Figures] | Figures]
LayOut = Callable[[Pool, int], tuple[Array, Array]]
FACE_TICKS = 5
WORD_SECONDS = 0.36
COUNTS = ("n", "seeds", "flips", "utterances_most")


def evaluate(network: CoupledMamba, pools: Mapping[str, Pool], seed: int = 7) -> Report:
    """Every modality alone on its own corpora, then streams and intervals where all three are there.

    Left out is what cannot be told: a modality without ratings, signs where all ratings are 0, the intervals of a
    network that was never calibrated.
    """
    report: Report = {}
    if "text" in pools:
        report["text"] = on_sentences(network, pools["text"], seed)
    if "audio" in pools:
        report["speech"] = on_voices(network, pools["audio"])
    if "visual" in pools:
        report["faces"] = on_faces(network, pools["visual"])
    signed = {m: p.select(np.isfinite(p.score)) for m, p in pools.items()}
    if all(m in signed and len(signed[m]) for m in ALL):
        report["streams"] = on_streams(network, signed, seed)
        if all(name_of(given, ALL) in network.config.intervals for given in subsets(ALL)):
            report["interval"] = coverage(network, signed, seed)
    return {part: rows for part, rows in report.items() if rows}


def on_sentences(network: CoupledMamba, pool: Pool, seed: int) -> dict[str, Figures]:
    """{source: figures} of sentences read at an even pace, and of SST in its two and five classes."""
    rng = np.random.default_rng(seed)
    clips = [spread_words(pool.features(i), WORD_SECONDS, rng) for i in range(len(pool))]
    scores = clip_scores(network, "text", clips)
    report = by_source(scores, pool, compare)
    sst = np.char.startswith(pool.source, "sst")
    if sst.any():
        five = metrics.five_classes(scores[sst]) == metrics.five_classes(pool.score[sst])
        report["sst"] = {"n": int(sst.sum()), "acc5": float(five.mean())}
        if metrics.has_signs(pool.score[sst]):
            report["sst"]["acc2"] = metrics.sign_accuracy(scores[sst], pool.score[sst])
    return report


def on_voices(network: CoupledMamba, pool: Pool) -> dict[str, Figures]:
    """{corpus: figures}; uar is the recall of the emotions, averaged over them, from the voice's track."""
    signed = pool.select(np.isfinite(pool.score))
    if not len(signed):
        return {}
    clips = [(signed.features(i).astype(np.float32), signed.observed(i)) for i in range(len(signed))]
    report = by_source(clip_scores(network, "audio", clips), signed, compare)
    for source in report:
        part = pool if source == "all" else pool.select(pool.source == source)
        report[source]["uar"] = metrics.unweighted_recall(emotions(part), part.emotion)
    return report


def emotions(pool: Pool) -> NDArray[np.str_]:
    """The likeliest emotion of each utterance by its voice's track, among those that its corpus has."""
    from extractors import voice, voice_encoder
    from extractors.records import Track

    columns = (*voice.COLUMNS, *voice_encoder.COLUMNS)
    likely = np.zeros((len(pool), len(voice_encoder.EMOTIONS)))
    for i in range(len(pool)):
        rows = pool.features(i).astype(np.float32)
        start = voice.HOP_SECONDS * np.arange(len(rows), dtype=np.float64)
        track = Track(rows, start, start + voice.HOP_SECONDS, pool.observed(i), columns)
        likely[i] = voice_encoder.emotion_probabilities(track)
    names, found = np.array(voice_encoder.EMOTIONS), np.empty(len(pool), "<U16")
    for source in np.unique(pool.source):
        rows_of = pool.source == source
        offered = np.isin(names, pool.emotion[rows_of])
        found[rows_of] = names[np.where(offered, likely[rows_of], -1).argmax(1)]
    return found


def on_faces(network: CoupledMamba, pool: Pool) -> Figures:
    """Accuracy and macro F1 of seven classes by the expression network; the score's figures by this one."""
    from extractors.expression import EXPRESSIONS

    probabilities = pool.rows[:, -len(EXPRESSIONS) :].astype(np.float32)
    guessed = np.array(EXPRESSIONS)[probabilities.argmax(1)]
    signed = pool.select(np.isfinite(pool.score))
    shown = np.ones(FACE_TICKS, np.float32)
    clips = [(signed.features(i).astype(np.float32).repeat(FACE_TICKS, 0), shown) for i in range(len(signed))]
    figures = compare(clip_scores(network, "visual", clips), signed.score) if clips else {}
    figures["n"] = len(pool)
    return figures | {
        "acc": float((guessed == pool.emotion).mean()),
        "macro_f1": metrics.macro_f1(guessed, pool.emotion),
    }


def by_source(scores: Array, pool: Pool, measure: Callable[[Array, Array], Figures]) -> dict[str, Figures]:
    """`measure(scores, ratings)` for each corpus and for all."""
    parts = {"all": np.full(len(pool), True)} | {str(s): pool.source == s for s in np.unique(pool.source)}
    return {name: measure(scores[keep], pool.score[keep]) for name, keep in parts.items()}


def clip_scores(network: CoupledMamba, modality: str, clips: Sequence[tuple[Array, Array]]) -> Array:
    """The clip score of each (values [T, D], presence [T]), in batches of like length."""
    scores = np.zeros(len(clips), np.float32)
    for picked in batches_by_length([len(v) for v, _ in clips], 64):
        length = max(len(clips[i][0]) for i in picked)
        values = {m: torch.zeros(len(picked), length, w) for m, w in network.config.features.items()}
        presence = torch.zeros(len(picked), length, len(values))
        for row, i in enumerate(picked):
            rows, seen = clips[i]
            values[modality][row, : len(rows)] = torch.from_numpy(rows)
            presence[row, : len(rows), network.config.modalities.index(modality)] = torch.from_numpy(seen)
        with torch.inference_mode():
            scores[picked] = network(values, presence).clip.numpy()
    return scores


def batches_by_length(lengths: Sequence[int], size: int) -> Iterator[NDArray[np.intp]]:
    """Indices in groups of about the same length, so that little is padded."""
    order = np.argsort(lengths, kind="stable")
    yield from (order[i : i + size] for i in range(0, len(order), size))


def compare(scores: Array, rated: Array) -> Figures:
    """The measures of model.metrics, and what the best constant would get on the same ratings.

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


def on_mosi(data: Path) -> Figures | None:
    """Accuracy on data/mosi_utterances/test.npz of the networks kept for it; None without the file."""
    folder = data / "mosi_utterances"
    if not (folder / "test.npz").is_file():
        return None
    from model.mosi import evaluate_folder

    found = evaluate_folder(folder)
    return None if found is None else dict(found)


def table(report: Report) -> str:
    """The report as lines to read."""
    lines = []
    for part, rows in report.items():
        nested = rows if all(isinstance(v, dict) for v in rows.values()) else {"": rows}
        for row, figures in nested.items():
            own = cast(Figures, figures)
            cells = (f"{name} {written(name, figure)}" for name, figure in own.items())
            lines.append(f"{part:16s} {row:12s} " + "  ".join(cells))
    return "\n".join(lines)


def written(name: str, figure: float | None) -> str:
    """Counts whole, figures with three digits, a dash for what could not be told."""
    if figure is None:
        return "-"
    return f"{figure:.0f}" if name in COUNTS else f"{figure:.3f}"


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.evaluate", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with any of text/, speech/, faces/, mosi_utterances/")
    parser.add_argument("--checkpoint", type=Path, default=WEIGHTS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args(given)
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}: name one with text/, speech/ or faces/")
    try:
        seen, found = Seen.load(arguments.checkpoint), load_checked(arguments.checkpoint)
    except FileNotFoundError as error:
        parser.error(str(error))
    network = cast(CoupledMamba, found)  # or a baseline, which is read alike
    report = evaluate(network, load_unseen(arguments.data, seen))
    mosi = on_mosi(arguments.data)
    if mosi is not None:
        report["mosi_utterances"] = mosi
    if not report:
        sys.exit(f"nothing in {arguments.data} is rated and new to {arguments.checkpoint}")
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

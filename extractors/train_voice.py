"""Train the head that hears emotion in a voice: python -m extractors.train_voice --data DIR.

DIR holds labels.csv and the recordings it names. Every recording is described as it is and in several versions
(`augment_voice`); from each, a few windows of speech are drawn, to which the head is fitted (`fit_voice`): a seed
decides which windows are learnt from, and where the hidden layers start. Hyper-parameters were chosen on
the speakers in DEV with these left out (--dev) and by leaving out a fifth of all training speakers in turn; the
speakers in HELD are only reported on.

Beside the shipped head, FOLDS heads are trained that each left out a part of the training speakers: a network that
is to learn from these voices must read them with a head that did not hear them (`fold_heads`).
Windows are kept under --runs by the content of what they were made from, so a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray, Track
from extractors.training import fit_voice
from extractors.training.concordance import concordance
from extractors.training.fit_voice import USUAL, Recipe, fit_head
from extractors.training.statements import statements_of
from extractors.training.voice_windows import DRAWN, RUNS, Windows, load_windows, sources_digest
from extractors.voice import encoder, features
from extractors.voice import head as voice_head
from extractors.voice.encoder import EMOTIONS, SCORES
from extractors.voice.head import WEIGHTS, VoiceHead, load_head, save_head

HELD = frozenset({"rav17", "rav18", "rav19", "rav20", "emo11", "emo14"})
DEV = frozenset({"rav13", "rav14", "rav15", "rav16", "emo09", "emo12"})
FOLDS = 5


def train_head(windows: Windows, speakers: Collection[str], recipe: Recipe) -> VoiceHead:
    """The head that the recordings of `speakers` teach."""
    draw = np.random.default_rng(recipe.seed)
    picked = np.concatenate([[0], 1 + draw.permutation(DRAWN - 1)[: recipe.windows - 1]])
    kept = np.isin(windows.speaker, sorted(speakers))
    rows = windows.rows[kept][:, : recipe.versions][:, :, picked]
    emotion = np.repeat(windows.emotion[kept], rows.shape[1] * rows.shape[2])
    return fit_head(rows.reshape(len(emotion), -1).astype(np.float32), emotion, recipe)


def folds(speakers: Collection[str]) -> list[list[str]]:
    """The speakers in FOLDS parts, the speakers of each corpus (the name's first three letters) dealt in turn."""
    ordered = sorted(speakers)
    place = {s: sum(t[:3] == s[:3] for t in ordered[:i]) for i, s in enumerate(ordered)}
    return [[s for s in ordered if place[s] % FOLDS == k] for k in range(FOLDS)]


def fold_heads(data: Path, runs: Path = RUNS, recipe: Recipe = USUAL) -> dict[str, VoiceHead]:
    """For every training speaker of data/labels.csv a head that did not hear them; trained where it is missing.

    The heads lie under `runs` as fold-*.safetensors, named by what made them.
    """
    paths = fold_files(data, runs, recipe)
    if not all(path.exists() for path in paths.values()):
        from tqdm import tqdm

        windows = load_windows(data, recipe.versions, runs)
        ours = set(paths)
        for part in tqdm(folds(ours), desc="voice heads, each without a fifth of the speakers"):
            if part and not paths[part[0]].exists():
                head = train_head(windows, ours - set(part), recipe)
                save_head(head, paths[part[0]], {"trained": {"without": part, **asdict(recipe)}})
    return {speaker: load_head(path) for speaker, path in paths.items()}


def fold_files(data: Path, runs: Path = RUNS, recipe: Recipe = USUAL) -> dict[str, Path]:
    """Where the head that did not hear each training speaker lies, or will lie once it is trained."""
    with (data / "labels.csv").open(encoding="utf-8", newline="") as file:
        ours = {r["speaker"] for r in csv.DictReader(file)} - HELD
    fitting = statements_of(fit_voice, voice_head, sys.modules[__name__])
    made = f"{sources_digest(data)} {fitting} {recipe}"
    name = hashlib.sha256(made.encode()).hexdigest()[:12]
    return {s: runs / f"fold-{k}-{name}.safetensors" for k, part in enumerate(folds(ours)) for s in part}


def describe(
    data: Path, speakers: Collection[str]
) -> list[tuple[dict[str, str], NDArray[np.float16], FloatArray]]:
    """Rows of data/labels.csv of these speakers, each with `features.hop_rows` of its recording."""
    from tqdm import tqdm

    from extractors.media.reading import read_sound
    from extractors.voice.vad import find_speech

    with (data / "labels.csv").open(encoding="utf-8", newline="") as file:
        records = [r for r in csv.DictReader(file) if r["speaker"] in speakers]
    described = []
    for record in tqdm(records, desc="unseen voices"):
        sound = read_sound(data / record["file"])
        if sound is not None:
            described.append((record, *features.hop_rows(sound, find_speech(sound))))
    return described


def measure(
    described: Sequence[tuple[dict[str, str], NDArray[np.float16], FloatArray]], head: VoiceHead
) -> dict[str, float]:
    """Recall of each corpus's own classes (unweighted), CCC and two-class accuracy (balanced) of the score."""
    tracks = []
    for _, rows, share in described:
        time = features.HOP_SECONDS * np.arange(len(rows), dtype=np.float64)
        values = encoder.encode(rows, share, head)
        tracks.append(Track(values, time, time + features.HOP_SECONDS, share, encoder.COLUMNS))
    return figures(
        np.stack([encoder.emotion_probabilities(track) for track in tracks]),
        np.array([encoder.clip_score(track) for track in tracks]),
        [record for record, _, _ in described],
    )


def figures(
    probabilities: FloatArray, score: FloatArray, records: Sequence[Mapping[str, str]]
) -> dict[str, float]:
    """The figures of `measure` for probabilities [n, 9] and scores [n] of rows of labels.csv."""
    corpus = np.array([r["corpus"] for r in records])
    emotion = np.array([EMOTIONS.index(r["emotion"]) for r in records])
    found = {"recordings": float(len(records))}
    for name in sorted(set(corpus)):
        rows = corpus == name
        classes = np.unique(emotion[rows])
        guess = classes[probabilities[rows][:, classes].argmax(axis=1)]
        recalls = [float(np.mean(guess[emotion[rows] == c] == c)) for c in classes]
        found[f"recall_{name}"] = round(float(np.mean(recalls)), 4)
    right = np.array(list(SCORES.values()))[emotion]
    kept = np.isfinite(right)
    x, y = score[kept].astype(np.float64), right[kept]
    found["ccc"] = round(concordance(x, y), 4)
    found["two_class"] = round(float(np.mean([np.mean(x[y > 0] > 0), np.mean(x[y < 0] < 0)])), 4)
    return found


def main() -> None:
    """Parse the command line, train, measure and write the weights."""
    options = parse()
    windows = load_windows(options.data, Recipe.versions, options.runs)
    ours, held = set(windows.speaker) - HELD, DEV if options.dev else HELD
    recipes = [Recipe(seed=options.seed + i) for i in range(max(1, options.seeds))]
    heads = [train_head(windows, ours - held, recipe) for recipe in recipes]
    described = describe(options.data, held)
    measured = [measure(described, head) for head in heads] if described else []
    print(json.dumps(measured, indent=2))
    if options.dev:
        return
    trained = {"speakers": sorted(ours), **asdict(recipes[0])}
    save_head(heads[0], options.weights, {"trained": trained, "measured": {"seeds": measured}})
    fold_heads(options.data, options.runs)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.train_voice", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labels.csv and its recordings")
    parser.add_argument("--seed", type=int, default=Recipe.seed, help="of the windows drawn and of the start")
    parser.add_argument(
        "--seeds", type=int, default=1, help="how many seeds to measure; the first is written"
    )
    parser.add_argument("--dev", action="store_true", help="leave DEV out, measure on it and write nothing")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of what is kept between runs")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="where the weights are written at the end"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Figures for the voice beside a peer: python -m extractors.results_voice --data DIR. Prints a section for RESULTS.md.

DIR holds labels.csv and its recordings. On the speakers in HELD: our head over several seeds, and a logistic model on
mean and deviation of 20 MFCC over a recording's speech. On the training speakers: each read by the head that did not
hear them. On the packaged head: how far half the volume and a low-pass at 4 kHz move a recording's score,
over every third recording of those in HELD.
Needs scikit-learn (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from extractors.records import FloatArray, Sound
from extractors.train_voice import HELD, describe, figures, fold_heads, measure, train_head
from extractors.training import augment_voice
from extractors.training.fit_voice import Recipe
from extractors.training.voice_windows import RUNS, Windows, load_windows
from extractors.voice import encoder, features
from extractors.voice.head import load_head

THIRD = 3  # of the recordings held out, one in so many is changed and read again
FIGURES = ("ccc", "two_class", "recall_ravdess", "recall_emodb")
MFCC = np.array([i for i, name in enumerate(features.FRAME_COLUMNS) if name.startswith("mfcc")])


def peer(windows: Windows, records: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """MFCC statistics of the whole recording, standardised, through a logistic model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = np.concatenate([MFCC, encoder.WIDTH // 2 + MFCC])
    given, held = windows.rows[:, 0, 0][:, columns].astype(np.float32), np.isin(windows.speaker, sorted(HELD))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(given[~held], windows.emotion[~held])
    found = np.full((int(held.sum()), len(encoder.EMOTIONS)), 1e-9, np.float32)
    found[:, model.classes_] = model.predict_proba(given[held])
    score = encoder.expected_score(np.log(found + 1e-9))
    return figures(found, score, [r for r, h in zip(records, held, strict=True) if h])


def moved(data: Path, records: Sequence[Mapping[str, str]]) -> tuple[float, float]:
    """Mean change of the score of recordings at half the volume, and without what is above 4 kHz."""
    from extractors.media.reading import read_sound

    changes = []
    for record in records:
        sound = read_sound(data / record["file"])
        if sound is not None:
            dull = augment_voice.band(sound.samples, None, 4000)
            plain, *others = (score(s) for s in (sound.samples, sound.samples * np.float32(0.5), dull))
            changes.append([abs(other - plain) for other in others])
    halved, dulled = np.mean(changes, axis=0)
    return float(halved), float(dulled)


def score(samples: FloatArray) -> float:
    """The score of a recording by the packaged head, its speech found anew."""
    from extractors.voice.vad import find_speech

    sound = Sound(np.asarray(samples, np.float32))
    track = features.describe_voice(sound, find_speech(sound), load_head())
    return encoder.clip_score(track)


def row(name: str, found: Sequence[dict[str, float]]) -> str:
    """A row of the table: the mean, and over several seeds the standard deviation."""
    cells = []
    for figure in FIGURES:
        values, digits = np.array([f[figure] for f in found]), 2 if figure == "ccc" else 1
        values = values * (1 if figure == "ccc" else 100)
        spread = f" ({values.std(ddof=1):.{digits + 1}f})" if len(found) > 1 else ""
        cells.append(f"{values.mean():.{digits}f}{spread}")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    options = parse()
    windows = load_windows(options.data, Recipe.versions, options.runs)
    with (options.data / "labels.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    ours = set(windows.speaker) - HELD
    described = describe(options.data, HELD)
    seeds = [train_head(windows, ours, Recipe(seed=s)) for s in range(options.seeds)]
    print("| | CCC | two classes, % | RAVDESS, eight, % | EmoDB, seven, % |\n|---|---|---|---|---|")
    print(row("MFCC statistics, logistic", [peer(windows, records)]))
    print(row(f"ours, {options.seeds} seeds", [measure(described, head) for head in seeds]))
    print(row("ours, packaged", [measure(described, load_head())]))
    heads, kept = fold_heads(options.data, options.runs), np.isin(windows.speaker, sorted(ours))
    given = [
        heads[s](w[None].astype(np.float32))[0]
        for s, w in zip(windows.speaker[kept], windows.rows[kept, 0, 0], strict=True)
    ]
    across = figures(
        np.exp(given),
        encoder.expected_score(np.array(given)),
        [r for r, k in zip(records, kept, strict=True) if k],
    )
    print(row("ours, training speakers in turn left out", [across]))
    halved, dulled = moved(options.data, [r for r in records if r["speaker"] in HELD][::THIRD])
    print(f"\nHalf the volume moves a score by {halved:.4f} on average, a low-pass at 4 kHz by {dulled:.2f}.")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.results_voice", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labels.csv and its recordings")
    parser.add_argument("--seeds", type=int, default=4, help="runs (4)")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of what is kept between runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""The model card's tables say what the command named beside them wrote, to the digits that they print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "model"
CARD = (MODEL / "weights" / "README.md").read_text(encoding="utf-8")
FIGURES = json.loads((MODEL / "results" / "evaluate.json").read_text(encoding="utf-8"))
PARTS = {"words": "text", "voice": "speech", "face": "faces"}
STREAMS = {"all three": "all", "words": "text", "voice": "audio", "face": "visual"}


def rows(first_cell: str) -> list[list[str]]:
    """The cells of the table whose header begins with `first_cell`, row by row."""
    table = CARD.split(f"\n| {first_cell} |", 1)[1].split("\n\n", 1)[0]
    lines = table.splitlines()[2:]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def alone() -> list[tuple[str, list[str]]]:
    """What each row of the table of modalities read alone ought to say: its place and its cells."""
    wanted = []
    for part, name in PARTS.items():
        sources = {"FER2013": FIGURES["faces"]} if part == "face" else FIGURES[name]
        for source, f in sources.items():
            if source == "sst":
                continue  # told in a sentence
            errors = [f"{f[key]:.2f}" for key in ("mae", "mae_constant", "r", "ccc")]
            signs = [f"{100 * f[key]:.1f}" for key in ("acc2", "acc2_constant", "balanced_acc2")]
            wanted.append((part, [source, str(f.get("n_scored", f["n"])), *errors, *signs]))
    return wanted


def test_modalities_read_alone():
    assert [[part, *cells] for part, cells in alone()] == rows("read alone")


@pytest.mark.parametrize("row", rows("streams, given"), ids=lambda row: row[0])
def test_streams(row):
    f = FIGURES["streams"][STREAMS[row[0]]]
    assert row[1:] == [
        f"{f['mae']:.2f}",
        f"{f['ccc']:.2f}",
        f"{100 * f['acc2']:.1f}",
        f"{f['lag_s']:.1f}",
        f"{100 * f['flips_within_2s']:.0f}",
        f"{f['first_lag_s']:.1f}",
        f"{100 * f['first_within_2s']:.0f}",
    ]
    assert len(rows("streams, given")) == len(STREAMS)


def test_what_is_told_in_sentences():
    said = re.sub(r"\s+", " ", CARD)
    sst, voices, faces = FIGURES["text"]["sst"], FIGURES["speech"], FIGURES["faces"]
    drawn, interval = FIGURES["streams"]["all"], FIGURES["interval"]
    for sentence in (
        f"SST in five classes: {sst['acc5']:.1%} ({sst['acc5_nearest']:.1%} by the nearest score; "
        f"sign {sst['acc2']:.1%}, {sst['n']} sentences)",
        f"RAVDESS {voices['ravdess']['uar']:.1%}, EmoDB {voices['emodb']['uar']:.1%}",
        f"{faces['acc']:.1%} right of {faces['n']:,}, macro F1 {faces['macro_f1']:.1%} (on all "
        f"{faces['n_all']:,} faces {100 * faces['acc_all']:.1f} and {faces['macro_f1_all']:.1%}, and the score's CCC "
        f"{faces['ccc_all']:.3f}".replace("CCC 0.", "CCC ."),
        f"of the {faces['n']:,} faces {faces['n'] - faces['n_scored']} show surprise",
        f"({drawn['n']} ticks)",
        f"{drawn['utterances']:.1f} began on the mean, {drawn['utterances_most']} at most",
        f"with {drawn['flips']} changes of sign",
        f"{interval['coverage']:.1%} of the ticks' and {interval['clip_coverage']:.1%} of the clips' truths lie inside",
        f"mean widths {interval['width']:.2f} and {interval['clip_width']:.2f}",
        f"{interval['widening']:.2f} times as wide",
    ):
        assert sentence.replace("%", " %") in said


def test_no_path_is_kept_with_the_figures():
    assert not re.search(r"[/\\]", json.dumps(FIGURES))

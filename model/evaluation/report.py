"""Figures of model.evaluate as lines to read, and what they are without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from model.data.unseen import Unseen

Figures = dict[str, float]
Report = dict[str, dict[str, Figures] | Figures]
NAMES = {"text": "text", "audio": "speech", "visual": "faces"}
"""What a modality's data is called in DATA_DIR and in the report."""
THINGS = {"text": "sentences", "audio": "recordings", "visual": "faces"}
SHOWN = 3  # files named where several cannot be read


def table(report: Report) -> str:
    """The report as lines to read."""
    lines = []
    for part, rows in report.items():
        nested = rows if all(isinstance(v, dict) for v in rows.values()) else {"": rows}
        for row, figures in nested.items():
            own = cast(Figures, figures)
            cells = (f"{name} {written(figure)}" for name, figure in own.items())
            lines.append(f"{part:16s} {row:12s} " + "  ".join(cells))
    return "\n".join(lines)


def written(figure: float) -> str:
    """Counts whole, figures with three digits."""
    return str(figure) if isinstance(figure, int) else f"{figure:.3f}"


def left_out(found: Mapping[str, Unseen]) -> Report:
    """{"left_out": {part: {trained, unrated, unreadable}}}: how many utterances are in no figure, and why.

    Without those that are 0; empty where nothing was left out.
    """
    counts: dict[str, Figures] = {
        NAMES[m]: {
            "trained": part.trained,
            "unrated": sum(part.unrated.values()),
            "unreadable": len(part.unreadable),
        }
        for m, part in found.items()
    }
    told = {part: {why: n for why, n in own.items() if n} for part, own in counts.items()}
    told = {part: own for part, own in told.items() if own}
    return {"left_out": told} if told else {}


def notes(found: Mapping[str, Unseen], report: Report) -> list[str]:
    """What was left out, in sentences, and which figure of MOSI is the published one."""
    lines = []
    if trained := [f"{part.trained:,} {THINGS[m]}" for m, part in found.items() if part.trained]:
        lines.append(f"left out: {', '.join(trained)} that trained the weights")
    for m, part in found.items():
        if part.unreadable:
            named = ", ".join(name or "(no name)" for name in part.unreadable[:SHOWN])
            more = ", ..." if len(part.unreadable) > SHOWN else ""
            lines.append(f"left out: {len(part.unreadable)} {THINGS[m]} that cannot be read: {named}{more}")
        if part.unrated:
            said = ", ".join(f"{n} of {name!r}" if name else str(n) for name, n in part.unrated.items())
            lines.append(f"left out: {THINGS[m]} without a score, by an emotion that has none here: {said}")
    mosi = (part for part in report if part.startswith("mosi_utterances"))
    return lines + [mosi_note(part, cast(Figures, report[part])) for part in mosi]


def mosi_note(part: str, figures: Figures) -> str:
    """Which accuracy to set beside the literature."""
    return (
        f"{part}: published_acc2, {figures['published_acc2']:.4f}, is read from the published features alone, as "
        "bc-LSTM (0.803) and MMMU-BA (0.8231) on the test part are; acc2 from the transcripts too"
    )

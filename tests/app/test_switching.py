"""Modalities switched off: what is known is not asked again, the rest is one pass, and nothing is kept for ever."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app import asking
from app.analysis import MODALITIES, Analysis
from app.analyze import dynamics_of, sentiment_of
from app.asking import ask_without
from extractors.records import Grid
from model.inference import prediction
from model.inference.loading import load_default
from model.inference.prediction import predict
from tests.app.made import make_analysis


def make_grid(ticks: int = 40, unseen: str = "") -> Grid:
    rng = np.random.default_rng(1)
    widths = load_default().config.features
    values = {m: rng.standard_normal((ticks, w)).astype(np.float32) for m, w in widths.items()}
    presence = {m: np.full(ticks, float(m != unseen), np.float32) for m in widths}
    return Grid(0.2, 0.2 * np.arange(ticks), values, presence)


def analysis_of(grid: Grid) -> Analysis:
    said, moved = predict(load_default(), grid.values, grid.presence)
    made = make_analysis(len(grid.start))
    return replace(made, sentiment=sentiment_of(said), dynamics=dynamics_of(moved))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The modalities of every pass that is made from now on."""
    made: list[tuple[str, ...]] = []
    real = prediction.scores

    def count(network: Any, values: Any, presence: Any) -> Any:
        made.append(tuple(values))
        return real(network, values, presence)

    monkeypatch.setattr("model.inference.prediction.scores", count)
    return made


def test_a_pair_is_one_pass_once_and_what_the_whole_answer_would_say(passes: list[tuple[str, ...]]) -> None:
    grid = make_grid()
    fewer = ask_without(grid, ["text", "visual"])
    assert ask_without(grid, ["visual", "text"]) is fewer
    assert passes == [("text", "visual")]
    said, _ = predict(
        load_default(), *({m: part[m] for m in fewer.kept} for part in (grid.values, grid.presence))
    )
    assert fewer.ticks == pytest.approx(tuple(said.ticks), abs=1e-6)
    assert fewer.clip.score == pytest.approx(said.clip, abs=1e-6)


def test_all_together_and_each_alone_are_read_from_the_analysis(passes: list[tuple[str, ...]]) -> None:
    grid = make_grid()
    analysis = analysis_of(grid)
    assert ask_without(grid, MODALITIES, analysis).ticks == analysis.sentiment.ticks
    for modality in MODALITIES:
        known = ask_without(grid, [modality], analysis)
        assert known.ticks == analysis.sentiment.alone[modality].ticks
        asked = ask_without(grid, [modality])
        assert known.ticks == pytest.approx(asked.ticks, abs=1e-5)
        assert known.clip.score == pytest.approx(asked.clip.score, abs=1e-5)
    assert len(passes) == 3  # where no analysis was given


def test_one_that_was_never_observed_makes_no_difference(passes: list[tuple[str, ...]]) -> None:
    grid = make_grid(unseen="audio")
    analysis = analysis_of(grid)
    assert ask_without(grid, ["text", "audio"], analysis).ticks == analysis.sentiment.alone["text"].ticks
    with pytest.raises(ValueError, match="switch another one on"):
        ask_without(grid, ["audio"], analysis)
    assert not passes


def test_two_clips_do_not_mix_and_answers_go_with_their_grid() -> None:
    one, other = make_grid(), make_grid(50)
    assert len(ask_without(one, ["text", "audio"]).ticks) == 40
    assert len(ask_without(other, ["text", "audio"]).ticks) == 50
    held = len(asking._ASKED._answers)
    del one, other
    gc.collect()
    assert len(asking._ASKED._answers) == held - 2

"""Comparisons asked for on the page and by programs, with a small network in place of the packaged one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch

from app import runs as running
from app.analysis import MODALITIES, Analysis
from app.api import Api
from app.asking import ask_independent
from app.comparing import Comparing
from app.i18n import tell
from app.panels.compare import reset
from extractors.records import InputError
from model import inference
from model.baselines import build_network
from model.config import CoupledMambaConfig
from tests.app.made import WIDTH, make_analysis, make_grid, with_intervals

ME = gr.Request(session_hash="me")
TICKS = 40


@pytest.fixture(params=["independent", "late"])
def installed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small network of chains that do not hear each other, where the packaged one is looked for."""
    folder = tmp_path / "independent"
    torch.manual_seed(1)
    sizes = {"d_model": 8, "d_state": 4, "layers": 1}
    config = CoupledMambaConfig(MODALITIES, (WIDTH,) * 3, fusion=request.param, **sizes)
    build_network(config).save_pretrained(folder)
    monkeypatch.setattr(inference, "INDEPENDENT", folder)
    return folder


@pytest.fixture
def comparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparing:
    def answer(clip: str, transcript: str | None, progress: Any, *_: object, **more: Any) -> Analysis:
        if Path(clip).name.startswith("bad"):
            raise InputError("The clip is no clip.")
        progress("probe", 0.5)
        time.sleep(0.1)  # long enough to be seen under way
        more["keep"](make_grid(TICKS))
        return with_intervals(make_analysis(TICKS, seed=len(Path(clip).name)))

    monkeypatch.setattr("app.analyze.analyze", answer)
    monkeypatch.setattr(running, "POLL", 0.01)
    return Comparing(str(tmp_path / "kept"))


def test_the_same_clip_by_independent_chains(installed: Path, comparing: Comparing) -> None:
    analysis, grid = with_intervals(make_analysis(TICKS)), make_grid(TICKS)
    other = ask_independent(analysis, grid)
    assert (other.ticks, other.transcript, other.clip) == (analysis.ticks, analysis.transcript, analysis.clip)
    assert other.sentiment != analysis.sentiment
    (step,) = comparing.run("independent", analysis, grid, "talk.mp4", None, None, ME)
    assert len(step) == len(reset())
    start, stop, answer, left, head, picture, right, _, nothing, numbers = step
    assert (start["interactive"], stop["visible"]) == (True, False)
    assert (left["visible"], right["visible"], nothing) == (True, False, None)
    assert "independent" in answer
    assert "by chance too" in answer
    assert "dashed: independent" in head
    line = next(t for t in picture.data if t.name == "all together, independent")
    assert np.allclose(line.y, other.sentiment.ticks)
    assert numbers.count("<tr>") == TICKS + 1


def test_without_the_network_a_sentence_says_so(
    comparing: Comparing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "INDEPENDENT", tmp_path / "nothing")
    (step,) = comparing.run("independent", make_analysis(TICKS), make_grid(TICKS), None, None, None, ME)
    assert tell("compare.not_installed") in step[2]
    assert step[3]["visible"] is False
    with pytest.raises(gr.Error, match="not installed here"):
        Api(str(tmp_path / "kept")).compare("a.mp4", None, None, "", ME)


def test_another_clip_is_analysed_and_stands_beside(comparing: Comparing, tmp_path: Path) -> None:
    (tmp_path / "b <i>.mp4").touch()
    shown, grid = make_analysis(TICKS), make_grid(TICKS)
    steps = list(comparing.run("other", shown, grid, "/up/a.mp4", str(tmp_path / "b <i>.mp4"), None, ME))
    assert steps[0][0]["interactive"] is False
    assert steps[0][1]["visible"] is True
    _, _, answer, left, head, first, right, other_head, second, numbers = steps[-1]
    assert (left["visible"], right["visible"]) == (True, True)
    assert "As a whole a.mp4 is" in answer
    assert "b &lt;i&gt;.mp4" in other_head
    assert "a.mp4" in head
    assert np.allclose(first.data[0].y, shown.sentiment.ticks)
    assert second.layout.yaxis.range == first.layout.yaxis.range
    assert "all together, b &lt;i&gt;.mp4" in numbers


def test_an_answer_is_told_again_in_another_language(
    installed: Path, comparing: Comparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("independent", make_analysis(TICKS), make_grid(TICKS), "talk.mp4", None, None, ME)
    (english,) = comparing.again("an answer", *given)
    monkeypatch.setattr("app.comparing.language_of", lambda request: "ja")
    (japanese,) = comparing.again("an answer", *given)
    assert "independent" in english[2]
    assert tell("compare.caveat", "ja") in japanese[2]
    (nothing,) = comparing.again("", *given)
    assert all(value == gr.skip() for value in nothing)


def test_the_other_clip_is_read_in_the_language_chosen(
    comparing: Comparing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    def note(clip: str, transcript: str | None, progress: Any, *_: object, **more: Any) -> Analysis:
        heard.append(more["language"])
        return make_analysis(TICKS)

    monkeypatch.setattr("app.analyze.analyze", note)
    (tmp_path / "b.mp4").touch()
    list(
        comparing.run(
            "other", make_analysis(TICKS), make_grid(TICKS), "a.mp4", str(tmp_path / "b.mp4"), "ja", ME
        )
    )
    assert heard == ["ja"]


def test_what_cannot_be_compared_is_a_sentence(comparing: Comparing, tmp_path: Path) -> None:
    shown, grid = make_analysis(TICKS), make_grid(TICKS)
    with pytest.raises(gr.Error, match="Analyse a clip first"):
        next(comparing.run("other", None, None, None, None, None, ME))
    with pytest.raises(gr.Error, match="Choose the other clip first"):
        next(comparing.run("other", shown, grid, "a.mp4", None, None, ME))
    (tmp_path / "bad.mp4").touch()
    seen: list[list[Any]] = []
    with pytest.raises(gr.Error, match="The clip is no clip"):
        seen.extend(
            s for s in comparing.run("other", shown, grid, "a.mp4", str(tmp_path / "bad.mp4"), None, ME)
        )
    assert seen[-1][0]["interactive"] is True
    assert "The clip is no clip." in seen[-1][2]


def test_programs_compare_by_the_same_words(installed: Path, comparing: Comparing, tmp_path: Path) -> None:
    api = Api(str(tmp_path / "kept"))
    answer = api.compare("a.mp4", None, None, "", ME)
    assert answer["names"] == ["coupled", "independent"]
    assert answer["same_clip"] is True
    second = Analysis.from_dict(answer["second"])
    assert second.sentiment.clip.score == pytest.approx(answer["scores"]["together"]["second"])
    two = api.compare("a.mp4", "long name.mp4", None, "", ME)
    assert two["names"] == ["a.mp4", "long name.mp4"]
    assert two["same_clip"] is False

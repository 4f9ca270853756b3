"""Comparisons asked for on the page and by programs, with a small network in place of the packaged one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch

from app.analysis import MODALITIES, Analysis
from app.api import Api
from app.asking import ask_independent
from app.comparing import Answer, Comparing
from app.i18n import tell
from app.panels.compare import reset
from app.server import runs as running
from app.service import Service
from extractors.records import InputError
from model.coupled.config import CoupledMambaConfig
from model.fusion.baselines import build_network
from model.inference import loading, prediction
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
    monkeypatch.setattr(loading, "INDEPENDENT", folder)
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
    under_way, step = comparing.run("independent", analysis, grid, "talk.mp4", None, None, ME)
    assert (under_way[0]["interactive"], under_way[1]["visible"]) == (False, True)
    assert tell("compare.working") in under_way[2]
    assert len(step) == len(reset())
    start, stop, answer, left, head, picture, right, _, nothing, numbers, _ = step
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
    monkeypatch.setattr(loading, "INDEPENDENT", tmp_path / "nothing")
    _, step = comparing.run("independent", make_analysis(TICKS), make_grid(TICKS), None, None, None, ME)
    assert tell("compare.not_installed") in step[2]
    assert step[3]["visible"] is False
    with pytest.raises(gr.Error, match="not installed here"):
        Api(str(tmp_path / "kept")).compare("a.mp4", None, None, "", ME)


def test_damaged_weights_of_the_other_network_are_told(
    comparing: Comparing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(loading.INDEPENDENT, tmp_path / "damaged")
    (tmp_path / "damaged" / "config.json").write_text("{}")
    monkeypatch.setattr(loading, "INDEPENDENT", tmp_path / "damaged")
    monkeypatch.setattr("app.faults.damaged_file", lambda: "independent/config.json")
    asked = comparing.run("independent", make_analysis(TICKS), make_grid(TICKS), None, None, None, ME)
    with pytest.raises(gr.Error, match=r"A file of the program is damaged: independent/config\.json"):
        list(asked)


def test_another_clip_is_analysed_and_stands_beside(comparing: Comparing, tmp_path: Path) -> None:
    (tmp_path / "b <i>.mp4").touch()
    shown, grid = make_analysis(TICKS), make_grid(TICKS)
    steps = list(comparing.run("other", shown, grid, "/up/a.mp4", str(tmp_path / "b <i>.mp4"), None, ME))
    assert steps[0][0]["interactive"] is False
    assert steps[0][1]["visible"] is True
    _, _, answer, left, head, first, right, other_head, second, numbers, _ = steps[-1]
    assert (left["visible"], right["visible"]) == (True, True)
    assert "As a whole a.mp4 is" in answer
    assert "b &lt;i&gt;.mp4" in other_head
    assert "a.mp4" in head
    assert np.allclose(first.data[0].y, shown.sentiment.ticks)
    assert second.layout.yaxis.range == first.layout.yaxis.range
    assert "all together, b &lt;i&gt;.mp4" in numbers


JAPANESE = gr.Request(session_hash="me")
JAPANESE.query_params = {"lang": "ja"}  # type: ignore[attr-defined]


def test_an_answer_is_told_again_as_it_was_in_another_language(
    installed: Path, comparing: Comparing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = make_analysis(TICKS)
    _, english = comparing.run("independent", analysis, make_grid(TICKS), "talk.mp4", None, None, ME)
    (tmp_path / "b.mp4").touch()
    given = ("other", analysis, make_grid(TICKS), "/up/talk.mp4", str(tmp_path / "b.mp4"), None)
    *_, beside = comparing.run(*given, ME)
    monkeypatch.setattr("app.analyze.analyze", None)  # nothing is analysed or asked anew
    monkeypatch.setattr("app.comparing.ask_independent", None)
    japanese = comparing.again(english[-1], analysis, JAPANESE)
    assert "independent" in english[2]
    assert tell("compare.caveat", "ja") in japanese[2]
    assert [list(t.y) for t in japanese[5].data] == [list(t.y) for t in english[5].data]
    assert "b.mp4" in comparing.again(beside[-1], analysis, JAPANESE)[7]
    stopped = comparing.again(Answer(key="compare.stopped"), analysis, JAPANESE)
    assert tell("compare.stopped", "ja") in stopped[2]
    for nothing in (comparing.again(None, analysis, JAPANESE), comparing.again(english[-1], None, JAPANESE)):
        assert all(value == gr.skip() for value in nothing)


def test_a_comparison_under_way_takes_the_language_up(comparing: Comparing, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").touch()
    analysis = make_analysis(TICKS)
    given = ("other", analysis, make_grid(TICKS), "/up/a.mp4", str(tmp_path / "b.mp4"), None)
    steps = comparing.run(*given, ME)
    assert tell("status.analysing") in next(steps)[2]
    comparing._visits.speak(JAPANESE)
    assert all(value == gr.skip() for value in comparing.again(None, analysis, JAPANESE))
    *_, last = steps
    assert last[2] == last[-1].show(analysis, "ja")[2] != last[-1].show(analysis)[2]


def test_another_analysis_ends_a_comparison_and_nothing_of_it_is_shown(
    comparing: Comparing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    other = str(tmp_path / "b.mp4")
    steps = comparing.run("other", make_analysis(TICKS), make_grid(TICKS), "a.mp4", other, None, ME)
    next(steps)
    list(Service(str(tmp_path / "kept")).run(str(tmp_path / "a.mp4"), None, ME))
    assert list(steps)[-1] == reset()

    def late(analysis: Analysis, *_: object) -> Analysis:
        comparing._visits.end("me", "another")
        return analysis

    monkeypatch.setattr("app.comparing.ask_independent", late)
    given = ("independent", make_analysis(TICKS), make_grid(TICKS), "a.mp4", None, None)
    assert list(comparing.run(*given, ME))[1:] == [reset()]


@pytest.mark.parametrize("event", ["stop", "delete", "leave"])
def test_independent_chains_are_stopped_while_they_read(
    installed: Path, comparing: Comparing, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    service, passes = Service(str(comparing._rooms.folder)), []
    ends = {"stop": comparing.stop, "delete": service.delete, "leave": service.leave}
    monkeypatch.setattr(gr, "Info", lambda message: None)
    read = prediction._read

    def count(*given: Any) -> Any:
        passes.append(given)
        ends[event](ME)
        return read(*given)

    monkeypatch.setattr(prediction, "_read", count)
    given = ("independent", make_analysis(TICKS), make_grid(TICKS), "a.mp4", None, None)
    *_, last = comparing.run(*given, ME)
    assert len(passes) == 1  # of four: all together, and each alone
    assert (tell("compare.stopped") in last[2]) == (event == "stop")
    assert last[-1] is None or last[-1].other is None


def test_chains_that_fail_leave_the_panel_in_order(
    comparing: Comparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Analysis:
        raise RuntimeError("the network is broken")

    monkeypatch.setattr("app.comparing.ask_independent", fail)
    steps = comparing.run("independent", make_analysis(TICKS), make_grid(TICKS), None, None, None, ME)
    seen: list[list[Any]] = []
    with pytest.raises(gr.Error, match="Something went wrong"):
        seen.extend(step for step in steps)
    assert (seen[-1][0]["interactive"], seen[-1][1]["visible"]) == (True, False)


def test_the_clip_shown_bears_its_own_name_and_not_that_of_its_copy(
    comparing: Comparing, tmp_path: Path
) -> None:
    room = comparing._rooms.new("me")
    (room / "talk.mp4").touch()
    (room / "talk.original").symlink_to(tmp_path / "talk.mpg")
    (tmp_path / "b.mp4").touch()
    given = (make_analysis(TICKS), make_grid(TICKS), str(room / "talk.mp4"), str(tmp_path / "b.mp4"), None)
    *_, last = comparing.run("other", *given, ME)
    assert last[-1].names == ("talk.mpg", "b.mp4")


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

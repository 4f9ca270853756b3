"""The choice of the speech's language, and its way to the analysis."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.analysis import Analysis
from app.i18n import tell
from app.panels.language import asked, choices, chosen, heading, render
from app.server import runs as running
from app.server.runs import Runs
from app.service import Service
from extractors.words import languages
from tests.app.made import make_analysis


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where faster-whisper is installed and a model is named."""
    monkeypatch.setenv(languages.WHISPER_VARIABLE, "small")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_only_english_where_nothing_else_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(languages.WHISPER_VARIABLE, raising=False)
    assert choices() == [("English", "en")]
    assert heading() == "clip.only_transcript"
    with gr.Blocks() as page:
        assert not render().visible
    told = [part["props"].get("value") for part in page.get_config_file()["components"]]
    assert "Only English is recognised" in tell("speech.english")
    assert any("__i18n__" in str(value) for value in told)


def test_a_model_without_the_package_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(languages.WHISPER_VARIABLE, "small")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert len(choices()) == 1


@pytest.mark.usefixtures("heard")
def test_others_are_offered_where_they_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = choices()
    assert heading() == "clip.have_transcript"
    assert offered[:2] == [("English", "en"), (tell("speech.found_out"), "auto")]
    assert ("German", "de") in offered
    assert len({code for _, code in offered}) == len(offered) > 20
    assert [name for name, _ in offered[2:]] == sorted(name for name, _ in offered[2:])
    with gr.Blocks():
        assert render().visible
    for setting, first in {"de": "de", "deu": "de", "auto": "auto", "xx": "en", "much": "en"}.items():
        monkeypatch.setenv(languages.LANGUAGE_VARIABLE, setting)
        assert chosen() == first


def test_the_choice_reaches_the_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def note(clip: str, transcript: str | None, progress: Any, cache: Any, **more: Any) -> Analysis:
        told.append(more["language"])
        return make_analysis()

    monkeypatch.setattr("app.analyze.analyze", note)
    monkeypatch.setattr(running, "POLL", 0.01)
    list(Runs().watch("me", "a.mp4", None, language="de"))
    clip = tmp_path / "a.mp4"
    clip.touch()
    list(Service(str(tmp_path / "kept")).run(str(clip), None, gr.Request(session_hash="me"), "fr"))
    assert told == ["de", "fr"]
    assert (asked("en"), asked(None), asked("auto")) == (languages.SUPPOSED, None, "auto")

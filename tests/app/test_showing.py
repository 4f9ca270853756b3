"""What follows an analysis: nothing of another clip is ever seen under its score, on a page without a browser."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.analysis import Analysis
from app.panels import coupling, space, switches, timeline, transcript, why
from app.panels.clip import AT
from app.server import runs as running
from tests.app.handmade_page import HandmadePage
from tests.app.made import make_analysis, make_grid

LENGTHS = {"a": 20, "b": 30, "c": 40}  # ticks of each clip, by which it is known
PARTS = (
    "cm-timeline",
    "cm-coupling",
    "cm-why-card",
    "cm-switched-card",
    "cm-layers",
    "cm-save-json",
    "cm-faces",
)


def name_of(analysis: Analysis) -> str:
    return next(f"of {name}." for name, ticks in LENGTHS.items() if ticks == len(analysis.ticks.start))


def write_report(analysis: Analysis, grid: object, clip: str, folder: Path, step: object) -> str:
    path = folder / f"{Path(clip).stem}.html"
    path.write_text("with answers", encoding="utf-8")
    return str(path)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Clips by name, whose analyses and all that is shown of them say whose they are."""

    def answer(clip: str, *_: object, **more: Any) -> Analysis:
        ticks = LENGTHS[Path(clip).stem]
        more["keep"](make_grid(ticks))
        return make_analysis(ticks)

    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    monkeypatch.setattr("app.analyze.analyze", answer)
    monkeypatch.setattr(running, "POLL", 0.01)
    for panel, values in ((timeline, 2), (coupling, 2), (transcript, 2)):
        what = "pictures" if panel is timeline else "show"
        monkeypatch.setattr(panel, what, lambda analysis, *_, count=values: [name_of(analysis)] * count)
    monkeypatch.setattr(coupling, "show_layers", lambda grid, _: f"of {len(grid.start)} ticks")
    monkeypatch.setattr(space, "show", lambda analysis, *_: name_of(analysis))
    monkeypatch.setattr(why, "show", lambda analysis, *_, **__: [None, name_of(analysis), None])
    monkeypatch.setattr(switches, "answer", lambda analysis, *_, **__: [None, name_of(analysis)])
    monkeypatch.setattr("app.showing.make_portraits", lambda analysis, *_: name_of(analysis))
    monkeypatch.setattr("app.showing.portraits_card", lambda portraits, _: portraits)
    monkeypatch.setattr("app.panels.saving.show_report", write_report)
    for name in LENGTHS:
        (tmp_path / f"{name}.mp4").touch()
    return {name: str(tmp_path / f"{name}.mp4") for name in LENGTHS}


def seen(page: HandmadePage) -> str:
    """All that is seen below the result, one after another."""
    shown = [str(page[part] or "") for part in PARTS] if page.prop("cm-detail", "visible") else []
    return " | ".join(shown)


@pytest.mark.parametrize("way", ["analysed", "opened"])
def test_nothing_of_another_clip_is_seen_under_a_new_score(clips: dict[str, str], way: str) -> None:
    page = HandmadePage()
    page["cm-several-files"] = [clips["c"], clips["b"]]
    page.do("Several.run")
    page["cm-video"] = clips["a"]
    page.do("Service.run")
    assert seen(page).count("of a.") == 5
    assert "a.json" in seen(page)
    looks: list[str] = []
    page.looked = lambda page: looks.append(seen(page))
    if way == "analysed":
        page["cm-video"] = clips["b"]
        page.do("Service.run")
    else:
        page.do("Several.open", 2, None)
    assert not [look for look in looks if "of a." in look or "a.json" in look or "of 20 " in look]
    assert looks[-1].count("of b.") == 5
    assert "b.json" in looks[-1]


def test_the_report_is_there_once_it_holds_the_answers(clips: dict[str, str]) -> None:
    page = HandmadePage()
    page["cm-video"] = clips["a"]
    offered: list[tuple[bool, Any]] = []
    page.looked = lambda page: offered.append(
        (page.prop("cm-save-html", "interactive"), page["cm-save-html"])
    )
    for name in ("a", "b"):
        page["cm-video"] = clips[name]
        offered.clear()
        page.do("Service.run")
        first = offered.index((False, None))
        assert {ready for ready, _ in offered[first:-1]} == {False}
        assert offered[-1][0]
        assert Path(offered[-1][1]).name == f"{name}.html"
        assert Path(offered[-1][1]).read_text(encoding="utf-8") == "with answers"


@pytest.mark.parametrize("written", ["save", "show_report"])
def test_a_full_disk_takes_the_files_and_nothing_else(
    clips: dict[str, str], monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    page = HandmadePage()
    buttons = ["cm-save-json", "cm-save-csv", "cm-save-html"]

    def offered() -> list[bool]:
        return [page.prop(button, "interactive") for button in buttons]

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/a/folder")

    with monkeypatch.context() as full:
        full.setattr(f"app.panels.saving.{written}", fail)
        page["cm-video"] = clips["a"]
        page.do("Service.run")
    assert seen(page).count("of a.") == 5
    assert page.prop("cm-save-told", "visible")
    assert "The files to save could not be written. The server cannot write" in page["cm-save-told"]
    assert "/a/folder" not in page["cm-save-told"]
    assert offered() == ([False, False, True] if written == "save" else [True, True, False])
    page["cm-video"] = clips["b"]  # when there is room again
    page.do("Service.run")
    assert page["cm-save-told"] == ""
    assert offered() == [True] * 3


def test_what_cannot_be_answered_leaves_nothing_of_another_clip(
    clips: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = HandmadePage()
    page["cm-video"] = clips["a"]
    page.do("Service.run")

    def fail(*_: object) -> str:
        raise RuntimeError("the network is broken")

    monkeypatch.setattr(coupling, "show_layers", fail)
    page["cm-video"] = clips["b"]
    with pytest.raises(RuntimeError, match="broken"):
        page.do("Service.run")
    assert seen(page).count("of b.") == 2
    assert "of a." not in seen(page)
    assert page.prop("cm-kept", "interactive") is False


def test_every_event_has_a_value_for_each_of_its_parts(clips: dict[str, str]) -> None:
    """Their numbers are nowhere written down: `zip` is strict in the page made by hand."""
    page = HandmadePage()
    page["cm-several-files"] = [clips["b"]]
    for name in ("Several.run", "Several.open"):
        page.do(name, *([1, None] if name == "Several.open" else []))
    page["cm-video"] = clips["a"]
    for name in ("Service.run", "Showing.retell", "Service.delete"):
        page.do(name)
    page["cm-video"] = clips["a"]
    page.do("Service.forget")
    assert "cm-welcome" in page["cm-result"] or "__i18n__" in page["cm-result"]


def test_whatever_brings_or_takes_a_video_says_when_it_happened() -> None:
    page = HandmadePage()
    events = [e for name in ("Service.run", "Service.forget", "Several.open") for e in page.events(name)]
    assert len(events) == 4  # an analysis also begins with corrected words
    at = events[0].inputs[-1]
    assert isinstance(at, gr.Number)
    assert {(event.js, event.inputs[-1]) for event in events} == {(AT, at)}

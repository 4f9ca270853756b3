"""The face's pictures: at telling moments at which it was seen, on the page and in the report and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.exports import FORMATS, save, told
from app.i18n import DEFAULT, tell
from app.i18n.labels import html
from app.page import build_page
from app.panels import saving
from app.portraits import MOST, ROOM, Portrait, make_portraits, portraits_card
from app.report import render_report
from extractors.records import Grid, Looks
from tests.app.made import make_analysis, make_grid
from tests.app.test_report import answered, since
from tests.clips import make_clip

PORTRAITS = [
    Portrait(3.1, -1.24, "data:image/jpeg;base64,AAAA"),
    Portrait(9.0, 0.4, "data:image/jpeg;base64,BBBB"),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("portraits") / "a.mp4", 24.0, sound=None, fps=5)


def seen(ticks: int, until: float) -> Grid:
    """A grid with a face in the middle at every tick until then."""
    time = np.arange(0, until, 0.2)
    boxes = np.tile(np.array([0.4, 0.3, 0.2, 0.25], np.float32), (len(time), 1))
    return replace(make_grid(ticks), looks=Looks(time, boxes, np.ones(len(time), np.int64)))


def test_pictures_are_apart_and_only_where_a_face_was_seen(clip: Path) -> None:
    analysis = make_analysis(120)
    found = make_portraits(analysis, seen(120, 24.0), clip)
    times = [portrait.seconds for portrait in found]
    assert 3 <= len(found) <= MOST
    assert min(np.diff(times)) > analysis.end / ROOM - 0.5
    assert all(p.picture.startswith("data:image/jpeg;base64,/9j/") and len(p.picture) < 12_000 for p in found)
    for portrait in found:
        assert portrait.score == analysis.sentiment.ticks[int(portrait.seconds / 0.2 + 1e-6)]
    half = make_portraits(analysis, seen(120, 12.0), clip)
    assert [p.seconds for p in half] == [seconds for seconds in times if seconds < 12.5]
    assert (
        make_portraits(analysis, seen(120, 0.0), clip) == make_portraits(analysis, make_grid(120), clip) == []
    )
    assert make_portraits(analysis, None, clip) == []
    assert make_portraits(analysis, seen(120, 24.0), clip.with_name("gone.mp4")) == []


def test_a_face_that_comes_late_is_shown_all_the_same(clip: Path) -> None:
    analysis, grid = since(make_analysis(120), visual=90), seen(120, 24.0)
    assert grid.looks is not None
    late = replace(grid, looks=Looks(grid.looks.time[90:], grid.looks.boxes[90:], grid.looks.count[90:]))
    assert len(make_portraits(analysis, late, clip)) >= 2


def test_each_picture_has_a_name_and_its_place() -> None:
    card = portraits_card(PORTRAITS)
    assert card.count("<button") == 2
    assert 'data-start="3.100"' in card
    assert 'alt="The face at 0:03.1, where the score is −1.2"' in card
    assert portraits_card([]) == ""
    assert "<button" not in portraits_card(PORTRAITS, seek=False)


def test_only_the_report_holds_them_and_says_so(clip: Path, tmp_path: Path) -> None:
    report = render_report(make_analysis(60), "clip", answered(60), PORTRAITS)
    assert report.count("data:image/jpeg;base64,") == 2
    assert "This file holds small pictures of the face" in report
    assert "small pictures of the face" not in render_report(make_analysis(60), "clip", answered(60))
    analysis, grid = make_analysis(120), seen(120, 24.0)
    for kind in [kind for kind in FORMATS if kind != "html"]:
        save(analysis, kind, tmp_path / kind, clip, grid, clip)
        assert b"base64" not in (tmp_path / kind).read_bytes()


def test_before_anything_is_saved_the_page_says_what_the_report_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    held = [part["props"].get("value") for part in build_page().get_config_file()["components"]]
    assert str(html(saving.faces)) in map(str, held)
    assert tell("saving.faces") in saving.faces(DEFAULT)
    for text in (tell("saving.faces"), tell("clip.privacy.more"), told("html")):
        assert "small pictures of the face" in text


def test_delete_now_takes_them_off_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    page = build_page()
    config = page.get_config_file()
    named = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
    pressed = [d for d in config["dependencies"] if (named["cm-delete"], "click") in map(tuple, d["targets"])]
    (empties,) = [d for d in pressed if d["outputs"] == [named["cm-faces"]]]
    assert page.fns[empties["id"]].fn() == ""

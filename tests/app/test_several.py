"""Several clips on the page: rows as they come, clips that fail, stopping, and what a press on a row opens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from app.analysis import Analysis
from app.panels.several import render
from app.server import runs as running
from app.server.keeping import sweep
from app.service import Service
from app.several import HEADS, KINDS, MOST, Several, heads, row_of
from app.stages import StoppedError
from extractors.records import InputError
from tests.app.made import make_analysis, make_grid, with_intervals, with_warnings

ME = gr.Request(session_hash="me")


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Several:
    def answer(clip: str, transcript: str | None, progress: Any, *_: object, **more: object) -> Analysis:
        name = Path(clip).name
        if name.startswith("bad"):
            raise InputError("The clip is no clip.")
        if name.startswith("stop"):
            raise StoppedError("stopped")
        progress("probe", 0.5)
        time.sleep(0.1)  # long enough to be seen under way
        keep: Any = more["keep"]
        keep(make_grid())
        return with_intervals(make_analysis(20, seed=len(name)))

    monkeypatch.setattr("app.analyze.analyze", answer)
    monkeypatch.setattr(running, "POLL", 0.01)
    return Several(str(tmp_path / "kept"), lambda clip, request: clip)


def lay(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).touch()
    return [str(folder / name) for name in names]


def pressed(number: int) -> gr.SelectData:
    return gr.SelectData(None, {"index": [0, 1], "value": "x", "row_value": [number, "x"]})


def test_every_clip_gets_a_row_and_a_failed_one_its_reason(several: Several, tmp_path: Path) -> None:
    files = lay(tmp_path, "a.mp4", "bad.mp4", "=c.mp4")
    steps = list(several.run(files, ME))
    assert steps[0][0]["data"][2][-1] == "waiting"
    table, kept, told, analyse, stop = steps[-1]
    rows = table["data"]
    assert table["headers"] == heads()
    assert [len(row) for row in rows] == [len(HEADS)] * 3 == [len(KINDS)] * 3
    assert [row[:2] for row in rows] == [[1, "a.mp4"], [2, "bad.mp4"], [3, "=c.mp4"]]
    assert rows[1][-1] == "The clip is no clip."
    assert isinstance(rows[0][3], float)
    assert [bool(row.path) for row in kept] == [True, False, True]
    assert (analyse["interactive"], stop["visible"]) == (True, False)
    assert steps[0][3]["interactive"] is False
    # What is seen in the table is also said, as it comes and at its end.
    assert [">Clip 1 of 3: a.mp4<" in steps[0][2], ">2 of 3 clips analysed.<" in told] == [True, True]
    assert all("data-said" in step[2] for step in steps)


def test_a_press_on_a_row_opens_its_analysis_however_the_table_is_sorted(
    several: Several, tmp_path: Path
) -> None:
    files = lay(tmp_path, "a.mp4", "bad.mp4", "c <i>.mp4")
    table, kept, *_ = list(several.run(files, ME))[-1]
    button, number, said = several.choose(kept, pressed(3), ME)
    assert "c &lt;i&gt;.mp4 is chosen" in said
    assert (button["visible"], button["value"], number) == (True, "Open c <i>.mp4", 3)
    video, opened, card, analysis, analyse, cancel, detail, saving, grid = several.open(kept, number, ME)
    assert video == opened == files[2]
    assert round(analysis.sentiment.clip.score, 1) == table["data"][2][3]
    assert analysis.sentiment.clip.label in card
    assert (analyse["interactive"], cancel["visible"]) == (True, False)
    assert (detail["visible"], saving["visible"]) == (False, False)  # until what is in them is this clip's
    assert np.array_equal(grid.values["text"], make_grid().values["text"])
    for nothing in (pressed(2), pressed(0), pressed(9), gr.SelectData(None, {"index": [0, 1], "value": "x"})):
        button, number, _ = several.choose(kept, nothing, ME)
        assert (button["visible"], number) == (False, 0)
    assert several.choose(None, pressed(1), ME)[0]["visible"] is False
    sweep(tmp_path / "kept", -1)
    for gone in (3, 0):
        with pytest.raises(gr.Error, match="no longer on the server"):
            several.open(kept, gone, ME)


def test_a_row_whose_clip_browsers_cannot_play_opens_with_its_copy(several: Several, tmp_path: Path) -> None:
    several._playable = lambda clip, request: f"{clip}.copy.mp4"
    kept = list(several.run(lay(tmp_path, "a.mpg"), ME))[-1][1]
    video, opened, *_ = several.open(kept, 1, ME)
    assert video == opened == f"{kept[0].file}.copy.mp4"


def test_the_page_does_not_forget_what_it_opens_with_its_video() -> None:
    service = Service("/nowhere")
    assert service.forget("a.mp4", "a.mp4", ME) == [gr.skip()] * 8
    assert service.forget(None, "a.mp4", ME)[1] is None
    assert service.forget("b.mp4", "a.mp4", ME)[1] is None


def test_late_news_of_a_video_does_not_take_away_what_was_opened_since(
    several: Several, tmp_path: Path
) -> None:
    kept = list(several.run(lay(tmp_path, "a.mp4"), ME))[-1][1]
    service = Service(str(tmp_path / "kept"))
    assert several.open(kept, 1, ME, 9.0)[0] == kept[0].file
    assert service.forget("earlier.mp4", kept[0].file, ME, 5.0) == gr.skip()
    service.forget("later.mp4", kept[0].file, ME, 12.0)
    assert several.open(kept, 1, ME, 11.0) == gr.skip()


def test_a_row_that_is_opened_ends_what_the_button_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(str(tmp_path))
    monkeypatch.setitem(service._asked, ME.session_hash or "", tmp_path / "b.mp4")
    service.forget("a.mp4", "a.mp4", ME)
    # Else the clip before would be taken for the one that is shown.
    assert service.forget(str(tmp_path / "b.mp4"), "a.mp4", ME)[1] is None


def test_stopping_leaves_what_is_done_and_marks_the_rest(several: Several, tmp_path: Path) -> None:
    table, kept, *_ = list(several.run(lay(tmp_path, "a.mp4", "stop.mp4", "c.mp4"), ME))[-1]
    assert [row[-1] for row in table["data"]] == ["", "stopped", "stopped"]
    assert bool(kept[0].path)


def test_a_second_press_ends_the_first_batch_and_not_its_own(several: Several, tmp_path: Path) -> None:
    files = lay(tmp_path, "a.mp4", "b.mp4")
    first, second = several.run(files, ME), several.run(files, ME)
    next(first)
    next(second)
    assert list(first) == []
    table, kept, *_ = list(second)[-1]
    assert [row[-1] for row in table["data"]] == ["", ""]
    assert all(row.path for row in kept)


def test_nothing_of_a_batch_is_shown_again_after_delete_now(several: Several, tmp_path: Path) -> None:
    steps = several.run(lay(tmp_path, "a.mp4", "b.mp4"), ME)
    assert next(steps)[0]["data"]
    several._visits.end(ME.session_hash or "", "delete")
    several._rooms.leave(ME.session_hash or "")
    table, kept, *_ = list(steps)[-1]
    assert (table["data"], kept) == ([], None)
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_a_clip_that_is_gone_by_its_turn_is_told_so(several: Several, tmp_path: Path) -> None:
    files = lay(tmp_path, "a.mp4", "b.mp4")
    steps = several.run(files, ME)
    next(steps)
    Path(files[1]).unlink()
    rows = list(steps)[-1][0]["data"]
    assert "no longer on the server" in rows[1][-1]
    assert rows[0][-1] == ""


def test_a_row_that_is_no_longer_wanted_is_not_opened(several: Several, tmp_path: Path) -> None:
    def stop(clip: str, request: gr.Request | None) -> str:
        raise StoppedError("another video was chosen")

    kept = list(several.run(lay(tmp_path, "a.mpg"), ME))[-1][1]
    several._playable = stop
    assert several.open(kept, 1, ME) == gr.skip()


def test_the_table_offers_no_copy_in_which_a_name_could_be_a_formula() -> None:
    with gr.Blocks():
        assert "copy" not in render(60).table.buttons


def test_none_and_too_many_are_sentences(several: Several, tmp_path: Path) -> None:
    with pytest.raises(gr.Error, match="Choose the clips first"):
        next(several.run(None, ME))
    with pytest.raises(gr.Error, match=f"{MOST + 1} clips are more than {MOST}"):
        next(several.run(["a.mp4"] * (MOST + 1), ME))


def test_a_row_has_numbers_where_numbers_are_sorted() -> None:
    analysis = with_warnings(make_analysis(10, ("text",)), "One.", "Two.")
    row = dict(zip(heads(), row_of(7, "a.mp4", analysis).cells(), strict=True))
    assert row["no"] == 7
    assert row["voice"] is None
    assert row["words"] == round(analysis.sentiment.alone["text"].score, 1)
    assert (row["remarks"], row["90 % range"]) == ("One. Two.", "")


def test_another_language_keeps_the_rows_and_a_batch_under_way_takes_it_up(
    several: Several, tmp_path: Path
) -> None:
    japanese = gr.Request(session_hash="ja")
    japanese.query_params = {"lang": "ja"}  # type: ignore[attr-defined]
    steps = several.run(lay(tmp_path, "a.mp4", "bad.mp4"), gr.Request(session_hash="ja"))
    table, kept, *_ = next(steps)
    assert table["headers"] == heads()
    several._visits.speak(japanese)
    # Else the next news would be gone again.
    assert several.tell_again(kept, 0, japanese) == [gr.skip()] * 3
    last: list[Any] = list(steps)[-1]
    assert last[0]["headers"] == heads("ja")
    english, said, _ = several.tell_again(last[1], 0, ME)
    assert "1 of 2 clips analysed." in said
    assert english["headers"] == heads()
    assert [row[1] for row in english["data"]] == ["a.mp4", "bad.mp4"]
    assert english["data"][1][-1] == "The clip is no clip."
    again, _, opens = several.tell_again(last[1], 1, japanese)
    assert opens == gr.update(value="a.mp4 を開く", visible=True)
    assert again == last[0]
    assert again["data"][0][5] != english["data"][0][5]

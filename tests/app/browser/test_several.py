"""In a real browser: several clips at once, and the table of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.analysis import Analysis
from app.batch import Row, write_table
from app.batch.rows import row_of
from tests.app.browser.visit import DRIVES_A_BROWSER, LINES, SHOTS
from tests.app.made import make_analysis
from tests.clips import make_clip

pytestmark = DRIVES_A_BROWSER


def test_several_clips_give_a_table_and_each_row_opens(page: Any, tmp_path: Path) -> None:
    # Playwright asks for choosers once somebody listens: if that were only when one is expected, the key may be faster.
    page.on("filechooser", lambda _: None)
    page.wait_for_selector("#cm-video video")
    make_clip(tmp_path / "short.mp4", 1.0, sound=None)
    (tmp_path / "below").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("below/text.mp4", ".hidden.mp4", "letter.txt", "empty/letter.txt"):
        (tmp_path / name).write_text("no video")
    page.click("#cm-several > button")
    _choose_folder(page, tmp_path / "empty")
    page.wait_for_selector("#cm-folder >> text=There is no clip in empty: looked for .mp4")
    _choose_folder(page, tmp_path)
    page.wait_for_function(
        "['short', 'text'].every((name) => document.querySelector('#cm-several-files').innerText.includes(name))"
        " && !document.querySelector('#cm-several-files').innerText.includes('Uploading')"
    )
    assert page.is_hidden("#cm-folder")
    chosen = page.inner_text("#cm-several-files")
    assert not [name for name in ("letter", "hidden") if name in chosen]  # and none of these was sent
    page.click("#cm-several-analyse")
    page.wait_for_selector("#cm-several-table >> text=cannot be read as a video >> visible=true")
    page.wait_for_selector("#cm-several-told >> text=1 of 2 clips analysed.")
    page.click("#cm-several-table >> text=short.mp4 >> visible=true")
    page.wait_for_selector("#cm-several-told >> text=short.mp4 is chosen")
    page.click("#cm-several-open")
    page.wait_for_selector(LINES, state="attached")
    page.wait_for_selector("#cm-video video[src*='short']")
    page.wait_for_timeout(600)  # the change of the video must not take the result away again
    assert page.is_visible("#cm-timeline")
    assert "Nothing analysed yet" not in page.inner_text("#cm-result")
    with page.expect_download() as download:
        page.click("#cm-save-json")
    assert download.value.suggested_filename == "short.json"
    assert Analysis.from_json(download.value.path().read_text(encoding="utf-8")).transcript.words == ()
    page.screenshot(path=SHOTS / "several.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _choose_folder(page: Any, folder: Path) -> None:
    """By keys, but for the system's own window, in which a folder is chosen."""
    page.locator("#cm-several-folder").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(str(folder))


def test_the_table_of_a_batch_sorts_itself_with_what_is_missing_last(visit: Any, tmp_path: Path) -> None:
    rows = [
        row_of(make_analysis(20, seed=n), f"clip {n}.mp4", "k", "clips/k.json", "clips/k.html")
        for n in (2, 10)
    ]
    rows.append(Row("bad.mp4", "failed", "It is empty."))
    (tmp_path / "index.html").write_text(write_table(rows)["index.html"], encoding="utf-8")
    page = visit()
    page.goto((tmp_path / "index.html").as_uri())

    def order() -> list[str]:
        names: list[str] = page.eval_on_selector_all("tbody th", "cells => cells.map(c => c.innerText)")
        return names

    page.click("thead button:text-is('clip')")
    assert order() == ["bad.mp4", "clip 2.mp4", "clip 10.mp4"]  # numbers within names count as numbers
    page.click("thead button:text-is('clip')")
    assert order() == ["clip 10.mp4", "clip 2.mp4", "bad.mp4"]
    page.click("thead button:text-is('score')")
    assert order()[-1] == "bad.mp4"
    assert page.get_attribute("thead th:nth-child(3)", "aria-sort") == "ascending"

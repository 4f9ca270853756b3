"""Scripts in words, file names and remarks do not run: in the page behind its guard, in the report, in a batch's table.

In a browser, since only a browser knows what it runs. Every payload leaves a sign in `window.hits` or asks an address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.analysis import Analysis, TimedWord
from app.batch import Row, write_table
from app.batch.rows import row_of
from app.exports import save
from extractors.words.subtitles import read_transcript
from tests.app.browser.visit import DRIVES_A_BROWSER, chromium
from tests.app.made import make_analysis, with_warnings, with_words
from tests.app.test_moments import make_moment

PAYLOADS = (
    "<script>hits.push(1)</script>",
    "<img/src='x'/onerror='hits.push(2)'>",
    "</script><script>hits.push(3)</script>",
    '"><svg/onload=hits.push(4)>',
    "'-hits.push(5)-'",
    "<a/href='javascript:hits.push(6)'>x</a>",
    "<a/href='https://example.org/'>press</a>",
    "&lt;img/src='x'/onerror='hits.push(7)'&gt;",
    "&#60;img/src='x'/onerror='hits.push(8)'&#62;",
    "<iframe/srcdoc='<script>parent.hits.push(9)</script>'>",
    "<style>*{background:url(https://example.org/a)}</style>",
    "<!--",
    "]]><b>",
    "${hits.push(10)}",
    "{{hits.push(11)}}",
    "%{hits.push(12)}",
    "\u2028</textarea><script>hits.push(13)</script>",
    "<math><mtext><img/src='x'/onerror='hits.push(14)'>",
)
NAME = "a<img src=x onerror=hits.push(20)>\"'&lt;b>.mp4"

pytestmark = DRIVES_A_BROWSER


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """An analysis whose words came from a subtitle file, as a stranger would bring it."""
    cues = (
        f"{i // 60:02}:{i % 60:02}.000 --> {i // 60:02}:{i % 60:02}.900\n"
        + "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)
        for i, text in enumerate(PAYLOADS)
    )
    path = tmp_path_factory.mktemp("given") / "a.vtt"
    path.write_text("WEBVTT\n\n" + "\n\n".join(cues) + "\n", encoding="utf-8")
    read = read_transcript(path, None, (), float(len(PAYLOADS)))
    words = [TimedWord(w.word, w.start, w.end) for w in read.words]
    # All arrive unharmed, so that what is tested is the showing and not the reading.
    said = "".join(w.word for w in words)
    assert all(f"hits.push({i})" in said for i in range(1, 15))
    return with_warnings(with_words(make_analysis(100), *words), NAME)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which nothing slips in: no sign, no dialogue, no address asked but its own."""
    opened, asked = browser.new_page(), []
    opened.set_default_timeout(180_000)  # on whatever machine this is
    opened.add_init_script("window.hits = []")
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("dialog", lambda dialog: asked.append(f"a dialogue: {dialog.message}"))
    yield opened
    opened.mouse.move(500, 300)  # what is told under the pointer too
    opened.wait_for_timeout(300)
    assert opened.evaluate("hits") == []
    assert opened.locator("a[href^='javascript'], iframe[srcdoc], svg[onload], [onerror]").count() == 0
    own = opened.url.split("/")[2]
    assert [a for a in asked if not a.startswith((f"http://{own}/", "file:", "data:", "blob:"))] == []
    opened.close()


def test_the_payloads_are_live(browser: Any, tmp_path: Path) -> None:
    """Without our escaping they would have run, so the other tests can fail."""
    (tmp_path / "a.html").write_text(
        "<script>window.hits = []</script>" + "".join(PAYLOADS[:4]), encoding="utf-8"
    )
    opened = browser.new_page()
    opened.goto((tmp_path / "a.html").as_uri())
    opened.wait_for_function("hits.length >= 4")
    opened.close()


def test_nothing_runs_in_the_report(page: Any, hostile: Analysis, tmp_path: Path) -> None:
    save(hostile, "html", tmp_path / "a.html", NAME)
    page.goto((tmp_path / "a.html").as_uri())
    page.wait_for_selector(".js-plotly-plot path.js-line", state="attached")
    assert "<img/src='x'/onerror='hits.push(2)'>" in page.inner_text(".cm-transcript")
    assert page.title().startswith(NAME)
    hover(page)
    page.wait_for_selector(".hoverlayer text", state="attached")


def test_nothing_runs_in_the_table_of_a_batch(page: Any, hostile: Analysis, tmp_path: Path) -> None:
    rows = [row_of(hostile, NAME, "k", "clips/k.json", "clips/k.html"), Row(NAME, "failed", NAME)]
    (tmp_path / "index.html").write_text(write_table(rows)["index.html"], encoding="utf-8")
    page.goto((tmp_path / "index.html").as_uri())
    page.click("thead button:text-is('clip')")
    assert page.inner_text("tbody th").startswith("a<img")


def test_nothing_runs_in_the_page(page: Any, hostile: Analysis) -> None:
    """The page's cards, pictures and table in the components that show them, behind the guard."""
    import gradio as gr
    from starlette.middleware import Middleware

    from app.corrections import word_rows
    from app.figures import draw_coupling, draw_timeline
    from app.figures.moment import draw_moment
    from app.panels.transcript import heads
    from app.server.guard import Guard
    from app.server.refusals import refusal
    from app.telling.answer_cards import moment_card
    from app.telling.cards import coupling_card, result_card, table_card, title, transcript_card

    words, moment = hostile.transcript.words, make_moment()

    def refuse() -> None:
        raise refusal(f"{NAME} is empty (0 bytes).")

    with gr.Blocks(analytics_enabled=False) as blocks:
        for card in (result_card, transcript_card, table_card, coupling_card):
            gr.HTML(card(hostile))
        gr.HTML(title(NAME, NAME) + moment_card(moment, words))
        gr.Plot(draw_timeline(hostile, "text"), elem_id="first")
        gr.Plot(draw_coupling(hostile))
        gr.Plot(draw_moment(moment, words))
        gr.Dataframe(
            word_rows(hostile), headers=heads(), datatype=["number", "number", "str"], elem_id="words"
        )
        gr.Dataframe([[1, NAME]], headers=["no", "clip"], datatype=["number", "str"])
        gr.Button("refuse", elem_id="refuse").click(refuse)
    _, address, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, app_kwargs={"middleware": [Middleware(Guard)]}
    )
    try:
        refused = []
        page.on("console", lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(address)
        page.wait_for_selector("#first .js-plotly-plot path.js-line", state="attached")
        page.wait_for_selector("#words >> text=hits.push(2) >> visible=true")
        assert "<img/src='x'/onerror='hits.push(2)'>" in page.inner_text(".cm-transcript")
        page.click("#refuse")
        page.wait_for_selector(".toast-body >> text=is empty")
        hover(page)
        page.click("#words >> text=hits.push(2) >> visible=true")
        page.keyboard.press("Enter")
        assert not refused  # the page itself lives within what the guard allows
    finally:
        blocks.close()


def hover(page: Any) -> None:
    """Move along the time line, so that it tells the words of every moment."""
    plot = page.locator(".js-plotly-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    for share in range(8, 92, 4):
        page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + 120)
        page.wait_for_timeout(30)

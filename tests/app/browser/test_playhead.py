"""In a real browser: what is pointed at, pressed and dragged in the time line, and what follows it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from tests.app.browser.saved import TABLE_OF
from tests.app.browser.visit import DRIVES_A_BROWSER, analyse, changes, now

pytestmark = DRIVES_A_BROWSER


def test_a_click_an_arrow_and_a_word_seek_the_video_and_the_playhead_follows(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    page.wait_for_selector("#cm-save-html:enabled")  # the last of what follows an analysis
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if _asks(r) else None)
    plot = page.locator("#cm-timeline .js-plotly-plot")
    plot.scroll_into_view_if_needed()
    why = page.inner_text("#cm-why-card p")
    box = plot.bounding_box()
    axis = plot.evaluate("p => { const a = p._fullLayout.xaxis; return [a._offset, a._length, a.range[1]] }")
    page.mouse.move(box["x"] + axis[0] + axis[1] / 2 - 5, box["y"] + 100)
    _the_hover_tells_all_that_the_table_does(page)
    page.mouse.click(box["x"] + axis[0] + axis[1] / 2, box["y"] + 100)
    page.wait_for_timeout(300)
    assert abs(now(page) - axis[2] / 2) < 0.2
    changes(page, "#cm-why-card p", why)
    assert len([url for url in requests if "/queue/join" in url]) == 1  # a click asks why
    page.wait_for_timeout(500)
    requests.clear()
    before = now(page)
    page.keyboard.press("ArrowRight")  # the click has brought the keyboard there
    assert abs(now(page) - before - 0.2) < 0.05
    page.wait_for_timeout(100)
    line = page.locator("#cm-timeline .cm-playhead").bounding_box()
    expected = box["x"] + axis[0] + axis[1] * now(page) / axis[2]
    assert abs(line["x"] + line["width"] / 2 - expected) < 2
    face = page.locator("button.cm-face").nth(1)
    assert face.get_by_role("img").get_attribute("alt").startswith("The face at 0:")
    face.click()
    assert abs(now(page) - float(face.get_attribute("data-start"))) < 0.05
    word = page.locator(".cm-word").nth(3)
    word.click()
    page.wait_for_function("!document.querySelector('#cm-video video').paused")  # "click a word to hear it"
    assert 0 <= now(page) - float(word.get_attribute("data-start")) < 1
    _stays_quiet_while_playing(page, requests)
    _another_target_changes_the_shares_alone(page)


def _the_hover_tells_all_that_the_table_does(page: Any) -> None:
    """What stands beside the pointer is the row of its moment, but for the shares, of which one chain's are shown."""
    page.wait_for_selector("#cm-timeline .hoverlayer .legendtext", state="attached")
    seconds, *lines = page.eval_on_selector_all(
        "#cm-timeline .hoverlayer text", "texts => texts.map((text) => text.textContent)"
    )
    told = dict(line.split(" : ") for line in lines)
    header, *rows = page.evaluate(TABLE_OF)
    minutes, rest = seconds.split(":")
    tick = round((60 * int(minutes) + float(rest) - 0.1) / 0.2)  # a tick is drawn at its middle
    row = dict(zip(header, rows[tick], strict=True))
    shown = {
        name: text for name, text in row.items() if name != "time" and "(" not in name and "←" not in name
    }
    shown |= {f"from {name}": row[f"words ← {name}"] for name in ("words", "voice", "face")}
    assert told == shown | {"said": shown["said"] or "–"}


def _asks(request: Any) -> bool:
    """Whether the request is more than the video's own bytes, or the sign that the page is open."""
    return request.resource_type != "media" and "/heartbeat" not in request.url


def _stays_quiet_while_playing(page: Any, requests: list[str]) -> None:
    """For seconds nothing is asked of the server, and all the while playhead and states' points move."""
    page.evaluate(
        "() => { const v = document.querySelector('#cm-video video');"
        " [v.muted, v.currentTime] = [true, 2]; return v.play() }"
    )
    seen = []
    for _ in range(4):
        page.wait_for_timeout(800)
        line = page.locator("#cm-timeline .cm-playhead").bounding_box()
        seen.append((now(page), line["x"], page.evaluate("document.querySelector('#cm-space').toDataURL()")))
    for before, after in pairwise(seen):
        assert after[0] > before[0]
        assert after[1] > before[1]
        assert after[2] != before[2]
    assert seen[-1][0] - seen[0][0] > 1  # it did play
    assert not requests


def test_the_keyboard_asks_why_and_a_modality_is_switched_off(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    why, without = (page.inner_text(f"{card} p") for card in ("#cm-why-card", "#cm-switched-card"))
    plot = page.locator("#cm-timeline .js-plotly-plot")
    plot.focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    changes(page, "#cm-why-card p", why)
    assert "At 0:02.0 the score is" in page.inner_text("#cm-why-card p")
    assert "With words and face" in without
    page.click("#cm-kept label:has-text('words')")
    changes(page, "#cm-switched-card p", without)
    assert "With face alone" in page.inner_text("#cm-switched-card p")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    offset, length = plot.evaluate("p => [p._fullLayout.xaxis._offset, p._fullLayout.xaxis._length]")
    page.mouse.move(box["x"] + offset + 0.25 * length, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + offset + 0.5 * length, box["y"] + 150, steps=5)
    page.mouse.up()
    page.click("#cm-unfold")
    page.wait_for_selector("#cm-shares >> text=Of the window 0:06")  # a quarter of 24 s
    shown = "document.querySelector('{} .js-plotly-plot')._fullLayout.xaxis.range.map(Number).join()"
    main, switched = shown.format("#cm-timeline"), shown.format("#cm-switched")
    page.wait_for_function(f"{main} === {switched}")
    window = page.evaluate(main)
    page.click("#cm-tone label")  # one band more, the same stretch
    page.wait_for_selector("#cm-timeline text:has-text('pitch')", state="attached")
    assert page.evaluate(main) == window
    # Another language, and yet another while the answers are told in the first: all ends in the last, and as it was.
    for language in ("ja", "zh"):
        page.click(f".cm-languages a[data-language={language}]")
        page.wait_for_timeout(300)
    told = {
        "#cm-why-card": "在 0:02.0，分数为",
        "#cm-switched-card": "若输入为仅面部，整段视频会是",
        "#cm-shares": "的窗口：",
    }
    for _ in range(2):
        for card, said in told.items():
            page.wait_for_selector(f"{card} >> text={said}")
        page.wait_for_timeout(3000)  # whatever comes late
    page.wait_for_selector("#cm-timeline text:has-text('话语的')", state="attached")
    page.wait_for_function(f"{main} === '{window}'")
    kept = "() => [...document.querySelectorAll('#cm-kept input')].map((box) => box.checked)"
    assert page.evaluate(kept) == [False, False, True]


def _another_target_changes_the_shares_alone(page: Any) -> None:
    plot = "document.querySelector('#cm-timeline .js-plotly-plot')"
    read = f"() => JSON.stringify({plot}.data.map(t => [t.name, t.customdata]))"
    before = json.loads(page.evaluate(read))
    page.click("#cm-target label:has-text('face')")
    page.wait_for_selector("#cm-timeline text:has-text('the face’s')", state="attached")
    after = json.loads(page.evaluate(read))
    assert {n for n, _ in before} >= {"from words", "from voice", "from face"}
    # The shares may take another number of traces (those below zero are drawn apart), so all are told by name.
    shares, others = (
        [
            [trace for trace in data if (trace[0] or "from").startswith("from") == of_shares]
            for data in (before, after)
        ]
        for of_shares in (True, False)
    )
    assert shares[0] != shares[1]
    assert others[0] == others[1]
    assert others[0]

"""In a real browser: light or dark is the system's until somebody chooses, and then theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.page import ASSETS
from app.panels import header
from tests.app.browser.visit import DRIVES_A_BROWSER

pytestmark = DRIVES_A_BROWSER
WHERE = "http://page.test/"
# As gradio does it, whose own listener comes first.
GRADIOS = """
const system = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.body.classList.toggle("dark", system.matches);
system.addEventListener("change", follow);
follow();
"""
SHOWN = "[document.body.classList.contains('dark'), document.documentElement.style.colorScheme]"
DARK, LIGHT = [True, "dark"], [False, "light"]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    script = (ASSETS / "scheme.js").read_text(encoding="utf-8").strip()
    text = f"<!doctype html><body><script>{GRADIOS}</script><script>({script})();</script></body>"
    context = browser.new_context(color_scheme="light")
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.route(f"{WHERE}**", lambda route: route.fulfill(body=text, content_type="text/html"))
    page.goto(WHERE)
    yield page
    context.close()
    assert not faults


def press(page: Any) -> None:
    page.evaluate(header.SWITCH)


def test_the_systems_scheme_is_followed_until_one_is_chosen_which_stays(page: Any) -> None:
    assert page.evaluate(SHOWN) == LIGHT
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.style.colorScheme == 'dark'")
    assert page.evaluate(SHOWN) == DARK
    press(page)
    assert page.evaluate(SHOWN) == LIGHT
    page.reload()
    assert page.evaluate(SHOWN) == LIGHT
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        assert page.evaluate(SHOWN) == LIGHT


def test_a_browser_that_keeps_nothing_can_be_switched_too(page: Any) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    page.reload()
    press(page)
    assert page.evaluate(SHOWN) == DARK
    page.reload()
    assert page.evaluate(SHOWN) == LIGHT

"""What the browser tests share: a visit to the served page, and what can be read there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[3]
SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
LINES = "#cm-timeline .js-plotly-plot .cartesianlayer path.js-line"
PATIENCE = 180_000  # ms; the first analysis also loads every model, on whatever machine this is
COMES, LEAVES = "a page comes", "the page is left"
HUNG_UP = ("AbortError: signal is aborted", "Unexpected error Connection errored out.")
DRIVES_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (set CHROMIUM to its path)"),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Address(str):
    """Where a server of the tests answers, and how much its processor works."""

    process: psutil.Process

    def worked(self) -> float:
        """Seconds of the processor that the server has used, all its threads together."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def work_until_quiet(self) -> float:
        """Wait until it does next to nothing; gives what it had `worked` then."""
        end, last = time.monotonic() + PATIENCE / 1000, -1.0
        while time.monotonic() < end:
            now = self.worked()
            if now - last < 0.1:
                return now
            last = now
            time.sleep(1)
        pytest.fail("the server is still at work")


def watch(page: Any, faults: list[str], *, address: str = "") -> None:
    """Add to `faults` every error in the browser's log, and every request beyond `address` and the disk."""
    log = _Log(faults)
    page.add_init_script(
        f"console.debug('{COMES}'); addEventListener('beforeunload', () => console.debug('{LEAVES}'))"
    )
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("console", log.take)
    page.on("request", lambda r: faults.append(f"outside: {r.url}") if _is_outside(r.url, address) else None)


class _Log:
    """Notes the errors of a browser's log, but for those of answers that leaving the page cuts off.

    Gradio's client hangs up when its page is left, and tells each answer that was still awaited as an error.
    """

    def __init__(self, faults: list[str]) -> None:
        self._faults, self._leaves = faults, False

    def take(self, message: Any) -> None:
        text = message.text
        if text in (COMES, LEAVES):
            self._leaves = text == LEAVES
        elif message.type == "error" and not (self._leaves and text.startswith(HUNG_UP)):
            self._faults.append(f"console: {text}")


def _is_outside(url: str, address: str) -> bool:
    served = (address, address.replace("127.0.0.1", "localhost")) if address else ()
    return not url.startswith((*served, "data:", "blob:", "file:")) or "/static/ffmpeg/" in url  # 31 MB


def upload(page: Any, clip: Path) -> None:
    page.wait_for_selector("#cm-video video")  # the sample is there already
    page.click("#cm-video [aria-label='Clear']")
    page.set_input_files("#cm-video input[type=file]", str(clip))
    page.wait_for_selector(f"#cm-video video[src*='{clip.stem}']")


def analyse(page: Any) -> None:
    page.evaluate("document.querySelectorAll('.cm-result').forEach(card => card.dataset.old = '')")
    page.click("#cm-analyse")
    await_result(page)


def await_result(page: Any) -> None:
    """Wait until an analysis that was begun is drawn."""
    page.wait_for_selector(".cm-stages li.done, .cm-result:not([data-old])")  # what is kept is soon read
    page.wait_for_selector(LINES, state="attached")
    page.wait_for_selector("#cm-coupling .js-plotly-plot .scatterlayer path.js-fill", state="attached")
    page.wait_for_selector(".cm-transcript")
    page.wait_for_timeout(600)


def now(page: Any) -> float:
    """Seconds at which the video stands."""
    return float(page.evaluate("document.querySelector('#cm-video video').currentTime"))


def drawn(page: Any) -> dict[str, float]:
    """{stroke colour: pixels that the widest line of that colour spans} in the time line."""
    found: list[tuple[str, float]] = page.eval_on_selector_all(
        LINES, "paths => paths.map(p => [getComputedStyle(p).stroke, p.getBBox().width])"
    )
    return {colour: max(w for c, w in found if c == colour) for colour, _ in found}


def changes(page: Any, selector: str, before: str) -> None:
    """Wait until the element's text is another one."""
    page.wait_for_function(
        "([s, b]) => document.querySelector(s).innerText != b", arg=[selector, before], timeout=20_000
    )

"""`python -m app.measure_page ADDRESS CLIP`: what the served page costs a visitor, seen from a real browser.

Prints JSON: seconds from the press on Analyse and from the upload to the full page, bytes sent to the browser by kind,
frames a second while playing with the playhead, frames of the video that were dropped, requests while playing, and the
seconds from a press to the new line where a modality is switched off and where a word was corrected.
Needs playwright and Chromium (CHROMIUM is its path, else what lies on the PATH): a tool for developers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FULL = (
    "#cm-timeline path.js-line",
    "#cm-coupling path.js-fill",
    "#cm-why-card p",
    "#cm-space",
    "#cm-switched-card p",
)
PLAYED = 10.0  # seconds the video is played for
LONGEST = 600_000  # ms to wait for an analysis
_DRAWN = (
    "(id) => document.querySelector(`${id} .js-plotly-plot`)?.data?.map((t) => t.customdata).join() ?? ''"
)
_PLAY = """async (seconds) => {
  const video = document.querySelector('#cm-video video');
  video.muted = true;
  video.currentTime = 0;
  await video.play();
  const before = video.getVideoPlaybackQuality(), begin = performance.now();
  let frames = 0, moved = 0, last = '';
  while (performance.now() - begin < 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    frames++;
    const place = document.querySelector('#cm-timeline .cm-playhead').style.transform;
    if (place !== last) { moved++; last = place; }
  }
  const taken = (performance.now() - begin) / 1000, after = video.getVideoPlaybackQuality();
  video.pause();
  return {
    frames_per_second: frames / taken,
    playhead_moves_per_second: moved / taken,
    video_frames: after.totalVideoFrames - before.totalVideoFrames,
    video_frames_dropped: after.droppedVideoFrames - before.droppedVideoFrames,
  };
}"""


def measure(address: str, clip: Path, chromium: str, played: float = PLAYED) -> dict[str, Any]:
    """The figures of one visit to the page at `address` with a clip, as plain data; bytes are those of the wire."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(LONGEST)
        sent = _count(page)
        page.goto(address)
        page.wait_for_selector("#cm-video video")
        page.wait_for_timeout(1000)
        opened = dict(sent)
        page.locator("#cm-video button.icon-button:visible").last.click()
        begin = time.perf_counter()
        page.set_input_files("#cm-video input[type=file]", str(clip))
        page.wait_for_selector("#cm-video video[src*='/file=']")
        page.wait_for_timeout(200)
        pressed = time.perf_counter()
        page.click("#cm-analyse")
        for part in FULL:
            page.wait_for_selector(part, state="attached")
        full = time.perf_counter()
        page.wait_for_selector("#cm-save-html:enabled")  # the last of what follows an analysis
        page.wait_for_timeout(1000)
        analysed = {kind: size - opened.get(kind, 0) for kind, size in sent.items()}
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if _asks(request.url) else None)
        playing = page.evaluate(_PLAY, played)
        requests = len(asked)
        switched = _until_drawn(page, "#cm-kept label >> nth=0", "#cm-switched")
        corrected = _correct(page)
        browser.close()
    return {
        "clip": clip.name,
        "seconds_from_upload": round(full - begin, 1),
        "seconds_from_press": round(full - pressed, 1),
        "bytes_to_open": opened,
        "bytes_of_analysis": {kind: size for kind, size in analysed.items() if size},
        "playing": {name: round(value, 1) for name, value in playing.items()},
        "requests_while_playing": requests,
        "seconds_to_line_without_words": switched,
        "seconds_to_line_with_corrected_word": corrected,
    }


def _correct(page: Any) -> float | None:
    """Seconds from the press on "Read again" to the time line with the first word corrected; None without words."""
    if not page.locator(".cm-word").count():
        return None
    page.click("#cm-correcting > button")
    page.locator("#cm-words [role=gridcell]").nth(2).dblclick()  # from, to, word
    for keys in ("Control+A", *"horrible", "Enter"):
        page.keyboard.press(keys)
    return _until_drawn(page, "#cm-correct", "#cm-timeline")


def _until_drawn(page: Any, pressed: str, picture: str) -> float:
    """Seconds from a press until the picture with the id is drawn with other numbers than before."""
    page.locator(pressed).scroll_into_view_if_needed()
    before = page.evaluate(_DRAWN, picture)
    begin = time.perf_counter()
    page.click(pressed)
    page.wait_for_function(f"([id, before]) => !['', before].includes(({_DRAWN})(id))", arg=[picture, before])
    return round(time.perf_counter() - begin, 2)


def _count(page: Any) -> Counter[str]:
    """Bytes that arrive, by kind, counted by the browser's own network log as they come."""
    sent: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    log = page.context.new_cdp_session(page)
    log.send("Network.enable")
    log.on("Network.responseReceived", lambda e: kinds.__setitem__(e["requestId"], e["type"]))

    def add(event: dict[str, Any]) -> None:
        sent[kinds.get(event["requestId"], "Other")] += event["encodedDataLength"]

    log.on("Network.loadingFinished", add)
    # What the server tells as it goes (progress, cards, figures) arrives in a stream that may not end.
    log.on("Network.dataReceived", lambda e: _stream(sent, kinds, e))
    return sent


def _stream(sent: Counter[str], kinds: dict[str, str], event: dict[str, Any]) -> None:
    if kinds.get(event["requestId"]) == "EventSource":
        sent["EventSource"] += event["encodedDataLength"]


def _asks(url: str) -> bool:
    """Whether a request asks the server to work: not the video's own bytes, nor the sign that the page is open."""
    return "/file=" not in url and "/heartbeat" not in url and not url.startswith(("data:", "blob:"))


def main() -> int:
    """Measure as the command line says; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.measure_page", description=__doc__)
    parser.add_argument("address", help="of the served page, such as http://127.0.0.1:7860")
    parser.add_argument("clip", type=Path)
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed: set CHROMIUM to its path", file=sys.stderr)
        return 2
    print(json.dumps(measure(options.address, options.clip, chromium), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""In a real browser: comparisons, and a clip recorded from a camera that Chromium pretends to have."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from model.inference.loading import INDEPENDENT
from tests.app.browser.visit import CHROMIUM, DRIVES_A_BROWSER, FLAGS, SHOTS, analyse
from tests.clips import RATE, make_clip, make_picture, make_sound

pytestmark = DRIVES_A_BROWSER
OVER, OTHER = ("#cm-compared .js-plotly-plot path.js-line", "#cm-compared-other .js-plotly-plot path.js-line")
SECONDS = 3.0


def test_the_clip_is_compared_with_independent_chains_and_with_another_clip(
    page: Any,
    tmp_path: Path,
) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    places = "#cm-compared-answer, .cm-beside, #cm-compared-numbers"
    kinds = page.eval_on_selector_all(places, "all => all.map((place) => getComputedStyle(place).display)")
    assert kinds == ["none"] * 3  # nothing compared yet takes no room below the button
    page.click("#cm-compare")
    if INDEPENDENT.exists():
        page.wait_for_selector(OVER, state="attached")
        assert "independent" in page.inner_text("#cm-compared-answer")
        page.wait_for_selector("#cm-compared .cm-playhead", state="attached")  # it follows the video too
    else:
        page.wait_for_selector("#cm-compared-answer >> text=is not installed here")
    _shoot(page, "over")
    page.click("#cm-compare-way label:has-text('another')")
    page.set_input_files("#cm-other input[type=file]", str(make_clip(tmp_path / "other.mp4", 2.0)))
    page.wait_for_selector("#cm-other >> text=other")
    page.click("#cm-compare")
    page.wait_for_selector(OTHER, state="attached")
    page.wait_for_selector("#cm-compared-answer >> text=points apart")
    assert "other.mp4" in page.inner_text("#cm-compared-answer")
    ranges = page.eval_on_selector_all(
        "#cm-compared .js-plotly-plot, #cm-compared-other .js-plotly-plot",
        "plots => plots.map(p => [p._fullLayout.xaxis.range[1], p._fullLayout.yaxis.range[1]])",
    )
    assert ranges[0] == pytest.approx([24.0, ranges[1][1]], abs=0.3)
    assert ranges[1][0] == pytest.approx(2.0, abs=0.3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _shoot(page, "beside")


def _shoot(page: Any, name: str) -> None:
    """A picture of the panel: light, in the dark, and on a phone."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    card = page.locator(".cm-card:has(#cm-compare)").last
    for scheme, width in (("light", 1280), ("dark", 1280), ("phone", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(f"document.body.classList.toggle('dark', {str(scheme == 'dark').lower()})")
        page.wait_for_timeout(700)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        card.screenshot(path=SHOTS / f"compare-{name}-{scheme}.png")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("document.body.classList.remove('dark')")


@pytest.fixture
def camera(tmp_path: Path) -> list[str]:
    """Flags of a Chromium whose camera shows a face and whose microphone hears a reading."""
    pictures, sound = tmp_path / "face.y4m", tmp_path / "voice.wav"
    with av.open(str(pictures), "w", format="yuv4mpegpipe") as container:
        stream = container.add_stream("wrapped_avframe", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(20):
            picture = av.VideoFrame.from_ndarray(make_picture("face", (320, 240), i / 10), format="bgr24")
            frame = picture.reformat(format="yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with wave.open(str(sound), "w") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((make_sound("speech", 8.0) * 32767).astype(np.int16).tobytes())
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={pictures}",
        f"--use-file-for-fake-audio-capture={sound}",
    ]


def test_a_clip_is_recorded_and_analysed(visit: Any, browser: Any, address: str, camera: list[str]) -> None:
    with browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, *camera]) as running:
        opened = visit(address, chromium=running)
        opened.wait_for_selector("#cm-video video")
        opened.click("#cm-video [aria-label='Clear']")
        opened.click("#cm-video [aria-label='Capture from camera']")
        opened.click("#cm-video [title='grant webcam access'] button")
        opened.wait_for_function("document.querySelector('#cm-video video')?.videoWidth > 0")
        opened.click("#cm-video [title='start recording']")
        opened.wait_for_timeout(1000 * SECONDS)
        opened.click("#cm-video [title='stop recording']")
        # What is shown in the end is the copy with a length.
        opened.wait_for_function("isFinite(document.querySelector('#cm-video video[src]')?.duration)")
        length = opened.evaluate("document.querySelector('#cm-video video').duration")
        assert length > SECONDS - 1
        analyse(opened)
        shown = opened.evaluate(
            "document.querySelector('#cm-timeline .js-plotly-plot')._fullLayout.xaxis.range[1]"
        )
        assert shown == pytest.approx(length, abs=0.4)
        assert "not seen" not in opened.inner_text("#cm-result")

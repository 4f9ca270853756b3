"""The page's scripts as text: what browsers of a few years ago do not know, and what every script has to look for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.page import ASSETS

SCRIPTS = sorted(ASSETS.glob("*.js"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_older_browsers_know_what_is_called(script: Path) -> None:
    """Firefox before 119 takes `element.ariaLabel` for a property of one's own; Safari before 15.4 has no `at`."""
    text = script.read_text(encoding="utf-8")
    assert not re.findall(r"\baria[A-Z]\w+|\.role\b|\.(?:findLast|findLastIndex|at)\(-?\w", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_camera_is_no_video_that_was_chosen(script: Path) -> None:
    """What gradio shows while it records has no address, and no time of its own."""
    assert not re.findall(r"#cm-video video(?!\[src\])", script.read_text(encoding="utf-8"))

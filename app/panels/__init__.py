"""The page's panels, one a file: `render()` makes the components, `listen()` wires them, `show()` fills them."""

from __future__ import annotations

from typing import Any

import gradio as gr

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For an event of the page's own, whose progress the page tells by itself."""
AGAIN: dict[str, Any] = {"trigger_mode": "multiple", **QUIET}
"""The same, heard again while it goes on: by gradio's own way it is lost, with all that follows it."""


def buttons(*, busy: bool) -> list[Any]:
    """Values for (the button that starts something, the one that stops it) while it goes on, or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]

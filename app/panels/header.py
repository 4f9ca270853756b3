"""The page's head and foot: name, purpose, the languages, light or dark, what the scores are not."""

from __future__ import annotations

import gradio as gr

from app.exports import FORMATS
from app.exports import told as saved_as
from app.i18n import LANGUAGES, tell
from app.i18n.labels import html, label

TOLD = {
    "captions": "transcript.captions",
    "cm-timeline": "timeline.picture",
    "cm-coupling": "coupling.picture",
    "cm-why": "why.picture",
    "cm-switched": "switches.picture",
    "cm-compared": "compare.picture",
    "cm-compared-other": "compare.picture_other",
}
"""What the scripts say, by name; each picture's own name by the id of its place."""
HINTED = {f"cm-save-{kind}": kind for kind in FORMATS}
"""The buttons that say what they give when they are pointed at, by their ids."""
SWITCH = "() => { document.dispatchEvent(new Event('cm-switch')) }"
"""Tells `scheme.js` that it was pressed."""


def render() -> tuple[gr.Button, gr.Button]:
    """The head; gives the switch of light and dark, and what `language.js` presses when another one is chosen."""
    with gr.Row(elem_classes="cm-header"):
        gr.HTML(html(_head))
        switch = gr.Button(
            label("head.switch"),
            size="sm",
            variant="secondary",
            elem_classes="cm-switch",
            elem_id="cm-switch",
            min_width=90,
        )
    return switch, gr.Button(label("head.languages"), visible="hidden", elem_id="cm-retell")


def listen(switch: gr.Button) -> None:
    """The switch works in the browser alone."""
    switch.click(None, js=SWITCH, api_visibility="private")


def foot() -> None:
    """The foot."""
    gr.HTML(html(lambda language: f'<p class="cm-foot">{tell("foot.what", language)}</p>'))


def _head(language: str) -> str:
    """Name, purpose and languages; what the browser's own parts say goes with it, unseen, for them to read."""
    current = ' aria-current="true"'
    links = "".join(
        f'<a href="?lang={code}" lang="{code}" data-language="{code}"'
        f"{current if code == language else ''}>{name}</a>"
        for code, name in LANGUAGES.items()
    )
    told = "".join(f' data-{name}="{tell(key, language)}"' for name, key in TOLD.items())
    hints = "".join(f' data-{name}="{saved_as(kind, language)}"' for name, kind in HINTED.items())
    return (
        f'<div class="cm-head"><h1>Coupled Mamba</h1><p>{tell("head.says", language)}</p></div>'
        f'<nav class="cm-languages" aria-label="{tell("head.languages", language)}">{links}</nav>'
        f'<span id="cm-told" hidden{told}></span><span id="cm-hints" hidden{hints}></span>'
        '<div id="cm-status" class="cm-unseen" role="status" aria-atomic="false"></div>'
    )

"""The page's head and foot: name, purpose, the switch between light and dark, what the scores are not."""

from __future__ import annotations

import gradio as gr

HEAD = (
    '<div class="cm-head"><h1>Coupled Mamba</h1><p>what words, voice and face say, second by second</p></div>'
)
FOOT = (
    '<p class="cm-foot">A reading of expression by a model, not of a person’s inner state. '
    "Scores run from −3 (strongly negative) to +3 (strongly positive).</p>"
)
_SWITCH = "() => { document.body.classList.toggle('dark'); document.documentElement.style.colorScheme = '' }"


def render() -> gr.Button:
    """The head; gives the switch."""
    with gr.Row(elem_classes="cm-header"):
        gr.HTML(HEAD)
        return gr.Button(
            "light / dark", size="sm", variant="secondary", elem_classes="cm-switch", min_width=90
        )


def listen(switch: gr.Button) -> None:
    """The switch works in the browser alone."""
    switch.click(None, js=_SWITCH, api_visibility="private")


def foot() -> None:
    """The foot."""
    gr.HTML(FOOT)

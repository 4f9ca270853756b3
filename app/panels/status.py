"""Where the result will stand: an invitation, then the stages as they run, then the result."""

from __future__ import annotations

from html import escape

import gradio as gr

from app.runs import Run
from app.stages import STAGES

INVITATION = """<div class="cm-welcome"><p class="cm-kicker">Nothing analysed yet</p>
<h2>What do words, voice and face say?</h2>
<p>Press <b>Analyse</b> to try the sample beside this, or bring a video of someone talking. A minute of video takes
ten to thirty seconds.</p>
<ul><li><b class="cm-ink-text">Words</b> are recognised and timed.</li>
<li><b class="cm-ink-audio">Voice</b> is described five times a second.</li>
<li><b class="cm-ink-visual">Face</b> is found, and its expression read.</li></ul>
<p>Three coupled chains of hidden states then give a score at every moment, and show how
they move each other.</p></div>"""


def render() -> gr.HTML:
    """The place of the result."""
    return gr.HTML(INVITATION, elem_id="cm-result", padding=False)


def stages_card(run: Run) -> str:
    """The stages of a run: done with its seconds, under way with its share, or waiting."""
    items = "".join(_item(name, told, run) for name, told in STAGES.items())
    return (
        '<div class="cm-stages" aria-live="polite"><p class="cm-kicker">Analysing</p>'
        f'<div class="cm-bar" role="progressbar" aria-label="Analysis" aria-valuenow="{100 * run.share:.0f}" '
        f'aria-valuemin="0" aria-valuemax="100"><i style="width:{100 * run.share:.1f}%"></i></div>'
        f"<ol>{items}</ol></div>"
    )


def waiting_card(place: int) -> str:
    """The place in the line, 1 for the next, where others' analyses come first."""
    return (
        '<div class="cm-welcome" aria-live="polite"><p class="cm-kicker">Waiting</p>'
        f"<h2>Number {place} in line</h2><p class='cm-message'>The server is busy with other clips. "
        "This one begins by itself when it is its turn.</p></div>"
    )


def message_card(head: str, text: str) -> str:
    """A heading and a sentence where the result would stand."""
    return (
        '<div class="cm-welcome" role="alert"><p class="cm-kicker">'
        f"{escape(head)}</p><p class='cm-message'>{escape(text)}</p></div>"
    )


def _item(name: str, told: str, run: Run) -> str:
    fraction = run.fractions.get(name)
    if fraction is None:
        return f'<li class="wait"><span>{told}</span></li>'
    if fraction >= 1:
        return f'<li class="done"><span>{told}</span><b>{run.seconds.get(name, 0.0):.1f} s</b></li>'
    return f'<li class="now"><span>{told}</span><b>{100 * fraction:.0f} %</b></li>'

"""Where the result will stand: an invitation, then the stages as they run, then the result."""

from __future__ import annotations

from html import escape

import gradio as gr

from app.estimate import about
from app.i18n import DEFAULT, name_of, percent, retell, tell
from app.i18n.labels import html, language_of
from app.server.runs import Run
from app.stages import STAGES


def render() -> gr.HTML:
    """The place of the result."""
    return gr.HTML(invitation(), elem_id="cm-result", padding=False)


def invitation() -> str:
    """What stands there before anything was analysed; the browser puts it into its language."""
    return str(html(_invitation))


def _invitation(language: str) -> str:
    items = "".join(
        f"<li>{tell(f'status.{kind}', language, name=_coloured(m, language))}</li>"
        for kind, m in (("words", "text"), ("voice", "audio"), ("face", "visual"))
    )
    button = f"<b>{tell('clip.analyse', language)}</b>"
    return (
        f'<div class="cm-welcome"><p class="cm-kicker">{tell("status.nothing", language)}</p>'
        f"<h2>{tell('status.question', language)}</h2><p>{tell('status.invite', language, button=button)}</p>"
        f"<ul>{items}</ul><p>{tell('status.chains', language)}</p></div>"
    )


def _coloured(modality: str, language: str) -> str:
    return f'<b class="cm-ink-{modality}">{name_of(modality, language).capitalize()}</b>'


def progress_card(run: Run, language: str = DEFAULT) -> str:
    """How far a run is that waits in the line or works."""
    return waiting_card(run.place, language) if run.place else stages_card(run, language)


def stages_card(run: Run, language: str = DEFAULT) -> str:
    """The stages of a run: done with its seconds, under way with its share, or waiting."""
    items = "".join(_item(name, tell(f"stage.{name}", language), run, language) for name in STAGES)
    return (
        f'<div class="cm-stages" data-said="{escape(_said(run, language))}">'
        f'<p class="cm-kicker">{tell("status.analysing", language)}{_left(run, None, language)}</p>'
        f'<div class="cm-bar" role="progressbar" aria-label="{tell("status.progress", language)}" '
        f'aria-valuenow="{100 * run.share:.0f}" '
        f'aria-valuemin="0" aria-valuemax="100"><i style="width:{100 * run.share:.1f}%"></i></div>'
        f"<ol>{items}</ol></div>"
    )


def waiting_card(place: int, language: str = DEFAULT) -> str:
    """The place in the line, 1 for the next, where others' analyses come first."""
    return (
        '<div class="cm-welcome" data-said>'
        f'<p class="cm-kicker">{tell("status.waiting", language)}</p>'
        f"<h2>{tell('status.place', language, place=place)}</h2>"
        f'<p class="cm-message">{tell("status.busy", language)}</p></div>'
    )


def message_card(head: str, text: str, language: str = DEFAULT) -> str:
    """A heading and a sentence where the result would stand."""
    return (
        '<div class="cm-welcome" role="alert"><p class="cm-kicker">'
        f"{escape(head)}</p><p class='cm-message'>{escape(retell(text, language))}</p></div>"
    )


def _said(run: Run, language: str) -> str:
    """What is read out to who does not see the stages: it changes with the stages under way, not with their shares."""
    stages = [tell(f"stage.{name}", language) for name in STAGES if 0 <= run.fractions.get(name, 1.0) < 1]
    analysing = tell("status.analysing", language)
    if not stages:
        return analysing
    return tell(
        "status.said", language, analysing=analysing, stages=tell("join.comma", language).join(stages)
    )


def warn_gone(request: gr.Request | None) -> None:
    """Say that the result that is still shown is no longer kept, so that nothing more can be asked of it."""
    gr.Warning(tell("status.gone", language_of(request)))


def _item(name: str, told: str, run: Run, language: str) -> str:
    fraction = run.fractions.get(name)
    if fraction is None:
        return f'<li class="wait"><span>{told}</span></li>'
    if fraction >= 1:
        taken = tell("seconds", language, number=f"{run.seconds.get(name, 0.0):.1f}")
        return f'<li class="done"><span>{told}</span><b>{taken}</b></li>'
    left = _left(run, name, language)
    return f'<li class="now"><span>{told}</span><b>{percent(fraction, language)}{left}</b></li>'


def _left(run: Run, stage: str | None, language: str) -> str:
    """The time that a stage, or the whole, will still take; nothing before the clip is opened."""
    if run.estimate is None:
        return ""
    seconds = run.estimate.left() if stage is None else run.estimate.of(stage)
    return f" · {about(seconds, language)}"

"""The language of the speech: English, or another where what recognises it is at hand."""

from __future__ import annotations

import gradio as gr

from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label
from extractors.records import InputError
from extractors.words.languages import (
    DETECT,
    ENGLISH,
    SUPPOSED,
    hears_others,
    known_languages,
    language_setting,
)


def render() -> gr.Dropdown:
    """Lay out the panel; gives the choice, whose value is a code such as "en", or "auto".

    Where English alone is heard nothing is offered, and a sentence says so.
    """
    others = hears_others()
    if not others:
        gr.HTML(html(_english), padding=False)
    return gr.Dropdown(
        choices(),
        value=chosen(),
        label=label("speech.language"),
        info=label("speech.shown"),
        visible=others,
        interactive=True,
        filterable=False,
        elem_id="cm-language",
    )


def heading() -> str:
    """The key of the heading under which the choice stands beside the place for a transcript."""
    return "clip.have_transcript" if hears_others() else "clip.only_transcript"


def _english(language: str) -> str:
    return f'<p class="cm-small">{tell("speech.english", language)}</p>'


def choices(language: str = DEFAULT) -> list[tuple[str, str]]:
    """(name, code): English first; where others are heard, to find it out next, then all by name."""
    names = {code: tell(f"language.{code}", language) for code in known_languages()}
    first = [(names.pop(ENGLISH), ENGLISH)]
    if not hears_others():
        return first
    return [
        *first,
        (tell("speech.found_out", language), DETECT),
        *((name, code) for code, name in names.items()),
    ]


def chosen() -> str:
    """The code that is chosen at first: as the environment says where that is on offer, or English."""
    try:
        wanted = language_setting()
    except InputError:
        return ENGLISH  # an analysis says what is wrong with it
    return wanted if wanted in {code for _, code in choices()} else ENGLISH


def asked(choice: str | None) -> str | None:
    """The choice as an analysis takes it: English stands there before anybody chooses, so it is only supposed."""
    return SUPPOSED if choice == ENGLISH else choice

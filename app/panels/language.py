"""The language of the speech: English, or another where what recognises it is at hand."""

from __future__ import annotations

import gradio as gr

from app.i18n import DEFAULT, tell
from app.i18n.labels import label
from extractors.records import InputError
from extractors.words.languages import (
    DETECT,
    ENGLISH,
    hears_others,
    known_languages,
    language_setting,
)


def render() -> gr.Dropdown:
    """Lay out the panel; gives the choice, whose value is a code such as "en", or "auto"."""
    return gr.Dropdown(
        choices(),
        value=chosen(),
        label=label("speech.language"),
        info=label("speech.shown" if hears_others() else "speech.needed"),
        interactive=True,
        filterable=False,
        elem_id="cm-language",
    )


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

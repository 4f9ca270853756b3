"""The language of the speech: English, or another where what recognises it is at hand."""

from __future__ import annotations

import gradio as gr

from extractors.languages import (
    DETECT,
    ENGLISH,
    WHISPER_VARIABLE,
    hears_others,
    known_languages,
    language_setting,
)
from extractors.records import InputError

NAME = "Language of the speech"
FOUND_OUT = "found out from the sound"
SHOWN = "Words that are not English are shown and not scored: the network learnt from English."
NEEDED = (
    "Only English is recognised here. Other languages need the package faster-whisper on the server and, in "
    "{variable}, the folder or name of its model; a transcript of another language is shown and not scored."
)


def render() -> gr.Dropdown:
    """Lay out the panel; gives the choice, whose value is a code such as "en", or "auto"."""
    return gr.Dropdown(
        choices(),
        value=chosen(),
        label=NAME,
        info=SHOWN if hears_others() else NEEDED.format(variable=WHISPER_VARIABLE),
        interactive=True,
        filterable=False,
        elem_id="cm-language",
    )


def choices() -> list[tuple[str, str]]:
    """(name, code): English first; where others are heard, to find it out next, then all by name."""
    names = known_languages()
    first = [(names.pop(ENGLISH), ENGLISH)]
    if not hears_others():
        return first
    return [*first, (FOUND_OUT, DETECT), *((name, code) for code, name in names.items())]


def chosen() -> str:
    """The code that is chosen at first: as the environment says where that is on offer, or English."""
    try:
        wanted = language_setting()
    except InputError:
        return ENGLISH  # an analysis says what is wrong with it
    return wanted if wanted in {code for _, code in choices()} else ENGLISH

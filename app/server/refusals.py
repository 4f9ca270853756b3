"""Why there is no result, as a sentence for a person: nothing of what went wrong inside, and no file's path."""

from __future__ import annotations

import logging
from html import escape

import gradio as gr

from app.faults import fault_of
from app.i18n import DEFAULT, retell, tell
from app.i18n.visitors import for_visitors, is_wrong_setting, settings_in
from app.server.quiet import place_of
from app.server.turns import BusyError
from app.stages import StoppedError
from extractors.records import InputError

SURPRISE = tell("heard.surprise")
_log = logging.getLogger(__name__)


def explain(error: BaseException | None) -> str:
    """The sentence for a visitor, in English; empty where the analysis was merely stopped.

    Surprises go to the log, and the names of settings that whoever runs the server should look at.
    """
    if error is None or isinstance(error, StoppedError):
        return ""
    if isinstance(error, (InputError, BusyError)):
        sentence = str(error)
        if settings := settings_in(sentence):  # not the sentence itself: a file's name can be in it
            _log.warning("an analysis was refused: look at %s", ", ".join(settings))
        return tell("heard.setup") if is_wrong_setting(sentence) else for_visitors(sentence)
    # Not the error's own words: they can hold a file's name or what was said.
    fault = fault_of(error)
    _log.error("an analysis failed: %s", " ".join([place_of(error), fault]).strip())
    return fault or SURPRISE


def refusal(sentence: str, language: str = DEFAULT) -> gr.Error:
    """The error that shows the sentence, told again in the language, to whoever asked."""
    # gradio draws the message as HTML, and a file's name can be in it; programs read it as text, apostrophes and all,
    # which mean nothing between tags.
    title = tell("status.no_result", language)
    return gr.Error(escape(retell(sentence, language), quote=False), title=title, print_exception=False)

"""Labels that the browser puts into the visitor's language, and the language of a request.

gradio's own I18n: a marker is sent instead of the text, and the browser looks it up in the tables that came with the
page. It does so for a component's label, info, placeholder, title and value, and where a value or label is updated;
not for choices and table heads, which `app.wiring` sets when the page opens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import gradio as gr

from app.i18n import DEFAULT, LANGUAGES, choose, tell

_TEXTS: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
_MARK = gr.I18n()


def label(key: str) -> Any:
    """The marker of one text of the tables; it must have no placeholders."""
    return html(lambda language: tell(key, language), key)


def html(make: Callable[[str], str], key: str = "") -> Any:
    """The marker of what `make` gives for each language: cards and sentences that never change."""
    made = {language: make(language) for language in LANGUAGES}
    # The same text has the same key, however often the page is built.
    key = f"cm.{key or hashlib.sha256(made[DEFAULT].encode()).hexdigest()[:12]}"
    for language, text in made.items():
        if "{" in text or "''" in text:
            raise ValueError(
                f"the browser would read {text!r} as a pattern: leave out braces and double apostrophes"
            )
        _TEXTS[language][key] = text
    return _MARK(key)


def translations() -> gr.I18n:
    """Every text that a marker was made for; for `launch`, after the page was built."""
    return gr.I18n(**_TEXTS)


def language_of(request: gr.Request | None) -> str:
    """The language the visitor chose on the page (?lang=), or the browser's first that is known, or English."""
    asked = (getattr(request, "query_params", None) or {}).get("lang")
    accepted = (getattr(request, "headers", None) or {}).get("accept-language")
    return choose(asked, accepted)

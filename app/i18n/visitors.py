"""What an analysis tells whoever runs it is not for the visitor of a page: settings and packages are left out.

The command line says such sentences in full; a visitor of somebody else's server can set nothing there.
"""

from __future__ import annotations

import re

SETTING = r"COUPLED_MAMBA_[A-Z]+(?:_[A-Z]+)*"
_WRONG = re.compile(rf"{SETTING} (?:is|asks for) |.* unset {SETTING}\.$")
_FOR_OPERATORS = tuple(
    (re.compile(said), left)
    for said, left in (
        (r"GB that \S+ allows: cut it or raise the setting\.", "GB that it may take: cut it."),
        (
            r"GB is free: cut it, or close what else is running; where that number is wrong, set \S+ to .*\.",
            "GB is free: cut it, or try again later.",
        ),
        (r": cut it or raise \S+\.", ": cut it."),
        (
            r"cannot be recognised here: that needs .*; a transcript does as well",
            "cannot be recognised here without a transcript",
        ),
        (r"cannot be found out here: that needs .* instead of \w+", "cannot be found out here"),
        (
            rf"The model .* that {SETTING} names cannot be loaded \(\w+\)",
            "What recognises other languages than English cannot be loaded",
        ),
    )
)


def for_visitors(sentence: str) -> str:
    """The sentence without what only whoever runs the server can do."""
    for said, left in _FOR_OPERATORS:
        sentence = said.sub(left, sentence)
    return sentence


def is_wrong_setting(sentence: str) -> bool:
    """Whether all that the sentence says is that something is not set right, of which a visitor need know no more."""
    return _WRONG.match(sentence) is not None


def settings_in(sentence: str) -> list[str]:
    """The settings that are to be looked at, where the sentence is one for whoever runs the server; else none."""
    for_operators = is_wrong_setting(sentence) or for_visitors(sentence) != sentence
    return re.findall(rf"\b{SETTING}\b", sentence) if for_operators else []

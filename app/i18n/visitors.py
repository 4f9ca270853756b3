"""What an analysis tells whoever runs it is not for the visitor of a page: settings and packages are left out.

The command line says such sentences in full; a visitor of somebody else's server can set nothing there.
"""

from __future__ import annotations

import re

SETTING = r"COUPLED_MAMBA_[A-Z]+(?:_[A-Z]+)*"
LONGEST = 2_000  # letters of a sentence that is still looked through: the analysis' own have hundreds
_WRONG = re.compile(rf"{SETTING} (?:is|asks for) |.* unset {SETTING}\.$")


def _once(said: str) -> re.Pattern[str]:
    """What `said` matches, after what stands before it in group 1; `said` has one `.*` at most.

    Looked for from the sentence's start alone, and the head of `said` once: searched for, it would be tried again at
    each place where the head stands, in time by the square of what a visitor wrote into the sentence.
    """
    head, *rest = said.split(".*")
    return re.compile("".join([rf"(?s:(?>(.*?){head})", *(f".*{tail}" for tail in rest), ")"]))


_FOR_OPERATORS = tuple(
    (_once(said), rf"\1{left}")
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
    """The sentence without what only whoever runs the server can do; one that is too long to be ours as it is."""
    if len(sentence) > LONGEST:
        return sentence
    for said, left in _FOR_OPERATORS:
        if found := said.match(sentence):
            sentence = found.expand(left) + sentence[found.end() :]
    return sentence


def is_wrong_setting(sentence: str) -> bool:
    """Whether all that the sentence says is that something is not set right, of which a visitor need know no more."""
    return len(sentence) <= LONGEST and _WRONG.match(sentence) is not None


def settings_in(sentence: str) -> list[str]:
    """The settings that are to be looked at, where the sentence is one for whoever runs the server; else none."""
    for_operators = is_wrong_setting(sentence) or for_visitors(sentence) != sentence
    return re.findall(rf"\b{SETTING}\b", sentence) if for_operators else []

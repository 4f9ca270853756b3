"""Text from outside, made fit for any file: one line of characters that every format may hold."""

from __future__ import annotations

import unicodedata

_NEVER = {"Cc", "Cs", "Cn"}  # controls, halves of surrogate pairs, code points that are no characters


def one_line(text: str) -> str:
    """The text without line breaks, controls, and what XML forbids; joiners, which many scripts need, are kept."""
    kept = (c if unicodedata.category(c) not in _NEVER else " " for c in text)
    return " ".join("".join(kept).split())

"""Numbers as a person reads them; imports nothing of the house, so that pictures and sentences can both use it."""

from __future__ import annotations


def signed(score: float, digits: int = 1) -> str:
    """+0.4, −0.6 with a real minus sign; zero has no sign."""
    text = f"{abs(score):.{digits}f}"
    return text if float(text) == 0 else f"{'−' if score < 0 else '+'}{text}"


def written(score: float, digits: int = 1) -> str:
    """As `signed`, with the minus sign that programs read: for files."""
    return signed(score, digits).replace("−", "-")


def clock(seconds: float) -> str:
    """Seconds as 0:04.2 or 12:30.0."""
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"

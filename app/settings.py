"""Settings of the server that come from the environment; all stand in README's table."""

from __future__ import annotations

import os

from extractors.records import InputError

AT_ONCE, WAITING = "COUPLED_MAMBA_AT_ONCE", "COUPLED_MAMBA_WAITING"
KEPT_BYTES = "COUPLED_MAMBA_KEPT_BYTES"
GRACE = "COUPLED_MAMBA_GRACE"
PORT = "GRADIO_SERVER_PORT"


def whole_number(name: str, default: int, least: int = 0) -> int:
    """The variable's whole number, or `default` where it is unset or empty.

    Raises:
        InputError: it is no whole number, or under `least`; the message names the variable and its value.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise InputError(f"{name} is {text!r}: a whole number of at least {least} is needed.")
    return int(text)


def check_all() -> None:
    """Read everything that the server reads once a visitor is there, who would be told of it at each analysis.

    Raises:
        InputError: as `whole_number` does, for the first that is wrong.
    """
    from app.keeping import most_kept
    from app.memory import most_allowed
    from app.presence import grace_of_server
    from app.turns import answers_of_server, turns_of_server
    from extractors.cache import Cache

    most_kept()
    most_allowed()
    grace_of_server()
    turns_of_server()
    answers_of_server()
    Cache.from_environment()

"""Settings of the server that come from the environment; all stand in README's table."""

from __future__ import annotations

import os
import socket

from extractors.records import InputError

AT_ONCE, WAITING = "COUPLED_MAMBA_AT_ONCE", "COUPLED_MAMBA_WAITING"
KEPT_BYTES = "COUPLED_MAMBA_KEPT_BYTES"
GRACE = "COUPLED_MAMBA_GRACE"
PORT, SERVER = "GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME"
MOST_PORT = 65_535


def whole_number(name: str, default: int, least: int = 0, most: int | None = None) -> int:
    """The variable's whole number, or `default` where it is unset or empty.

    Raises:
        InputError: it is no whole number of `least` to `most`; the message names the variable and its value.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if (
        not (text.isascii() and text.isdigit())
        or int(text) < least
        or (most is not None and int(text) > most)
    ):
        wanted = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is {text!r}: a whole number {wanted} is needed.")
    return int(text)


def server_name(default: str = "127.0.0.1") -> str:
    """Where GRADIO_SERVER_NAME says that the page is served, or `default` where it is unset or empty.

    Raises:
        InputError: nothing can be served there; gradio would take it for a port that is taken.
    """
    name = os.environ.get(SERVER, "") or default
    try:
        with socket.socket() as tried:  # of IPv4: gradio looks for its port on nothing else
            tried.bind((name, 0))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{SERVER} is {name!r}: no name or IPv4 address of this machine ({error}). Set it to 127.0.0.1 to serve "
            "the page here alone, or to 0.0.0.0 for other machines too."
        ) from None
    return name


def check_all() -> None:
    """Read everything that the server reads once a visitor is there, who would be told of it at each analysis.

    Raises:
        InputError: as `whole_number` does, for the first that is wrong.
    """
    from app.memory import most_allowed
    from app.server.keeping import most_kept
    from app.server.presence import grace_of_server
    from app.server.turns import answers_of_server, turns_of_server
    from extractors.cache import Cache

    most_kept()
    most_allowed()
    grace_of_server()
    turns_of_server()
    answers_of_server()
    Cache.from_environment()

"""The log tells what kind of error there was and where, not its words: they can hold a file's name or what was said.

Errors in the page's own handlers are told so by `refusals.explain`. But gradio reads what a request holds before a
handler runs, and looks for the files it gave afterwards, and prints the errors of that as they are.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

_log = logging.getLogger(__name__)
LOGGERS = ("uvicorn.error", "asyncio")


def place_of(error: BaseException) -> str:
    """The error's kind, and the functions it came through, the innermost first."""
    steps = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{step.name} ({Path(step.filename).name}:{step.lineno})" for step in reversed(steps))
    return f"{type(error).__name__} in {where}"


def keep_errors_quiet() -> None:
    """From now on what gradio and its server print of an error is its kind and its place."""
    import gradio.queueing
    import gradio.route_utils
    import gradio.routes

    for module in (gradio.queueing, gradio.route_utils, gradio.routes):
        if hasattr(module, "traceback"):
            module.traceback = SimpleNamespace(**{**vars(traceback), "print_exc": _print})
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_shorten)


def _print(*_: object, **__: object) -> None:
    error = sys.exc_info()[1]
    if error is not None:
        _log.error("a request failed: %s", place_of(error))


def _shorten(record: logging.LogRecord) -> bool:
    """Takes the error's words out of what is logged about it."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        record.msg, record.args, record.exc_info = f"a request failed: {place_of(error)}", (), None
    return True

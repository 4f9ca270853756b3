"""The page: its panels (`app.layout`) wired to what they start and show (`app.wiring`), and how it is served.

Nothing heavy is imported here, so that the page is up at once; `warm` brings the models in behind it.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import gradio as gr

from app import settings
from app.api import can_serve_tools, keep_tools_files
from app.faults import fault_of
from app.figures.style import ready
from app.i18n.labels import translations
from app.layout import lay_out
from app.sample import NAME, cache_folder
from app.server.forgetting import drop_empty_first, forget_by_age
from app.server.keeping import keep_sweeping, private_folder
from app.server.quiet import keep_errors_quiet, place_of
from app.server.uploads import AROUND, take_files_alone
from app.service import Service
from app.several import MOST as MOST_CLIPS
from app.wiring import wire

ASSETS = Path(__file__).parent / "assets"
STYLES = ("cards.css", "page.css", "answers.css", "compare.css", "reading.css", "print.css")
SCRIPTS = (
    "lean.js",
    "presence.js",
    "scheme.js",
    "language.js",
    "reading.js",  # before what says it to screen readers
    "playhead.js",
    "stay.js",
    "aside.js",
    "film.js",
    "box.js",
    "faces.js",
    "windows.js",
    "clock.js",
    "shares.js",
    "print.js",  # before the words, which are laid in the width that it gives
    "words.js",
    "space.js",
    "subtitles.js",
    "pictures.js",
    "fold.js",
    "details.js",
    "folder.js",
    "hints.js",
    "access.js",
    "sideways.js",
    "touch.js",
    "frames.js",
)
PORT = 7860
# Bounds of what gradio keeps for all visitors together: clicks that wait, threads (each analysis under way or in line
# holds one), and sessions, of which it keeps a description of the page even after they ended: 0.24 MB each, counted
# once, and with an analysis its grid too, which is why there are no more. Those without one go first.
MOST_EVENTS, MOST_THREADS, MOST_SESSIONS = 200, 100, 300
FONTS = (
    "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial", "sans-serif"
)  # fmt: skip
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_log = logging.getLogger(__name__)


def build_page() -> gr.Blocks:
    """The page, to be launched with `launch`."""
    os.environ["GRADIO_TEMP_DIR"] = str(private_folder())  # where gradio puts what visitors upload
    keep_tools_files(private_folder())
    take_files_alone()
    drop_empty_first()
    with gr.Blocks(title="Coupled Mamba", analytics_enabled=False) as page:
        wire(lay_out(), page, Service(page.GRADIO_CACHE))
    # Not open: gradio would answer past the queue and its limits too, under /run/ and /api/ (on a Space it does not).
    page.queue(default_concurrency_limit=8, max_size=MOST_EVENTS, api_open=False)
    return page


def launch(page: gr.Blocks, **options: Any) -> Any:
    """Serve the page on 127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say.

    The models are loaded behind it, so that the first analysis is as quick as the second. Raises InputError, before
    anything is served, where a setting cannot be used or the port is taken.
    """
    from starlette.middleware import Middleware

    from app.server.guard import Guard
    from app.server.presence import Presence
    from extractors.media.reading import Limits
    from extractors.records import InputError

    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    settings.check_all()
    most, tools = Limits.from_environment().max_bytes, can_serve_tools()
    given = {
        "server_name": settings.server_name(),
        "server_port": settings.whole_number(settings.PORT, PORT, 1, settings.MOST_PORT),
        "theme": _theme(),
        "css_paths": [ASSETS / name for name in STYLES],
        "js": _scripts(),
        "i18n": translations(),
        "allowed_paths": [str(cache_folder() / NAME)],
        "max_file_size": most,
        "footer_links": ["api"],
        "mcp_server": tools,
        "ssr_mode": False,
        "max_threads": MOST_THREADS,
        "state_session_capacity": MOST_SESSIONS,
        "app_kwargs": {
            "middleware": [Middleware(Guard, MOST_CLIPS * most + AROUND, tools), Middleware(Presence)]
        },
        "run_history": False,  # results would stay in the browser past the hour that is promised
        "enable_monitoring": False,
        "prevent_thread_lock": True,
    }
    keep_errors_quiet()
    ready()
    try:
        running = page.launch(**(given | options))
    except OSError as error:
        if "empty port" not in str(error):
            raise
        port = (given | options)["server_port"]
        raise InputError(
            f"Port {port} is taken, perhaps by this page, started before: end what serves there, or set "
            f"{settings.PORT} to another number."
        ) from None
    # Only now: importing the heavy libraries beside the server's start would hold it up.
    threading.Thread(target=_warm, daemon=True, name="warm").start()
    keep_sweeping(private_folder(), forget_by_age(page))
    if not options.get("prevent_thread_lock"):
        page.block_thread()
    return running


def _scripts() -> str:
    """The browser's parts as one function, which gradio calls when the page is up."""
    calls = [f"({(ASSETS / name).read_text(encoding='utf-8').strip()})();" for name in SCRIPTS]
    return "() => {\n" + "\n".join(calls) + "\n}"


def _theme() -> gr.themes.Base:
    """Quiet surfaces and the system's own fonts: nothing is fetched from outside.

    What explains a field is as dark as the page's other quiet texts: gradio's own grey is too faint on white.
    """
    fonts = [gr.themes.Font(name) for name in FONTS]
    mono = [gr.themes.Font(name) for name in MONO]
    plain = gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", radius_size="lg", font=fonts, font_mono=mono
    )
    quiet = "var(--cm-quiet)"
    return plain.set(block_info_text_color=quiet, block_info_text_color_dark=quiet)


def _warm() -> None:
    """Load every model by analysing two seconds of the sample."""
    try:
        from app.service import warm

        warm()
    except Exception as error:
        _log.warning("the models could not be loaded ahead: %s", fault_of(error) or place_of(error))

"""Uploads: what one request may hold, which are files alone.

Gradio writes an upload's files to disk as they come and measures each of them, but not all together; and what else a
form holds it keeps in memory, at any length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio.route_utils
from starlette.formparsers import MultiPartException

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

API = "/gradio_api"
PATH = f"{API}/upload"
AROUND = 1_000_000  # bytes of a form around its files: their names and its boundaries


class FilesAlone(gradio.route_utils.GradioMultiPartParser):
    """Gradio's reader of forms, which refuses a field that is no file before any of it is kept."""

    def on_headers_finished(self) -> None:
        """Raises MultiPartException, which gradio answers with 400."""
        super().on_headers_finished()
        if self._current_part.file is None:
            raise MultiPartException("An upload holds files alone: give each a filename.")


def take_files_alone() -> None:
    """From now on gradio reads uploads so; the page and gradio's clients send nothing else."""
    gradio.route_utils.GradioMultiPartParser = FilesAlone


def is_upload(path: str, scope: Scope) -> bool:
    """Whether gradio will read the body in parts: of a form, under the one path for it, and of nothing else."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return path == PATH and kind.lower().startswith(b"multipart/form-data")


def counted(receive: Receive, most: int) -> Receive:
    """Gives what comes, up to `most` bytes. Raises MultiPartException past it.

    By this gradio deletes what it has of the files, and by "maximum allowed size" it answers with 413.
    """
    held = 0

    async def give() -> Message:
        nonlocal held
        message = await receive()
        held += len(message.get("body", b""))
        if held > most:
            raise MultiPartException(
                f"The upload exceeded the maximum allowed size of {most:,} bytes: bring fewer files at a time."
            )
        return message

    return give

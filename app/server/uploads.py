"""Uploads: what one request may hold, which are files alone, and all of them together.

Gradio writes an upload's files to disk as they come and measures each of them, but not all together; and what else a
form holds it keeps in memory, at any length. It keeps an upload's files open to its end: deleting them, as a sweep
does, frees nothing of the disk before. So what is on its way is counted here, beside what is kept.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio.route_utils
from starlette.formparsers import MultiPartException

from app import settings
from app.server.keeping import bytes_kept, most_kept, private_folder

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

API = "/gradio_api"
PATH = f"{API}/upload"
AROUND = 1_000_000  # bytes of a form around its files: their names and its boundaries
SPARE = 500_000_000  # bytes of the disk that uploads leave free, for what is made of them
AGAIN = 10.0  # seconds after which what is kept is measured again
FULL = "No more can be uploaded now, or the server's files would exceed their maximum allowed size: try again later."
_log = logging.getLogger(__name__)
_files: ContextVar[list[Any] | None] = ContextVar("files", default=None)  # of the upload that is read


class FilesAlone(gradio.route_utils.GradioMultiPartParser):
    """Gradio's reader of forms, which refuses a field that is no file before any of it is kept."""

    def on_headers_finished(self) -> None:
        """Raises MultiPartException, which gradio answers with 400."""
        super().on_headers_finished()
        if self._current_part.file is None:
            raise MultiPartException("An upload holds files alone: give each a filename.")
        if (files := _files.get()) is not None:
            files.append(self._current_part.file.file)


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


class Disk:
    """What visitors' files take of the disk: what is kept in their `folder`, and what is on its way there.

    Together they may take `most` bytes, and `spare` bytes stay free for what is not ours.
    """

    def __init__(self, folder: Path, most: int, spare: int = SPARE) -> None:
        self._folder, self._most, self._spare = folder, most, spare
        self._coming, self._kept, self._measured = 0, 0, -AGAIN

    @contextmanager
    def upload(self, receive: Receive) -> Iterator[Receive]:
        """Gives what comes of an upload, as long as there is room. What gradio leaves of it behind goes at the end.

        What comes raises MultiPartException where there is none; see `counted`.
        """
        held, files = 0, list[Any]()

        async def give() -> Message:
            nonlocal held
            message = await receive()
            size = len(message.get("body", b""))
            held, self._coming = held + size, self._coming + size
            await self._check()
            return message

        before = _files.set(files)
        try:
            yield give
        finally:
            _files.reset(before)
            # Those of a form that broke off or was refused: whatever arrived has another name by now.
            for file in files:
                file.close()
                Path(file.name).unlink(missing_ok=True)
            self._coming -= held
            self._kept += held  # until it is measured again

    async def _check(self) -> None:
        if time.monotonic() - self._measured > AGAIN:
            self._measured = time.monotonic()
            self._kept = await asyncio.to_thread(bytes_kept, self._folder)
        free = shutil.disk_usage(self._folder).free
        if self._kept + self._coming > self._most or free < self._spare:
            _log.warning(
                "an upload was refused: %d bytes are kept and %d on their way, of %d (%s); %d are free on the disk",
                *(self._kept, self._coming, self._most, settings.KEPT_BYTES, free),
            )
            raise MultiPartException(FULL)


def disk_of_server() -> Disk:
    """For visitors' files. Raises InputError where COUPLED_MAMBA_KEPT_BYTES is no whole number."""
    return Disk(private_folder(), most_kept())

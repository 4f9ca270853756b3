"""Copies to look at, of uploads that browsers cannot play; at most one is in the making for each session.

A copy takes up to a minute, and a visitor may have chosen another video meanwhile. So a copy that is no longer wanted
is given up: it would take the place of the newer video.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

from app.server.keeping import Rooms, date_like
from app.stages import StoppedError

ORIGINAL = ".original"  # ending of the link, beside a copy to look at, to what was uploaded


@dataclass
class _Making:
    clip: Path
    stop: threading.Event = field(default_factory=threading.Event)


class Copies:
    """The copies of one page's visitors."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._making: dict[str, _Making] = {}
        self._lock = threading.Lock()

    def playable(self, session: str, video: str, room: Path) -> tuple[str, str]:
        """The video itself, or the path of a copy in the room where browsers cannot play it or jump about in it.

        And the key of what the visitor is to be told: that the copy's pictures were made anew, so that it looks worse
        than what is analysed, or that there is none and nothing to be seen; else "". Raises StoppedError where the
        session chose another video meanwhile, or none.
        """
        making = _Making(self._rooms.claim(session, video))
        with self._lock:
            earlier, self._making[session] = self._making.get(session), making
        if earlier is not None:
            earlier.stop.set()
        try:
            made = self._make(session, making, video, room)
            if making.stop.is_set():
                raise StoppedError("another video was chosen")
            return made
        finally:
            with self._lock:
                if self._making.get(session) is making:
                    del self._making[session]

    def stop(self, session: str, but: Path | None = None) -> None:
        """No copy is wanted but that of the clip."""
        with self._lock:
            making = self._making.get(session)
            if making is not None and making.clip != but:
                making.stop.set()

    def original(self, session: str, video: str) -> Path:
        """The session's own file of what the page shows: of an upload, or what stands behind a copy."""
        behind = Path(video).with_suffix(ORIGINAL)
        if self._rooms.holds(session, behind) and behind.is_symlink():
            return behind.readlink()
        return self._rooms.claim(session, video)

    def _make(self, session: str, making: _Making, video: str, room: Path) -> tuple[str, str]:
        from app.server.preview import is_playable, is_seekable, is_too_long, make_preview, make_seekable

        clip = making.clip
        played = is_playable(clip)
        if played and is_seekable(clip):
            return video, ""
        if not played and is_too_long(clip):
            return video, "status.no_copy"
        folder = self._rooms.new(session, room)
        copy = folder / f"{clip.stem[:60]}{clip.suffix if played else '.mp4'}"
        if not (make_seekable if played else make_preview)(clip, copy, making.stop.is_set):
            shutil.rmtree(folder, ignore_errors=True)
            return video, ""
        behind = copy.with_suffix(ORIGINAL)
        behind.symlink_to(clip)
        if self._rooms.holds(session, clip):
            date_like(clip, copy, behind)
        return str(copy), "" if played else "status.copy"

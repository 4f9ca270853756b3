"""What visitors bring and take lives in a folder for each session, and goes with it, on request, or with the hour.

    visitors/<hash>/<name>                  where gradio puts an upload: a link to the file below, once it is claimed
    visitors/sessions/<session>/given/...   what the session brought
    visitors/sessions/<session>/...         what was made of it: copies to look at, files to save, results of stages

Gradio's own `delete_cache` knows only some of the files, by age alone: not those that a handler writes, nor what a
server that was killed left behind. So the page has a folder of its own, from which a session's part goes when the
session ends, and everything that was not used for nearly an hour goes; after a crash at the server's next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from app import settings
from app.sample import cache_folder, is_sample
from app.server.quiet import place_of

KEPT, SWEEP = 3000.0, 120.0  # seconds that a file is kept, and between sweeps: gone within an hour
LONGEST = 6 * 3600.0  # seconds for which a file stays because it waits in line or in a batch, or is read
EMPTY = 60.0  # seconds after which an empty file goes: gradio makes one whenever it hands an upload on
KEPT_BYTES = 20_000_000_000  # of all visitors' files together, with what is being uploaded
LEFT = 0.8  # of these a sweep leaves, the newest: a fifth is for whoever uploads until the next one
_log = logging.getLogger(__name__)


class Rooms:
    """A folder for each session within the page's `folder`. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._busy: Counter[Path] = Counter()  # by room: how much is being done in it
        self._over: set[Path] = set()  # rooms whose session ended while something was done in them
        self._moved: dict[str, Path] = {}  # by session, its room since then
        self._used: list[tuple[float, tuple[Path, ...]]] = []  # until when, and which files
        self._lock = threading.RLock()

    def of(self, session: str) -> Path:
        """The session's folder, open to this user alone; made where missing.

        Named by a hash, since what a client calls its session is the client's choice.
        """
        with self._lock:
            return _made(self._path(session))

    def new(self, session: str, room: Path | None = None) -> Path:
        """A new empty folder in the session's, or in the `room` that `at_work` gave."""
        with self._lock:
            return Path(tempfile.mkdtemp(dir=_made(room or self._path(session))))

    def holds(self, session: str, path: Path) -> bool:
        """Whether the path lies in the session's folder."""
        return self._path(session) in path.parents

    def claim(self, session: str, given: str | Path) -> Path:
        """The session's own file of an upload, which is moved to its folder; a link stays where the browser has it.

        Anything else than an upload is given back as it is: the sample, and what lies in a session's folder already.
        """
        inbox = Path(os.path.abspath(given))
        if inbox.parent.parent != self.folder or is_sample(inbox):
            return Path(given)
        with self._lock:
            mine = self.of(session) / "given" / inbox.parent.name / inbox.name
            if not mine.exists() and inbox.exists():
                mine.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _same_file(inbox.resolve(), mine)
            if mine.exists() and not inbox.is_symlink():
                _link(inbox, mine)
            return mine

    def leave(self, session: str) -> None:
        """The session ended: delete everything of it, and again when what still works for it is done.

        Should the session come back before that, it has another folder.
        """
        with self._lock:
            room = self._path(session)
            self._empty(room)
            self._moved.pop(session, None)
            if self._busy[room]:
                self._over.add(room)
            # Also where this is the second end while work of before the first goes on.
            if self._home(session) in self._over:
                self._moved[session] = room.with_name(secrets.token_hex(16))

    @contextlib.contextmanager
    def at_work(self, session: str) -> Iterator[Path]:
        """Gives the session's folder for work that writes there; if the session ends meanwhile, all that goes too."""
        with self._lock:
            room = self.of(session)
            self._busy[room] += 1
        try:
            yield room
        finally:
            with self._lock:
                self._busy[room] -= 1
                if not self._busy[room]:
                    del self._busy[room]
                    self._end(session, room)

    def is_over(self, room: Path) -> bool:
        """Whether the session ended since `at_work` gave the room."""
        return room in self._over

    @contextlib.contextmanager
    def in_use(self, *paths: str | Path | None) -> Iterator[None]:
        """While inside the files, and those in the folders, do not grow old: a line or a batch can be long."""
        used = time.monotonic() + LONGEST, tuple(Path(path) for path in paths if path)
        self._used.append(used)
        try:
            yield
        finally:
            self._renew(*used)
            with contextlib.suppress(ValueError):
                self._used.remove(used)

    def renew(self) -> None:
        """To be called before every sweep: what is in use counts from now, for LONGEST seconds in all."""
        for until, paths in list(self._used):
            self._renew(until, paths)

    def _renew(self, until: float, paths: tuple[Path, ...]) -> None:
        if time.monotonic() > until:
            return
        for path in paths:
            inbox = self.folder / path.parent.name / path.name
            for file in (path, inbox, *everything_in(path)):
                with contextlib.suppress(OSError):
                    os.utime(file, follow_symlinks=False)

    def _end(self, session: str, room: Path) -> None:
        """The last work in the room is done."""
        if room not in self._over:
            return
        self._over.discard(room)
        self._empty(room)
        moved = self._moved.get(session)
        is_free = self._home(session) not in self._over
        if moved and is_free and not moved.exists() and not self._busy[moved]:
            del self._moved[session]

    def _empty(self, room: Path) -> None:
        """Delete everything in the room, now."""
        for mine in everything_in(room / "given"):
            inbox = self.folder / mine.parent.name / mine.name
            with contextlib.suppress(OSError):
                if inbox.samefile(mine):
                    self._let_go(inbox, mine)
        shutil.rmtree(room, ignore_errors=True)

    def _path(self, session: str) -> Path:
        return self._moved.get(session) or self._home(session)

    def _home(self, session: str) -> Path:
        """The session's folder, unless it had to move."""
        return self.folder / "sessions" / hashlib.sha256(session.encode()).hexdigest()[:32]

    def _let_go(self, inbox: Path, mine: Path) -> None:
        """Whoever brought the same file keeps it; otherwise the link goes."""
        rooms = (self.folder / "sessions").glob("*")
        others = (room / "given" / mine.parent.name / mine.name for room in rooms)
        other = next((path for path in others if path != mine and path.exists()), None)
        if other is not None:
            _link(inbox, other)
            return
        inbox.unlink()
        inbox.parent.rmdir()


def rooms_in(folder: str | Path) -> Rooms:
    """The rooms of a page's folder: one object for all of the page's parts."""
    return _rooms_in(os.path.abspath(folder))


@cache
def _rooms_in(folder: str) -> Rooms:
    return Rooms(Path(folder))


def private_folder() -> Path:
    """The folder for uploads, copies and results, open to this user alone; made where missing."""
    folder = cache_folder() / "visitors"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def everything_in(folder: Path) -> Iterator[Path]:
    """Every file and folder below, each folder after what is in it; what goes meanwhile is passed over.

    Path.rglob raises where a folder goes while it is read.
    """
    for root, folders, files in os.walk(folder, topdown=False):
        yield from (Path(root, name) for name in (*files, *folders))


def sweep(folder: Path, older_than: float = KEPT, most: int | None = None) -> None:
    """Delete every file in `folder` that was last written more than `older_than` seconds ago, and empty folders.

    Of what is left, the oldest files go until `most` bytes remain; None for no such limit. What was written in the
    future, before the clock was set back, counts from now on: it would otherwise be kept until that day.
    """
    now = time.time()
    limit, empty = now - older_than, now - EMPTY
    left: list[tuple[float, int, Path]] = []
    # Deepest first, so that a folder is empty by the time it is looked at.
    for path in everything_in(folder):
        # A file may go while it is looked at, and a folder may not be empty: both are as they should be.
        with contextlib.suppress(OSError):
            state = path.lstat()
            if state.st_mtime > now + EMPTY:
                os.utime(path, (now, now), follow_symlinks=False)
                state = path.lstat()
            if path.is_dir() and not path.is_symlink():
                if state.st_mtime < limit:
                    path.rmdir()
            elif (
                state.st_mtime < limit
                or (path.is_symlink() and not path.exists())
                or (path.parent == folder and not state.st_size and state.st_mtime < empty)
            ):
                path.unlink()
            else:
                left.append((state.st_mtime, state.st_size, path))
    total = sum(size for _, size, _ in left)
    for _, size, path in sorted(left):
        if most is None or total <= most:
            return
        total -= size
        with contextlib.suppress(OSError):
            path.unlink()


def most_kept() -> int:
    """Bytes that all visitors' files may take. Raises InputError where COUPLED_MAMBA_KEPT_BYTES is no whole number."""
    return settings.whole_number(settings.KEPT_BYTES, KEPT_BYTES)


def bytes_kept(folder: Path) -> int:
    """Bytes of visitors' files, without those that lie in the folder itself: they are still being uploaded."""
    total = 0
    for path in everything_in(folder):
        with contextlib.suppress(OSError):
            state = path.lstat()
            total += state.st_size if path.parent != folder and stat.S_ISREG(state.st_mode) else 0
    return total


def keep_sweeping(folder: Path, also: Callable[[], None] = lambda: None) -> None:
    """Sweep now and every SWEEP seconds, and do `also` with it, in a thread that ends with the program.

    Raises what `most_kept` raises.
    """
    most = int(LEFT * most_kept())

    def work() -> None:
        while True:
            try:
                rooms_in(folder).renew()
                sweep(folder, most=most)
                also()
            except Exception as error:  # what could not be swept now is swept next time
                _log.warning("a sweep of old files failed: %s", place_of(error))
            time.sleep(SWEEP)

    threading.Thread(target=work, daemon=True, name="sweep").start()


def date_like(original: Path, *made: Path) -> None:
    """What was made of a file is as old as the file, and goes with it; no harm where one of them is gone."""
    with contextlib.suppress(OSError):
        state = original.stat()
        for path in made:
            os.utime(path, (state.st_atime, state.st_mtime), follow_symlinks=False)


def _made(room: Path) -> Path:
    room.mkdir(mode=0o700, parents=True, exist_ok=True)
    return room


def _same_file(source: Path, path: Path) -> None:
    """`path` becomes a second name of the file, or a copy where the disk knows no second names."""
    try:
        os.link(source, path)
    except OSError:
        shutil.copy2(source, path)


def _link(path: Path, target: Path) -> None:
    """`path` becomes a link to `target` at once, whatever it was; where links are not to be had it stays."""
    aside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.link")
    with contextlib.suppress(OSError):
        os.symlink(target, aside)
        os.replace(aside, path)

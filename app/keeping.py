"""What visitors bring and take lives in a folder for each session, and goes with it, on request, or within the hour.

    visitors/<hash>/<name>                  where gradio puts an upload: a link to the file below, once it is claimed
    visitors/sessions/<session>/given/...   what the session brought
    visitors/sessions/<session>/...         what was made of it: copies to look at, files to save, results of stages

Gradio's own `delete_cache` knows only some of the files, by age alone: not those that a handler writes, nor what a
server that was killed left behind. So the page has a folder of its own, from which a session's part goes when the
session ends, and everything old goes whatever happened.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from app import settings
from app.sample import cache_folder, is_sample

KEPT, SWEEP = 3000.0, 120.0  # seconds that a file is kept, and between sweeps: gone within an hour
EMPTY = 60.0  # seconds after which an empty file goes: gradio makes one whenever it hands an upload on
KEPT_BYTES = 20_000_000_000  # of all visitors' files together; past it the oldest go first
_log = logging.getLogger(__name__)


class Rooms:
    """A folder for each session within the page's `folder`. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._busy: Counter[str] = Counter()
        self._left: set[str] = set()
        self._lock = threading.RLock()

    def of(self, session: str) -> Path:
        """The session's folder, open to this user alone; made where missing.

        Named by a hash, since what a client calls its session is the client's choice.
        """
        room = self._path(session)
        with self._lock:
            # Else it may be the work's own, for a session that has ended meanwhile.
            if not self._busy[session]:
                self._left.discard(session)
            room.mkdir(mode=0o700, parents=True, exist_ok=True)
        return room

    def new(self, session: str) -> Path:
        """A new empty folder in the session's."""
        return Path(tempfile.mkdtemp(dir=self.of(session)))

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

    def empty(self, session: str) -> None:
        """Delete everything of the session, now."""
        room = self._path(session)
        with self._lock:
            for mine in everything_in(room / "given"):
                inbox = self.folder / mine.parent.name / mine.name
                with contextlib.suppress(OSError):
                    if inbox.samefile(mine):
                        self._let_go(inbox, mine)
            shutil.rmtree(room, ignore_errors=True)

    def leave(self, session: str) -> None:
        """The session ended: delete everything of it, and again when what still works for it is done."""
        with self._lock:
            if self._busy[session]:
                self._left.add(session)
            else:
                del self._busy[session]
            self.empty(session)

    @contextlib.contextmanager
    def at_work(self, session: str) -> Iterator[None]:
        """While inside, the session is being worked for; if it ends meanwhile, what is still written goes too."""
        with self._lock:
            self._busy[session] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[session] -= 1
                if not self._busy[session]:
                    del self._busy[session]
                    if session in self._left:
                        self._left.discard(session)
                        self.empty(session)

    def _path(self, session: str) -> Path:
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


@cache
def rooms_in(folder: str | Path) -> Rooms:
    """The rooms of a page's folder: one object for all of the page's parts."""
    return Rooms(Path(os.path.abspath(folder)))


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


def keep_sweeping(folder: Path) -> None:
    """Sweep now and every SWEEP seconds, in a thread that ends with the program.

    Raises InputError where COUPLED_MAMBA_KEPT_BYTES is no whole number.
    """
    most = settings.whole_number(settings.KEPT_BYTES, KEPT_BYTES)

    def work() -> None:
        while True:
            try:
                sweep(folder, most=most)
            except Exception:  # what could not be swept now is swept next time, or nothing ever would be
                _log.warning("a sweep of old files failed", exc_info=True)
            time.sleep(SWEEP)

    threading.Thread(target=work, daemon=True, name="sweep").start()


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

"""What visitors bring and take is kept for under an hour: one private folder, swept by age.

Gradio's own `delete_cache` knows only some of the files: not those that a handler writes, nor what a server that
was killed left behind. So the page gets a folder of its own, and everything old in it goes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from app.sample import cache_folder

KEPT, SWEEP = 3000.0, 300.0  # seconds that a file is kept, and between sweeps: gone within an hour


def private_folder() -> Path:
    """The folder for uploads, copies and results, open to this user alone; made where missing."""
    folder = cache_folder() / "visitors"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def sweep(folder: Path, older_than: float = KEPT) -> None:
    """Delete every file in `folder` that was last written more than `older_than` seconds ago, and empty folders."""
    limit = time.time() - older_than
    # Deepest first, so that a folder is empty by the time it is looked at.
    for path in sorted(folder.rglob("*"), key=lambda p: -len(p.parts)):
        # A file may go while it is looked at, and a folder may not be empty: both are as they should be.
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                if path.stat().st_mtime < limit:
                    path.rmdir()
            elif path.lstat().st_mtime < limit:
                path.unlink()


def keep_sweeping(folder: Path) -> None:
    """Sweep now and every SWEEP seconds, in a thread that ends with the program."""

    def work() -> None:
        while True:
            sweep(folder)
            time.sleep(SWEEP)

    threading.Thread(target=work, daemon=True, name="sweep").start()

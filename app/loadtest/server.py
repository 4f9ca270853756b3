"""The process under test: serves the page, and counts itself whenever it is asked on its standard input."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr
    import psutil

COUNTED = ("app.", "extractors.", "model.", "kernels.", "gradio.")
MARK = "@count "  # begins the lines meant for whoever started the process
PATIENCE = 600.0  # seconds until the server must be up


@dataclass(frozen=True)
class Count:
    """Resident bytes, threads, open file handles, files kept for visitors, and live objects by the name of their type.

    Of our types and of gradio's; and among them how many entries there are in what gradio keeps of visitors. `named`
    are the threads by their names, without numbers.
    """

    memory: int
    threads: int
    handles: int
    kept: int
    objects: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)


class Server:
    """A server in a process of its own, whose log is kept in a file."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        environment = os.environ | {"COUPLED_MAMBA_CACHE": str(folder / "cache")} | dict(settings or {})
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.loadtest.server"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = ""

    def __enter__(self) -> Server:
        self.url = self._read()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def count(self) -> Count:
        """What the server holds now, after it let go of what it could."""
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)
        return Count(**json.loads(self._read()))

    def _read(self) -> str:
        """The next line that is meant for us. Raises RuntimeError, with the log, where the process ended."""
        assert self.process.stdout is not None
        with _deadline(self.process):
            for line in self.process.stdout:
                if line.startswith(MARK):
                    return line.removeprefix(MARK).strip()
        raise RuntimeError(f"the server ended: {self.log.read_text(encoding='utf-8', errors='replace')}")


@contextmanager
def _deadline(process: subprocess.Popen[str]) -> Iterator[None]:
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def count(folder: Path, page: gr.Blocks) -> Count:
    """This process, counted; `folder` is where the `page` keeps visitors' files."""
    import psutil

    from app.memory import give_back
    from app.server.keeping import everything_in

    for _ in range(3):  # an object that ends in one collection may free others for the next
        gc.collect()
    give_back()
    names = Counter(f"{type(o).__module__}.{type(o).__qualname__}" for o in gc.get_objects())
    process = psutil.Process()
    return Count(
        process.memory_info().rss,
        process.num_threads(),
        process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        sum(_weighs(path) for path in everything_in(folder)),
        {name: n for name, n in sorted(names.items()) if name.startswith(COUNTED)} | entries(page),
        threads_by_name(process),
    )


def threads_by_name(process: psutil.Process) -> dict[str, int]:
    """How many threads of each name this process has; those that Python did not start have none."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    told = (names.get(thread.id, "not Python's") for thread in process.threads())
    return dict(Counter(re.sub(r"[-_ ]?\d+", "", name) for name in told))


def entries(page: gr.Blocks) -> dict[str, int]:
    """How much gradio keeps of visitors and of what they asked, which no type shows: lists of names and of texts."""
    holder, queue = page.state_holder, page._queue
    kept = {
        "sessions": holder.session_data,
        "times of sessions": holder.time_last_used,
        "events": queue.event_ids_to_events,
        "events of sessions": queue.pending_event_ids_session,
        "answers to fetch": queue.pending_messages_per_session,
        "events in line": queue,
        "iterators": page.app.iterators,
        "streams": page.pending_streams,
        "differences": page.pending_diff_streams,
    }
    files = sum(len(names) for names in page.temp_file_sets)
    return {f"gradio: {name}": len(what) for name, what in kept.items()} | {"gradio: names of files": files}


def _weighs(path: Path) -> bool:
    """Whether the path is a file with something in it, and still there."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def serve() -> None:
    """Serve on a free port of loopback until the standard input ends."""
    from app.page import build_page, launch
    from app.server.keeping import private_folder

    page = build_page()
    _, url, _ = launch(page, server_name="127.0.0.1", server_port=None, prevent_thread_lock=True, quiet=True)
    print(f"{MARK}{url}", flush=True)
    for _ in sys.stdin:
        print(f"{MARK}{json.dumps(asdict(count(private_folder(), page)))}", flush=True)
    page.close()


if __name__ == "__main__":
    serve()

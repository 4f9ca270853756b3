"""Visitors by the dozen: each brings its own clip, again and again, and looks whether the answer is its own."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradio_client import Client

LOOK = 0.05  # seconds between looks at how a request goes
PATIENCE = 60.0  # seconds for a word from the server, with which the clients share their cores here
BACK = 5.0  # seconds until a visitor who was told that the server is busy comes back
Ask = Callable[[str, Path, str], tuple["Request", str]]
BUSY = "The server is busy: your place in the line would be"
_PLACE = re.compile(r"number (\d+) in line")


@dataclass(frozen=True)
class Request:
    """One request and how it went: its place in the line at first (0: none), seconds in line, seconds from its turn on.

    ended: "answered", "busy", or what went wrong. own: whether the answer is the one for the clip that was sent.
    """

    clip: str
    place: int
    waited: float
    took: float
    ended: str
    own: bool = True


def make_clips(folder: Path, count: int) -> list[Path]:
    """Short clips that all differ: 2 s and more of the sample, each with other words and of another length."""
    from app.sample import make_sample

    paths = [folder / f"clip{i}.mp4" for i in range(count)]
    for i, path in enumerate(paths):
        make_sample(path, 2.0 + 0.1 * (i % 10), begin=2.4 * i)
    return paths


def digest(answer: dict[str, Any]) -> str:
    """A hash of all of an answer but for how long it took."""
    plain = {name: part for name, part in answer.items() if name != "timings"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def come(url: str, **more: Any) -> Client:
    """A client of the server. Raises what httpx raises where it does not answer."""
    from gradio_client import Client

    patient = {"timeout": PATIENCE}
    return Client(url, verbose=False, analytics_enabled=False, httpx_kwargs=patient, **more)


def ask(url: str, clip: Path, wanted: str | None = None) -> tuple[Request, str]:
    """One visit: come, upload the clip, wait for the answer, go. Gives how it went, and the answer's digest."""
    from gradio_client import handle_file

    place, found = 0, ""
    begin = turn = time.perf_counter()
    try:
        client = come(url)
        try:
            begin = turn = time.perf_counter()
            job = client.submit(clip=handle_file(clip), transcript=None, api_name="/analyze")
            while not job.done():
                told = _place(job)
                place = place or told
                turn = time.perf_counter() if told else turn
                time.sleep(LOOK)
            found = digest(job.result())
            ended = "answered"
        finally:
            client.close()
    except Exception as error:  # whatever it is, it is counted
        ended = "busy" if BUSY in str(error) else f"{type(error).__name__}: {error}"
    end = time.perf_counter()
    own = not wanted or not found or found == wanted
    return Request(clip.name, place, turn - begin, end - turn, ended, own), found


def visit(url: str, clip: Path, wanted: str, until: float, way: Ask = ask) -> list[Request]:
    """One visitor, who comes and comes back until that time of the monotonic clock, by the API or another `way`."""
    done = [way(url, clip, wanted)[0]]
    while (left := until - time.monotonic()) > 0:
        if done[-1].ended == "busy":
            time.sleep(min(BACK, left))
        done.append(way(url, clip, wanted)[0])
    return done


def crowd(
    url: str,
    clips: Sequence[Path],
    wanted: Mapping[Path, str],
    count: int,
    seconds: float,
    way: Ask = ask,
) -> list[Request]:
    """`count` visitors at once for so many seconds, each with a clip of its own as far as there are as many."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(count) as pool:
        mine = [clips[i % len(clips)] for i in range(count)]
        done = [pool.submit(visit, url, clip, wanted[clip], until, way) for clip in mine]
        return [request for visitor in done for request in visitor.result()]


def _place(job: Any) -> int:
    """The place in the line that the server last told, 0 for none."""
    told = job.status().progress_data or []
    found = _PLACE.search(str(told[-1].desc)) if told else None
    return int(found[1]) if found else 0

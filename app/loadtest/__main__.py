"""`python -m app.loadtest`: clients by 1, 4 and 16 for some minutes, and visitors of the page.

Exit status 1 where something did not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app import settings
from app.loadtest.clients import Ask, ask, crowd, make_clips
from app.loadtest.held import Phase, broken, table
from app.loadtest.page import look
from app.loadtest.server import Count, Server

AT_ONCE = 2
GRACE = 20  # seconds that this server waits for who hung up: the minutes that others wait would be spent waiting here
WARM_UP = 20.0  # seconds with as many clients as ever, before anything is counted
SETTLED, PATIENCE = 3.0, 90.0  # seconds for the server to let go of what the last visitor left


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the test and print its table; 0 where everything held, else 1."""
    options = _parser().parse_args(arguments)
    line = {settings.AT_ONCE: str(AT_ONCE), settings.WAITING: str(options.waiting)}
    with (
        tempfile.TemporaryDirectory() as name,
        Server(Path(name), line | {settings.GRACE: str(GRACE)}) as server,
    ):
        if options.clips:
            clips = sorted(path for path in options.clips.iterdir() if path.is_file())
        else:
            clips = make_clips(Path(name), max(options.clients))
        ways: list[tuple[int, str, Ask]] = [(count, "", ask) for count in options.clients]
        if options.visitors:
            ways.append((options.visitors, "on the page", look))
        print(f"{len(clips)} clips, alone at first, for the answers that are wanted", flush=True)
        try:
            wanted = {way: alone(server, clips, way) for way in dict.fromkeys(way for _, _, way in ways)}
        except RuntimeError as error:
            print(error)
            return 1
        # As many as there will ever be, by every way: all threads have lived, and whatever is loaded once is loaded.
        for way in wanted:
            count = max(n for n, _, its in ways if its is way)
            crowd(server.url, clips, wanted[way], count, WARM_UP, way)
        before = counted(server, clips[0])
        phases = []
        for count, where, way in ways:
            done = crowd(server.url, clips, wanted[way], count, 60 * options.minutes, way)
            phases.append(Phase(count, done, where))
            print(f"{phases[-1].name} clients: {len(phases[-1].answered)} answered", flush=True)
        after = counted(server, clips[0])
    print(table(phases, before, after))
    faults = broken(phases, before, after, AT_ONCE + options.waiting)
    print("\n".join(faults) or "All held.")
    return 1 if faults else 0


def alone(server: Server, clips: Sequence[Path], way: Ask) -> dict[Path, str]:
    """The digest of each clip's answer when nobody else asks. Raises RuntimeError for a clip that cannot be used."""
    wanted = {}
    for clip in clips:
        request, wanted[clip] = way(server.url, clip, "")
        if request.ended != "answered":
            raise RuntimeError(f"{clip.name} cannot be used: {request.ended}")
    return wanted


def counted(server: Server, clip: Path) -> Count:
    """As `settled`, after one more analysis, always of the same clip.

    The aligner of words is loaded anew after words that it had to learn, so what is there depends on the clip before.
    """
    ask(server.url, clip)
    return settled(server)


def settled(server: Server, grace: float = GRACE) -> Count:
    """The server's count once all visitors' files are gone and nothing of it shrinks any more; else after PATIENCE.

    A count that stands still is not enough: a client that goes hangs up only at gradio's next heartbeat, up to 15 s
    later, and the server's `grace` begins then. Until its session ends, all its files are there, and rightly so.
    """
    time.sleep(grace + SETTLED)
    end, last = time.monotonic() + PATIENCE, server.count()
    while time.monotonic() < end:
        time.sleep(SETTLED)
        now = server.count()
        steady = now.threads >= last.threads and sum(now.objects.values()) >= sum(last.objects.values())
        if not now.kept and now.memory >= 0.99 * last.memory and steady:
            return now
        last = now
    return last


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.loadtest", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="how many at once")
    parser.add_argument(
        "--visitors",
        type=int,
        default=4,
        help="how many on the page at once, after that (default: 4; 0: none)",
    )
    parser.add_argument(
        "--waiting", type=int, default=8, help="how long the server's line is: whoever comes later is told so"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="for each number of clients (default: 3)")
    parser.add_argument(
        "--clips", type=Path, metavar="FOLDER", help="short clips to send (default: parts of the sample)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

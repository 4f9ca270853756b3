"""`python -m app.loadtest`: clients by 1, 4 and 16 for some minutes; exit status 1 where something did not hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.loadtest.clients import ask, crowd, make_clips
from app.loadtest.held import Phase, broken, table
from app.loadtest.server import Count, Server
from app.presence import GRACE

WARM_UP, AT_A_TIME = 20.0, 4  # seconds, and clients, before anything is counted
SETTLED, PATIENCE = 3.0, 90.0  # seconds for the server to let go of what the last visitor left


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the test and print its table; 0 where everything held, else 1."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        folder = Path(name)
        if options.clips:
            clips = sorted(path for path in options.clips.iterdir() if path.is_file())
        else:
            clips = make_clips(folder, max(options.clients))
        print(f"{len(clips)} clips, alone at first, for the answers that are wanted", flush=True)
        wanted = {}
        for clip in clips:
            request, wanted[clip] = ask(server.url, clip)
            if request.ended != "answered":
                print(f"{clip.name} cannot be used: {request.ended}")
                return 1
        crowd(server.url, clips, wanted, AT_A_TIME, WARM_UP)
        before = settled(server)
        phases = []
        for count in options.clients:
            phases.append(Phase(count, crowd(server.url, clips, wanted, count, 60 * options.minutes)))
            print(f"{count} clients: {len(phases[-1].answered)} answered", flush=True)
        after = settled(server)
    print(table(phases, before, after))
    faults = broken(phases, before, after)
    print("\n".join(faults) or "All held.")
    return 1 if faults else 0


def settled(server: Server) -> Count:
    """The server's count once all visitors' files are gone and nothing of it shrinks any more; else after PATIENCE.

    A count that stands still is not enough: a client that goes hangs up only at gradio's next heartbeat, up to 15 s
    later, and GRACE begins then. Until its session ends, all its files are there, and rightly so.
    """
    time.sleep(GRACE + SETTLED)
    end, last = time.monotonic() + PATIENCE, server.count()
    while time.monotonic() < end:
        time.sleep(SETTLED)
        now = server.count()
        if not now.kept and now.memory >= 0.99 * last.memory and now.threads >= last.threads:
            return now
        last = now
    return last


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.loadtest", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="how many at once")
    parser.add_argument("--minutes", type=float, default=3.0, help="for each number of clients (default: 3)")
    parser.add_argument(
        "--clips", type=Path, metavar="FOLDER", help="short clips to send (default: parts of the sample)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`python -m app.batch.measure`: many short clips through `python -m app batch`, without Ray and with it.

Told are the time, the memory and whether each clip's result is the same to the byte, but for its timings; exit status 1
where one is not, or where a clip failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.batch.rows import Row
from app.batch.run import find_clips

EVERY = 0.2  # seconds between looks at the memory
SHORTEST, STEP, LENGTHS = 2.0, 0.1, 20  # clips of 2 to 4 s
APART = 0.37  # seconds of the reading from one clip's beginning to the next one's
READING = 40.0  # of it, in which the beginnings lie


@dataclass(frozen=True)
class Measured:
    """One way through all clips: seconds, bytes of its largest process and of all at their most, results by clip."""

    way: str
    seconds: float
    largest: int
    whole: int
    rows: dict[str, Row]
    results: dict[str, bytes]


def make_many(folder: Path, count: int) -> float:
    """Write `count` clips that all differ, in their words and mostly in length; gives their seconds together."""
    from app.sample import make_sample

    lasts = [SHORTEST + STEP * (i % LENGTHS) for i in range(count)]
    for i, seconds in enumerate(lasts):
        make_sample(folder / f"clip{i:04}.mp4", seconds, begin=APART * i % READING)
    return sum(lasts)


def measure(clips: Path, out: Path, way: str, *options: str) -> Measured:
    """Run the command line over the clips, in a process of its own. Raises RuntimeError where it gave no table."""
    command = [sys.executable, "-m", "app", "batch", str(clips), "--out", str(out), *options]
    log = out.with_suffix(".log")
    begin = time.perf_counter()
    with log.open("wb") as told:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
    largest = whole = 0
    while running.poll() is None:
        held = _held(running.pid)
        largest, whole = max(largest, *held), max(whole, sum(held))
        time.sleep(EVERY)
    seconds = time.perf_counter() - begin
    if not (out / "table.json").is_file():
        raise RuntimeError(log.read_text(encoding="utf-8", errors="replace").strip())
    found = json.loads((out / "table.json").read_text(encoding="utf-8"))["rows"]
    rows = {row["clip"]: Row(**row) for row in found}
    results = {name: plain(out / row.json) for name, row in rows.items() if row.state == "done"}
    return Measured(way, seconds, largest, whole, rows, results)


def plain(path: Path) -> bytes:
    """A result's bytes without its timings."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    del kept["timings"]
    return json.dumps(kept).encode()


def faults(measured: Sequence[Measured], clips: Sequence[str]) -> list[str]:
    """A sentence for every clip that failed or that was not given the same by all ways; empty where all is well."""
    told = []
    for clip in clips:
        failed = [m for m in measured if clip not in m.results]
        told += [
            f"{clip} failed {m.way}: {m.rows[clip].reason if clip in m.rows else 'no row'}" for m in failed
        ]
        if not failed and len({m.results[clip] for m in measured}) > 1:
            told.append(f"{clip} is not the same {' and '.join(m.way for m in measured)}")
    return told


def table(measured: Sequence[Measured], lasts: float) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| way | clips | seconds | seconds a clip | times the clips' length | largest process MB | all MB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {m.way} | {len(m.results)} | {m.seconds:.0f} | {m.seconds / max(1, len(m.results)):.2f} | "
        f"{m.seconds / lasts:.2f} | {m.largest / 1e6:,.0f} | {m.whole / 1e6:,.0f} |"
        for m in measured
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and whether all results are the same."""
    parser = argparse.ArgumentParser(prog="python -m app.batch.measure", description=__doc__)
    parser.add_argument("--clips", type=int, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument("--alone", action="store_true", help="without Ray: time and memory alone")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        lasts = make_many(folder / "clips", given.clips)
        print(f"{given.clips} clips of {lasts:.0f} s together", flush=True)
        ways: list[tuple[str, ...]] = [("one by one",)] + (
            [] if given.alone else [("on Ray", "--ray", "local")]
        )
        try:
            measured = [measure(folder / "clips", folder / way[0], *way) for way in ways]
        except RuntimeError as error:
            print(error)
            return 1
        wrong = faults(measured, [path.name for path in find_clips(folder / "clips")])
    print(table(measured, lasts))
    print(
        "\n".join(wrong) or "No clip failed" + ("." if given.alone else ", and all are the same to the byte.")
    )
    return 1 if wrong else 0


def _held(root: int) -> list[int]:
    """Resident bytes of the process and of each that it started; one 0 where it has ended."""
    import psutil

    held = [0]
    with contextlib.suppress(psutil.Error):  # whatever ends while it is looked at
        process = psutil.Process(root)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held.append(one.memory_info().rss)
    return held


if __name__ == "__main__":
    sys.exit(main())

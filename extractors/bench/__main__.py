"""`python -m extractors.bench CLIP`: what each stage from clip to grid costs, beside peers that can run here.

Every stage runs twice: first with the loading of its libraries and weights, then warm. Processor seconds (all
cores together) and memory are those of the warm run; memory is the whole process's high-water mark, models included.
Each stage is what the page runs, on as many threads. First they follow one another, and their sum is given; then they
run as they do for the page, the faces beside all else, which is what a clip takes. With --seconds and --height the
clips given are looped to that length and brought to that height, and the result is measured.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from extractors.bench.measure import Row, bench
from extractors.cores import cores
from extractors.media.looped import make_long_apart
from extractors.records import InputError

IMPORTS = 3  # how often the import is timed
LIBRARIES = ("av", "librosa", "moonshine-voice", "opencv-python-headless", "silero-vad", "torch")


def table(rows: Sequence[Row]) -> str:
    """The rows for reading, and what they were measured with."""
    lines = [f"{'stage':36}{'first s':>9}{'warm s':>9}{'cpu s':>9}{'x time':>9}{'peak MB':>9}  found"]
    for row in rows:
        peak = "-" if row.peak_mb is None else f"{row.peak_mb:,.0f}"
        lines.append(
            f"{row.stage:36}{row.first:9.2f}{row.warm:9.3f}{row.processor:9.3f}{row.factor:9.4f}{peak:>9}"
            f"  {row.found}".rstrip()
        )
    lines.append(
        f"import extractors: {import_seconds():.3f} s in an interpreter of its own, the least of {IMPORTS}"
    )
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines.append(f"{cores()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}")
    return "\n".join(lines)


def import_seconds() -> float:
    """What the first `import extractors` of a process takes, without the start of the interpreter: the least of a few.

    The rest was just read from the disk, as it is by whoever starts the page a second time.
    """
    code = "import time; begin = time.perf_counter(); import extractors; print(time.perf_counter() - begin)"
    home = str(Path(__file__).parents[2])
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)
        for _ in range(IMPORTS)
    ]
    return min(float(run.stdout) for run in runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 and a sentence where the clip cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m extractors.bench", description=__doc__)
    parser.add_argument(
        "clips", metavar="CLIP", nargs="+", type=Path, help="a video or sound file; to loop, several"
    )
    parser.add_argument("--no-peers", action="store_true", help="the stages alone")
    parser.add_argument("--seconds", type=float, help="loop the clips to this length")
    parser.add_argument(
        "--height", type=int, default=720, help="and bring them to this height (default: 720)"
    )
    given = parser.parse_args(arguments)
    if given.seconds is None and len(given.clips) > 1:
        parser.error("several clips are only measured looped: give --seconds")
    try:
        with tempfile.TemporaryDirectory() as folder:
            clip = given.clips[0]
            if given.seconds is not None:
                clip = make_long_apart(given.clips, Path(folder) / "long.mp4", given.seconds, given.height)
            print(table(bench(clip, peers=not given.no_peers)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

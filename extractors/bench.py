"""`python -m extractors.bench CLIP`: what each stage from clip to grid costs, beside peers that can run here.

Every stage runs twice: first with the loading of its libraries and weights, then warm. Processor seconds (all
cores together) and memory are those of the warm run; memory is the whole process's high-water mark, models included.
Each stage is what the page runs, on as many threads. First they follow one another, and their sum is given; then they
run as they do for the page, the faces beside all else, which is what a clip takes. With --seconds and --height the
clips given are looped to that length and brought to that height, and the result is measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from extractors.bench_peers import ON_PICTURES, ON_SOUND, PEER_SECONDS
from extractors.bench_run import Run, Step
from extractors.cache import Cache
from extractors.clip import FACES_A_SECOND, GLANCES_A_SECOND, ClipReader, read_tracks
from extractors.cores import cores
from extractors.looped import make_long_apart
from extractors.records import InputError, Transcript

IMPORTS = 3  # how often the import is timed
SUM = "sum of the stages"
LIBRARIES = ("av", "librosa", "moonshine-voice", "opencv-python-headless", "silero-vad", "torch")


@dataclass(frozen=True)
class Row:
    """One line of the table. Times in seconds; `span` is the media's seconds that they were spent on."""

    stage: str
    first: float
    warm: float
    processor: float
    span: float
    peak_mb: float | None
    found: str

    @property
    def factor(self) -> float:
        """Real-time factor: seconds of work a second of media."""
        return self.warm / max(self.span, 1e-9)


def _probe(run: Run) -> str:
    from extractors.media import probe

    run.info = probe(run.clip)
    return f"{run.info.width} x {run.info.height}, {run.info.duration:.1f} s"


def _threads(run: Run) -> str:
    """As many as each of the page's two branches has; this also loads torch, which several stages need."""
    import torch

    torch.set_num_threads(max(1, cores() // 2))
    return f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def _sound(run: Run) -> str:
    from extractors.media import read_sound

    run.sound = read_sound(run.clip)
    return "no sound" if run.sound is None else f"{run.sound.duration:.1f} s"


def _speech(run: Run) -> str:
    from extractors.vad import find_speech

    run.speech = () if run.sound is None else find_speech(run.sound)
    return f"{sum(s.end - s.start for s in run.speech):.1f} s of speech"


def _words(run: Run) -> str:
    """Recognition, even where the clip has subtitles of its own: that is the cost to know."""
    from extractors.words import recognise

    run.transcript = Transcript() if run.sound is None else recognise(run.sound, run.speech)
    return f"{len(run.transcript.words)} words"


def _text(run: Run) -> str:
    from extractors.text import embed_words

    if run.transcript.words:
        run.tracks["text"] = embed_words(run.transcript)
    return f"{len(set(run.transcript.sentences))} sentences"


def _voice(run: Run) -> str:
    from extractors.voice_long import describe_long

    if run.sound is None or not run.speech:
        return "no voice"
    run.tracks["audio"] = describe_long(run.sound, run.speech)
    return f"{len(run.tracks['audio'].values)} hops"


def _faces(run: Run) -> str:
    from extractors.face import describe_faces
    from extractors.media import read_looks

    looks = read_looks(run.clip, FACES_A_SECOND, GLANCES_A_SECOND)
    track = describe_faces(looks, lambda: run.sound)
    run.tracks["visual"] = track
    return f"a face in {np.count_nonzero(track.confidence)} of {len(track.confidence)} pictures"


def _grid(run: Run) -> str:
    from extractors.grid import to_grid

    return f"{len(to_grid(run.tracks, run.duration).start)} ticks"


def _side_by_side(run: Run) -> str:
    """From the file to the grid as for the page, nothing kept."""
    reader = _read(run, None, None)
    return f"{len(reader.worked)} stages worked out"


def _again(run: Run) -> str:
    """The same through a cache: the first time it is filled, the second time all is read from it."""
    return f"{len(_read(run, None, run.cache).worked)} stages worked out"


def _corrected(run: Run) -> str:
    """Another word in the transcript each time: its words, their features and the grid are worked out anew."""
    run.corrections += 1
    cues = run.folder / "words.srt"
    said = [f"once{run.corrections}", *(word.word for word in run.transcript.words[1:])]
    lines = [
        f"{i}\n{_stamp(word.start)} --> {_stamp(max(word.end, word.start + 0.05))}\n{written}\n"
        for i, (word, written) in enumerate(zip(run.transcript.words, said, strict=True), 1)
    ]
    cues.write_text("\n".join(lines), encoding="utf-8")
    return f"{', '.join(_read(run, cues, run.cache).worked)} worked out"


def _read(run: Run, transcript: Path | None, cache: Cache | None) -> ClipReader:
    """A reader that has read the clip to its grid."""
    reader = ClipReader(run.clip, transcript, cache)
    reader.grid(read_tracks(reader)[1])
    return reader


def _stamp(seconds: float) -> str:
    """The time as subtitles write it."""
    whole = round(1000 * seconds)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"


STAGES: dict[str, Step] = {
    "probe": _probe,
    "torch": _threads,
    "sound": _sound,
    "speech": _speech,
    "words": _words,
    "text": _text,
    "voice": _voice,
    "pictures + faces": _faces,
    "grid": _grid,
}
WHOLE: dict[str, Step] = {
    "clip to grid, side by side": _side_by_side,
}
CACHED: dict[str, Step] = {
    "cache: filled, then read": _again,
}
ON_WORDS: dict[str, Step] = {
    "cache: another transcript": _corrected,
}


def measure(run: Run, steps: dict[str, Step], span: float | None = None) -> list[Row]:
    """A row a step, in order; `span` is the media's seconds they work on, the clip's where it is not given."""
    rows = []
    for name, step in steps.items():
        first = _timed(step, run)[0]
        warm, processor, peak, found = _timed(step, run)
        rows.append(Row(name, first, warm, processor, run.duration if span is None else span, peak, found))
    return rows


def bench(clip: str | Path, peers: bool = True) -> list[Row]:
    """All stages in order, their sum, all side by side and through a cache, and the peers that apply to the clip.

    Raises:
        InputError: the clip cannot be used.
    """
    run = Run(Path(clip))
    rows = measure(run, STAGES)
    peaks = [row.peak_mb for row in rows if row.peak_mb is not None]
    total = Row(
        SUM,
        sum(row.first for row in rows),
        sum(row.warm for row in rows),
        sum(row.processor for row in rows),
        run.duration,
        max(peaks, default=None),
        "",
    )
    rows += [total, *measure(run, WHOLE)]
    with tempfile.TemporaryDirectory() as folder:
        run.folder = Path(folder)
        rows += measure(run, CACHED | (ON_WORDS if run.transcript.words else {}))
    if peers and run.sound is not None:
        rows += measure(run, ON_SOUND, min(PEER_SECONDS, run.sound.duration))
    if peers and run.info is not None and run.info.has_video:
        rows += measure(run, ON_PICTURES)
    return rows


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
    lines.append(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"
    )
    return "\n".join(lines)


def import_seconds() -> float:
    """What the first `import extractors` of a process takes, without the start of the interpreter: the least of a few.

    The rest was just read from the disk, as it is by whoever starts the page a second time.
    """
    code = "import time; begin = time.perf_counter(); import extractors; print(time.perf_counter() - begin)"
    home = str(Path(__file__).parents[1])
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


def _timed(step: Step, run: Run) -> tuple[float, float, float | None, str]:
    """Seconds by the clock and of processor time, the process's peak memory in MB meanwhile, what the step found."""
    reset = _reset_peak()
    begin, busy = time.perf_counter(), time.process_time()
    found = step(run)
    taken = time.perf_counter() - begin, time.process_time() - busy
    return *taken, _peak() if reset else None, found


def _reset_peak() -> bool:
    """Set the kernel's high-water mark to what is in use now; False where the system has no such thing."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak() -> float | None:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1000
    return None


if __name__ == "__main__":
    sys.exit(main())

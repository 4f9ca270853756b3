"""How `extractors.bench` measures: each step twice, its seconds by the clock and of processor time, and its memory."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from extractors.bench.peers import ON_PICTURES, ON_SOUND, PEER_SECONDS
from extractors.bench.run import Run, Step
from extractors.bench.stages import CACHED, ON_WORDS, STAGES, WHOLE

SUM = "sum of the stages"


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

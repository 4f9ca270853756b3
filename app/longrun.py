"""`python -m app.longrun CLIP... --minutes 30 --height 1080`: what a long clip costs, stage by stage.

The clips given are joined, brought to the height, and looped to the length; the result is analysed once. Told are the
seconds and the processor's seconds of every stage, the memory's peak while it ran, how long its progress stood still,
and, with --cancels, how long a stop takes in every stage.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.memory import resident
from app.server.runs import Run
from app.stages import STAGES
from extractors.cache import Cache
from extractors.media.looped import make_long_apart
from extractors.records import InputError

EVERY = 0.05  # seconds between looks at the memory
# The cache's names of what each stage works out; what rests on it has another key, and is worked out too.
KEPT = {"sound": "sound", "speech": "speech", "words": "recognised", "text": "text", "voice": "voice"}
KEPT |= {"faces": "faces", "grid": "grid"}


@dataclass
class Stage:
    """One stage as it was watched: seconds, processor's seconds of its own thread, peak memory in bytes, silence."""

    began: float
    busy: float = 0.0
    seconds: float = 0.0
    peak: int = 0
    silence: float = 0.0
    told: float = 0.0
    done: bool = False


@dataclass
class Watch:
    """A progress callback that notes when it was called, and looks at the memory meanwhile."""

    stages: dict[str, Stage] = field(default_factory=dict)
    silence: float = 0.0
    peak: int = 0
    _told: float = field(default_factory=time.perf_counter)
    _begun: dict[str, float] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)

    def __call__(self, name: str, fraction: float) -> None:
        """Note that a stage is `fraction` done."""
        now, busy = time.perf_counter(), time.thread_time()
        stage = self.stages.setdefault(name, Stage(now, told=now))
        self._begun.setdefault(name, busy)
        stage.silence = max(stage.silence, now - stage.told)
        self.silence = max(self.silence, now - self._told)
        self._told = stage.told = now
        if fraction >= 1:
            stage.done, stage.seconds, stage.busy = True, now - stage.began, busy - self._begun[name]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look at the memory until the block ends."""
        thread = threading.Thread(target=self._look, daemon=True, name="memory")
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _look(self) -> None:
        while not self._end.wait(EVERY):
            held = resident()
            self.peak = max(self.peak, held)
            for stage in list(self.stages.values()):
                if not stage.done:
                    stage.peak = max(stage.peak, held)


def run_once(clip: Path, cache: Cache | None = None) -> tuple[Watch, float, float]:
    """Analyse the clip; what was watched, seconds by the clock and of the processor, all threads together."""
    from app.analyze import analyze

    watch = Watch()
    begin, busy = time.perf_counter(), time.process_time()
    with watch.looking():
        analyze(clip, progress=watch, cache=cache)
    return watch, time.perf_counter() - begin, time.process_time() - busy


def cancel_in(clip: Path, stage: str, fraction: float, wait: float, cache: Cache) -> tuple[float, int] | None:
    """Stop a run `wait` seconds after a stage was `fraction` done: seconds until all its threads had ended, and the
    bytes held then. None where it ended by itself first. What the stages before gave is read from the cache.
    """
    for entry in cache.folder.glob(f"{KEPT.get(stage, 'nothing')}-*"):
        entry.unlink()
    before = set(threading.enumerate())
    run, reached = _Noted(), threading.Event()
    run.tell = lambda name, done: reached.set() if name == stage and done >= fraction else None
    thread = run.start(clip, None, cache)
    while thread.is_alive() and not reached.wait(0.02):
        pass
    thread.join(wait)
    if not thread.is_alive():
        return None
    begin = time.perf_counter()
    run.stop.set()
    thread.join()
    kept = {"recogniser", "memory"}  # pools that wait for the next clip, idle
    while [t for t in set(threading.enumerate()) - before if t.name.split("_")[0] not in kept]:
        time.sleep(0.01)
    taken = time.perf_counter() - begin
    del run
    gc.collect()
    return taken, resident()


class _Noted(Run):
    """A run that tells its reports to `tell` too."""

    tell: Callable[[str, float], None]

    def report(self, name: str, fraction: float) -> None:
        """As a run does."""
        super().report(name, fraction)
        self.tell(name, fraction)


def table(watch: Watch, seconds: float, busy: float, lasts: float) -> str:
    """What was watched, for reading."""
    lines = [f"{'stage':10}{'seconds':>9}{'own cpu s':>11}{'peak MB':>9}{'silence s':>11}"]
    lines += [
        f"{name:10}{s.seconds:9.1f}{s.busy:11.1f}{s.peak / 1e6:9,.0f}{s.silence:11.2f}"
        for name, s in watch.stages.items()
    ]
    lines.append(f"{'all':10}{seconds:9.1f}{busy:11.1f}{watch.peak / 1e6:9,.0f}{watch.silence:11.2f}")
    lines.append(
        f"{lasts:.0f} s of clip: {seconds / lasts:.3f} x its time by the clock, {busy / lasts:.3f} of the processor "
        f"(all threads); on two cores with nothing else to do, from {busy / 2 / lasts:.3f} x on"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a long clip costs; 1 and a sentence where a clip cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m app.longrun", description=__doc__)
    parser.add_argument("clips", metavar="CLIP", nargs="+", type=Path, help="short clips to loop")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the clip is made (default: 30)")
    parser.add_argument("--height", type=int, default=288, help="and how high, pixels (default: 288)")
    parser.add_argument("--cancels", type=int, default=0, metavar="N", help="stops tried in every stage")
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which it is stopped")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the clip made, or take it from there")
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _report(given, Path(folder))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _report(given: argparse.Namespace, folder: Path) -> None:
    clip = given.keep or folder / "long.mp4"
    if not clip.exists():
        make_long_apart(given.clips, clip, 60 * given.minutes, given.height)
    print(f"{clip.stat().st_size / 1e6:,.0f} MB, {resident() / 1e6:,.0f} MB of memory before", flush=True)
    cache = Cache(folder / "kept") if given.cancels else None
    watch, seconds, busy = run_once(clip, cache)
    print(table(watch, seconds, busy, 60 * given.minutes), flush=True)
    chance = random.Random(given.seed)
    for stage in STAGES if cache is not None else ():
        for _ in range(given.cancels):
            fraction, wait = chance.random(), chance.random()
            said = cancel_in(clip, stage, fraction if watch.stages else 0.0, wait, cache or Cache(folder))
            told = "ended before" if said is None else f"{said[0]:.2f} s, {said[1] / 1e6:,.0f} MB held"
            print(f"stopped in {stage} at {100 * fraction:.0f} %: {told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Stages report often, are stopped at any of their reports, and leave nothing behind."""

from __future__ import annotations

import gc
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from app.analyze import analyze
from app.server.runs import Run
from app.stages import Stages, StoppedError
from extractors.records import Sound
from tests.clips import make_clip

SECONDS = 10.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking face, once all models are loaded."""
    folder = tmp_path_factory.mktemp("stopping")
    analyze(make_clip(folder / "warm.mp4", 2.0))
    return make_clip(folder / "clip.mp4", SECONDS, size=(160, 120))


class Pressed(Run):
    """A run that somebody stops when a stage has told the first of its work."""

    stage = ""
    busy = 0.0

    def report(self, name: str, fraction: float) -> None:
        super().report(name, fraction)
        if name == self.stage and 0 < fraction < 1 and not self.busy:
            self.busy = time.process_time()
            self.stop.set()


@pytest.mark.parametrize("stage", ["speech", "voice", "faces"])
def test_a_stage_at_work_is_stopped_and_everything_freed(clip: Path, stage: str) -> None:
    run, before = Pressed(), sounds()
    run.stage = stage
    run.start(clip, None).join()
    # Of the processor, all threads together: by the clock a busy machine would decide.
    assert time.process_time() - run.busy < 2
    assert run.fractions[stage] < 1
    assert isinstance(run.error, StoppedError)
    assert run.result is None
    assert not [t for t in threading.enumerate() if t.name.startswith(("faces", "analysis"))]
    while sounds() - before and time.process_time() - run.busy < 2:
        time.sleep(0.02)  # what the recogniser was hearing is heard to its end, beside
    assert not sounds() - before


def sounds() -> set[int]:
    """Every decoded sound that something holds on to."""
    gc.collect()
    return {id(held) for held in gc.get_objects() if type(held) is Sound}


def test_no_stage_goes_far_without_a_word(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stages.SELDOM", -1.0)
    told: dict[str, list[float]] = {}
    analyze(clip, progress=lambda name, fraction: told.setdefault(name, []).append(fraction))
    for name in ("sound", "speech", "voice", "faces"):
        assert len(told[name]) >= 4, name
        assert max(b - a for a, b in pairwise(told[name])) <= 0.51, name
    assert all(fractions == sorted(fractions) and fractions[-1] == 1 for fractions in told.values())


@pytest.mark.parametrize(("seldom", "heard"), [(1e9, [0.0, 1.0]), (-1.0, [0.0, 0.25, 0.5, 0.999, 1.0])])
def test_whoever_watches_hears_the_ends_and_now_and_then_what_is_between(
    monkeypatch: pytest.MonkeyPatch, seldom: float, heard: list[float]
) -> None:
    monkeypatch.setattr("app.stages.SELDOM", seldom)
    told: list[tuple[str, float]] = []
    stages = Stages(lambda *report: told.append(report))
    with stages.stage("voice") as done:
        for fraction in (0.25, 0.5, 1.0):
            done(fraction)
    assert told == [("voice", fraction) for fraction in heard]  # at its end only once it has ended


def test_a_wish_to_stop_counts_even_where_nobody_would_have_been_told() -> None:
    stages = Stages(lambda *_: None)
    stages.report("voice", 0.1)
    stages.stop(KeyboardInterrupt())
    with pytest.raises(StoppedError):
        stages.report("voice", 0.1001)

"""Damaged clips end in an answer or in one sentence, and never end the process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clips import Subtitles, make_clip
from tests.fuzz.mutate import TIMES

ROOT = Path(__file__).parents[2]
CASES = 1000
CLIPS = ("a.mp4", "b.mkv", "c.webm", "d.avi", "e.mpg", "f.wav", "g.mov")


@pytest.mark.slow
def test_damaged_clips_end_in_an_answer_or_a_sentence(tmp_path: Path) -> None:
    for i, name in enumerate(CLIPS):
        words = [Subtitles([(0.0, 0.3, "good day")], "eng")] if name in ("a.mp4", "b.mkv") else []
        clip = make_clip(
            tmp_path / name,
            0.4,
            video=None if name.endswith("wav") else "plain",
            sound="tone",
            fps=25 if name.endswith("mpg") else 10,
            size=(64, 48),
            rate=16_000 if name.endswith("wav") else 48_000,
            subtitles=words,
        )
        clip.rename(tmp_path / f"seed-{i}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.open_media", str(tmp_path), str(CASES)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600 * TIMES,
        check=False,
    )
    if done.returncode:
        found = ROOT / "build" / "fuzz-case"
        found.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "case", found)
        pytest.fail(
            f"{found} ended it ({done.returncode}); keep it in tests/fuzz/kept:\n{done.stderr[-2000:]}"
        )
    answers = int(done.stdout.split()[-1])
    assert CASES * TIMES / 20 < answers < CASES * TIMES  # some damage is survived, and some is not

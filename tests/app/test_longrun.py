"""The command that measures long clips, on a short one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.longrun import cancel_in, main
from app.stages import STAGES
from extractors.cache import Cache
from tests.clips import make_clip


def test_every_stage_is_told_with_its_cost_and_a_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "long.mp4"
    assert main([str(make_clip(tmp_path / "a.mp4", 4.0)), "--minutes", "0.1", "--keep", str(kept)]) == 0
    said = capsys.readouterr().out
    for stage in (*STAGES, "all"):
        line = next(line for line in said.splitlines() if line.startswith(stage))
        seconds, busy, peak, silence = (float(part.replace(",", "")) for part in line.split()[1:])
        assert seconds >= 0 <= busy
        assert 0 <= silence <= 1.1 * seconds + 0.1 or stage == "all"
        assert peak == 0 or peak > 50
    assert "6 s of clip" in said
    cache = Cache(tmp_path / "kept")
    stopped = cancel_in(kept, "voice", 0.0, 0.0, cache)
    assert stopped is not None
    assert stopped[1] > 50_000_000


def test_a_clip_that_cannot_be_used_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.mp4")]) == 1
    assert "There is no file" in capsys.readouterr().err

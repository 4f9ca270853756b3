"""The command that measures long clips, on a short one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.longrun import cancel_in, main, make_long
from app.stages import STAGES
from extractors.cache import Cache
from extractors.media import probe, read_frames, read_sound
from extractors.records import InputError
from tests.clips import make_clip


def test_clips_are_looped_to_the_length_and_brought_to_the_height(tmp_path: Path) -> None:
    sources = [make_clip(tmp_path / "a.mp4", 1.0), make_clip(tmp_path / "b.mp4", 0.5, sound="tone")]
    clip = make_long(sources, tmp_path / "long.mp4", 5.0, 120)
    info = probe(clip)
    assert (info.width, info.height) == (160, 120)
    assert info.duration == pytest.approx(5.0, abs=0.1)
    frames = [frame.time for frame in read_frames(clip)]
    assert len(frames) == pytest.approx(5 * 25, abs=8)
    assert max(np.diff(frames)) < 0.2
    sound = read_sound(clip)
    assert sound is not None
    assert sound.duration == pytest.approx(5.0, abs=0.2)
    # The tone lies half a second after every second of speech.
    for start in (1.1, 2.6, 4.1):
        tone = sound.samples[round(start * 16_000) : round((start + 0.3) * 16_000)]
        assert np.abs(np.fft.rfft(tone)).argmax() / 0.3 == pytest.approx(220, abs=5)
    with pytest.raises(InputError, match="no file"):
        make_long([tmp_path / "none.mp4"], tmp_path / "out.mp4", 5.0, 120)


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

"""Clips made long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extractors.media.looped import make_long
from extractors.media.reading import probe, read_frames, read_sound
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

"""The voice a few seconds at a time is the voice in one go."""

from __future__ import annotations

import numpy as np
import pytest

from extractors.records import Sound, Span
from extractors.voice.features import describe_voice
from extractors.voice.long import describe_long
from tests.clips import make_sound


@pytest.mark.parametrize(
    ("seconds", "speech"),
    [
        (44.0, (Span(0.7, 9.0), Span(11.3, 31.0), Span(31.4, 43.9))),
        (21.1, (Span(0.5, 20.0),)),
        (3.0, (Span(1.0, 1.002),)),
    ],
    ids=["several pieces", "a part of a hop at the end", "hardly any speech"],
)
def test_pieces_give_what_the_whole_gives(seconds: float, speech: tuple[Span, ...]) -> None:
    sound = Sound(make_sound("speech", seconds), start=0.5)
    whole, told = describe_voice(sound, speech), list[float]()
    track = describe_long(sound, speech, told.append)
    assert track.columns == whole.columns
    for name in ("start", "end", "confidence"):
        np.testing.assert_array_equal(getattr(track, name), getattr(whole, name))
    np.testing.assert_allclose(track.values, whole.values, rtol=1e-4, atol=1e-4)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert max(np.diff([0.0, *told])) <= 0.5


def test_it_stops_where_it_is_told() -> None:
    told: list[float] = []

    def refuse(fraction: float) -> None:
        told.append(fraction)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        describe_long(Sound(make_sound("speech", 25.0)), (Span(0.0, 25.0),), refuse)
    assert len(told) == 1
    assert told[0] < 0.2


def test_no_samples_are_no_hops_and_another_rate_is_refused() -> None:
    assert describe_long(Sound(np.zeros(0, np.float32)), ()).values.shape == (0, 140)
    with pytest.raises(ValueError, match="16000 Hz, got 8000"):
        describe_long(Sound(np.zeros(8000, np.float32), rate=8000), ())

"""How damage that a decoder tells of is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import av
import pytest

from extractors.media.decode import decode_packet
from extractors.media.tally import Tally


def broken(_: Any) -> None:
    raise av.error.InvalidDataError(1, "damaged")


@pytest.mark.parametrize(
    ("packet", "before", "after"),
    [
        (SimpleNamespace(size=10), (5, 0), (5, 1)),
        (SimpleNamespace(size=0), (5, 0), (4, 1)),
        (None, (5, 0), (4, 1)),
        (None, (0, 2), (0, 3)),
    ],
)
def test_damage_that_comes_to_light_when_drained_was_counted_as_good(
    packet: Any, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """So the packets counted stay as many as there are; a decoder with several threads tells of some at the end."""
    tally = Tally(good=before[0], bad=before[1])
    assert decode_packet(SimpleNamespace(type="audio", decode=broken), packet, tally) == []
    assert (tally.good, tally.bad) == after

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.grid import SHORTEST, spread, to_grid
from extractors.records import Grid, Track

STEP = 0.2


def track(rows: list[tuple[float, float, float, float]]) -> Track:
    """A track of one column from rows of start, end, confidence, value."""
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Track(
        table[:, 3:].astype(np.float32), table[:, 0], table[:, 1], table[:, 2].astype(np.float32), ("x",)
    )


def grid(rows: list[tuple[float, float, float, float]], duration: float, step: float = STEP) -> Grid:
    return to_grid({"m": track(rows)}, duration, step)


@st.composite
def disjoint(draw: st.DrawFn, constant: float | None = None) -> list[tuple[float, float, float, float]]:
    """Rows that follow one another with gaps, within 10 s."""
    time, rows = 0.0, []
    for _ in range(draw(st.integers(0, 12))):
        start = time + draw(st.floats(0, 0.5))
        time = start + draw(st.floats(0.02, 0.3))
        value = constant if constant is not None else draw(st.floats(-5, 5, width=32))
        rows.append((start, time, draw(st.sampled_from([0.0, 0.3, 1.0])), value))
    return rows


@given(disjoint(constant=2.5), st.sampled_from([0.05, 0.2, 0.37, 1.0]))
def test_constants_stay_constant(rows: list[tuple[float, float, float, float]], step: float) -> None:
    result = grid(rows, 10.0, step)
    present = result.presence["m"] > 0
    assert result.values["m"][present] == pytest.approx(2.5, abs=1e-5)
    assert not result.values["m"][~present].any()


@given(disjoint(), st.sampled_from([0.05, 0.2, 0.37, 1.0]))
def test_weight_is_kept(rows: list[tuple[float, float, float, float]], step: float) -> None:
    result = grid(rows, 10.0, step)
    length = np.minimum(step, 10.0 - result.start)
    assert (result.presence["m"] * length).sum() == pytest.approx(
        sum((b - a) * c for a, b, c, _ in rows), abs=1e-4
    )
    weighted = (result.values["m"][:, 0] * result.presence["m"] * length).sum()
    assert weighted == pytest.approx(sum((b - a) * c * v for a, b, c, v in rows), abs=1e-3)


@given(disjoint(), st.integers(1, 20))
@settings(max_examples=60)
def test_shifting_time_shifts_ticks(rows: list[tuple[float, float, float, float]], ticks: int) -> None:
    shift = ticks * 0.25
    there = grid(rows, 10.0, 0.25)
    later = grid([(a + shift, b + shift, c, v) for a, b, c, v in rows], 10.0 + shift, 0.25)
    assert later.presence["m"][ticks:] == pytest.approx(there.presence["m"], abs=1e-5)
    assert not later.presence["m"][:ticks].any()
    solid = there.presence["m"] > 1e-4
    assert later.values["m"][ticks:][solid] == pytest.approx(there.values["m"][solid], abs=1e-2)


@given(disjoint())
def test_presence_and_values_stay_in_range(rows: list[tuple[float, float, float, float]]) -> None:
    result = grid(rows + rows, 10.0)
    assert (result.presence["m"] >= 0).all()
    assert (result.presence["m"] <= 1).all()
    assert np.abs(result.values["m"]).max() <= 5 + 1e-5


@given(disjoint(), st.sampled_from([0.05, 0.2, 0.37, 1.0]))
def test_presence_is_what_was_observed_times_how_sure_it_was(
    rows: list[tuple[float, float, float, float]], step: float
) -> None:
    """The share of a tick that is observed is that of the same rows, all of them sure."""
    result = grid(rows, 10.0, step)
    share = grid([(a, b, float(c > 0), v) for a, b, c, v in rows], 10.0, step).presence["m"]
    assert result.presence["m"] == pytest.approx(share * result.confidence["m"], abs=1e-5)
    observed = result.presence["m"] > 0
    assert ((result.confidence["m"] > 0) == observed).all()
    assert (result.confidence["m"][observed] >= 0.3 - 1e-6).all()  # as sure as the least sure row
    assert (result.confidence["m"] <= 1).all()


def test_half_sure_of_a_whole_tick_is_not_sure_of_half_of_one() -> None:
    result = grid([(0.0, 0.2, 0.5, 1.0), (0.2, 0.3, 1.0, 1.0)], 0.6)
    assert result.presence["m"] == pytest.approx([0.5, 0.5, 0])
    assert result.confidence["m"] == pytest.approx([0.5, 1, 0])


def test_gaps_stay_absent() -> None:
    result = grid([(0.0, 0.4, 1, 1.0), (1.0, 1.2, 1, 3.0)], 1.4)
    assert list(result.presence["m"]) == pytest.approx([1, 1, 0, 0, 0, 1, 0], abs=1e-6)
    assert result.values["m"][:, 0] == pytest.approx([1, 1, 0, 0, 0, 3, 0], abs=1e-6)


def test_rows_are_weighted_by_overlap_and_confidence() -> None:
    result = grid([(0.0, 0.15, 1.0, 1.0), (0.15, 0.2, 0.5, 8.0)], 0.2)
    assert result.values["m"][0, 0] == pytest.approx((0.15 * 1 + 0.05 * 0.5 * 8) / (0.15 + 0.025))
    assert result.presence["m"][0] == pytest.approx(0.175 / 0.2)


def test_unobserved_rows_do_not_spoil_the_rest() -> None:
    result = grid([(0.0, 0.2, 0.0, np.nan), (0.1, 0.2, 1.0, 4.0)], 0.2)
    assert result.values["m"][0, 0] == pytest.approx(4.0)
    assert result.presence["m"][0] == pytest.approx(0.5)


def test_a_point_in_time_is_not_lost() -> None:
    result = grid([(0.5, 0.5, 1.0, 7.0)], 1.0)
    assert result.values["m"][2, 0] == pytest.approx(7.0)
    assert 0 < result.presence["m"][2] < 0.1


def test_rows_outside_the_clip_count_for_nothing() -> None:
    result = grid([(-3.0, -1.0, 1.0, 1.0), (5.0, 6.0, 1.0, 1.0), (-0.5, 9.0, 1.0, 2.0)], 1.0)
    assert result.values["m"][:, 0] == pytest.approx([2.0] * 5)
    assert result.presence["m"] == pytest.approx([1.0] * 5)


@pytest.mark.parametrize(
    ("duration", "count"), [(0.0, 1), (0.05, 1), (0.2, 1), (2.98, 15), (3.0, 15), (3.01, 16)]
)
def test_the_number_of_ticks(duration: float, count: int) -> None:
    result = to_grid({"m": track([(0.0, 100.0, 1.0, 1.0)]), "empty": track([])}, duration)
    assert len(result.start) == count
    assert result.values["m"].shape == (count, 1)
    assert result.presence["m"] == pytest.approx(np.ones(count), abs=1e-4)
    assert not result.presence["empty"].any()
    assert result.values["empty"].dtype == result.presence["empty"].dtype == np.float32


@pytest.mark.parametrize(
    ("duration", "step"), [(float("nan"), 0.2), (float("inf"), 0.2), (-1.0, 0.2), (1.0, 0.0)]
)
def test_impossible_clocks_are_refused(duration: float, step: float) -> None:
    with pytest.raises(ValueError, match="finite duration"):
        to_grid({}, duration, step)


def test_a_row_that_begins_where_a_tick_ends_is_not_seen_in_it():
    # The third tick ends at 3 * 0.2, which is a little more than 0.6: that rounding is no observation.
    track = Track(
        np.ones((1, 1), np.float32), np.array([0.6]), np.array([1.0]), np.ones(1, np.float32), ("x",)
    )
    presence = to_grid({"a": track}, 1.0).presence["a"]
    assert presence[2] == 0
    assert presence[3] > 0.99


@st.composite
def overlapping(draw: st.DrawFn) -> list[tuple[float, float, float, float]]:
    """Rows in any order that may overlap, last no time at all, or lie outside of 0..10 s in part."""
    rows = []
    for _ in range(draw(st.integers(0, 10))):
        start = draw(st.floats(-1, 10))
        end = start + draw(st.sampled_from([0.0, 0.01, 0.3, 2.0]))
        rows.append((start, end, draw(st.floats(0, 1)), draw(st.floats(-5, 5, width=32))))
    return rows


TICKS = st.sampled_from([0.01, 0.05, 0.2, 0.37, 1.0, 3.0, 20.0])


@given(overlapping(), TICKS)
def test_nothing_is_interpolated_across_a_gap(
    rows: list[tuple[float, float, float, float]], step: float
) -> None:
    """A tick is present only where a row touches it, and its value lies among the values of those that do."""
    result = grid(rows, 10.0, step)
    for start, value, presence in zip(
        result.start, result.values["m"][:, 0], result.presence["m"], strict=True
    ):
        end = min(start + step, 10.0)
        touching = [v for a, b, c, v in rows if c > 0 and min(max(b, a + SHORTEST), end) > max(a, start)]
        if not touching:
            assert (value, presence) == (0, 0)
        if presence > 0:
            assert min(touching) - 1e-4 <= value <= max(touching) + 1e-4


@given(overlapping(), TICKS, TICKS)
def test_weight_is_kept_at_any_tick_length(
    rows: list[tuple[float, float, float, float]], step: float, other: float
) -> None:
    """Where no tick is full, ticks of any length hold the same weight: the rows' seconds within the ticks."""
    rows = [(a, b, c / 20, v) for a, b, c, v in rows]  # ten rows at once stay below a full tick
    whole = 60.0
    expected = sum((max(b, a + SHORTEST) - max(a, 0)) * c for a, b, c, _ in rows if max(b, a + SHORTEST) > 0)
    for length in (step, other):
        given_track = track(rows)
        _, presence = spread(
            given_track.values,
            given_track.start,
            given_track.end,
            round(whole / length),
            length,
            given_track.confidence,
        )
        assert presence.sum() * length == pytest.approx(expected, abs=1e-4)


@given(disjoint(), st.sampled_from([0.05, 0.2, 0.25, 1.0]))
def test_spread_is_the_rule_of_the_grid(rows: list[tuple[float, float, float, float]], step: float) -> None:
    there = grid(rows, 10.0, step)
    one = track(rows)
    values, presence = spread(one.values, one.start, one.end, len(there.start), step, one.confidence)
    assert values == pytest.approx(there.values["m"], abs=1e-6)
    assert presence == pytest.approx(there.presence["m"], abs=1e-5)


def test_spread_of_words_over_the_ticks_they_last() -> None:
    values, presence = spread(
        np.array([[1.0], [3.0]], np.float32), np.array([0.0, 0.3]), np.array([0.3, 0.5]), 4
    )
    assert values[:, 0] == pytest.approx([1, 2, 3, 0])
    assert presence == pytest.approx([1, 1, 0.5, 0])
    assert values.dtype == presence.dtype == np.float32


@pytest.mark.parametrize(("ticks", "step"), [(0, 0.2), (5, 0.0), (5, float("nan"))])
def test_spread_needs_ticks(ticks: int, step: float) -> None:
    with pytest.raises(ValueError, match="at least 1 tick"):
        spread(np.zeros((0, 2), np.float32), np.zeros(0), np.zeros(0), ticks, step)

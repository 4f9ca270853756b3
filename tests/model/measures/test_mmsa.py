from __future__ import annotations

import numpy as np
import pytest

from model.measures import mmsa
from model.measures.mmsa import MEASURES, classes, mean_and_deviation, mosi, sims

RATED = [-3.0, -1.2, 0.0, 0.4, 2.6, 0.0]
PREDICTED = [-2.6, 0.3, -0.1, 0.6, 3.9, 0.0]


def test_mosi_by_hand():
    found = mosi(PREDICTED, RATED)
    # Has0: -, +, -, +, +, + against -, -, +, +, +, +: 4 of 6. Non0, zeros out: 3 of 4.
    assert found["Has0_acc_2"] == pytest.approx(4 / 6)
    assert found["Non0_acc_2"] == pytest.approx(3 / 4)
    # Rounded and clipped: -3 0 0 1 3 0 against -3 -1 0 0 3 0.
    assert found["Mult_acc_7"] == pytest.approx(4 / 6)
    assert found["Mult_acc_5"] == pytest.approx(4 / 6)
    assert found["Mult_acc_3"] == pytest.approx(4 / 6)
    assert found["MAE"] == pytest.approx(np.mean([0.4, 1.5, 0.1, 0.2, 1.3, 0.0]), abs=1e-6)
    assert found["Corr"] == pytest.approx(np.corrcoef(PREDICTED, RATED)[0, 1], abs=1e-6)


def test_weighted_f1_by_hand():
    # Non0: predicted - + + +, rated - - + +. F1 of "negative" 2/3, of "positive" 4/5, each half of the ratings.
    assert mosi(PREDICTED, RATED)["Non0_F1_score"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_f1_is_weighted_by_the_ratings_not_the_predictions():
    # rated: 3 positive, 1 negative. predicted: all positive. F1 positive 6/7, weight 3/4; F1 negative 0.
    assert mosi([1, 1, 1, 1], [1, 1, 1, -1])["Has0_F1_score"] == pytest.approx(6 / 7 * 3 / 4)


def test_rounding_is_half_to_even():
    assert mosi([0.5, 1.5, 2.5], [0.0, 2.0, 2.0])["Mult_acc_7"] == 1.0


def test_only_zeros_have_no_non0_figures():
    found = mosi([0.1, -0.1], [0, 0])
    assert np.isnan(found["Non0_acc_2"])
    assert np.isnan(found["Corr"])
    assert found["Has0_acc_2"] == 0.5


@pytest.mark.parametrize(
    ("score", "two", "three", "five"),
    [
        (-1.5, 0, 0, 0),
        (-0.7, 0, 0, 0),
        (-0.69, 0, 0, 1),
        (-0.1, 0, 0, 1),
        (0.0, 0, 1, 2),
        (0.05, 1, 1, 2),
        (0.1, 1, 1, 2),
        (0.11, 1, 2, 3),
        (0.7, 1, 2, 3),
        (0.71, 1, 2, 4),
        (1.5, 1, 2, 4),
    ],
)
def test_sims_classes_have_inclusive_upper_ends(score, two, three, five):
    middles = {2: [-0.5, 0.5], 3: [-0.5, 0.0, 0.5], 5: [-0.9, -0.4, 0.0, 0.4, 0.9]}
    for k, expected in ((2, two), (3, three), (5, five)):
        hits = [sims([score], [middle])[f"Mult_acc_{k}"] for middle in middles[k]]
        assert hits.index(1.0) == expected
        assert sum(hits) == 1


def test_sims_clips_before_it_measures():
    found = sims([2.0, -2.0, 0.5], [1.0, -1.0, 0.5])
    assert found["MAE"] == 0
    assert found["Corr"] == pytest.approx(1)
    assert found["F1_score"] == 1


def test_three_classes():
    found = classes([0, 1, 2, 2], [0, 1, 2, 0])
    assert found["Acc_3"] == 0.75
    assert found["F1_3"] == pytest.approx((2 * 2 / 3 + 1 + 2 / 3) / 4)


def test_the_broken_two_class_measure_is_not_offered():
    assert set(MEASURES) == {"mosi", "mosei", "sims", "simsv2"}
    assert "0 and 2" in (mmsa.__doc__ or "")
    assert set(classes([0, 2], [0, 2])) == {"Acc_3", "F1_3"}


@pytest.mark.parametrize(("p", "r"), [([1], [1, 2]), ([], []), ([np.nan], [1]), ([1], [np.inf])])
@pytest.mark.parametrize("measure", [mosi, sims])
def test_what_cannot_be_measured_is_refused(measure, p, r):
    with pytest.raises(ValueError, match=r"expected|finite"):
        measure(p, r)


@pytest.mark.parametrize(("p", "r"), [([0, 3], [0, 1]), ([0], [0, 1]), ([], [])])
def test_classes_out_of_range_are_refused(p, r):
    with pytest.raises(ValueError, match="classes 0, 1 and 2"):
        classes(p, r)


def test_seeds_are_summed_up():
    assert mean_and_deviation([{"MAE": 1.0}, {"MAE": 3.0}]) == {"MAE": "2.0000 +- 1.4142"}
    assert mean_and_deviation([{"MAE": 1.0}]) == {"MAE": "1.0000"}  # nobody knows how far another would lie

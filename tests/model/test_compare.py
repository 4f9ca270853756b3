from __future__ import annotations

from dataclasses import replace

import pytest

from model.compare import BASE, WAYS, compare, table
from tests.model.training.test_streams import SETTINGS


@pytest.mark.slow
def test_every_way_is_compared_on_the_same_streams_with_as_many_parameters(pools, tmp_path):
    settings = replace(SETTINGS, steps=3, network=SETTINGS.network | {"d_model": 24})
    found = compare(settings, pools, pools, seeds=[1, 2], run=tmp_path, count=4)
    assert set(found) == set(WAYS)
    sizes = [runs[0]["parameters"] for runs in found.values()]
    assert max(sizes) < 1.25 * min(sizes)
    assert all(set(run) == set(found["independent"][0]) for runs in found.values() for run in runs)
    assert found["coupled, learned"][0]["hidden 0%"] != found["independent"][0]["hidden 0%"]
    lines = table(found).splitlines()
    assert len(lines) == len(WAYS) + 2
    assert "p " in lines[2]
    assert "p " not in lines[4]


@pytest.mark.filterwarnings("error")
def test_figures_that_are_the_same_in_every_run_do_not_differ():
    runs = [{"parameters": 100.0, "hidden 0%": figure} for figure in (0.5, 0.6)]
    lines = table({BASE: runs, "late": runs}).splitlines()
    assert lines[3] == "| late | 100 | 0.550 ± 0.071, p 1.00 |"

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import numpy as np
import pytest

from kernels.checks import MAX_MODALITIES
from model.command_line import CONFIGS
from model.coupled.config import CoupledMambaConfig, check_network
from model.coupled.network import CoupledMamba
from model.fusion.baselines import build_network
from tests.model.conftest import random_clip, small_config


def refused(change: Mapping[str, object]) -> CoupledMambaConfig:
    return CoupledMambaConfig(**{"modalities": ("text",), "widths": (3,), **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coupling": "tight"}, "tight"),
        ({"opinions": "strong"}, "strong"),
        ({"layers": 0}, "layers"),
        ({"self_weight": 1.0}, "self_weight must lie between 0 and 1, got 1.0"),
        ({"class_spread": 0.0}, "class_spread must be above 0, got 0.0"),
        ({"step": -0.2}, "step must be above 0, got -0.2"),
        ({"dropout": 2.0}, "dropout must be a share from 0 to 1, got 2.0"),
        ({"dropout": float("nan")}, "dropout must be a share from 0 to 1, got nan"),
        ({"widths": (0,)}, "text"),
        ({"widths": (1, 2)}, "one width"),
        ({"readouts": (1, 2)}, "readouts"),
        ({"readouts": (4,)}, "some of the columns"),
        ({"readouts": (-1,)}, "some of the columns"),
        ({"modalities": ("a", "a"), "widths": (1, 2)}, "a name of its own"),
        ({"feature_dropout": (0.5, 0.5)}, "one for each"),
        ({"feature_dropout": 1.5}, "from 0 to 1"),
    ],
)
def test_a_wrong_config_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        refused(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"d_model": 16.5}, "d_model must be a whole number, got 16.5"),
        ({"d_model": "16"}, "d_model must be a whole number, got '16'"),
        ({"layers": True}, "layers must be a whole number, got True"),
        ({"dropout": "0.1"}, "dropout must be a number, got '0.1'"),
        ({"feature_dropout": ("half",)}, "feature_dropout must be a number, got 'half'"),
        ({"widths": 3}, "widths is 3: give a list"),
        ({"widths": (3.5,)}, "widths must be a whole number, got 3.5"),
        ({"readouts": (0.5,)}, "readouts must be a whole number, got 0.5"),
        ({"modalities": "ab", "widths": (1, 2)}, "modalities is 'ab': give a list"),
        ({"modalities": {"a": 3}, "widths": ()}, r"modalities is \{'a': 3\}: give a list"),
        ({"modalities": {"a"}}, "modalities is"),
        ({"modalities": (1,)}, "1 is no text"),
    ],
)
def test_a_value_of_another_kind_is_told_with_its_field(change, said):
    with pytest.raises(TypeError, match=said):
        refused(change)


@pytest.mark.parametrize(
    "name", ["type", "keys", "values", "items", "train", "forward", "pop", "left.eye", ""]
)
def test_a_name_that_no_part_of_a_network_can_have_is_refused(name):
    with pytest.raises(ValueError, match=f"no modality can be called '{name}'"):
        refused({"modalities": (name,)})


def test_no_more_modalities_are_taken_than_can_be_coupled():
    names = [f"m{i}" for i in range(MAX_MODALITIES + 1)]
    most = CoupledMambaConfig(names[:-1], [2] * MAX_MODALITIES)
    assert len(most.features) == MAX_MODALITIES
    with pytest.raises(ValueError, match=f"{len(names)} modalities are named.* at most {MAX_MODALITIES}"):
        CoupledMambaConfig(names, [2] * len(names))
    assert len(CoupledMambaConfig(names, [2] * len(names), fusion="concat").features) == len(names)


def test_sizes_as_numpy_counts_them_are_taken():
    config = small_config(widths=np.array([6, 5, 4]), d_model=np.int64(16), feature_dropout=np.float32(0.5))
    assert [type(width) for width in config.widths] == [int] * 3
    assert config.feature_dropout == (0.5,) * 3
    CoupledMamba(config)(*random_clip(3))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_configs_that_come_along_are_taken(path):
    check_network(tomllib.loads(path.read_text(encoding="utf-8")).get("network", {}))


@pytest.mark.parametrize("fusion", ["coupled", "late", "concat"])
def test_a_network_needs_a_modality(fusion):
    with pytest.raises(ValueError, match="at least"):
        build_network(CoupledMambaConfig(fusion=fusion))

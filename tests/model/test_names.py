"""What `model` offers by name, without loading torch before it is asked for."""

from __future__ import annotations

import pytest

import model


@pytest.mark.parametrize("name", model.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(model, name).__name__ == name


def test_what_is_made_by_a_public_function_can_be_made_by_its_public_name() -> None:
    assert model.explain_last_layer.__annotations__["return"] == model.Explanation.__name__


def test_other_names_are_told() -> None:
    with pytest.raises(AttributeError, match="module 'model' has no attribute 'explain_first_layer'"):
        model.explain_first_layer  # noqa: B018

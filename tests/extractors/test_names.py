from __future__ import annotations

import pytest

import extractors


@pytest.mark.parametrize("name", extractors.__all__)
def test_every_name_on_offer_is_there(name: str) -> None:
    assert getattr(extractors, name) is not None


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = extractors.nothing_like_it

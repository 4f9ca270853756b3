"""Nothing is asked of the hub unless somebody wants a file of it."""

from __future__ import annotations

import os

import pytest

from extractors.hub import OFFLINE, YUNET_SETTING, stay_offline


@pytest.mark.parametrize(
    ("yunet", "said", "then"),
    [
        (None, None, "1"),
        ("/a/file.onnx", None, "1"),
        (None, "0", "0"),
        ("hub", None, None),
        ("hub", "1", "1"),
    ],
)
def test_offline_unless_yunet_is_to_be_fetched_or_it_was_said(
    monkeypatch: pytest.MonkeyPatch, yunet: str | None, said: str | None, then: str | None
) -> None:
    for name, value in ((YUNET_SETTING, yunet), (OFFLINE, said)):
        monkeypatch.setenv(name, value or "")  # so that it is put back afterwards
        if value is None:
            monkeypatch.delenv(name)
    stay_offline()
    assert os.environ.get(OFFLINE) == then

"""How the tests are shared among processes where pytest-xdist runs them, as `make test` does; else without effect."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BROWSER = Path(__file__).parent / "app" / "browser"

# Each process has a core of its own: threads within one would only wait for those of the other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together, since they share what it has made; so do all that drive the browser.

    They share one server, and two at a time would wait for each other's analyses.
    """
    for item in items:
        together = BROWSER if BROWSER in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(together)))

"""How the tests are shared among processes, where pytest-xdist runs them; and what keeps a file from slowing others."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

BROWSER = Path(__file__).parent / "app" / "browser"

# Each process has a core of its own: threads within one would only wait for those of the other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together, since they share what it has made; so do all that drive the browser.

    They share one server, and two at a time would wait for each other's analyses. They come first, then the files that
    hold something slow: what takes long and begins last keeps one process busy while the other has nothing to do.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (BROWSER not in item.path.parents, item.path not in slow))
    for item in items:
        together = BROWSER if BROWSER in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(together)))


def pytest_collection_finish() -> None:
    _set_aside()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After a file of tests, what it loaded is set aside."""
    done = yield
    if nextitem is not None and nextitem.path != item.path:
        _set_aside()
    return done


def _set_aside() -> None:
    """What is loaded stays loaded, and no collection of garbage looks through it again.

    One that does takes a second in a process that has run most of the tests, and every analysis ends with one.
    """
    gc.collect()
    gc.freeze()

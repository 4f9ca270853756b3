"""Threads that libraries use while several analyses run at once, and two branches of one analysis."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from extractors.clip import ClipReader
from extractors.records import InputError
from extractors.threads import OneThread, side_by_side
from extractors.tracks import read_tracks
from tests.clips import make_clip


def test_who_comes_in_meanwhile_puts_back_what_was_there_before_all() -> None:
    numbers = [4]
    library = OneThread(lambda: numbers[-1], numbers.append)
    own = OneThread(lambda: numbers[-1], numbers.append, per_thread=True)
    for held, meanwhile in ((library, 1), (own, 4)):
        one, other = ExitStack(), ExitStack()
        one.enter_context(held.held())
        other.enter_context(held.held())
        assert numbers[-1] == 1
        one.close()
        assert numbers[-1] == meanwhile
        other.close()
        assert numbers[-1] == 4


def test_a_branch_that_begins_while_speech_is_found_has_its_callers_threads() -> None:
    """In a process of its own, since the number is the process's."""
    script = (
        "import threading, torch\n"
        "from extractors.threads import side_by_side\n"
        "torch.set_num_threads(2)\n"
        "assert torch.get_num_threads() == 2\n"
        "holder = threading.Thread(target=torch.set_num_threads, args=(1,))  # as finding speech in another clip does\n"
        "holder.start()\n"
        "holder.join()\n"
        "print(side_by_side(torch.get_num_threads, torch.get_num_threads, lambda _: None))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "(2, 2)"


def test_where_one_branch_fails_the_other_is_told() -> None:
    told = threading.Event()

    def fail() -> None:
        raise InputError("no")

    for look, listen in ((told.wait, fail), (fail, told.wait)):
        told.clear()
        with pytest.raises(InputError, match="no"):
            side_by_side(look, listen, lambda cause: told.set() if cause else None)


def test_a_bad_transcript_does_not_wait_for_the_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("...", encoding="utf-8")
    reader = ClipReader(make_clip(tmp_path / "a.mp4", 1.0), tmp_path / "a.txt")

    def look_forever(progress: object) -> None:
        assert callable(progress)
        for _ in range(6000):
            progress(0.5)
            threading.Event().wait(0.01)

    monkeypatch.setattr(reader, "faces", look_forever)
    with pytest.raises(InputError, match="holds no words"):
        read_tracks(reader)

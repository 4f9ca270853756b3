"""Disks that are full or closed to writing, writers that are killed, clocks that are set: nothing wrong is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import BAD_INPUT, main
from app.analysis import Analysis
from app.batch.run import _write_whole
from app.exports import save
from app.server.keeping import KEPT, private_folder, sweep
from extractors.cache import Cache
from extractors.records import Sound
from tests.app.made import make_analysis

ROOT = Path(__file__).parents[2]
SMALL = 64  # kB that the small disk holds


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of its own: "full" but for a little, or "closed" to writing, which holds for root too."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={SMALL}k" + (",ro" if request.param == "closed" else "")
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be had here: {mounted.stderr.strip()}")
    try:
        if request.param == "full":
            (folder / "fill").write_bytes(bytes(1024 * (SMALL - 8)))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


both = pytest.mark.parametrize("disk", ["full", "closed"], indirect=True)


@both
def test_what_cannot_be_kept_is_worked_out_again(disk: Path) -> None:
    kept = Cache(disk / "stages")
    kept.put("a", Sound(np.zeros(100_000, np.float32)), [])
    assert kept.get("a") is None
    assert not list(disk.rglob(".aside-*"))  # what was begun does not fill the disk for good


@both
def test_a_file_to_take_home_says_what_is_wrong(disk: Path) -> None:
    with pytest.raises(OSError, match=r"No space left|Read-only"):
        save(make_analysis(2000), "csv", disk / "a.csv")


@pytest.mark.parametrize("disk", ["full"], indirect=True)
def test_a_table_that_cannot_be_written_leaves_the_one_before(disk: Path) -> None:
    (disk / "table.json").write_text('{"rows": []}')
    with pytest.raises(OSError, match="No space left"):
        _write_whole(disk / "table.json", json.dumps({"rows": ["x" * 500_000]}))
    assert json.loads((disk / "table.json").read_text()) == {"rows": []}
    assert sorted(path.name for path in disk.iterdir()) == ["fill", "table.json"]


@pytest.mark.parametrize("disk", ["closed"], indirect=True)
def test_the_page_says_what_is_wrong_and_does_not_come_up(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(disk / "cache"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    assert main(["serve"]) == BAD_INPUT
    assert "Read-only file system" in capsys.readouterr().err


def test_a_file_where_a_folder_belongs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        private_folder()
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "file" / "out")]) == BAD_INPUT
    assert "file" in capsys.readouterr().err


KEEPS = """
import itertools, sys
import numpy as np
from pathlib import Path
from app.batch.run import _write_whole
from extractors.cache import Cache
from extractors.records import Sound
kept = Cache(Path(sys.argv[1]), limit=30_000_000)
for i in itertools.count():
    kept.put(f"k{i % 5}", Sound(np.full(500_000, i % 5, np.float32)), [])
    _write_whole(Path(sys.argv[1]) / "table.json", '{"rows": [' + ", ".join([str(i)] * 100_000) + "]}")
    print(i, flush=True)
"""


def test_a_writer_that_is_killed_leaves_nothing_half_written_that_is_read(tmp_path: Path) -> None:
    for delay in (0.003, 0.011, 0.023, 0.041):
        writer = subprocess.Popen(
            [sys.executable, "-c", KEEPS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        kept = Cache(tmp_path)
        for path in tmp_path.glob("*.npz"):
            found = kept.get(path.stem)
            assert found is not None  # whatever has the name of an entry is whole
            assert isinstance(found[0], Sound)
            assert (found[0].samples == int(path.stem[1:])).all()
        rows = json.loads((tmp_path / "table.json").read_text())["rows"]
        assert len(rows) == 100_000
        assert len(set(rows)) == 1


def test_a_clock_set_back_keeps_no_file_longer(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.mp4").write_bytes(b"x")
    ahead = time.time() + 365 * 86_400
    os.utime(tmp_path / "room" / "a.mp4", (ahead, ahead))
    sweep(tmp_path)
    written = (tmp_path / "room" / "a.mp4").stat().st_mtime
    assert abs(written - time.time()) < 60  # its hour begins now
    sweep(tmp_path, -1)
    assert not (tmp_path / "room" / "a.mp4").exists()
    (tmp_path / ".aside-x").write_bytes(b"half")
    os.utime(tmp_path / ".aside-x", (ahead, ahead))
    Cache(tmp_path).put("a", None, [])
    assert not (tmp_path / ".aside-x").exists()


def test_a_clock_set_on_takes_early_and_never_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    now = time.time()
    monkeypatch.setattr("app.server.keeping.time.time", lambda: now + KEPT + 1)
    sweep(tmp_path)
    assert not (tmp_path / "a.mp4").exists()


def test_half_a_result_is_not_taken_for_one() -> None:
    text = make_analysis(30).to_json()
    for share in (0.1, 0.5, 0.99):
        with pytest.raises(ValueError, match="not JSON"):
            Analysis.from_json(text[: int(share * len(text))])

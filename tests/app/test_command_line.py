"""The command line: exit status, the one line on stderr, and the files it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import BAD_INPUT, main
from app.analysis import Analysis
from app.exports import FORMATS
from extractors.cache import Cache
from tests.app.made import make_analysis
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]


def test_a_clip_gives_a_summary_and_every_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "my clip.mp4", 3.0)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "app", "analyze", str(clip)]
    for kind in FORMATS:
        command += [f"--{kind}", str(tmp_path / "out" / f"a.{kind}")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    analysis = Analysis.from_json((tmp_path / "out" / "a.json").read_text(encoding="utf-8"))
    assert done.stdout.startswith(f"my clip.mp4 (0:03.0): {analysis.sentiment.clip.label}, ")
    assert "words alone" in done.stdout
    assert "100 %" in done.stderr  # the progress bar
    assert "Traceback" not in done.stderr
    assert "Plotly.newPlot(" in (tmp_path / "out" / "a.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "a.csv").read_bytes().count(b"\r\n") == len(analysis.ticks.start) + 1
    assert (tmp_path / "out" / "a.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert 'RELATIVE_MEDIA_URL="./../my%20clip.mp4"' in (tmp_path / "out" / "a.eaf").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("case", ["missing", "empty", "text", "no folder to write to", "transcript missing"])
def test_bad_input_is_status_2_and_one_line(
    tmp_path: Path, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.mp4"
    more = []
    if case == "empty":
        clip.touch()
    elif case == "text":
        clip.write_text("no video")
    elif case == "no folder to write to":
        more = ["--json", str(tmp_path / "nowhere" / "a.json")]
    elif case == "transcript missing":
        make_clip(clip, 1.0, video=None)
        more = ["--transcript", str(tmp_path / "words.srt")]
    assert main(["analyze", str(clip), *more]) == BAD_INPUT
    out, err = capfd.readouterr()
    assert out == ""
    lines = [line for line in err.replace("\r", "\n").split("\n") if line.startswith("coupled-mamba: ")]
    assert len(lines) == 1
    assert "Traceback" not in err


def test_a_json_that_cannot_be_written_is_told_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 1.0, sound=None)
    assert main(["analyze", str(clip), "--json", str(tmp_path)]) == BAD_INPUT
    assert "coupled-mamba: Is a directory" in capfd.readouterr().err


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "usage: python -m app" in capsys.readouterr().err


def test_a_cache_is_kept_only_where_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def note(
        clip: str, transcript: object, progress: object, cache: object, language: object, **more: object
    ) -> Analysis:
        asked.append((cache, language))
        return make_analysis()

    monkeypatch.setattr("app.analyze.analyze", note)
    monkeypatch.delenv("COUPLED_MAMBA_CACHE", raising=False)
    assert main(["analyze", "a.mp4"]) == 0
    assert main(["analyze", "a.mp4", "--cache", str(tmp_path / "mine"), "--language", "de"]) == 0
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    assert main(["analyze", "a.mp4"]) == 0
    assert asked == [(None, None), (Cache(tmp_path / "mine"), "de"), (Cache(tmp_path / "stages"), None)]

"""The command line: exit status, the one line on stderr, and the files it writes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import BAD_INPUT, UNREAD, main
from app.analysis import MODALITIES, Analysis
from app.analyze import analyze
from app.exports import FORMATS
from app.figures.compare import Side
from app.i18n import tell
from app.telling.differences import SCHEMA, over_sentences
from extractors.cache import Cache
from extractors.records import Grid, InputError
from model.coupled.config import CoupledMambaConfig
from model.fusion.baselines import build_network
from model.inference import loading
from tests.app.made import WIDTH, make_analysis, make_grid, with_warnings
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]


def test_it_ends_in_silence_once_nobody_reads_it() -> None:
    said = "import sys, app.__main__ as m; m._analyze = lambda _: print('x' * 99_999) or 0; "
    command = [sys.executable, "-c", said + "sys.exit(m.main(['analyze', 'a.mp4']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == UNREAD


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("outs", "told"),
    [
        (["--json", "."], "is a folder: name the file to write in it"),
        (["--html", "clip.mp4"], "clip.mp4 is read, or written to already"),
        (["--transcript", "said.vtt", "--vtt", "./said.vtt"], "said.vtt is read, or written to already"),
        (["--json", "a", "--csv", "a"], "a is read, or written to already"),
    ],
    ids=["a folder", "the clip", "its transcript", "one file twice"],
)
def test_what_may_not_be_written_to_is_told_before_any_work(
    outs: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("app.analyze.analyze", lambda *_, **__: pytest.fail("it was analysed"))
    for name in ("clip.mp4", "said.vtt"):
        Path(name).write_text("dear to its owner")
    assert main(["analyze", "clip.mp4", *outs]) == BAD_INPUT
    assert told in capfd.readouterr().err
    assert {Path(name).read_text() for name in ("clip.mp4", "said.vtt")} == {"dear to its owner"}


def test_a_fault_without_a_file_names_none(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("The machine is on fire.")

    monkeypatch.setattr("app.analyze.analyze", fail)
    assert main(["analyze", "a.mp4"]) == BAD_INPUT
    assert capfd.readouterr().err.splitlines()[-1] == "coupled-mamba: The machine is on fire."


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is read, with answers made for it; a small network where that of independent chains is looked for."""
    asked: list[tuple[object, ...]] = []

    def answer(
        clip: str, transcript: object, progress: object, cache: object, language: object, **more: Any
    ) -> Analysis:
        asked.append((clip, transcript, language))
        more["keep"](make_grid(40))
        return make_analysis(40, seed=len(asked))

    config = CoupledMambaConfig(
        MODALITIES, (WIDTH,) * 3, fusion="independent", d_model=8, d_state=4, layers=1
    )
    build_network(config).save_pretrained(tmp_path / "independent")
    monkeypatch.setattr(loading, "INDEPENDENT", tmp_path / "independent")
    monkeypatch.setattr("app.analyze.analyze", answer)
    return asked


def test_one_clip_is_compared_with_what_independent_chains_say(
    read: list[tuple[object, ...]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "compared.json"
    assert main(["compare", "a.mp4", "--transcript", "a.srt", "--language", "de", "--json", str(out)]) == 0
    assert read == [("a.mp4", "a.srt", "de")]
    compared = json.loads(out.read_text(encoding="utf-8"))
    assert (compared["schema"], compared["same_clip"]) == (SCHEMA, True)
    assert compared["names"] == ["coupled", "independent"]
    first, second = (Analysis.from_dict(compared[side]) for side in ("first", "second"))
    assert first.sentiment != second.sentiment
    assert (
        capfd.readouterr().out.splitlines()
        == [*over_sentences(Side("coupled", first), Side("independent", second)), tell("compare.caveat")]
        == [*compared["sentences"], tell("compare.caveat")]
    )


def test_two_clips_are_compared_side_by_side(
    read: list[tuple[object, ...]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "x/a.mp4", "y/b.mp4", "--transcript", "a.srt"]) == 0
    assert read == [("x/a.mp4", "a.srt", None), ("y/b.mp4", None, None)]  # the transcript is the first's
    (whole,) = capfd.readouterr().out.splitlines()  # alone, the made answers are alike
    assert whole.startswith("As a whole a.mp4 is ")
    assert " b.mp4 is " in whole


def test_a_comparison_tells_the_warnings_of_each_clip_with_its_name(
    read: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def answer(clip: str, *_: object, keep: Callable[[Grid], None], **more: object) -> Analysis:
        keep(make_grid(40))
        return with_warnings(make_analysis(40), f"{len(clip)} letters.", "Words were not heard.")

    monkeypatch.setattr("app.analyze.analyze", answer)
    notes = ["Note on a.mp4: 7 letters.", "Note on a.mp4: Words were not heard."]
    assert main(["compare", "x/a.mp4", "bb.mp4"]) == 0
    more = ["Note on bb.mp4: 6 letters.", "Note on bb.mp4: Words were not heard."]
    assert capfd.readouterr().out.splitlines()[-4:] == [*notes, *more]
    assert main(["compare", "x/a.mp4"]) == 0
    assert capfd.readouterr().out.splitlines()[-3:] == [tell("compare.caveat"), *notes]


def test_names_that_are_no_text_are_told_as_well_as_can_be(
    read: list[tuple[object, ...]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", "half\udcff.mp4"]) == 0
    assert main(["compare", "half\udcff.mp4", "b.mp4", "--json", str(tmp_path / "a.json")]) == 0
    out = capfd.readouterr().out
    assert out.startswith("half?.mp4 (")
    assert "As a whole half?.mp4 is " in out
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["names"] == ["half?.mp4", "b.mp4"]


@pytest.mark.parametrize("case", ["no network", "no folder", "no clip"])
def test_what_cannot_be_compared_is_status_2_before_any_work(
    read: list[tuple[object, ...]],
    tmp_path: Path,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = ["a.mp4"]
    if case == "no network":
        monkeypatch.setattr(loading, "INDEPENDENT", tmp_path / "nothing")
    elif case == "no folder":
        given += ["--json", str(tmp_path / "nowhere" / "a.json")]
    else:
        given = [str(tmp_path / "missing.mp4"), "b.mp4"]
        monkeypatch.setattr("app.analyze.analyze", analyze)
    assert main(["compare", *given]) == BAD_INPUT
    out, err = capfd.readouterr()
    assert out == ""
    assert not read
    told = {
        "no network": "is not installed here",
        "no folder": "There is no folder",
        "no clip": "missing.mp4",
    }
    assert told[case] in err
    assert "Traceback" not in err


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


def test_a_command_is_quiet_and_leaves_the_logging_of_who_called_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("somebody")

    def analyze(*_: object, **__: object) -> None:
        log.warning("a remark")
        raise InputError("no clip")

    monkeypatch.setattr("app.analyze.analyze", analyze)
    assert main(["analyze", "a.mp4"]) == BAD_INPUT
    log.warning("what the caller wants to know")
    assert caplog.messages == ["what the caller wants to know"]


@pytest.mark.parametrize(("setting", "offline"), [("", "1"), ("/a/yunet.onnx", "1"), ("hub", None)])
def test_the_hub_is_asked_for_nothing_but_what_is_to_be_fetched_from_it(
    setting: str, offline: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = []

    def analyze(*_: object, **__: object) -> Analysis:
        found.append(os.environ.get("HF_HUB_OFFLINE"))
        return make_analysis(10)

    monkeypatch.setattr("app.analyze.analyze", analyze)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # restored afterwards
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("COUPLED_MAMBA_YUNET", setting)
    assert main(["analyze", str(tmp_path / "a.mp4")]) == 0
    assert found == [offline]

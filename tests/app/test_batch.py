"""Many clips: the table, what a second run does again, clips that fail, and the page that sorts itself."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import BAD_INPUT, SOME_FAILED, main
from app.analysis import Analysis
from app.batch import Row, find_clips, key_of, run_batch, write_table
from app.batch import rows as kept_rows
from app.batch.rows import row_of
from extractors.records import InputError
from tests.app.made import make_analysis, with_intervals
from tests.clips import make_clip


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for `analyze`: gives made-up answers, fails as the clip's bytes say; the names it was asked for."""
    asked: list[str] = []

    def answer(clip: Path, **_: Any) -> Analysis:
        asked.append(Path(clip).name)
        text = Path(clip).read_bytes()
        if text.startswith(b"bad"):
            raise InputError("The clip is no clip.")
        if text.startswith(b"worse"):
            raise RuntimeError("line one\nline two")
        if text.startswith(b"stop"):
            raise KeyboardInterrupt
        return with_intervals(make_analysis(10, seed=len(text)))

    monkeypatch.setattr("app.analyze.analyze", answer)
    return asked


def lay(folder: Path, **clips: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in clips.items():
        (folder / f"{name}.mp4").write_bytes(content)
    return folder


def test_a_table_has_a_row_a_clip_and_each_opens_its_report(tmp_path: Path, analysed: list[str]) -> None:
    clips = lay(tmp_path / "in", a=b"1", b=b"22")
    lay(clips / "deeper", c=b"333")
    (clips / "notes.txt").write_text("no clip")
    told: list[tuple[str, int, int]] = []
    out = tmp_path / "out"
    rows = run_batch(clips, out, tell=lambda row, done, count: told.append((row.clip, done, count)))
    assert [row.clip for row in rows] == ["a.mp4", "b.mp4", "deeper/c.mp4"]
    assert told == [("a.mp4", 1, 3), ("b.mp4", 2, 3), ("deeper/c.mp4", 3, 3)]
    table = json.loads((out / "table.json").read_text(encoding="utf-8"))
    assert table["schema"] == "coupled-mamba-batch/1"
    for row, told_row in zip(rows, table["rows"], strict=True):
        assert row.to_dict() == told_row
        analysis = Analysis.from_json((out / row.json).read_text(encoding="utf-8"))
        assert analysis.sentiment.clip.score == pytest.approx(row.score, abs=1e-4)
        assert row.low is not None
        assert row.low < (row.score or 0)
        assert "Plotly.newPlot(" in (out / row.report).read_text(encoding="utf-8")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert [f'href="{row.report}"' in page for row in rows] == [True] * 3
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=", page)
    again = list(csv.DictReader(io.StringIO((out / "table.csv").read_text(encoding="utf-8-sig"))))
    assert [row["clip"] for row in again] == [row.clip for row in rows]
    assert float(again[0]["score"]) == rows[0].score


def test_a_second_run_does_only_what_is_new_changed_or_failed(tmp_path: Path, analysed: list[str]) -> None:
    clips, out = lay(tmp_path / "in", a=b"1", b=b"22", c=b"bad"), tmp_path / "out"
    run_batch(clips, out)
    assert analysed == ["a.mp4", "b.mp4", "c.mp4"]
    analysed.clear()
    (clips / "a.mp4").rename(clips / "renamed.mp4")
    lay(clips, b=b"other", c=b"bad", new=b"55555")
    rows = run_batch(clips, out)
    assert analysed == ["b.mp4", "c.mp4", "new.mp4"]
    assert {row.clip for row in rows} == {"b.mp4", "c.mp4", "new.mp4", "renamed.mp4"}


def test_copies_are_analysed_once(tmp_path: Path, analysed: list[str]) -> None:
    rows = run_batch(lay(tmp_path / "in", a=b"same", b=b"same"), tmp_path / "out")
    assert analysed == ["a.mp4"]
    assert rows[0].key == rows[1].key


def test_a_result_of_another_version_or_damaged_is_not_taken(
    tmp_path: Path, analysed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, out = lay(tmp_path / "in", a=b"1"), tmp_path / "out"
    (row,) = run_batch(clips, out)
    (out / row.json).write_text("{", encoding="utf-8")
    assert run_batch(clips, out) == [row]
    assert len(analysed) == 2
    monkeypatch.setattr(kept_rows, "version", lambda: "another")
    (other,) = run_batch(clips, out)
    assert len(analysed) == 3
    assert other.key != row.key


def test_a_failed_clip_is_in_the_table_with_its_reason(tmp_path: Path, analysed: list[str]) -> None:
    rows = run_batch(lay(tmp_path / "in", a=b"bad", b=b"worse", c=b"3"), tmp_path / "out")
    assert [row.state for row in rows] == ["failed", "failed", "done"]
    assert [row.reason for row in rows] == ["The clip is no clip.", "RuntimeError: line one line two", ""]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "1 clip analysed, 2 failed" in page
    assert "Failed: The clip is no clip." in page


def test_a_stopped_run_leaves_its_table_and_the_next_goes_on(tmp_path: Path, analysed: list[str]) -> None:
    clips, out = lay(tmp_path / "in", a=b"1", b=b"stop", c=b"333"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_batch(clips, out)
    assert len(json.loads((out / "table.json").read_text(encoding="utf-8"))["rows"]) == 1
    lay(clips, b=b"22")
    analysed.clear()
    assert len(run_batch(clips, out)) == 3
    assert analysed == ["b.mp4", "c.mp4"]
    assert not list(out.rglob(".*"))  # nothing written aside is left


def test_results_within_the_folder_are_no_clips(tmp_path: Path, analysed: list[str]) -> None:
    clips = lay(tmp_path, a=b"1")
    lay(tmp_path / "out", b=b"22")
    lay(tmp_path / ".hidden", c=b"333")
    assert [path.name for path in find_clips(clips, tmp_path / "out")] == ["a.mp4"]
    assert [row.clip for row in run_batch(clips, clips)] == ["a.mp4", "out/b.mp4"]


def test_no_folder_and_no_clip_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        find_clips(tmp_path / "nowhere")
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert "There is no clip in" in capsys.readouterr().err
    clip = lay(tmp_path, a=b"1") / "a.mp4"
    assert main(["batch", str(clip), "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert "a.mp4 is a file: name its folder, or use" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


HOSTILE = (
    "=1+1.mp4",
    "</td><script>alert(1)</script>.mp4",
    'a" onclick="x.mp4',
    "日本 & 語.mp4",
    "half\udcff.mp4",
)


def test_no_name_is_a_formula_or_a_tag() -> None:
    rows = [row_of(make_analysis(5), name, "k", "clips/k.json", "clips/k.html") for name in HOSTILE]
    rows.append(Row("bad.mp4", "failed", "@<b>reason</b>"))
    files = {name: text.encode("utf-8", "replace") for name, text in write_table(rows).items()}
    page = files["index.html"].decode()
    assert "<script>alert" not in page
    assert "<b>reason" not in page
    assert 'onclick="x' not in page
    assert "日本 &amp; 語.mp4" in page
    table = list(csv.DictReader(io.StringIO(files["table.csv"].decode("utf-8-sig"))))
    assert table[0]["clip"] == "'=1+1.mp4"
    assert table[-1]["reason"] == "'@<b>reason</b>"
    assert json.loads(files["table.json"])["rows"][3]["clip"] == HOSTILE[3]


def test_the_key_is_of_the_content(tmp_path: Path) -> None:
    lay(tmp_path, a=b"1", b=b"1", c=b"2")
    a, b, c = (key_of(tmp_path / f"{name}.mp4") for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("COUPLED_MAMBA_LANGUAGE", "de"),
        ("COUPLED_MAMBA_YUNET", __file__),  # of which only the bytes are read
        ("COUPLED_MAMBA_MAX_SECONDS", "60"),
    ],
)
def test_the_key_is_of_what_is_set_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    lay(tmp_path, a=b"1")
    monkeypatch.delenv(variable, raising=False)
    before = key_of(tmp_path / "a.mp4")
    monkeypatch.setenv(variable, value)
    assert key_of(tmp_path / "a.mp4") != before


def test_from_the_shell_with_real_clips(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clips = tmp_path / "in"
    clips.mkdir()
    make_clip(clips / "face.mp4", 1.0, sound=None)
    (clips / "text.mp4").write_text("no video")
    assert main(["batch", str(clips), "--out", str(tmp_path / "new" / "out")]) == SOME_FAILED
    out, err = capfd.readouterr()
    assert out.startswith("1 of 2 clips analysed: ")
    assert "text.mp4: text.mp4 cannot be read as a video" in err
    assert "Traceback" not in err
    (done,) = (tmp_path / "new" / "out" / "clips").glob("*.json")
    assert set(Analysis.from_json(done.read_text(encoding="utf-8")).sentiment.alone) == {"visual"}


def test_without_ray_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, analysed: list[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray is not installed: run `pip install ray`"):
        run_batch(lay(tmp_path / "in", a=b"1"), tmp_path / "out", "local")
    assert analysed == []

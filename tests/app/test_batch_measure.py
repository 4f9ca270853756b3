"""The measurement of many clips: clips that differ, and what is said of results that do not agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.batch import measure
from app.batch.measure import Measured, faults, main, make_many, plain, table
from app.batch.rows import Row
from extractors.media.reading import probe


def way(name: str, failed: str = "", **results: bytes) -> Measured:
    rows = {clip: Row(clip, "done") for clip in results} | (
        {failed: Row(failed, "failed", "why")} if failed else {}
    )
    return Measured(name, 10.0, 2_000_000, 3_000_000, rows, results)


def test_what_differs_or_failed_is_named() -> None:
    assert faults([way("one by one", a=b"1", b=b"2"), way("on Ray", a=b"1", b=b"2")], ["a", "b"]) == []
    told = faults([way("one by one", a=b"1", b=b"2"), way("on Ray", "b", a=b"9")], ["a", "b", "c"])
    assert told == [
        "a is not the same one by one and on Ray",
        "b failed on Ray: why",
        "c failed one by one: no row",
        "c failed on Ray: no row",
    ]


def test_timings_alone_are_passed_over(tmp_path: Path) -> None:
    for name, total, score in (("a", 1.0, 0.5), ("b", 2.0, 0.5), ("c", 1.0, 0.25)):
        text = json.dumps({"score": score, "timings": {"total": total}})
        (tmp_path / name).write_text(text, encoding="utf-8")
    a, b, c = (plain(tmp_path / name) for name in "abc")
    assert a == b != c


def test_the_table_has_a_row_for_each_way() -> None:
    rows = table([way("one by one", a=b"1", b=b"2"), way("on Ray", a=b"1")], 5.0).splitlines()
    assert rows[2] == "| one by one | 2 | 10 | 5.00 | 2.00 | 2 | 3 |"
    assert rows[3].startswith("| on Ray | 1 | 10 | 10.00 |")


def test_clips_differ(tmp_path: Path) -> None:
    assert make_many(tmp_path, 3) == pytest.approx(6.3)
    paths = sorted(tmp_path.iterdir())
    assert len({path.read_bytes() for path in paths}) == 3
    assert [round(probe(path).duration, 1) for path in paths] == [2.0, 2.1, 2.2]


def test_without_a_table_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "make_many", lambda folder, count: 1.0)  # no clip at all
    assert main(["--alone", "--clips", "1"]) == 1
    assert "coupled-mamba: There is no clip in" in capsys.readouterr().out

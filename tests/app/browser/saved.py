"""Every file that the page saves, parsed back by a reader that is not ours and held against what the page shows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pysubs2
import pytest

from app.analysis import Analysis
from app.exports import FORMATS

LINES_OF = (
    "() => Object.fromEntries(document.querySelector('#cm-timeline .js-plotly-plot').data"
    ".filter((trace) => trace.name).map((trace) => [trace.name, [...trace.customdata]]))"
)
WORDS_OF = "words => words.map((w) => [w.textContent, Number(w.dataset.start), Number(w.dataset.end)])"
TABLE_OF = (
    "() => { const card = [...document.querySelectorAll('.cm-card:has(#cm-timeline)')].at(-1);"
    " return [...card.querySelectorAll('.cm-details tr')]"
    ".map((row) => [...row.cells].map((cell) => cell.textContent)) }"
)


def files_hold_what_is_shown(page: Any, visit: Callable[..., Any], folder: Path, name: str) -> None:
    """Saves the analysis shown, of a clip with speech called `name`, in every format."""
    words = page.eval_on_selector_all(".cm-word", WORDS_OF)
    header, *rows = page.evaluate(TABLE_OF)
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert len(words) > 5
    assert len(table) > 20
    texts = {kind: _saved(page, kind, folder / f"{name}.{kind}") for kind in FORMATS}
    _json_holds(texts["json"], page, words, table)
    _csv_holds(texts["csv"], table)
    _vtt_holds(texts["vtt"], words, table)
    _eaf_holds(texts["eaf"], words, table)
    _report_holds(folder / f"{name}.html", visit(), page)


def _saved(page: Any, kind: str, path: Path) -> str:
    with page.expect_download() as download:
        page.click(f"#cm-save-{kind}")
    assert download.value.suggested_filename == path.name
    download.value.save_as(path)
    return path.read_text(encoding="utf-8-sig")


def _number(text: str) -> float:
    """The first number of a cell: "−0.42 (−1.10 to +0.20)" is -0.42."""
    return float(text.replace("−", "-").split()[0])


def _json_holds(text: str, page: Any, words: list[Any], table: list[dict[str, str]]) -> None:
    saved = Analysis.from_json(text)
    assert saved.sentiment.clip.label in page.inner_text(".cm-score")
    assert [[w.word, pytest.approx(w.start, abs=0.006), pytest.approx(w.end, abs=0.006)]
            for w in saved.transcript.words] == words  # fmt: skip
    # The file has every number, the table a dash where nothing was observed yet or any more.
    shown = {i: _number(row["all together"]) for i, row in enumerate(table) if row["all together"] != "–"}
    assert [saved.sentiment.ticks[i] for i in shown] == pytest.approx(list(shown.values()), abs=0.006)
    assert len(shown) > 20
    share = [_number(row["words ← voice"]) / 100 for row in table]
    assert list(saved.dynamics.share["text"]["audio"]) == pytest.approx(share, abs=0.006)


def _csv_holds(text: str, table: list[dict[str, str]]) -> None:
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(table)
    for row, shown in zip(rows, table, strict=True):
        assert row["said"] == shown["said"]
        for column, name in (
            ("score", "all together"),
            ("voice_score", "voice alone"),
            ("face_state", "face state size"),
        ):
            assert (row[column] == "") == (shown[name] == "–")
            if row[
                column
            ]:  # no score before anything, or its modality, was first observed or after it last was
                assert float(row[column]) == pytest.approx(_number(shown[name]), abs=0.006)
    assert any(row["words_score"] for row in rows)


def _mean(table: list[dict[str, str]], start: float, end: float) -> float:
    """The mean of the scores shown from start to end seconds, of ticks of 0.2 s: words are said there."""
    last = max(int(start / 0.2) + 1, -int(-(end - 1e-6) // 0.2))
    scores = [_number(row["all together"]) for row in table[int(start / 0.2) : last]]
    return sum(scores) / len(scores)


def _vtt_holds(text: str, words: list[Any], table: list[dict[str, str]]) -> None:
    cues = [cue for cue in pysubs2.SSAFile.from_string(text, format_="vtt") if cue.type == "Dialogue"]
    told = [re.fullmatch(r"\[([+-]?\d\.\d)\] (.*)", cue.plaintext) for cue in cues]
    assert all(told)
    assert " ".join(found[2] for found in told if found).split() == [word for word, _, _ in words]
    assert cues[0].start / 1000 == pytest.approx(words[0][1], abs=0.01)
    for cue, found in zip(cues, told, strict=True):
        assert found
        assert float(found[1]) == pytest.approx(_mean(table, cue.start / 1000, cue.end / 1000), abs=0.06)


def _eaf_holds(text: str, words: list[Any], table: list[dict[str, str]]) -> None:
    root = ElementTree.fromstring(text)
    times = {
        slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE", "")) / 1000 for slot in root.iter("TIME_SLOT")
    }
    tiers = {tier.get("TIER_ID"): list(tier.iterfind("ANNOTATION/*")) for tier in root.iter("TIER")}

    def when(annotation: Any) -> tuple[float, float]:
        return times[annotation.get("TIME_SLOT_REF1")], times[annotation.get("TIME_SLOT_REF2")]

    said = [(a.findtext("ANNOTATION_VALUE"), *when(a)) for a in tiers["words"]]
    assert [word for word, _, _ in said] == [word for word, _, _ in words]
    assert [start for _, start, _ in said] == pytest.approx([start for _, start, _ in words], abs=0.1)
    spoken = {a.get("ANNOTATION_ID"): when(a) for a in tiers["sentences"]}
    scores = {a.get("ANNOTATION_REF"): float(a.findtext("ANNOTATION_VALUE") or "") for a in tiers["score"]}
    assert set(scores) == set(spoken)
    for sentence, score in scores.items():
        assert score == pytest.approx(_mean(table, *spoken[sentence]), abs=0.02)


def _report_holds(path: Path, report: Any, page: Any) -> None:
    """Opened in a page of its own, which fails on any error in its log and on any request beyond the disk."""
    report.context.set_offline(True)
    report.goto(path.as_uri())
    report.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
    lines, drawn = page.evaluate(LINES_OF), report.evaluate(LINES_OF)
    assert {name: drawn[name] for name in lines} == lines
    for part in (".cm-score", ".cm-rows", ".cm-says"):
        assert report.inner_text(part) == page.inner_text(part)
    assert report.eval_on_selector_all(".cm-word", WORDS_OF) == page.eval_on_selector_all(
        ".cm-word", WORDS_OF
    )
    assert report.eval_on_selector_all(
        ".cm-shares .cm-cell", "all => all.map((cell) => cell.textContent)"
    ) == (page.eval_on_selector_all(".cm-shares .cm-cell", "all => all.map((cell) => cell.textContent)"))

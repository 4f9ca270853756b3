"""The table of a batch as CSV, as JSON, and as a page that sorts itself without a library."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from html import escape
from pathlib import Path
from urllib.parse import quote

from app.batch.rows import Row
from app.exports.ticks import harmless
from app.telling.numbers import clock, signed

SCHEMA = "coupled-mamba-batch/1"
ASSETS = Path(__file__).parents[1] / "assets"
NAMES = [field.name for field in fields(Row)]
HEADS = ("clip", "length", "score", "90 % range", "in words", "words", "voice", "face", "remarks")


def write_table(rows: Sequence[Row]) -> dict[str, str]:
    """{file's name: its text}: table.csv, table.json and index.html."""
    whole = {"schema": SCHEMA, "rows": [row.to_dict() for row in rows]}
    return {
        "table.csv": render_csv(rows),
        "table.json": json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1),
        "index.html": render_html(rows),
    }


def render_csv(rows: Sequence[Row]) -> str:
    """A row a clip, columns as the fields of Row; text that a spreadsheet would take for a formula is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(NAMES)
    for row in rows:
        values = row.to_dict().values()
        writer.writerow([harmless(v) if isinstance(v, str) else "" if v is None else v for v in values])
    return "\ufeff" + out.getvalue()


def render_html(rows: Sequence[Row]) -> str:
    """One page: a press on a column's head sorts by it, a clip's name opens its report."""
    done = sum(row.state == "done" for row in rows)
    failed = len(rows) - done
    count = f"{done} {'clip' if done == 1 else 'clips'} analysed" + (f", {failed} failed" if failed else "")
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{head}</button></th>' for head in HEADS
    )
    body = "".join(_row(row) for row in rows)
    style = "".join((ASSETS / name).read_text(encoding="utf-8") for name in ("cards.css", "batch.css"))
    script = (ASSETS / "batch.js").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{count} – Coupled Mamba</title><style>{style}</style></head>"
        f"<body><main><header><h1>Coupled Mamba</h1><p>{count}. Scores run from −3 (strongly negative) to +3 "
        "(strongly positive). Press a column’s name to sort by it, a clip’s name for its report.</p></header>"
        f'<div class="cm-scroll" tabindex="0"><table id="clips"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        "<footer>A reading of expression by a model, not of a person’s inner state.</footer></main>"
        f"<script>{script}</script></body></html>"
    )


def _row(row: Row) -> str:
    name = escape(row.clip)
    if row.state != "done":
        blank = '<td data-by=""></td>' * 7
        told = f'<td data-by="{escape(row.reason)}" class="cm-failed">Failed: {escape(row.reason)}</td>'
        return f'<tr class="cm-bad"><th scope="row" data-by="{name}">{name}</th>{blank}{told}</tr>'
    between = "" if row.low is None or row.high is None else f"{signed(row.low)} to {signed(row.high)}"
    cells = [
        _cell(row.seconds, "" if row.seconds is None else clock(row.seconds)),
        _cell(row.score, _told(row.score)),
        _cell(row.low, between),
        _cell(row.score, row.label),
        *(_cell(score, _told(score)) for score in (row.words, row.voice, row.face)),
        f'<td data-by="{escape(row.warnings)}" class="cm-told">{escape(row.warnings)}</td>',
    ]
    link = f'<a href="{quote(row.report)}">{name}</a>'
    return f'<tr><th scope="row" data-by="{name}">{link}</th>{"".join(cells)}</tr>'


def _cell(by: float | None, text: str) -> str:
    return f'<td data-by="{"" if by is None else by}">{escape(text)}</td>'


def _told(score: float | None) -> str:
    return "–" if score is None else signed(score)

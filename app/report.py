"""One self-contained HTML file of an Analysis: opens without a network, keeps the hover and the zoom."""

from __future__ import annotations

from html import escape
from pathlib import Path

from app.analysis import Analysis
from app.cards import coupling_card, legend, result_card, table_card, title, transcript_card
from app.figures import draw_coupling, draw_timeline
from app.wording import clock

ASSETS = Path(__file__).parent / "assets"

_STYLE = """
body { margin: 0; background: var(--cm-back); color: var(--cm-ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI',
  Roboto, 'Noto Sans', sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 40px; display: grid; gap: 20px; }
header h1 { margin: 0; font-size: 26px; } header p, footer { color: var(--cm-quiet); margin: 2px 0 0; font-size: 13px; }
article { background: var(--cm-card); border: 1px solid var(--cm-line); border-radius: 14px; padding: 22px 26px;
  min-width: 0; }
.wide { overflow-x: auto; } .wide > div { min-width: 866px; }
"""
_DARK = (
    "if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.classList.add('dark')"
)


def write_report(analysis: Analysis, path: str | Path, name: str = "clip") -> None:
    """Write the report of the clip called `name` to `path`. Raises OSError."""
    Path(path).write_text(render_report(analysis, name), encoding="utf-8")


def render_report(analysis: Analysis, name: str = "clip") -> str:
    """The report as text, about 5 MB, nearly all of it plotly.js."""
    clip = analysis.clip
    pictures = f"{clip.width} × {clip.height}, {clip.fps:.3g} frames/s" if clip.has_video else "no pictures"
    facts = (
        f"{escape(name)} · {clock(clip.duration)} · {pictures} · {'sound' if clip.has_audio else 'no sound'}"
    )
    target = next(iter(analysis.dynamics.share), "text")
    timeline = title("Time line", "drag to look closer, double click to go back", legend())
    coupling = title("Coupling", "where each chain’s output comes from", legend(together=False))
    figures = [draw_timeline(analysis, target), draw_coupling(analysis)]
    pictures_html = [
        f'<div class="wide"><div>{_figure(figure, i == 0)}</div></div>' for i, figure in enumerate(figures)
    ]
    articles = [
        result_card(analysis),
        timeline + pictures_html[0] + table_card(analysis),
        coupling + pictures_html[1] + coupling_card(analysis),
        title("Transcript", "green words took the words’ score up from neutral, crimson words down")
        + transcript_card(analysis),
    ]
    body = "".join(f"<article>{a}</article>" for a in articles)
    style = (ASSETS / "cards.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} – Coupled Mamba</title><style>{style}{_STYLE}</style><script>{_DARK}</script></head>"
        f"<body><main><header><h1>Coupled Mamba</h1><p>{facts}</p></header>{body}"
        "<footer>A reading of expression by a model, not of a person’s inner state.</footer></main></body></html>"
    )


def _figure(figure: object, first: bool) -> str:
    """The figure's HTML; the first brings plotly.js with it."""
    from plotly.io import to_html

    # plotly writes "<" in data as \u003c, so no word of a transcript can end the script that holds it.
    text: str = to_html(
        figure,
        full_html=False,
        include_plotlyjs=first,
        config={"displayModeBar": False, "responsive": True},
    )
    return text

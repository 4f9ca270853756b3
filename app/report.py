"""One self-contained HTML file of an Analysis: opens without a network, keeps the hover and the zoom."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from app.analysis import Analysis
from app.answered import Answered
from app.figures import draw_coupling, draw_timeline
from app.figures.moment import draw_moment
from app.figures.switches import draw_switched, left_on
from app.i18n import tell
from app.portraits import Portrait, portraits_card
from app.telling.answer_cards import fewer_card, layers_card, moment_card, space_card
from app.telling.cards import coupling_card, legend, result_card, table_card, title, transcript_card
from app.telling.wording import clock

ASSETS = Path(__file__).parent / "assets"

_STYLE = """
body { margin: 0; background: var(--cm-back); color: var(--cm-ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI',
  Roboto, 'Noto Sans', sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 40px; display: grid; gap: 20px; }
header h1 { margin: 0; font-size: 26px; } header p, footer { color: var(--cm-quiet); margin: 2px 0 0; font-size: 13px; }
article { background: var(--cm-card); border: 1px solid var(--cm-line); border-radius: 14px; padding: 22px 26px;
  min-width: 0; }
.wide { overflow-x: auto; } .wide > div { min-width: 874px; }
.wide .cm-faces { margin-top: 10px; } .cm-title + .wide, .cm-details + .wide { margin-top: 14px; }
.narrow > div { min-width: 460px; } article h4 { margin: 18px 0 2px; font-size: 15px; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 20px; }
@media (max-width: 900px) { .two { grid-template-columns: minmax(0, 1fr); } article { padding: 18px 16px; } }
"""
_STYLES = ("cards.css", "answers.css", "print.css")
TIME_HINT = "drag to look closer, double click to go back"
TIME_TOUCH = "tap it to read what it shows there"  # a finger that moves scrolls
SPACE_HINT = "drag or arrow keys to turn; point at the time line and the points go there"
SPACE_TOUCH = "turn it with a finger, sideways; tap the time line and the points go there"
WITHOUT_HINT = "the line without one of them (dashed) beside the line with all"
FOLLOWS = "cm-follows"  # pictures that show the stretch that the time line shows (`windows.js`)
FACES_KEPT = (
    '<p class="cm-hint">This file holds small pictures of the face, as no other file of this analysis does: '
    "pass it on only where whoever is shown agrees.</p>"
)
_DARK = (
    "if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.classList.add('dark')"
)


def render_report(
    analysis: Analysis,
    name: str = "clip",
    answered: Answered | None = None,
    portraits: Sequence[Portrait] = (),
) -> str:
    """The report as text, about 5 MB, nearly all of it plotly.js.

    With `answered` it also holds why a few moments are what they are, the state space, what was learnt, and the line
    without each modality. The face's `portraits` stand above the time line, and the report says that it holds them.
    """
    articles = [
        result_card(analysis),
        _timeline(analysis, portraits),
        title("Transcript", "green words took the words’ score up from neutral, purple words down")
        + transcript_card(analysis),
        *(_answers(analysis, answered) if answered else ()),
        _coupling(analysis),
        *(_learnt(answered) if answered else ()),
    ]
    body = "".join(f"<article>{a}</article>" for a in articles)
    style = "".join((ASSETS / sheet).read_text(encoding="utf-8") for sheet in _STYLES)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} – Coupled Mamba</title><style>{style}{_STYLE}</style><script>{_DARK}</script></head>"
        f"<body><main><header><h1>Coupled Mamba</h1><p>{escape(name)} · {_facts(analysis)}</p></header>{body}"
        "<footer>A reading of expression by a model, not of a person’s inner state.</footer></main>"
        f"{_scripts('windows.js', 'clock.js', 'shares.js', 'print.js', 'words.js', 'hints.js')}"
        f"{_scripts('space.js', 'report.js') if answered else ''}"
        f"{_scripts(*(('faces.js',) if portraits else ()), 'touch.js', 'frames.js')}</body></html>"
    )


def _facts(analysis: Analysis) -> str:
    clip = analysis.clip
    pictures = f"{clip.width} × {clip.height}, {clip.fps:.3g} frames/s" if clip.has_video else "no pictures"
    return f"{clock(clip.duration)} · {pictures} · {'sound' if clip.has_audio else 'no sound'}"


def _timeline(analysis: Analysis, portraits: Sequence[Portrait]) -> str:
    """An article, and with it plotly.js."""
    target = next(iter(analysis.dynamics.share), "text")
    drawn = _figure(draw_timeline(analysis, target, tone=True), True)
    strip = portraits_card(portraits, seek=False)
    colours = legend(band=analysis.sentiment.interval is not None)
    head = title("Time line", TIME_HINT, colours, TIME_TOUCH)
    picture = _wide(f'{strip}<div id="cm-timeline">{drawn}</div>', tell("timeline.title"))
    return f"{head}{picture}{FACES_KEPT if portraits else ''}{table_card(analysis)}"


def _coupling(analysis: Analysis) -> str:
    """An article."""
    head = title("Coupling", "where each chain’s output comes from", legend(together=False))
    picture = _wide(_figure(draw_coupling(analysis)), tell("coupling.title"), FOLLOWS)
    return head + picture + coupling_card(analysis)


def _answers(analysis: Analysis, answered: Answered) -> list[str]:
    """Articles: why here, the state space, and the line without each modality."""
    words = analysis.transcript.words
    why = title(tell("why.title"), tell("why.hint"))
    for moment in answered.moments:
        drawn, when = draw_moment(moment, words), clock(moment.seconds)
        picture = (
            "" if drawn is None else _wide(_figure(drawn), f"{tell('why.title')} {when}", f"narrow {FOLLOWS}")
        )
        why += f"<h4>{when}</h4>{picture}{moment_card(moment, words)}"
    space = title(tell("space.title"), SPACE_HINT, legend(together=False), SPACE_TOUCH)
    space += space_card(analysis, answered.paths)
    without = title(tell("switches.title"), WITHOUT_HINT)
    for fewer in answered.fewer:
        kept = f"{tell('switches.title')}: {left_on(fewer.kept)}"
        without += _wide(_figure(draw_switched(analysis, fewer)), kept, FOLLOWS) + fewer_card(analysis, fewer)
    return [why, space, *([without] if answered.fewer else ())]


def _learnt(answered: Answered) -> list[str]:
    """An article: W of each layer with the half-lives."""
    told = f'<p class="cm-small">{escape(tell("coupling.learnt_explained"))}</p>'
    return [title(tell("coupling.learnt"), "") + told + layers_card(answered.memory)]


def _scripts(*names: str) -> str:
    """Parts of the page's own: what moves axes and words, draws the state space, and places the face's pictures."""
    calls = ((ASSETS / name).read_text(encoding="utf-8").strip() for name in names)
    return f"<script>{''.join(f'({call})();' for call in calls)}</script>"


def _wide(picture: str, named: str, kind: str = "") -> str:
    """A picture that scrolls by itself, by keys too, where the screen is narrower than it can be drawn."""
    told = f'role="group" aria-label="{escape(named)}; the same as a table below"'
    return f'<div class="wide {kind}" tabindex="0" {told}><div>{picture}</div></div>'


def _figure(figure: object, first: bool = False) -> str:
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

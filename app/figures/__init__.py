"""Pictures of an Analysis: pure functions, one picture a file, plotly figures out."""

from app.figures.coupling import draw_coupling
from app.figures.timeline import draw_timeline

__all__ = ["draw_coupling", "draw_timeline"]

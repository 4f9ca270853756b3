"""Pictures of an Analysis: pure functions, one picture a file, plotly figures out."""

from app.figures.coupling import draw_coupling
from app.figures.moment import draw_moment
from app.figures.switches import draw_switched
from app.figures.timeline import draw_timeline

__all__ = ["draw_coupling", "draw_moment", "draw_switched", "draw_timeline"]

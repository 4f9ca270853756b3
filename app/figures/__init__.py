"""Pictures of an Analysis: pure functions, one picture a file, plotly figures out.

Those of answers to further questions, `moment`, `switches` and `space`, are imported from their own files: they
rest on `app.telling.wording`, which rests on this package.
"""

from app.figures.coupling import draw_coupling
from app.figures.timeline import draw_timeline

__all__ = ["draw_coupling", "draw_timeline"]

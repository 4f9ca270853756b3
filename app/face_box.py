"""Where the face that is read was in the picture, as a few bytes for the page: `box.js` frames it in the video.

It is in no file that is saved: it serves to see whose face was read, where several are in the picture.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from extractors.records import Grid

WHOLE = 65535  # a box's share of the picture that is all of it


def face_box(grid: Grid | None) -> str:
    """An element, never seen itself, that holds the looks which found the main face; "" where none did.

    data-times: seconds, float32 [T]. data-boxes: x, y, width, height, uint16 [T, 4], in parts of WHOLE of the upright
    picture; both in base64, the low byte first.
    """
    if grid is None or grid.looks is None or not len(grid.looks.time):
        return ""
    boxes = np.rint(np.clip(grid.looks.boxes, 0, 1) * WHOLE)
    times, places = _bytes(grid.looks.time, "<f4"), _bytes(boxes, "<u2")
    return f'<div class="cm-looks" data-times="{times}" data-boxes="{places}" hidden></div>'


def _bytes(values: Any, kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()

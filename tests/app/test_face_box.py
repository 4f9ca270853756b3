"""Where the face is framed in the video: the looks that found it, as bytes, and nothing where none did."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import numpy as np

from app.face_box import WHOLE, face_box
from extractors.records import Looks
from tests.app.made import make_grid

TIMES = np.array([0.0, 0.2, 1799.8])
BOXES = np.array([[0, 0, 1, 1], [0.25, 0.5, 0.125, 0.2], [-0.01, 0.9, 0.3, 1.2]], np.float32)


def test_the_looks_come_back_out_of_the_bytes() -> None:
    told = face_box(replace(make_grid(), looks=Looks(TIMES, BOXES, np.ones(3, np.int64))))
    kept = dict(re.findall(r'data-(\w+)="([^"]*)"', told))
    times = np.frombuffer(base64.b64decode(kept["times"]), "<f4")
    boxes = np.frombuffer(base64.b64decode(kept["boxes"]), "<u2").reshape(-1, 4) / WHOLE
    np.testing.assert_allclose(times, TIMES, atol=1e-3)
    np.testing.assert_allclose(boxes, BOXES.clip(0, 1), atol=1e-4)  # a box is framed within the picture


def test_without_a_face_there_is_nothing() -> None:
    assert face_box(None) == face_box(make_grid()) == ""
    assert face_box(replace(make_grid(), looks=Looks(TIMES[:0], BOXES[:0], np.ones(0, np.int64)))) == ""


def test_half_an_hour_of_them_is_no_burden() -> None:
    many = Looks(0.2 * np.arange(9000), np.full((9000, 4), 0.3, np.float32), np.ones(9000, np.int64))
    assert len(face_box(replace(make_grid(), looks=many))) < 150_000

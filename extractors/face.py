"""The main face of a clip, looked at a few times a second, and what it shows.

`find_faces` detects with OpenCV's Haar cascades on shrunken grey frames, near the last box first, and bridges what
they miss (a turned head, a hand) by matching the last view of the face. The crops go through the expression
network in batches. FER2013, which that network learnt from, was cropped in much the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from extractors.expression import EMBEDDING, EXPRESSIONS, SIDE, load_expression
from extractors.records import FloatArray, Frame, SecondsArray, Track

COLUMNS = (*(f"embedding_{i:02d}" for i in range(EMBEDDING)), *EXPRESSIONS)
BATCH = 64
# Frames are searched at this size; a face under a tenth of the short side shows too little to read.
LONG_SIDE = 320
LEAST_SHARE = 0.1
LEAST_SIDE = 24  # pixels; the cascades know nothing smaller
# A look at the whole frame, in looked-at frames: 2 s at five a second, so a nearer speaker is noticed.
SEARCH_EVERY = 10
# Another face takes over only when it is clearly the main one, or the track would flicker between two people.
TAKE_OVER = 1.6
# Most looks bridged by matching alone: 2 s at five a second. After that only a detection brings the face back.
LONGEST_BRIDGE = 10
LEAST_MATCH = 0.6
# The 99th percentile of grey levels under which a picture counts as dark.
DARK = 110
# Sizes tried: fewer over the whole frame, which is the slow search, than around a face already known.
SEARCH_STEP, NEAR_STEP = 1.15, 1.1
# Cascade weights: real faces measured 5 to 13, coins and stains on stock photographs -0.6 to 3.5.
SURE = 8.0
STRONG = 3.0
UNWEIGHTED = 2.0  # what the careful cascade found and the graded one did not, and what is only matched
# A frame stands for the time until the next one, but not for longer than this, seconds.
LONGEST_LOOK = 1.0

Grey = NDArray[np.uint8]


class Box(NamedTuple):
    """A square in pixels of the searched frame, and the cascade's weight for it."""

    x: float
    y: float
    side: float
    weight: float


@dataclass(frozen=True)
class FaceTrack:
    """The main face at T looks.

    time [T] seconds; boxes [T, 4] x, y, width, height as shares (0..1) of the upright picture, zero where there
    is no face; confidence [T] in 0..1; crops [T, 48, 48] grey uint8, black where there is no face.
    """

    time: SecondsArray
    boxes: FloatArray
    confidence: FloatArray
    crops: Grey


def describe_faces(frames: Iterable[Frame]) -> Track:
    """The visual track: one row a frame, values [T, 71] (64 embedding, 7 probabilities), zero without a face."""
    return describe_track(find_faces(frames))


def describe_track(faces: FaceTrack) -> Track:
    """What the faces found show, as `describe_faces` gives it."""
    values = np.zeros((len(faces.time), len(COLUMNS)), np.float32)
    seen = faces.confidence > 0
    values[seen] = face_features(faces.crops[seen])
    gaps = np.diff(faces.time)
    usual = float(np.median(gaps)) if len(gaps) else 0.2
    lasting = np.clip(np.append(gaps, usual)[: len(faces.time)], 1e-3, LONGEST_LOOK)
    return Track(values, faces.time, faces.time + lasting, faces.confidence, COLUMNS)


@torch.inference_mode()
def face_features(images: Grey) -> FloatArray:
    """Embedding and class probabilities [n, 71] of faces [n, 48, 48], averaged over each and its mirror image."""
    if not len(images):
        return np.zeros((0, len(COLUMNS)), np.float32)
    network, rows = load_expression(), []
    for i in range(0, len(images), BATCH):
        faces = torch.from_numpy(np.ascontiguousarray(images[i : i + BATCH]))[:, None].float() / 255
        both = network.embed(torch.cat([faces, faces.flip(3)]))
        shown = network.logits(both).softmax(1)
        pairs = torch.cat([both, shown], 1).unflatten(0, (2, len(faces)))
        rows.append(pairs.mean(0).numpy())
    return np.concatenate(rows)


def find_faces(frames: Iterable[Frame]) -> FaceTrack:
    """Follow the main face through the frames, which are looked at as they come and not kept."""
    times, boxes, shapes, matched = [], [], [], []
    crops = bytearray()  # in one piece: thousands of small arrays would leave the heap full of holes
    with _one_thread():
        finder = FaceFinder()
        for frame in frames:
            box, crop = finder.look(frame.image)
            times.append(frame.time)
            boxes.append(box or Box(0, 0, 0, 0))
            shapes.append(finder.shape)
            crops += crop.tobytes()
            matched.append(finder.bridged > 0)
    squares = np.array(boxes, np.float32).reshape(-1, 4)
    kept = steady(squares[:, 3], np.array(matched, bool))
    confidence = np.where(kept, np.clip(squares[:, 3] / SURE, 0, 1), 0).astype(np.float32)
    size = np.array(shapes, np.float32).reshape(-1, 2)[:, ::-1]
    shares = np.concatenate([squares[:, :2] / size, squares[:, 2:3] / size], 1) * kept[:, None]
    faces = np.frombuffer(crops, np.uint8).reshape(-1, SIDE, SIDE) * kept[:, None, None]
    return FaceTrack(np.array(times, np.float64), shares, confidence, faces)


def steady(weight: FloatArray, matched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which looks [T] count: not a lone weak one, and not what was matched but never detected again."""
    kept = weight > 0
    for i in reversed(np.flatnonzero(matched)):
        kept[i] &= i + 1 < len(kept) and kept[i + 1]
    edges = np.diff(np.concatenate([[0], kept.astype(np.int8), [0]]))
    for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        if last - first == 1 and weight[first] < STRONG:
            kept[first] = False
    return kept


class FaceFinder:
    """Looks at one picture after another; not for several threads at once, as OpenCV's cascades are not."""

    def __init__(self) -> None:
        # "alt2" makes hardly any false finds but grades them poorly; "default" grades well and sees more.
        self.careful = _cascade("haarcascade_frontalface_alt2.xml")
        self.graded = _cascade("haarcascade_frontalface_default.xml")
        self.box: Box | None = None
        self.view: Grey | None = None
        self.looks = 0
        self.bridged = 0
        self.shape = (1, 1)

    def look(self, image: NDArray[np.uint8]) -> tuple[Box | None, Grey]:
        """The main face of a BGR picture [height, width, 3], None without one, and its crop [48, 48]."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        scale = min(1.0, LONG_SIDE / max(grey.shape))
        small = (
            cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        )
        if small.shape != self.shape:
            self.box, self.shape = None, small.shape
        self.box = self._follow(_brighten(small))
        self.looks += 1
        if self.box is None:
            return None, np.zeros((SIDE, SIDE), np.uint8)
        return self.box, _crop(grey, self.box, scale)

    def _follow(self, small: Grey) -> Box | None:
        found = self._near(small, self.box) if self.box else None
        if found is None or self.looks % SEARCH_EVERY == 0:
            others = self._search(small)
            main = max(others, key=lambda box: _prominence(box, small), default=None)
            if main and (not found or _prominence(main, small) > TAKE_OVER * _prominence(found, small)):
                found = main
        if found is None:
            return self._bridge(small)
        self.bridged = 0
        self.view = _cut(small, found, 0.9)
        return found

    def _near(self, small: Grey, last: Box, least: float = 1.0) -> Box | None:
        """The graded cascade around a box, at like sizes, smoothed against the cascade's jitter."""
        region, left, top = _around(small, last, 1.8)
        if min(region.shape) <= LEAST_SIDE:
            return None
        low, high = max(LEAST_SIDE, round(0.75 * last.side)), round(1.35 * last.side)
        boxes = [b for b in _detect(self.graded, region, low, high, NEAR_STEP) if b.weight >= least]
        if not boxes:
            return None
        best = max(boxes, key=lambda box: box.weight)
        x, y, side = (
            0.7 * new + 0.3 * old
            for new, old in zip((best.x + left, best.y + top, best.side), last[:3], strict=True)
        )
        return Box(x, y, side, best.weight)

    def _search(self, small: Grey) -> list[Box]:
        """Every face of the whole frame, by the careful cascade, weighted by the graded one."""
        least = max(LEAST_SIDE, round(LEAST_SHARE * min(small.shape)))
        found = _detect(self.careful, small, least, min(small.shape), SEARCH_STEP)
        graded = (self._near(small, box) for box in found)
        weights = (near.weight if near else UNWEIGHTED for near in graded)
        return [box._replace(weight=max(w, UNWEIGHTED)) for box, w in zip(found, weights, strict=True)]

    def _bridge(self, small: Grey) -> Box | None:
        """Where the last detected view of the face is best matched, if it is."""
        self.bridged += 1
        if self.box is None or self.view is None or self.bridged > LONGEST_BRIDGE:
            self.bridged = 0
            return None
        region, left, top = _around(small, self.box, 1.6)
        if region.shape[0] < self.view.shape[0] or region.shape[1] < self.view.shape[1]:
            self.bridged = 0
            return None
        _, match, _, place = cv2.minMaxLoc(cv2.matchTemplate(region, self.view, cv2.TM_CCOEFF_NORMED))
        if match < LEAST_MATCH:
            self.bridged = 0
            return None
        margin = (self.box.side - self.view.shape[0]) / 2
        return Box(left + place[0] - margin, top + place[1] - margin, self.box.side, UNWEIGHTED * match)


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
    if cascade.empty():
        raise RuntimeError(
            f"OpenCV {cv2.__version__} carries no {name}: install opencv-python-headless >= 4.10, < 5"
        )
    return cascade


def _detect(cascade: cv2.CascadeClassifier, grey: Grey, least: int, most: int, step: float) -> list[Box]:
    """Faces `least` to `most` pixels wide, tried in steps of `step`, each found at three like places or more."""
    boxes, _, weights = cascade.detectMultiScale3(
        grey, step, 3, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
    )
    return [
        Box(float(x), float(y), float(w), float(s)) for (x, y, w, _), s in zip(boxes, weights, strict=True)
    ]


def _brighten(grey: Grey) -> Grey:
    """A dark picture stretched: the cascades pass over parts of little contrast as flat."""
    light = float(np.percentile(grey[::4, ::4], 99))
    return cv2.convertScaleAbs(grey, alpha=200 / max(light, 20)) if light < DARK else grey


def _prominence(box: Box, grey: Grey) -> float:
    """Size, a little less towards the edges: the main speaker is the near one in the middle."""
    height, width = grey.shape
    off = np.hypot((box.x + box.side / 2) / width - 0.5, (box.y + box.side / 2) / height - 0.5)
    return box.side * (1 - 0.5 * float(off))


def _around(grey: Grey, box: Box, times: float) -> tuple[Grey, int, int]:
    """The square around a box `times` as wide, cut off at the frame's edge, and its left and top."""
    reach = box.side * times / 2
    left = max(0, round(box.x + box.side / 2 - reach))
    top = max(0, round(box.y + box.side / 2 - reach))
    right, bottom = round(box.x + box.side / 2 + reach), round(box.y + box.side / 2 + reach)
    return grey[top : max(bottom, 0), left : max(right, 0)], left, top


def _cut(grey: Grey, box: Box, times: float) -> Grey:
    return _around(grey, box, times)[0].copy()


def _crop(grey: Grey, box: Box, scale: float) -> Grey:
    whole = Box(box.x / scale, box.y / scale, box.side / scale, box.weight)
    face = _around(grey, whole, 1.0)[0]
    if min(face.shape, default=0) == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    return cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV on one thread: frames this small gain nothing from more, and torch's own threads lose by them."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)

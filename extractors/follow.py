"""The faces of a clip, each followed from one looked-at picture to the next.

Every face known is looked for where it was; the whole picture is searched when one is missing there, and now and
then. What the detector misses for a moment (a turned head, a hand) is bridged by matching the last view of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.detect import UNWEIGHTED, Box, Detector, Grey, brighten, cut, make_detector, nearest
from extractors.expression import SIDE
from extractors.records import FloatArray

LONG_SIDE = 320  # pictures are searched at this size, pixels
# A look at the whole picture, in looked-at pictures: 2 s at five a second, so a nearer speaker is noticed.
SEARCH_EVERY = 10
# Without a face, a look for tilted and turned ones: it costs about as much again as the plain search.
SEARCH_HARDER_EVERY = 10
MOST = 3  # faces followed at once; each costs as much as one
# Most looks bridged by matching alone: 2 s at five a second. After that only a detection brings the face back.
LONGEST_BRIDGE = 10
LEAST_MATCH = 0.6
# Of a 48x48 crop as the cascades cut it: the mouth's rows and columns, and the eyes'.
MOUTH, EYES = (slice(30, 45), slice(12, 36)), (slice(12, 24), slice(8, 40))
WANDER = 3  # pixels of a crop by which a head may have moved between two looks


@dataclass
class Face:
    """One face as it stands now: its number, its box, its last detected view, the looks since, its last crop's box."""

    number: int
    box: Box
    view: Grey
    bridged: int = 0
    cropped: Box | None = None
    crop: Grey = field(default_factory=lambda: np.zeros((SIDE, SIDE), np.uint8))


@dataclass(frozen=True)
class Sightings:
    """N views of faces, in the order seen: several a look where several faces are there.

    look [N]: which picture; face [N]: whose, by number; boxes [N, 4]: x, y, width, height as shares (0..1) of the
    picture; weight [N]: the detector's; matched [N]: bridged, not detected; prominence [N]: size, less towards the
    edges; tilt [N]: degrees clockwise; mouth [N]: how much the mouth changed since the look before, grey levels, and
    zero where the face is alone; crops [N, 48, 48] grey, turned upright.
    """

    look: NDArray[np.int64]
    face: NDArray[np.int64]
    boxes: FloatArray
    weight: FloatArray
    matched: NDArray[np.bool_]
    prominence: FloatArray
    tilt: FloatArray
    mouth: FloatArray
    crops: Grey

    def rows(self) -> list[NDArray[np.int64]]:
        """For each face its rows, in order of time."""
        order = np.lexsort((self.look, self.face))
        return np.split(order, np.flatnonzero(np.diff(self.face[order])) + 1) if len(order) else []


@dataclass
class FaceFollower:
    """Looks at one picture after another; not for several threads at once, as OpenCV's detectors are not."""

    detector: Detector = field(default_factory=make_detector)

    def __post_init__(self) -> None:
        self.faces: list[Face] = []
        self.looks = 0
        self._met = 0
        self._faceless = 0
        self._shape = (1, 1)
        self._rows: list[tuple[float, ...]] = []
        # In one piece: thousands of small arrays would leave the heap full of holes.
        self._crops = bytearray()

    def forget(self) -> None:
        """Look at the next picture as if it were the first."""
        self.faces, self._faceless = [], 0

    def look(self, image: NDArray[np.uint8]) -> int:
        """Find the faces of a BGR picture [height, width, 3] and note them; how many there are."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        scale = min(1.0, LONG_SIDE / max(grey.shape))
        small = (
            cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        )
        if small.shape != self._shape:
            self.forget()
            self._shape = small.shape
        self._follow(brighten(small))
        for face in self.faces:
            self._note(face, grey, scale)
        self.looks += 1
        return len(self.faces)

    def sightings(self) -> Sightings:
        """All that was noted so far."""
        table = np.array(self._rows, np.float64).reshape(-1, 11)
        return Sightings(
            look=table[:, 0].astype(np.int64),
            face=table[:, 1].astype(np.int64),
            boxes=table[:, 2:6].astype(np.float32),
            weight=table[:, 6].astype(np.float32),
            matched=table[:, 7] > 0,
            prominence=table[:, 8].astype(np.float32),
            tilt=table[:, 9].astype(np.float32),
            mouth=table[:, 10].astype(np.float32),
            crops=np.frombuffer(self._crops, np.uint8).reshape(-1, SIDE, SIDE),
        )

    def _follow(self, small: Grey) -> None:
        found = [self.detector.near(small, face.box) for face in self.faces]
        if None in found or not found or self.looks % SEARCH_EVERY == 0:
            others = self.detector.search(small)
            for i, face in enumerate(self.faces):
                found[i] = found[i] or nearest(others, face.box)
        else:
            others = []
        for i, face in enumerate(self.faces):
            found[i] = found[i] or self.detector.near_harder(small, face.box)
        known = [box for box in found if box]
        fresh = [box for box in others if not any(_overlap(box, other) for other in known)]
        kept = [face for face, box in zip(self.faces, found, strict=True) if self._go_on(face, box, small)]
        # What only matches may be what is left of a face that the search now finds beside it.
        self.faces = [f for f in kept if not (f.bridged and any(_overlap(f.box, box) for box in fresh))]
        if not self.faces and not fresh:
            fresh = self._look_harder(small)
        else:
            self._faceless = 0
        for box in sorted(fresh, key=lambda box: -_prominence(box, small.shape))[: MOST - len(self.faces)]:
            self._met += 1
            self.faces.append(Face(self._met, box, _view(small, box)))

    def _look_harder(self, small: Grey) -> list[Box]:
        self._faceless += 1
        return self.detector.search_harder(small) if self._faceless % SEARCH_HARDER_EVERY == 1 else []

    def _go_on(self, face: Face, box: Box | None, small: Grey) -> bool:
        """Move the face to where it was found, or matched; False where it is neither."""
        if box is None:
            face.bridged += 1
            matched = _match(face, small) if face.bridged <= LONGEST_BRIDGE else None
            face.box = matched or face.box
            return matched is not None
        face.bridged, face.box, face.view = 0, box, _view(small, box)
        return True

    def _note(self, face: Face, grey: Grey, scale: float) -> None:
        box, (height, width) = face.box, self._shape
        shares = (box.x / width, box.y / height, box.side / width, box.side / height)
        rest = (box.weight, face.bridged > 0, _prominence(box, self._shape), box.tilt)
        moved = _mouth_motion(face, grey, scale) if len(self.faces) > 1 else 0.0
        self._rows.append((self.looks, face.number, *shares, *rest, moved))
        face.cropped, face.crop = box, _crop(grey, box, scale)
        self._crops += face.crop.tobytes()


def _view(small: Grey, box: Box) -> Grey:
    return cut(small, box._replace(tilt=0.0), 0.9)[0].copy()


def _match(face: Face, small: Grey) -> Box | None:
    """Where the last detected view of the face is best matched, if it is."""
    region, back = cut(small, face.box._replace(tilt=0.0), 1.6)
    if not face.view.size or any(a < b for a, b in zip(region.shape, face.view.shape, strict=True)):
        return None
    _, match, _, place = cv2.minMaxLoc(cv2.matchTemplate(region, face.view, cv2.TM_CCOEFF_NORMED))
    if match < LEAST_MATCH:
        return None
    margin = (face.box.side - face.view.shape[0]) / 2
    x, y = back[0, 2] + place[0] - margin, back[1, 2] + place[1] - margin
    return face.box._replace(x=float(x), y=float(y), weight=min(face.box.weight, UNWEIGHTED * match))


def _prominence(box: Box, shape: tuple[int, ...]) -> float:
    """Size in pixels, a little less towards the edges: the main speaker is the near one in the middle."""
    height, width = shape
    x, y = box.centre
    return box.side * (1 - 0.5 * float(np.hypot(x / width - 0.5, y / height - 0.5)))


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes are of the same face: their middles nearer than half of the larger one's side."""
    apart = np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1])
    return bool(apart < 0.5 * max(one.side, other.side))


def _mouth_motion(face: Face, grey: Grey, scale: float) -> float:
    """How much the mouth changed since the last look, in grey levels, more than the eyes' part did.

    Both are looked at in the last look's box: the box itself is never quite still.
    """
    if face.cropped is None:
        return 0.0
    now = _crop(grey, face.cropped, scale)
    return max(0.0, _change(face.crop, now, MOUTH) - _change(face.crop, now, EYES))


def _change(before: Grey, now: Grey, part: tuple[slice, slice]) -> float:
    """The mean difference of a part, apart from brightness, at the place in the later crop that fits best."""
    rows, columns = part
    wider = now[rows.start - WANDER : rows.stop + WANDER, columns.start - WANDER : columns.stop + WANDER]
    old = before[part].astype(np.float32)
    difference = cv2.matchTemplate(wider.astype(np.float32), old, cv2.TM_SQDIFF)
    _, _, (x, y), _ = cv2.minMaxLoc(difference)
    new = wider[y : y + old.shape[0], x : x + old.shape[1]].astype(np.float32)
    return float(np.abs((new - new.mean()) - (old - old.mean())).mean())


def _crop(grey: Grey, box: Box, scale: float) -> Grey:
    whole = Box(box.x / scale, box.y / scale, box.side / scale, box.weight, box.tilt)
    face = cut(grey, whole, 1.0)[0]
    if min(face.shape, default=0) == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    return cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

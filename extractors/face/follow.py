"""The faces of a clip, each followed from one looked-at picture to the next.

Every face known is looked for where it was; the whole picture is searched when one is missing there, and now and
then. What the detector misses for a moment (a turned head, a hand) is bridged by matching the last view of the face.
Where several faces are, the pictures between two looks are glanced at, and only for how far the mouths are open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.face.detect import UNWEIGHTED, Box, Detector, Grey, brighten, cut, make_detector, nearest
from extractors.face.expression import SIDE
from extractors.records import FloatArray, Frame, Glance, SecondsArray

LONG_SIDE = 320  # pictures are searched at this size, pixels
# A look at the whole picture, in looked-at pictures: 2 s at five a second, so a nearer speaker is noticed.
SEARCH_EVERY = 10
# Without a face, a look for tilted and turned ones: it costs about as much again as the plain search.
SEARCH_HARDER_EVERY = 10
MOST = 3  # faces followed at once; each costs as much as one
# Most looks bridged by matching alone: 2 s at five a second. After that only a detection brings the face back.
LONGEST_BRIDGE = 10
LEAST_MATCH = 0.6
# The mouth in a box as the cascades cut it, as shares of its side: how far below the middle, how wide, how high.
MOUTH_BELOW, MOUTH_WIDTH, MOUTH_HEIGHT = 0.355, 0.34, 0.33


@dataclass
class Face:
    """One face as it stands now: its number, its box, its last detected view, the looks since, its box before."""

    number: int
    box: Box
    view: Grey
    bridged: int = 0
    before: Box | None = None


@dataclass(frozen=True)
class Mouths:
    """K looks and glances at mouths, none where a face is alone.

    time [K] seconds, rising for each face; face [K]: whose, by number; contrast [K]: the standard deviation of the
    mouth's part of the picture, grey levels (0..128). An open mouth is dark inside, with teeth that shine, so it
    rises and falls with the opening.
    """

    time: SecondsArray
    face: NDArray[np.int64]
    contrast: FloatArray


@dataclass(frozen=True)
class Sightings:
    """N views of faces, in the order seen: several a look where several faces are there.

    look [N]: which picture; face [N]: whose, by number; boxes [N, 4]: x, y, width, height as shares (0..1) of the
    picture; weight [N]: the detector's; matched [N]: bridged, not detected; prominence [N]: size, less towards the
    edges; tilt [N]: degrees clockwise; crops [N, 48, 48] grey, turned upright; mouths: of all the faces.
    """

    look: NDArray[np.int64]
    face: NDArray[np.int64]
    boxes: FloatArray
    weight: FloatArray
    matched: NDArray[np.bool_]
    prominence: FloatArray
    tilt: FloatArray
    crops: Grey
    mouths: Mouths

    def rows(self) -> list[NDArray[np.int64]]:
        """For each face its rows, in order of time."""
        order = np.lexsort((self.look, self.face))
        return np.split(order, np.flatnonzero(np.diff(self.face[order])) + 1) if len(order) else []


class Seen(NamedTuple):
    """One view of a face: a row of `Sightings`."""

    look: int
    face: int
    x: float
    y: float
    width: float
    height: float
    weight: float
    matched: bool
    prominence: float
    tilt: float


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
        self._seen: list[Seen] = []
        # In one piece: thousands of small arrays would leave the heap full of holes.
        self._crops = bytearray()
        self._looked = 0.0
        self._glances: list[tuple[float, Grey]] = []
        self._mouths: list[tuple[float, int, float]] = []

    def forget(self) -> None:
        """Look at the next picture as if it were the first."""
        self.faces, self._faceless = [], 0

    def look(self, frame: Frame) -> int:
        """Find the faces of a picture, later than those before, and note them; how many there are."""
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        small, scale = _shrink(grey)
        if small.shape != self._shape:
            self.forget()
            self._shape = small.shape
        self._follow(brighten(small))
        for face in self.faces:
            self._note(face, grey, scale)
        self._read_mouths(frame.time, small)
        self.looks += 1
        return len(self.faces)

    def glance(self, glance: Glance) -> None:
        """Keep a picture between two looks for the mouths in it, where there are several."""
        if len(self.faces) > 1:
            small = _shrink(cv2.cvtColor(glance.make(), cv2.COLOR_BGR2GRAY))[0]
            if small.shape == self._shape:
                self._glances.append((glance.time, small))

    def sightings(self) -> Sightings:
        """All that was noted so far."""
        table = np.array(self._seen, np.float64).reshape(-1, len(Seen._fields))
        seen = dict(zip(Seen._fields, table.T, strict=True))
        mouths = np.array(self._mouths, np.float64).reshape(-1, 3)
        return Sightings(
            look=seen["look"].astype(np.int64),
            face=seen["face"].astype(np.int64),
            boxes=np.column_stack([seen[side] for side in ("x", "y", "width", "height")]).astype(np.float32),
            weight=seen["weight"].astype(np.float32),
            matched=seen["matched"] > 0,
            prominence=seen["prominence"].astype(np.float32),
            tilt=seen["tilt"].astype(np.float32),
            crops=np.frombuffer(self._crops, np.uint8).reshape(-1, SIDE, SIDE),
            mouths=Mouths(mouths[:, 0], mouths[:, 1].astype(np.int64), mouths[:, 2].astype(np.float32)),
        )

    def _follow(self, small: Grey) -> None:
        others: list[Box] = []
        found = self._ask([None] * len(self.faces), lambda last: self.detector.near(small, last))
        if None in found or not found or self.looks % SEARCH_EVERY == 0:
            others = self.detector.search(small)
            free = _apart_from(others, found)
            found = self._ask(found, lambda last: nearest(free, last))
        found = self._ask(found, lambda last: self.detector.near_harder(small, last))
        fresh = _apart_from(others, found)
        kept = [face for face, box in zip(self.faces, found, strict=True) if self._go_on(face, box, small)]
        # What only matches may be what is left of a face that is found beside it, or has gone behind that one.
        sure = [*fresh, *(box for box in found if box)]
        self.faces = [f for f in kept if not (f.bridged and any(_overlap(f.box, box) for box in sure))]
        if not self.faces and not fresh:
            fresh = self._look_harder(small)
        else:
            self._faceless = 0
        for box in sorted(fresh, key=lambda box: -_prominence(box, small.shape))[: MOST - len(self.faces)]:
            self._met += 1
            self.faces.append(Face(self._met, box, _view(small, box)))

    def _ask(self, found: Sequence[Box | None], where: Callable[[Box], Box | None]) -> list[Box | None]:
        """`found`, and where each face that it lacks is by what `where` tells of its last box.

        Two faces near each other are both told of the one that is in front: it is the one that was nearer to there, or
        of equals the one met first. The other is not found.
        """
        told = {i: box for i, face in enumerate(self.faces) if not found[i] and (box := where(face.box))}
        known = list(found)
        for i in sorted(told, key=lambda i: _distance(self.faces[i].box, told[i])):
            if _apart_from([told[i]], known):
                known[i] = told[i]
        return known

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
        self._seen.append(Seen(self.looks, face.number, *shares, *rest))
        self._crops += _crop(grey, box, scale).tobytes()

    def _read_mouths(self, time: float, small: Grey) -> None:
        """Of this look and of the glances since the last one, in which a face is where it was on its way here."""
        for face in self.faces if len(self.faces) > 1 else ():
            for when, picture in self._glances if face.before else ():
                share = (when - self._looked) / (time - self._looked)
                box = Box(*((1 - share) * np.array(face.before) + share * np.array(face.box)))
                self._mouths.append((when, face.number, _mouth_contrast(picture, box)))
            self._mouths.append((time, face.number, _mouth_contrast(small, face.box)))
        for face in self.faces:
            face.before = face.box
        self._glances.clear()
        self._looked = time


def _shrink(grey: Grey) -> tuple[Grey, float]:
    """The picture at the size at which it is searched, and how large that is beside its own."""
    scale = min(1.0, LONG_SIDE / max(grey.shape))
    if scale == 1:
        return grey, scale
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale


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


def _apart_from(boxes: list[Box], taken: list[Box | None]) -> list[Box]:
    """The boxes of other faces than those at the boxes taken."""
    return [box for box in boxes if not any(_overlap(box, other) for other in taken if other)]


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes are of the same face: their middles nearer than half of the larger one's side."""
    return _distance(one, other) < 0.5 * max(one.side, other.side)


def _distance(one: Box, other: Box) -> float:
    """Pixels between their middles."""
    return float(np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]))


def _mouth_contrast(small: Grey, box: Box) -> float:
    """The standard deviation of the mouth's part of the picture, between pixels where the box is."""
    (x, y), down, lean = box.centre, MOUTH_BELOW * box.side, np.radians(box.tilt)
    size = max(2, round(MOUTH_WIDTH * box.side)), max(2, round(MOUTH_HEIGHT * box.side))
    # A box's corner is at the first pixel's edge; OpenCV counts from that pixel's middle.
    middle = x - 0.5 - down * np.sin(lean), y - 0.5 + down * np.cos(lean)
    return float(cv2.getRectSubPix(small, size, middle).std())


def _crop(grey: Grey, box: Box, scale: float) -> Grey:
    whole = Box(box.x / scale, box.y / scale, box.side / scale, box.weight, box.tilt)
    face = cut(grey, whole, 1.0)[0]
    if min(face.shape, default=0) == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    return cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

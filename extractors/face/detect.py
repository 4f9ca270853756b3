"""Where faces stand in one grey picture: OpenCV's Haar cascades, or YuNet where it is asked for.

A detector finds every face of a picture (`search`), a known one near where it was (`near`), and, at a higher price
and with less trust, faces that are tilted or turned (`search_harder`, `near_harder`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.cache import digest_model
from extractors.hub import FETCH, YUNET_SETTING
from extractors.records import InputError

YUNET_HOME, YUNET_FILE = "opencv/face_detection_yunet", "face_detection_yunet_2023mar.onnx"
YUNET_LEAST = 0.6  # its score under which nothing counts as a face
LEAST_SHARE = 0.1  # a face under a tenth of the short side shows too little to read
LEAST_SIDE = 24  # pixels; the cascades know nothing smaller
# Sizes tried: fewer over the whole frame, which is the slow search, than around a face already known.
SEARCH_STEP, NEAR_STEP = 1.15, 1.1
# Cascade weights: real faces measured 5 to 13, coins and stains on stock photographs -0.6 to 3.5.
SURE = 8.0
STRONG = 3.0
UNWEIGHTED = 2.0  # what the careful cascade found and the graded one did not, and what is only matched
# The cascades find faces tilted by up to about 18 degrees; turned by this either way, those up to about 35.
TILT = 22.0
PROFILE = 1.5  # weight given to a face in profile, which shows little of the expression
PROFILE_LEAST = 1.5  # the cascade's own weight from which a profile counts, in a whole picture
PROFILE_LEAST_NEAR = 0.0  # and where a face was
PROFILE_NEIGHBOURS = 4  # like places at which the cascade has to find it

Grey = NDArray[np.uint8]


class Box(NamedTuple):
    """A square in pixels of the searched picture, its weight, and how far the face leans clockwise, degrees."""

    x: float
    y: float
    side: float
    weight: float
    tilt: float = 0.0

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, pixels."""
        return self.x + self.side / 2, self.y + self.side / 2


class Detector(Protocol):
    """What the follower asks of a detector; pictures are grey [height, width] and as bright as they get."""

    def search(self, grey: Grey) -> list[Box]:
        """Every face of the picture."""

    def near(self, grey: Grey, last: Box) -> Box | None:
        """The face that was at `last`, at like size and tilt."""

    def search_harder(self, grey: Grey) -> list[Box]:
        """Faces that `search` cannot see."""

    def near_harder(self, grey: Grey, last: Box) -> Box | None:
        """The face that was at `last` and that `near` cannot see."""


def make_detector() -> Detector:
    """The cascades, or YuNet where COUPLED_MAMBA_YUNET is "hub" or a path to its onnx file.

    Raises:
        InputError: YuNet is asked for and cannot be had.
    """
    setting = yunet_setting()
    return YuNet(_yunet_file(setting)) if setting else Cascades()


def yunet_setting() -> str:
    """What COUPLED_MAMBA_YUNET says; empty where YuNet is not asked for."""
    return os.environ.get(YUNET_SETTING, "")


def yunet_content() -> str:
    """The sha256 of YuNet's file; empty where it is not asked for.

    Raises:
        InputError: YuNet is asked for and cannot be had.
    """
    setting = yunet_setting()
    return digest_model(_yunet_file(setting)) if setting else ""


class Cascades:
    """Two frontal cascades and one of profiles; not for several threads at once, as OpenCV's are not."""

    def __init__(self) -> None:
        # "alt2" makes hardly any false finds but grades them poorly; "default" grades well and sees more.
        self.careful = _cascade("haarcascade_frontalface_alt2.xml")
        self.graded = _cascade("haarcascade_frontalface_default.xml")
        self.profile = _cascade("haarcascade_profileface.xml")

    def search(self, grey: Grey) -> list[Box]:
        """Every upright face, by the careful cascade, weighted by the graded one."""
        return self._search(grey, max(LEAST_SIDE, round(LEAST_SHARE * min(grey.shape))))

    def _search(self, grey: Grey, least: int) -> list[Box]:
        found = _detect(self.careful, grey, least, min(grey.shape), SEARCH_STEP)
        weights = (near.weight if (near := self.near(grey, box)) else UNWEIGHTED for box in found)
        return [box._replace(weight=max(w, UNWEIGHTED)) for box, w in zip(found, weights, strict=True)]

    def near(self, grey: Grey, last: Box) -> Box | None:
        """The graded cascade around a box, turned as the face was or upright, whichever it trusts more."""
        found = (self._near(grey, last._replace(tilt=tilt)) for tilt in sorted({0.0, last.tilt}))
        return max((box for box in found if box), key=lambda box: box.weight, default=None)

    def _near(self, grey: Grey, last: Box) -> Box | None:
        """Around a box, at its tilt, smoothed against the cascade's jitter."""
        region, back = cut(grey, last, 1.8)
        if min(region.shape) <= LEAST_SIDE:
            return None
        low, high = max(LEAST_SIDE, round(0.75 * last.side)), round(1.35 * last.side)
        boxes = [b for b in _detect(self.graded, region, low, high, NEAR_STEP) if b.weight >= 1]
        if not boxes:
            return None
        best = max(boxes, key=lambda box: box.weight)
        placed = _place(best, back, last.tilt)
        x, y, side = (0.7 * new + 0.3 * old for new, old in zip(placed[:3], last[:3], strict=True))
        return Box(x, y, side, best.weight, last.tilt)

    def search_harder(self, grey: Grey) -> list[Box]:
        """Tilted faces; in profile, where there are none."""
        # Only larger ones: the small are the most of the work, and the least to be trusted.
        least = max(LEAST_SIDE, round(1.5 * LEAST_SHARE * min(grey.shape)))
        found: list[Box] = []
        for tilt in (-TILT, TILT):
            turned, back = cut(grey, _around_centre(grey, max(grey.shape), tilt), 1.0)
            # Twice more pictures searched are twice more chances to be wrong: the graded cascade must agree.
            found += [_place(box, back, tilt) for box in self._search(turned, least) if box.weight >= STRONG]
        return found or self._profiles(grey, least, min(grey.shape))

    def near_harder(self, grey: Grey, last: Box) -> Box | None:
        """Tilted further or less far than it was, or in profile."""
        tilts = {max(-TILT, last.tilt - TILT), min(TILT, last.tilt + TILT)} - {0.0, last.tilt}
        turned = (self._near(grey, last._replace(tilt=tilt)) for tilt in sorted(tilts))
        best = max((box for box in turned if box), key=lambda box: box.weight, default=None)
        if best:
            return best
        region, back = cut(grey, last._replace(tilt=0.0), 1.8)
        found = self._profiles(region, 0.75 * last.side, 1.35 * last.side, PROFILE_LEAST_NEAR)
        return _place(max(found, key=lambda box: box.weight), back, 0.0) if found else None

    def _profiles(
        self, grey: Grey, smallest: float, largest: float, sure: float = PROFILE_LEAST
    ) -> list[Box]:
        """Faces seen from either side: the cascade knows one, and the mirror image shows the other."""
        found, width = [], grey.shape[1]
        least, most = max(LEAST_SIDE, round(smallest)), min(round(largest), *grey.shape)
        if least > most:
            return []
        for mirrored in (False, True):
            seen = np.ascontiguousarray(grey[:, ::-1]) if mirrored else grey
            for box in _detect(self.profile, seen, least, most, NEAR_STEP, PROFILE_NEIGHBOURS):
                if box.weight >= sure:
                    x = width - box.x - box.side if mirrored else box.x
                    found.append(box._replace(x=x, weight=PROFILE))
        return found


class YuNet:
    """The small network of Wu et al. 2023 through OpenCV; its own boxes, made square, and the tilt of the eyes."""

    def __init__(self, path: Path) -> None:
        try:
            self.network = cv2.FaceDetectorYN.create(str(path), "", (0, 0), YUNET_LEAST)
        except cv2.error as error:
            raise InputError(
                f"OpenCV cannot read {path.name} as YuNet: fetch it again or unset {YUNET_SETTING}."
            ) from error

    def search(self, grey: Grey) -> list[Box]:
        """Every face, tilted and turned ones too."""
        self.network.setInputSize(grey.shape[::-1])
        rows = self.network.detect(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))[1]
        return [] if rows is None else [_from_yunet(row) for row in rows]

    def near(self, grey: Grey, last: Box) -> Box | None:
        """The one nearest to where the face was, if it is near at all."""
        return nearest(self.search(grey), last)

    def search_harder(self, grey: Grey) -> list[Box]:
        """None: `search` has seen them."""
        return []

    def near_harder(self, grey: Grey, last: Box) -> Box | None:
        """None: `near` has seen it."""
        return None


def nearest(boxes: list[Box], last: Box) -> Box | None:
    """The box that may be the face that was at `last`: less than a side away, and of like size."""

    def off(box: Box) -> float:
        return float(np.hypot(box.centre[0] - last.centre[0], box.centre[1] - last.centre[1])) / last.side

    like = [b for b in boxes if off(b) < 1 and 0.6 < b.side / last.side < 1.6]
    return min(like, key=off, default=None)


def cut(grey: Grey, box: Box, times: float) -> tuple[Grey, NDArray[np.float64]]:
    """The square around a box, `times` as wide and turned upright, and the 2x3 matrix from there back.

    Without a tilt it is cut off at the picture's edge; with one, the edge is drawn on.
    """
    (x, y), reach = box.centre, box.side * times / 2
    if not box.tilt:
        left, top = max(0, round(x - reach)), max(0, round(y - reach))
        part = grey[top : max(round(y + reach), 0), left : max(round(x + reach), 0)]
        return part, np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    side = max(1, round(2 * reach))
    # A positive angle of OpenCV's turns counter-clockwise, which undoes a clockwise tilt.
    there = cv2.getRotationMatrix2D((x, y), box.tilt, 1.0)
    there[:, 2] += side / 2 - np.array([x, y])
    turned = cv2.warpAffine(grey, there, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return turned, cv2.invertAffineTransform(there)


def brighten(grey: Grey, dark: int = 110) -> Grey:
    """A dark picture, by its 99th percentile, stretched: the cascades pass over parts of little contrast as flat."""
    light = float(np.percentile(grey[::4, ::4], 99))
    return cv2.convertScaleAbs(grey, alpha=200 / max(light, 20)) if light < dark else grey


def _place(box: Box, back: NDArray[np.float64], tilt: float) -> Box:
    x, y = back @ np.array([*box.centre, 1.0])
    return Box(float(x) - box.side / 2, float(y) - box.side / 2, box.side, box.weight, tilt)


def _around_centre(grey: Grey, side: float, tilt: float) -> Box:
    height, width = grey.shape
    return Box(width / 2 - side / 2, height / 2 - side / 2, side, 0, tilt)


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
    if cascade.empty():
        raise RuntimeError(
            f"OpenCV {cv2.__version__} carries no {name}: install opencv-python-headless >= 4.10, < 5"
        )
    return cascade


def _detect(
    cascade: cv2.CascadeClassifier, grey: Grey, least: int, most: int, step: float, neighbours: int = 3
) -> list[Box]:
    """Faces `least` to `most` pixels wide, tried in steps of `step`, each found at so many like places or more."""
    boxes, _, weights = cascade.detectMultiScale3(
        grey, step, neighbours, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
    )
    return [
        Box(float(x), float(y), float(w), float(s)) for (x, y, w, _), s in zip(boxes, weights, strict=True)
    ]


def _from_yunet(row: NDArray[np.float32]) -> Box:
    """x, y, width, height, five points of which the first two are the person's right and left eye, a score."""
    x, y, width, height, right_x, right_y, left_x, left_y = (float(v) for v in row[:8])
    # Its boxes run from the hair to the chin; the expressions were learnt from squares of the cascades' kind.
    side = 0.5 * (width + height)
    tilt = float(np.degrees(np.arctan2(left_y - right_y, left_x - right_x)))
    return Box(x + (width - side) / 2, y + (height - side) / 2, side, SURE * float(row[14]), tilt)


def _yunet_file(setting: str) -> Path:
    """The file itself, or fetched once by huggingface_hub and kept in its cache."""
    if setting != FETCH:
        if not Path(setting).is_file():
            raise InputError(
                f'{YUNET_SETTING} is {setting!r}, which is no file: give the path of {YUNET_FILE}, "hub", or unset it.'
            )
        return Path(setting)
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise InputError(
            f"{YUNET_SETTING} asks for YuNet, and huggingface_hub, which fetches it, is not installed: "
            "install it or unset the setting."
        ) from error
    try:
        return Path(hf_hub_download(YUNET_HOME, YUNET_FILE))
    except Exception as error:  # the hub's errors are of many kinds: no network, no such file, offline mode
        raise InputError(
            f"YuNet could not be fetched from {YUNET_HOME} ({type(error).__name__}): "
            f"check the network or unset {YUNET_SETTING}."
        ) from error

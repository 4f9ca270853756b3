"""The main face of a clip, looked at a few times a second, and what it shows.

`find_faces` follows every face from look to look (`follow`) and settles at the end which is the main one at each
(`speaker`). Its crops go through the expression network in batches. FER2013, which that network learnt from, was
cropped in much the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from extractors.face.detect import STRONG, SURE, Grey
from extractors.face.expression import EMBEDDING, EXPRESSIONS, SIDE, load_expression
from extractors.face.follow import FaceFollower, Sightings
from extractors.face.looks import LONGEST_LOOK
from extractors.face.speaker import main_face, several
from extractors.records import FloatArray, Frame, Glance, Progress, SecondsArray, Sound, Track
from extractors.threads import OneThread

COLUMNS = (*(f"embedding_{i:02d}" for i in range(EMBEDDING)), *EXPRESSIONS)
BATCH = 16  # faces at once: with 64 the network takes 150 MB more and no less time
# Frames this small gain nothing from more threads, and torch's own lose by them.
OPENCV = OneThread(cv2.getNumThreads, cv2.setNumThreads)

Hear = Callable[[], Sound | None]


@dataclass(frozen=True)
class FaceTrack:
    """The main face at T looks.

    time [T] seconds; boxes [T, 4] x, y, width, height as shares (0..1) of the upright picture, zero where there
    is no face; confidence [T] in 0..1; crops [T, 48, 48] grey uint8, black where there is no face; count [T] of the
    faces then (0..3): the main one, and of the others those of which the detector is sure.

    How a face moves is not told: the networks learn faces from photographs, in which nothing moves, so they could
    make nothing of it. The mouths' movement is used, to find who speaks (`extractors.face.speaker`).
    """

    time: SecondsArray
    boxes: FloatArray
    confidence: FloatArray
    crops: Grey
    count: NDArray[np.int64]


def describe_faces(
    frames: Iterable[Frame | Glance],
    hear: Hear | None = None,
    progress: Progress | None = None,
) -> Track:
    """The visual track: one row a frame, values [T, 71] (64 embedding, 7 probabilities), zero without a face.

    frames: every Frame is looked at; a Glance (`read_looks` of extractors.media) is for the mouths, and gives no row.
    hear: gives the clip's sound, and is asked only where several faces were in one picture: then who speaks counts.
    progress: called with the share (0..1) of the faces described, once all frames were looked at.
    Raises InputError where YuNet is asked for (`extractors.face.detect.make_detector`) and cannot be had.
    """
    return describe_track(find_faces(frames, hear), progress)


def describe_track(faces: FaceTrack, progress: Progress | None = None) -> Track:
    """What the faces found show, as `describe_faces` gives it."""
    values = np.zeros((len(faces.time), len(COLUMNS)), np.float32)
    seen = faces.confidence > 0
    values[seen] = face_features(faces.crops[seen], progress)
    gaps = np.diff(faces.time)
    usual = float(np.median(gaps)) if len(gaps) else 0.2
    lasting = np.clip(np.append(gaps, usual)[: len(faces.time)], 1e-3, LONGEST_LOOK)
    return Track(values, faces.time, faces.time + lasting, faces.confidence, COLUMNS)


@torch.inference_mode()
def face_features(images: Grey, progress: Progress | None = None) -> FloatArray:
    """Embedding and class probabilities [n, 71] of faces [n, 48, 48], averaged over each and its mirror image.

    `progress` is called with the share done, 0..1.
    """
    if not len(images):
        return np.zeros((0, len(COLUMNS)), np.float32)
    network, rows = load_expression(), []
    for i in range(0, len(images), BATCH):
        faces = torch.from_numpy(np.ascontiguousarray(images[i : i + BATCH]))[:, None].float() / 255
        both = network.embed(torch.cat([faces, faces.flip(3)]))
        shown = network.logits(both).softmax(1)
        pairs = torch.cat([both, shown], 1).unflatten(0, (2, len(faces)))
        rows.append(pairs.mean(0).numpy())
        if progress is not None:
            progress(min(1.0, (i + BATCH) / len(images)))
    return np.concatenate(rows)


def find_faces(frames: Iterable[Frame | Glance], hear: Hear | None = None) -> FaceTrack:
    """Follow the faces through the frames, which are looked at as they come and not kept, and keep the main one.

    `hear` and what is raised are as in `describe_faces`.
    """
    times = []
    with OPENCV.held():
        follower = FaceFollower()
        for frame in frames:
            if isinstance(frame, Glance):
                follower.glance(frame)
            else:
                follower.look(frame)
                times.append(frame.time)
    seen, time = follower.sightings(), np.array(times, np.float64)
    kept = _kept(seen)
    sound = hear() if hear and several(seen, kept) else None
    return _main_track(seen, kept, main_face(seen, kept, time, sound), time)


def _main_track(
    seen: Sightings, kept: NDArray[np.bool_], main: NDArray[np.int64], time: SecondsArray
) -> FaceTrack:
    looks, there = len(time), main >= 0
    boxes, confidence = np.zeros((looks, 4), np.float32), np.zeros(looks, np.float32)
    crops = np.zeros((looks, SIDE, SIDE), np.uint8)
    rows = main[there]
    boxes[there], crops[there] = seen.boxes[rows], seen.crops[rows]
    confidence[there] = np.clip(seen.weight[rows] / SURE, 0, 1)
    counts = _sure(seen, kept)
    counts[rows] = True
    return FaceTrack(time, boxes, confidence, crops, np.bincount(seen.look[counts], minlength=looks))


def _sure(seen: Sightings, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the sightings [N] that count are of a face that is no stain: its weight is STRONG half of the time."""
    sure = kept.copy()
    for rows in seen.rows():
        weight = seen.weight[rows][kept[rows]]
        sure[rows] &= bool(len(weight)) and bool(np.median(weight) >= STRONG)
    return sure


def _kept(seen: Sightings) -> NDArray[np.bool_]:
    """Which sightings [N] count, each face's judged by `steady`."""
    kept = np.zeros(len(seen.look), bool)
    for rows in seen.rows():
        looks = seen.look[rows] - seen.look[rows[0]]
        weight, matched = np.zeros(looks[-1] + 1, np.float32), np.zeros(looks[-1] + 1, bool)
        weight[looks], matched[looks] = seen.weight[rows], seen.matched[rows]
        kept[rows] = steady(weight, matched)[looks]
    return kept


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

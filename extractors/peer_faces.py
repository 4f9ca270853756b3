"""The plain peer of the expression network: python -m extractors.peer_faces --data DIR.

Histograms of oriented gradients (Dalal and Triggs 2005) of the same faces with a logistic regression, trained on the
faces that the network learnt from. Its one setting, C, is chosen on a tenth of those; fer2013_valid is measured once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.face.expression import SIDE, fusion_split
from extractors.records import FloatArray
from extractors.training.face_figures import report

STRENGTHS = (0.003, 0.01, 0.03)
DEV_SHARE = 10  # one in so many training faces chooses C


def gradients(images: NDArray[np.uint8]) -> FloatArray:
    """Histograms [n, 900] of faces [n, 48, 48]: cells of 8 pixels, nine directions, blocks of 2x2 cells."""
    hog = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)
    rows = [np.asarray(hog.compute(np.ascontiguousarray(image))).ravel() for image in images]
    return np.asarray(rows, np.float32)


def both_ways(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities [n, 7], averaged over each face and its mirror image, as the network's are."""
    shown = [model.predict_proba(gradients(faces)) for faces in (images, images[:, :, ::-1])]
    return np.asarray(np.mean(shown, 0), np.float32)


def fit(images: NDArray[np.uint8], labels: NDArray[np.int8], strength: float) -> Any:
    """A logistic regression over the faces."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
    return model.fit(gradients(images), labels)


def main() -> None:
    """Parse the command line, choose C, fit, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m extractors.peer_faces", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of fer2013_train.npz and fer2013_valid.npz"
    )
    data = parser.parse_args().data
    arrays, valid = np.load(data / "fer2013_train.npz"), np.load(data / "fer2013_valid.npz")
    ours = fusion_split(arrays["image"])[0]
    images, labels = arrays["image"][ours], arrays["label"][ours]
    dev = np.arange(len(images)) % DEV_SHARE == 0
    right = {}
    for strength in STRENGTHS:
        model = fit(images[~dev], labels[~dev], strength)
        right[strength] = float((both_ways(model, images[dev]).argmax(1) == labels[dev]).mean())
    best = max(right, key=lambda strength: right[strength])
    measured = report(both_ways(fit(images, labels, best), valid["image"]), valid["label"])
    print(json.dumps({"dev_accuracy_by_C": right, "C": best, "fer2013_valid": measured}, indent=2))


if __name__ == "__main__":
    main()

"""The voice's head: from the description of a window of speech to nine emotions.

A line through all of the description and, beside it, a hidden layer over the directions in which voices differ most:
logits = weight x + bias + outer relu(inner basis x + threshold), x being the description, standardised and cut. The
hidden layer is several small ones side by side that were trained apart (`extractors.training.fit_voice`); their mean
and the line tell unseen speakers better than any of them does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from extractors.records import FloatArray
from extractors.voice import hearing
from extractors.voice.encoder import EMOTIONS

WEIGHTS = Path(__file__).parents[1] / "weights" / "voice.safetensors"
CLIP = 6.0  # deviations beyond which a standardised number is cut: nothing was learnt out there
HALVED = ("basis", "inner", "outer")  # kept in half precision, in which they are more than half as large


@dataclass(frozen=True)
class VoiceHead:
    """What the logits [9] are made of; D numbers describe a window, K directions are looked along, H units are hidden.

    mean and scale [D] standardise; weight [9, D] and bias [9] are the line; basis [K, D], inner [H, K], threshold [H]
    and outer [9, H] the hidden layer. Classes as in EMOTIONS.
    """

    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    bias: FloatArray
    basis: FloatArray
    inner: FloatArray
    threshold: FloatArray
    outer: FloatArray

    def __call__(self, windows: FloatArray) -> FloatArray:
        """Log-probabilities [n, 9] of windows [n, D]."""
        given = standardised(windows, self.mean, self.scale)
        hidden = np.maximum(given @ self.basis.T @ self.inner.T + self.threshold, 0)
        logits = given @ self.weight.T + self.bias + hidden @ self.outer.T
        logits -= logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float32)


def standardised(windows: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Windows [n, D] in deviations from the mean, cut at CLIP."""
    return np.clip((windows - mean) / scale, -CLIP, CLIP)


def save_head(head: VoiceHead, path: Path, config: dict[str, object]) -> None:
    """The head as safetensors, and beside it a json with its sha256, the encoder's, and `config`."""
    from safetensors.numpy import save

    kinds = {name: np.float16 if name in HALVED else np.float32 for name in vars(head)}
    data = save({name: np.ascontiguousarray(value, kinds[name]) for name, value in vars(head).items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    known = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "encoder": hearing.fingerprint(),
        "emotions": list(EMOTIONS),
    }
    path.with_suffix(".json").write_text(json.dumps({**known, **config}, indent=2) + "\n")


@lru_cache(maxsize=8)
def load_head(path: Path = WEIGHTS) -> VoiceHead:
    """The trained head, float32, cached.

    Raises FileNotFoundError without the weights, ValueError where the file is not the one its json names or where the
    recogniser installed is not the one it was trained on.
    """
    from safetensors.numpy import load

    config, data = json.loads(path.with_suffix(".json").read_text()), path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != config["sha256"]:
        raise ValueError(
            f"{path} has sha256 {found[:12]} but its json names {config['sha256'][:12]}: fetch both files again"
        )
    if hearing.fingerprint() != config["encoder"]:
        raise ValueError(
            f"{hearing.model_file()} has sha256 {hearing.fingerprint()[:12]} but the voice's weights were trained on "
            f"{config['encoder'][:12]}: pip install moonshine-voice==0.0.73"
        )
    return VoiceHead(**{name: value.astype(np.float32) for name, value in load(data).items()})

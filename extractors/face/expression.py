"""What a face shows: a small residual network over 48x48 grey faces.

Entry: [n, 1, 48, 48] float32, 0 black to 1 white, the face filling the crop as in FER2013. Exit: seven logits,
and the 64 numbers they are read from. Every crop is standardised inside the network (zero mean, unit
deviation), so that exposure and contrast do not decide the answer.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).parents[1] / "weights" / "expression.safetensors"
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 48
EMBEDDING = 64
# A flat crop (a wall, a fade to black) would otherwise be blown up into noise; on a scale of 0..1.
LEAST_DEVIATION = 0.02
HELD_TENTHS = 1


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016), the shortcut averaged where it is shrunk."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride != 1 else nn.Identity(),
                nn.Conv2d(inside, outside, 1, bias=False),
                nn.BatchNorm2d(outside),
            )

    def forward(self, x: Float[Tensor, "n inside h w"]) -> Float[Tensor, "n outside h2 w2"]:
        """Shrink by the stride and add what the two convolutions find."""
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.shortcut(x) + self.second_norm(self.second(y)))


class ExpressionNet(nn.Module):
    """A 5x5 stem to 24x24, three stages of two blocks, the mean over places, 64 numbers, 7 logits."""

    def __init__(self, widths: tuple[int, ...] = (48, 96, 192), dropout: float = 0.2) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Conv2d(1, widths[0], 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        blocks: list[Block] = []
        inside = widths[0]
        for stage, width in enumerate(widths):
            blocks += [Block(inside, width, 1 if stage == 0 else 2), Block(width, width, 1)]
            inside = width
        self.blocks = nn.Sequential(*blocks)
        self.narrow = nn.Linear(inside, EMBEDDING)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(EMBEDDING, len(EXPRESSIONS))
        for block in blocks:
            # Each block starts as its shortcut, so that the deep network starts as a shallow one.
            nn.init.zeros_(block.second_norm.weight)

    def embed(self, x: Float[Tensor, "n 1 48 48"]) -> Float[Tensor, "n 64"]:
        """The 64 numbers (>= 0) the logits are read from; x is in 0..1."""
        _check(x)
        mean = x.mean((2, 3), keepdim=True)
        deviation = (x - mean).square().mean((2, 3), keepdim=True).sqrt()
        x = (x - mean) / deviation.clamp_min(LEAST_DEVIATION)
        # Convolutions over few channels are faster on CPUs with the channels last.
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.blocks(F.relu(self.stem_norm(self.stem(x))))
        return F.relu(self.narrow(x.mean((2, 3))))

    def forward(self, x: Float[Tensor, "n 1 48 48"]) -> Float[Tensor, "n 7"]:
        """Logits in the order of EXPRESSIONS; x is in 0..1."""
        return self.logits(self.embed(x))

    def logits(self, embedding: Float[Tensor, "n 64"]) -> Float[Tensor, "n 7"]:
        """Logits from what `embed` gave."""
        return self.head(self.dropout(embedding))


class Config(TypedDict):
    """What stands beside the weights: the file's sha256, the shape and what was measured."""

    sha256: str
    widths: list[int]
    expressions: list[str]
    trained: dict[str, object]
    measured: dict[str, object]


def read_config(weights: Path = WEIGHTS) -> Config:
    """The json beside the weights."""
    config: Config = json.loads(weights.with_suffix(".json").read_text())
    return config


@lru_cache(maxsize=2)
def load_expression(weights: Path = WEIGHTS) -> ExpressionNet:
    """The trained network in evaluation mode, float32, cached.

    Raises FileNotFoundError without the weights, ValueError where the file is not the one its json names: the
    embedding of other weights means something else, and what was trained on it would be wrong without a sign.
    """
    from safetensors.torch import load

    config, data = read_config(weights), weights.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != config["sha256"]:
        raise ValueError(
            f"{weights} has sha256 {found[:12]} but its json names {config['sha256'][:12]}: fetch both files again"
        )
    network = ExpressionNet(tuple(config["widths"]))
    network.load_state_dict({name: value.float() for name, value in load(data).items()})
    # Keeping the filters channels-last too saves a conversion in every layer.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its types
    return network.eval().requires_grad_(requires_grad=False)


def fusion_split(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for this network and rows (a tenth) kept back for what is trained on its embeddings.

    images [n, 48, 48]. The side is drawn by a checksum of the pixels, the same for a face and its mirror image,
    so duplicates, of which FER2013 has many, never stand on both sides.
    """
    sides = np.array([_checksum(image) % 10 < HELD_TENTHS for image in images], bool)
    return np.flatnonzero(~sides), np.flatnonzero(sides)


def _checksum(image: NDArray[np.uint8]) -> int:
    return min(zlib.crc32(image.tobytes()), zlib.crc32(image[:, ::-1].tobytes()))


def _check(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1:] != (1, SIDE, SIDE):
        raise ValueError(
            f"expected faces of shape [n, 1, {SIDE}, {SIDE}], got {tuple(x.shape)}: crop, make grey and resize first"
        )

from __future__ import annotations

import numpy as np

from extractors.voice.encoder import EMOTIONS, WIDTH
from extractors.voice.head import VoiceHead


def plain_head(weight: object = 0, bias: object = 0, hidden: int = 0, seed: int = 0) -> VoiceHead:
    """A voice's head that takes windows as they are: a line and `hidden` units of random weights."""
    draw, kinds, width = np.random.default_rng(seed), len(EMOTIONS), np.ones(WIDTH, np.float32)

    def drawn(*shape: int) -> np.ndarray:
        return draw.normal(0, shape[-1] ** -0.5 if shape[-1] else 1, shape).astype(np.float32)

    return VoiceHead(
        mean=0 * width,
        scale=width,
        weight=np.broadcast_to(np.asarray(weight, np.float32), (kinds, WIDTH)),
        bias=np.broadcast_to(np.asarray(bias, np.float32), (kinds,)),
        basis=drawn(2 * hidden, WIDTH),
        inner=drawn(hidden, 2 * hidden),
        threshold=drawn(hidden),
        outer=drawn(kinds, hidden),
    )

"""Damaged copies of good inputs, the same for a seed: bits turned, parts cut, doubled, moved, known traps put in.

COUPLED_MAMBA_FUZZ_SEED (0) chooses other copies, COUPLED_MAMBA_FUZZ_TIMES (1) makes so many times more of them:
for a longer run, `COUPLED_MAMBA_FUZZ_SEED=7 COUPLED_MAMBA_FUZZ_TIMES=50 python -m pytest tests/fuzz`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

SEED = int(os.environ.get("COUPLED_MAMBA_FUZZ_SEED", "0"))
TIMES = int(os.environ.get("COUPLED_MAMBA_FUZZ_TIMES", "1"))
NUMBERS = tuple(
    n.to_bytes(size, order, signed=n < 0)
    for size in (1, 2, 4, 8)
    for n in (0, 1, -1, 127, 2 ** (8 * size - 1) - 1)
    for order in ("big", "little")
)


def mutations(name: str, seeds: Sequence[bytes], count: int, traps: Sequence[bytes] = ()) -> Iterator[bytes]:
    """`count` times TIMES damaged copies of the seeds; the same for the same name and SEED."""
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    for i in range(count * TIMES):
        data = bytearray(seeds[i % len(seeds)])
        for _ in range(int(rng.integers(1, 5))):
            _damage(data, rng, [*NUMBERS, *traps], seeds)
        yield bytes(data)


def _damage(
    data: bytearray, rng: np.random.Generator, traps: Sequence[bytes], seeds: Sequence[bytes]
) -> None:
    place = int(rng.integers(len(data) + 1))
    length = int(min(2 ** rng.integers(0, 10), len(data) - place))
    part = bytes(data[place : place + length])
    kind = rng.integers(8)
    if kind == 0 and place < len(data):
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[place : place + length]
    elif kind == 2:
        data[place:place] = part * int(rng.integers(1, 4))
    elif kind == 3:
        del data[place:]
    elif kind == 4:
        other = seeds[int(rng.integers(len(seeds)))]
        begin = int(rng.integers(len(other) + 1))
        data[place : place + length] = other[begin : begin + length]
    elif kind == 5:
        data[place : place + length] = rng.bytes(length)
    else:
        trap = traps[int(rng.integers(len(traps)))]
        data[place : place + len(trap) * int(rng.integers(2))] = trap

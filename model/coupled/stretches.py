"""A long clip read in stretches of time, in memory that does not grow with its length.

What a stretch needs of those before is carried: each layer's convolution window and states, the head's pooling, and
for the shares the states that each source alone would have brought about. Scores, norms and shares are those of the
whole pass (tested to 1e-5): nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kernels import coupled_scan, coupled_trace
from kernels.reference import as_shares
from model.coupled.inputs import check_eval, check_inputs
from model.coupled.layers import Memory, Selection, Trace, coupled_layers
from model.coupled.network import CoupledMamba, Output
from model.coupled.streaming import Pooling

STRETCH = 600  # ticks, two minutes: shorter ones save little, since the models' own memory is some hundred MB

Told = Callable[[float], None]


class Read(NamedTuple):
    """One stretch: its first tick, the chains after the last layer, the mask, and of every layer what its scan was
    given, the memory that it began with and the one that it leaves.
    """

    first: int
    x: Float[Tensor, "B l M D"]
    mask: Bool[Tensor, "B l M"]
    given: list[Selection]
    before: list[Memory]
    after: list[Memory]


class Carried(NamedTuple):
    """What is kept of the ticks before a window: every layer's memory, and which modalities were heard by then."""

    memories: list[Memory]
    heard: Bool[Tensor, "B M"]


def read_stretches(
    network: CoupledMamba,
    values: Mapping[str, Float[Tensor, "B L width"]],
    presence: Float[Tensor, "B L M"],
    length: int = STRETCH,
) -> Iterator[Read]:
    """The network's layers over one stretch of `length` ticks after another.

    Raises ValueError as the network's forward does, for a network in training mode, and where its layers have no
    coupled states.
    """
    check_eval(network)
    check_inputs(network.config, values, presence)
    layers = coupled_layers(network.layers)
    memories = [layer.blank(len(presence)) for layer in layers]
    for first in range(0, presence.shape[1], length):
        part = slice(first, first + length)
        mask = presence[:, part] > 0
        x = network.embed({m: v[:, part] for m, v in values.items()}, mask)
        before, given = memories, []
        memories = []
        for layer, memory in zip(layers, before, strict=True):
            x, after, selection = layer.resume(x, mask, memory)
            memories.append(after)
            given.append(selection)
        yield Read(first, x, mask, given, before, memories)


@torch.no_grad()
def carry(
    network: CoupledMamba, values: Mapping[str, Float[Tensor, "B L width"]], presence: Float[Tensor, "B L M"]
) -> Carried:
    """What the network keeps of L >= 1 ticks for those that follow. Errors as in `read_stretches`."""
    for read in read_stretches(network, values, presence):
        memories = read.after
    return Carried(memories, (presence > 0).any(1))


@torch.inference_mode()
def run_stretches(
    network: CoupledMamba,
    values: Mapping[str, Float[Tensor, "B L width"]],
    presence: Float[Tensor, "B L M"],
    trace: bool = False,
    told: Told | None = None,
    length: int = STRETCH,
    heard: Bool[Tensor, "B M"] | None = None,
) -> Output:
    """What `network(values, presence, trace)` gives.

    `heard` names modalities that were observed before the first tick, if anything was. told(fraction) is called after
    every stretch; if it raises, the reading ends. Errors as in `read_stretches`.
    """
    head, ticks, traces = network.head, [], []
    pooling = Pooling(head, len(presence))
    if heard is not None:
        pooling.heard = pooling.heard | heard
    sources = None
    for read in read_stretches(network, values, presence, length):
        x = head.norm(read.x)
        so_far = (read.mask.cumsum(1) > 0) | pooling.heard[:, None]
        ticks.append(head.combine(head.tick(x), so_far, 0))
        pooling.add(x, read.mask)
        if trace:
            found, sources = _trace(read, sources)
            traces.append(found)
        if told is not None:
            told((read.first + read.mask.shape[1]) / presence.shape[1])
    scores, scales = (torch.cat(parts, dim=1) for parts in zip(*ticks, strict=True))
    clip, clip_scale = pooling.clip()
    whole = tuple(torch.cat(parts, dim=1) for parts in zip(*traces, strict=True)) if trace else None
    return Output(scores, clip, scales, clip_scale, None if whole is None else (whole[0], whole[1]))


def _trace(read: Read, sources: Tensor | None) -> tuple[Trace, Float[Tensor, "B M M E N"]]:
    """Norms and shares of the last layer in one stretch, and the states that each source alone has brought about.

    The scan is linear in what is injected, so one scan a source, with the others' u at zero, gives its part of every
    output: the shares of `coupled_trace`, which would count the states carried in as their own chain's.
    """
    given, before = read.given[-1], read.before[-1]
    plain = given._replace(D=None, z=None)._asdict()  # type: ignore[arg-type]  # read before skip and gate
    _, norm, _ = coupled_trace(
        **plain, delta_softplus=True, mask=read.mask, initial_state=before.state, shares=False
    )
    batch, _, modalities, _ = given.u.shape
    only = torch.eye(modalities, dtype=given.u.dtype, device=given.u.device)[None, :, None, :, None]

    def each(value: Tensor) -> Tensor:
        return value[:, None].expand(-1, modalities, *value.shape[1:]).flatten(0, 1)

    plain |= {"u": (given.u[:, None] * only).flatten(0, 1)}
    plain |= {name: each(getattr(given, name)) for name in ("delta", "B", "C")}
    y, after = coupled_scan(
        **plain,
        delta_softplus=True,
        mask=each(read.mask),
        initial_state=None if sources is None else sources.flatten(0, 1),
        return_final_state=True,
    )
    parts = y.unflatten(0, (batch, modalities))
    products = torch.einsum("bjlme,blme->blmj", parts, parts.sum(1))
    return (norm, as_shares(products)), after.unflatten(0, (batch, modalities))

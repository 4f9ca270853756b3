"""From one clip's grid of features to its scores and its dynamics, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from model.coupled.inputs import check_eval
from model.coupled.network import CoupledMamba, Output
from model.coupled.stretches import STRETCH, run_stretches
from model.measures.intervals import around, name_of

if TYPE_CHECKING:
    from model.fusion.baselines import Network

Line = NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """Where the truth lies nine times in ten: of the clip (low, high), and low and high [L] of the ticks, in -3..3."""

    clip: tuple[float, float]
    low: Line
    high: Line


@dataclass(frozen=True)
class Alone:
    """What one modality says when the others are masked: clip score and ticks [L], in -3..3."""

    score: float
    ticks: Line
    interval: Interval | None = None


@dataclass(frozen=True)
class Prediction:
    """Clip score and score at every tick [L], in -3..3, and each observed modality's alone.

    `interval` is None where the network was never calibrated for the modalities given.
    """

    clip: float
    ticks: Line
    alone: dict[str, Alone]
    interval: Interval | None = None


@dataclass(frozen=True)
class Dynamics:
    """The last layer's states: norm of each chain [L], and share[target][source] [L]; both empty without such states.

    Shares are signed: <y from the source's injections, y> / |y|^2 of the target chain's output before skip and
    gate. They sum to 1 over the sources, and are 0 where that output is zero. They are exact within the layer;
    what its inputs owe to other modalities through earlier layers is not traced.
    """

    state_norm: dict[str, Line]
    share: dict[str, dict[str, Line]]


def predict(
    network: Network,
    values: Mapping[str, Line],
    presence: Mapping[str, Line],
    told: Callable[[float], None] | None = None,
) -> tuple[Prediction, Dynamics]:
    """Scores and dynamics of one clip.

    values[m] [L, width] and presence[m] [L] in 0..1, as `extractors.to_grid` gives them. A modality that the
    network knows and neither has counts as not observed. A baseline without coupled states gives empty dynamics.
    A clip of more than STRETCH ticks is read in stretches, in memory that does not grow. told(fraction) is called now
    and then, and ends the reading if it raises. Raises ValueError for a network in training mode, where no modality was
    observed, names, lengths or widths do not agree or values hold NaN at an observed tick, and TypeError where values
    or presence are not given by name.
    """
    batch, observed = as_batch(network, values, presence)
    seen = [m for i, m in enumerate(network.config.modalities) if bool(observed[..., i].any())]
    if not seen:
        raise ValueError("no modality was observed at any tick: there is nothing to predict from")
    masks = [observed, *(_only(network, observed, m) for m in seen)]

    def output(k: int) -> Output:
        def part(fraction: float) -> None:
            if told is not None:
                told((k + fraction) / len(masks))

        return _read(network, batch, masks[k], k == 0, part)

    whole = output(0)
    alone = {m: _alone(network, output(k), masks[k]) for k, m in enumerate(seen, 1)}
    given = interval(network, whole, 0, observed[0] > 0)
    return Prediction(float(whole.clip[0]), whole.ticks[0].numpy(), alone, given), _dynamics(network, whole)


def scores(network: Network, values: Mapping[str, Line], presence: Mapping[str, Line]) -> tuple[float, Line]:
    """Clip score and ticks [L] alone, in -3..3: one cheap pass. Values and presence as in `predict`."""
    batch, observed = as_batch(network, values, presence)
    output = _read(network, batch, observed, False, None)
    return float(output.clip[0]), output.ticks[0].numpy()


@torch.inference_mode()
def _read(
    network: Network,
    batch: Mapping[str, Tensor],
    observed: Tensor,
    trace: bool,
    told: Callable[[float], None] | None,
) -> Output:
    """One pass: in stretches where the clip is long and the network has states to carry from one to the next.

    What comes back is on the CPU.
    """
    if (
        observed.shape[1] > STRETCH
        and isinstance(network, CoupledMamba)
        and network.config.fusion in CoupledMamba.fusions
    ):
        return _readable(run_stretches(network, batch, observed, trace, told, STRETCH))
    output = network(batch, observed, trace=trace)
    if told is not None:
        told(1.0)
    return _readable(output)


def _readable(output: Output) -> Output:
    """On the CPU, and half precision widened."""
    trace = None if output.trace is None else (wide(output.trace[0]), wide(output.trace[1]))
    return Output(
        wide(output.ticks), wide(output.clip), wide(output.tick_scale), wide(output.clip_scale), trace
    )


def wide(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """On the CPU, and half precision as float32, since NumPy has no bfloat16."""
    return x.cpu().float() if x.itemsize < 4 else x.cpu()


def interval(network: Network, output: Output, row: int, mask: Bool[Tensor, "L M"]) -> Interval | None:
    """The 90 % interval of one clip of a batch; `mask` tells what was given. None where some set was not calibrated.

    A tick's set is what was observed up to it; ticks before anything was observed take the first set's.
    """
    names = [_name(network, heard) for heard in (mask.cumsum(0) > 0).tolist()]
    told = next(name for name in names if name)
    table = network.config.intervals
    if any((name or told) not in table for name in names):
        return None
    q = np.array([table[name or told][0] for name in names], np.float32)
    low, high = around(output.ticks[row].numpy(), output.tick_scale[row].numpy(), q)
    ends = around(output.clip[row].numpy(), output.clip_scale[row].numpy(), table[names[-1]][1])
    return Interval((float(ends[0]), float(ends[1])), low, high)


def _name(network: Network, heard: list[bool]) -> str:
    """The set of modalities that were heard, as config.intervals names it."""
    modalities = network.config.modalities
    return name_of([m for m, given in zip(modalities, heard, strict=True) if given], modalities)


def as_batch(
    network: Network, values: Mapping[str, Line], presence: Mapping[str, Line]
) -> tuple[dict[str, Tensor], Tensor]:
    """One clip as the network takes it: values [1, L, width] of every modality it knows, and presence [1, L, M].

    Both are where the network's weights are, and the values in their dtype.

    Raises ValueError for a network in training mode, where no presence is given, names, lengths or widths do not
    agree or values hold NaN at an observed tick, and TypeError where either is not given by name.
    """
    for what, given in (("values", values), ("presence", presence)):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"expected {what} by name, one array a modality, got {type(given).__name__}: "
                "give {'text': ...}, as extractors.to_grid gives it"
            )
    check_eval(network)
    if not presence:
        raise ValueError(
            "presence names no modality: give [L] for each that was observed, as extractors.to_grid gives it"
        )
    _check_names(network, values, presence)
    length = len(next(iter(presence.values())))
    like = next(network.parameters())
    batch, columns = {}, []
    for name, width in network.config.features.items():
        absent = np.zeros(length, np.float32)
        rows = _of_shape(f"values[{name!r}]", values.get(name, np.zeros((length, width))), (length, width))
        seen = presence.get(name, absent) if name in values else absent
        line = _of_shape(f"presence[{name!r}]", seen, (length,))
        _check_told(name, rows, line)
        batch[name] = torch.from_numpy(rows)[None].to(like)
        columns.append(torch.from_numpy(line))
    return batch, torch.stack(columns, dim=-1)[None].to(like.device)


def _of_shape(what: str, given: ArrayLike, shape: tuple[int, ...]) -> Line:
    """An array in float32. ValueError where it has another shape, with both."""
    array = np.ascontiguousarray(given, np.float32)
    if array.shape != shape:
        raise ValueError(
            f"expected {what} of shape {shape}, got {array.shape}: "
            f"all modalities share one grid, and the first presence has {shape[0]} ticks"
        )
    return array


def _check_names(network: Network, values: Mapping[str, Line], presence: Mapping[str, Line]) -> None:
    """Raise ValueError for modalities that would not be read though they were given: unknown, or given by half."""
    known = network.config.modalities
    for what, given in (("values", values), ("presence", presence)):
        if unknown := [str(m) for m in given if m not in known]:
            raise ValueError(
                f"no modality is called {', '.join(unknown)}, as {what} has it: choose from {', '.join(known)}"
            )
    for m in known:
        if m in values and m not in presence:
            raise ValueError(f"presence lacks {m!r}, which values has: give [L], 0 where it was not observed")
        if m in presence and m not in values and (np.asarray(presence[m]) > 0).any():
            raise ValueError(
                f"values lacks {m!r}, which presence says was observed: give [L, width], or leave both out"
            )


def _check_told(name: str, rows: Line, seen: Line) -> None:
    """Raise ValueError for NaN where the modality was observed: every score from that tick on would be NaN."""
    lost = np.flatnonzero(np.isnan(rows).any(-1) & (seen > 0))
    if len(lost):
        raise ValueError(
            f"values[{name!r}] holds NaN at tick {lost[0]}, where presence is {seen[lost[0]]:g}: mend it, or give "
            "presence 0 there"
        )


def _only(network: Network, observed: Tensor, name: str) -> Tensor:
    """Presence [1, L, M] with the other modalities masked."""
    only = observed.new_zeros(observed.shape[-1])
    only[network.config.modalities.index(name)] = 1
    return observed * only


def _alone(network: Network, output: Output, mask: Tensor) -> Alone:
    """What the network says with the others masked."""
    return Alone(float(output.clip[0]), output.ticks[0].numpy(), interval(network, output, 0, mask[0] > 0))


def _dynamics(network: Network, output: Output) -> Dynamics:
    if output.trace is None:
        return Dynamics({}, {})
    norms, shares = (t[0].numpy() for t in output.trace)
    names = network.config.modalities
    return Dynamics(
        {m: norms[:, i] for i, m in enumerate(names)},
        {t: {s: shares[:, i, j] for j, s in enumerate(names)} for i, t in enumerate(names)},
    )

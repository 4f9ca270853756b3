"""Checks of the arguments, before any backend sees them. Each error names the value seen and the remedy."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from kernels.inputs import ScanInputs, transforming

MAX_MODALITIES = 8
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
LAYOUTS = {
    "delta": "BLME",
    "A": "MEN",
    "B": "BLMN",
    "C": "BLMN",
    "coupling": "MM",
    "D": "ME",
    "z": "BLME",
    "delta_bias": "ME",
    "initial_state": "BMEN",
    "mask": "BLM",
}


def check_inputs(inputs: ScanInputs, one_tick: bool = False) -> None:
    """Raise TypeError or ValueError unless every argument fits the others; see `kernels.coupled_scan`.

    With `one_tick` they are those of `kernels.coupled_step`, given a time axis since: the errors name them, and their
    axes, as they were given there.
    """
    _check_types(inputs)
    _check_shapes(inputs, one_tick)
    _check_dtypes(inputs, one_tick)
    _check_devices(inputs, one_tick)
    _check_sign(inputs.A)


def check_step(
    state: Tensor,
    u: Tensor,
    delta: Tensor,
    B: Tensor,
    C: Tensor,
    z: Tensor | None,
    mask: Tensor | None,
) -> None:
    """Raise unless there is a state and the arguments of one tick have no time axis; the rest as for a scan."""
    if not isinstance(state, Tensor):
        raise TypeError(
            f"expected state to be a torch.Tensor, got {type(state).__name__}: begin with zeros [B, M, E, N]"
        )
    axes = {"u": (u, 3), "delta": (delta, 3), "B": (B, 3), "C": (C, 3), "z": (z, 3), "mask": (mask, 2)}
    for name, (value, expected) in axes.items():
        if isinstance(value, Tensor) and value.dim() != expected:
            raise ValueError(
                f"expected {name} of one tick with {expected} axes, got shape {tuple(value.shape)}: "
                "coupled_step takes no time axis; use coupled_scan for a sequence"
            )
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"expected {name} to be a torch.Tensor, got {type(value).__name__}: convert it")


def check_constant(u: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> None:
    """Raise unless the parameters of a convolution are without batch and time; the rest as for a scan."""
    for name, value, axes in (("u", u, 4), ("delta", delta, 2), ("B", B, 2), ("C", C, 2)):
        if not isinstance(value, Tensor):
            raise TypeError(f"expected {name} to be a torch.Tensor, got {type(value).__name__}: convert it")
        if value.dim() != axes:
            raise ValueError(
                f"expected {name} of a convolution with {axes} axes, got shape {tuple(value.shape)}: "
                "its parameters are the same at every tick; use coupled_scan for selective ones"
            )


def _check_types(inputs: ScanInputs) -> None:
    for name in ("u", "delta", "A", "B", "C", "coupling"):
        if not isinstance(value := getattr(inputs, name), Tensor):
            raise TypeError(f"expected {name} to be a torch.Tensor, got {type(value).__name__}: convert it")
    for name in ("D", "z", "delta_bias", "initial_state", "mask"):
        if not isinstance(value := getattr(inputs, name), Tensor | None):
            raise TypeError(
                f"expected {name} to be a torch.Tensor or None, got {type(value).__name__}: convert it"
            )


def _check_shapes(inputs: ScanInputs, one_tick: bool) -> None:
    if inputs.u.dim() != 4:
        raise ValueError(
            f"expected u of shape [B, L, M, E], got {tuple(inputs.u.shape)}: "
            "give it four axes, batch, time, modality, channel"
        )
    if inputs.A.dim() != 3:
        raise ValueError(
            f"expected A of shape [M, E, N], got {tuple(inputs.A.shape)}: give every modality its own [E, N]"
        )
    batch, length, modalities, channels = inputs.u.shape
    states = inputs.A.shape[2]
    _check_modalities(tuple(inputs.u.shape), one_tick)
    if channels < 1 or states < 1:
        raise ValueError(
            f"expected E >= 1 and N >= 1, got E = {channels}, N = {states}: give A [M, E, N] content"
        )
    sizes = {"B": batch, "L": length, "M": modalities, "E": channels, "N": states}
    for name, layout in LAYOUTS.items():
        if (value := getattr(inputs, name)) is None:
            continue
        seen = tuple(value.shape)
        if one_tick and "L" in layout:
            layout, seen = layout.replace("L", ""), _without_time(seen)  # noqa: PLW2901
        _check_shape(_said(name, one_tick), seen, layout, tuple(sizes[axis] for axis in layout))


def _check_modalities(shape: tuple[int, ...], one_tick: bool) -> None:
    """`shape` is u's."""
    if 1 <= shape[2] <= MAX_MODALITIES:
        return
    place, where, seen = 2, "third, after batch and time", shape
    if one_tick:
        place, where, seen = 1, "second, after batch", _without_time(shape)
    raise ValueError(
        f"expected 1 to {MAX_MODALITIES} modalities on axis {place} of u, got {shape[2]} in {seen}: "
        f"put the modality axis {where}"
    )


def _said(name: str, one_tick: bool) -> str:
    """What an argument is called where it was given."""
    return "state" if one_tick and name == "initial_state" else name


def _without_time(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] + shape[2:]


def _check_shape(name: str, seen: tuple[int, ...], layout: str, expected: tuple[int, ...]) -> None:
    if seen == expected:
        return
    axes = ", ".join(layout)
    if len(seen) != len(expected):
        remedy = f"it has {len(seen)} axes and needs {len(expected)}"
        if len(seen) < len(expected) and "M" in layout:
            remedy += "; add the missing one (every modality has its own)"
    else:
        wrong = [
            f"{axis} is {got} in place of {want}"
            for axis, got, want in zip(layout, seen, expected, strict=True)
            if got != want
        ]
        remedy = f"{', '.join(wrong)}; the sizes come from u and A"
    raise ValueError(f"expected {name} of shape [{axes}] = {expected}, got {seen}: {remedy}")


def _check_dtypes(inputs: ScanInputs, one_tick: bool) -> None:
    for name, value in inputs.tensors.items():
        if name == "mask":
            if value.dtype != torch.bool:
                raise TypeError(
                    f"expected mask of dtype torch.bool (True = present), got {value.dtype}: use mask.bool()"
                )
        elif value.dtype not in DTYPES:
            said = _said(name, one_tick)
            raise TypeError(
                f"expected {said} in float32, bfloat16, float16 or float64, got {value.dtype}: "
                f"use {said}.float()"
            )


def _check_devices(inputs: ScanInputs, one_tick: bool) -> None:
    for name, value in inputs.tensors.items():
        if value.device != inputs.u.device:
            said = _said(name, one_tick)
            raise ValueError(
                f"expected {said} on the device of u, {inputs.u.device}, got {value.device}: "
                f"use {said}.to({str(inputs.u.device)!r})"
            )


def _check_sign(A: Tensor) -> None:
    """A >= 0 would make S >= 1, a state that never forgets. On a GPU the look would stall the stream, and inside
    torch.func.vmap there is no one value to look at.
    """
    if A.device.type != "cpu" or transforming():
        return
    largest = float(A.detach().max())
    if not largest < 0:
        raise ValueError(
            f"expected every entry of A below 0, so that S = exp(delta A) < 1, got a largest entry of "
            f"{largest:g}: use A = -exp(A_log)"
        )


def warn_of_overflow(inputs: ScanInputs, y: Tensor) -> None:
    """Warn when the states ran out of float32's range, which the literal sum does (at Mamba's start, near tick 85).

    An overflowed state stays infinite or NaN, so the last tick of y tells; it costs B M E reads on a CPU and
    is left out on a GPU, where it would stall the stream, and inside torch.func.vmap, where it cannot be read.
    Only then are the arguments looked at, since NaN in one of them ends in the same way.
    """
    if y.device.type != "cpu" or y.numel() == 0 or transforming():
        return
    if _kept_finite(inputs, torch.isfinite(y[:, -1])):
        return
    warnings.warn(
        f"coupled_scan: y is not finite at the last tick, {y.shape[1]}, {_reason(inputs, y)}",
        RuntimeWarning,
        stacklevel=3,
    )


def _reason(inputs: ScanInputs, y: Tensor) -> str:
    """Why y ended so, with the remedy: arguments that are not finite before an overflow, which is ruled out last."""
    if spoilt := _not_finite(inputs):
        return (
            f"and NaN or infinities stand in {', '.join(spoilt)}: mask the ticks that have no value; weights that "
            "became so need a smaller learning rate or clipped gradients"
        )
    row = float(inputs.coupling.detach().abs().sum(-1).max())
    advice = "use a coupling whose rows sum to at most 1 (the mean, or a softmax of logits)"
    if row <= 1 + 1e-6:
        advice = "the coupling's rows are within 1, so look for very large values, or a delta below 0 (S > 1)"
    what = "y or the states" if y.dtype == torch.float16 else "the states"  # float16 ends at 65,504
    return f"while all arguments are: {what} overflowed, where the largest row sum of |coupling| is {row:g}: {advice}"


def _not_finite(inputs: ScanInputs) -> list[str]:
    """The names of the arguments with NaN or an infinity, but for what masked ticks keep from the states."""
    found = []
    for name, value in inputs.tensors.items():
        finite = torch.isfinite(value.detach())
        if inputs.mask is not None and name in ("u", "delta", "B"):
            finite |= ~inputs.mask[..., None]
        if not finite.all():
            found.append(name)
    return found


def _kept_finite(inputs: ScanInputs, finite: Tensor) -> bool:
    """Whether the states did, by which entries of y's last tick [B, M, E] are finite.

    D u is in y at masked ticks too, where u may hold anything and the states have nothing of it.
    """
    if inputs.mask is None or inputs.D is None or bool(finite.all()):
        return bool(finite.all())
    from_u = ~inputs.mask[:, -1, :, None] & ~torch.isfinite(inputs.u[:, -1])
    return bool((finite | from_u).all())

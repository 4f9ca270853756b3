"""The coupled scan: M selective state space chains that pull on each other at every tick.

    S_t^m = exp(delta_t^m (x) A^m)
    h_t^m = S_t^m * sum_j W_mj h_{t-1}^j + (delta_t^m u_t^m) (x) B_t^m
    y_t^m = (C_t^m . h_t^m + D^m u_t^m) * silu(z_t^m)

This is equation (6) of Coupled Mamba (Li et al., NeurIPS 2024, arXiv 2405.18014) with an explicit coupling
matrix W [M, M]: all ones is the paper's literal sum, 1/M its stable mean, the identity M plain Mamba chains.
`coupled_scan` runs a sequence, `coupled_step` one tick, `coupled_trace` a sequence with its diagnostics,
`coupled_conv` a sequence whose parameters are constant in time. The mathematics is in reference.py; every other
backend has a file of its own and is tested against that one.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from kernels.backends import choose, explain
from kernels.checks import check_constant, check_inputs, check_step, warn_of_overflow
from kernels.conv import scan_constant
from kernels.inputs import ScanInputs

__all__ = ["coupled_conv", "coupled_scan", "coupled_step", "coupled_trace", "explain_backend"]


def coupled_scan(
    u: Float[Tensor, "B L M E"],
    delta: Float[Tensor, "B L M E"],
    A: Float[Tensor, "M E N"],
    B: Float[Tensor, "B L M N"],
    C: Float[Tensor, "B L M N"],
    coupling: Float[Tensor, "M M"],
    D: Float[Tensor, "M E"] | None = None,
    z: Float[Tensor, "B L M E"] | None = None,
    delta_bias: Float[Tensor, "M E"] | None = None,
    delta_softplus: bool = False,
    initial_state: Float[Tensor, "B M E N"] | None = None,
    return_final_state: bool = False,
    mask: Bool[Tensor, "B L M"] | None = None,
    backend: str = "auto",
) -> Any:
    """Run the coupled recurrence over a sequence; differentiable in every floating-point argument.

    Backend "reference" is differentiable any number of times, by torch.func too. "cpu" and "triton" are so once, and
    by autograd's backward alone: the gradient of a gradient raises RuntimeError. Under torch.func.grad, jvp or vmap
    "auto" is "reference". torch.compile runs this outside its graphs, so `fullgraph=True` is refused; given
    `torch.compiler.disable(coupled_scan)` in its place it breaks the graph here once, otherwise a dozen times.

    Args:
        u: input [B, L, M, E]; batch and length may be 0, M is 1 to 8.
        delta: step size [B, L, M, E], before `delta_bias` and softplus. Without softplus give delta >= 0: it is not
            looked at, and where it is negative S > 1, so the state grows at that tick, and overflows if it goes on.
        A: decay rates [M, E, N], every entry below 0.
        B: input projection [B, L, M, N].
        C: output projection [B, L, M, N].
        coupling: W [M, M], row = target, column = source; any real matrix. Rows >= 0 that sum
            to 1 are stable.
        D: skip weight [M, E].
        z: gate before silu [B, L, M, E].
        delta_bias: added to delta [M, E].
        delta_softplus: pass delta (with its bias) through softplus.
        initial_state: the state before the first tick [B, M, E, N]; zeros by default.
        return_final_state: return the state after the last tick too.
        mask: [B, L, M] bool, True = present. A masked tick has delta = 0 for that chain: S = 1, nothing is
            injected, h_t^m = sum_j W_mj h_{t-1}^j; y is still read from the state, and D u still added. What delta, u
            and B hold there, NaN included, reaches no state and, but for D u in that tick's y, no gradient.
        backend: "auto" (see `explain_backend`), "reference", "cpu" or "triton".

    Returns:
        y [B, L, M, E] in u's dtype, or (y, final state [B, M, E, N] in float32; float64 if u is).

    Raises:
        TypeError: an argument of the wrong type or dtype.
        ValueError: a wrong shape, device or sign of A, or a backend that cannot run here.
        RuntimeError: from a later backward, where the gradient of a fast backend is differentiated again.

    Warns:
        RuntimeWarning: on a CPU, when y is not finite at the last tick: which arguments are not finite there or
            before, or that the states overflowed (the literal sum does so near tick 85).
    """
    inputs = ScanInputs(u, delta, A, B, C, coupling, D, z, delta_bias, delta_softplus, initial_state, mask)
    check_inputs(inputs)
    y, state = choose(u, backend).scan(inputs, return_final_state)
    warn_of_overflow(inputs, y)
    return (y, state) if return_final_state else y


def coupled_step(
    state: Float[Tensor, "B M E N"],
    u: Float[Tensor, "B M E"],
    delta: Float[Tensor, "B M E"],
    A: Float[Tensor, "M E N"],
    B: Float[Tensor, "B M N"],
    C: Float[Tensor, "B M N"],
    coupling: Float[Tensor, "M M"],
    D: Float[Tensor, "M E"] | None = None,
    z: Float[Tensor, "B M E"] | None = None,
    delta_bias: Float[Tensor, "M E"] | None = None,
    delta_softplus: bool = False,
    mask: Bool[Tensor, "B M"] | None = None,
    backend: str = "auto",
) -> Any:
    """One tick, for streaming: state [B, M, E, N] in, (y [B, M, E], the next state) out.

    The arguments are those of `coupled_scan` without the time axis: u, delta, z [B, M, E]; B, C [B, M, N];
    mask [B, M]. The state given, zeros before the first tick, is left as it was. Run over L ticks it gives what the
    scan gives. Errors as there, and TypeError without a state.
    """
    check_step(state, u, delta, B, C, z, mask)
    u, delta, B, C = (value[:, None] for value in (u, delta, B, C))
    z, mask = (None if value is None else value[:, None] for value in (z, mask))
    inputs = ScanInputs(u, delta, A, B, C, coupling, D, z, delta_bias, delta_softplus, state, mask)
    check_inputs(inputs, one_tick=True)
    y, after = choose(u, backend).scan(inputs, True)
    return y[:, 0], after


def coupled_trace(
    u: Float[Tensor, "B L M E"],
    delta: Float[Tensor, "B L M E"],
    A: Float[Tensor, "M E N"],
    B: Float[Tensor, "B L M N"],
    C: Float[Tensor, "B L M N"],
    coupling: Float[Tensor, "M M"],
    D: Float[Tensor, "M E"] | None = None,
    z: Float[Tensor, "B L M E"] | None = None,
    delta_bias: Float[Tensor, "M E"] | None = None,
    delta_softplus: bool = False,
    initial_state: Float[Tensor, "B M E N"] | None = None,
    return_final_state: bool = False,
    mask: Bool[Tensor, "B L M"] | None = None,
    backend: str = "auto",
    shares: bool = True,
) -> Any:
    """The same pass with its diagnostics, reduced inside it; not differentiable (it is for looking).

    The share of source j in target m at tick t is rho[..., m, j] = <y^{m<-j}, y^m> / ||y^m||^2, summed over
    the channels, where y^m = C^m . h^m is read before D u and the gate, and y^{m<-j} is what source j's
    injections alone (its initial state among them) bring to it under the realised S. Shares are signed, exact,
    and sum to 1 over j; where the output is zero they are 0.

    Args:
        shares: False leaves the shares out, which is cheaper; the rest as in `coupled_scan`.

    Returns:
        (y [B, L, M, E], state_norm [B, L, M] = ||h_t^m|| over E and N, share [B, L, M, M] target by source, or
        None without shares), and the final state [B, M, E, N] as a fourth with `return_final_state`. Norms and
        shares are float32; float64 if u is.
    """
    inputs = ScanInputs(u, delta, A, B, C, coupling, D, z, delta_bias, delta_softplus, initial_state, mask)
    check_inputs(inputs)
    traced = choose(u, backend).trace(inputs.detached(), shares)
    warn_of_overflow(inputs, traced.y)
    return tuple(traced) if return_final_state else tuple(traced[:3])


def coupled_conv(
    u: Float[Tensor, "B L M E"],
    delta: Float[Tensor, "M E"],
    A: Float[Tensor, "M E N"],
    B: Float[Tensor, "M N"],
    C: Float[Tensor, "M N"],
    coupling: Float[Tensor, "M M"],
    D: Float[Tensor, "M E"] | None = None,
    z: Float[Tensor, "B L M E"] | None = None,
    delta_bias: Float[Tensor, "M E"] | None = None,
    delta_softplus: bool = False,
) -> Float[Tensor, "B L M E"]:
    """The scan for parameters constant in time, as one convolution by FFT (equations 7-8 of the paper).

    Args:
        u: input [B, L, M, E].
        delta: the one step size of all ticks [M, E], before `delta_bias` and softplus.
        A: [M, E, N]; B, C: [M, N]; the rest as in `coupled_scan`.

    Returns:
        y [B, L, M, E] in u's dtype, equal to `coupled_scan` on parameters repeated over batch and time, but for
        rounding: an FFT's is relative to the largest y of a channel over all ticks, not to each tick's own.
        Differentiable by autograd.

    Raises:
        TypeError, ValueError: as in `coupled_scan`; ValueError also where the kernel grows with lag, as the literal
            sum's does after a few ticks: early ticks would be lost in the rounding of late ones. Use `coupled_scan`.
    """
    check_constant(u, delta, B, C)
    delta_t, B_t, C_t = (value.expand(*u.shape[:2], *value.shape) for value in (delta, B, C))
    check_inputs(ScanInputs(u, delta_t, A, B_t, C_t, coupling, D, z, delta_bias))
    return scan_constant(u, delta, A, B, C, coupling, D, z, delta_bias, delta_softplus)


def explain_backend(u: Tensor) -> str:
    """Say which backend "auto" picks for this input [B, L, M, E] and why, and what each other one lacks."""
    return explain(u)

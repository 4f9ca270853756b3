"""What the last layer's states bring to a score, by modality and earlier moment.

Inside a layer the output is linear in what was injected, given the realised S: y_t^m is the sum over sources (j, s)
of C_t^m . (S_t W S_{t-1} ... W)_{mj} (delta_s^j u_s^j) (x) B_s^j. Walking that chain backwards from the score splits
it among all sources at the cost of one pass, and the states of the whole clip are never held.

What is exact and what is not: the split of the last layer's reading among its sources is exact to rounding. From
that reading to the score stand gate, projection and a head that is not linear (its normalisation makes the gradient
at the moment itself blind to how much is read). So the score is followed along the straight way from nothing read to
all read: the mean gradient on it, by Gauss-Legendre quadrature, is the direction that is split, and contributions
sum to what reading adds to the score (integrated gradients: Sundararajan et al., ICML 2017, arXiv 1703.01365). What
the last layer was given already carries, through earlier layers, what their chains heard from each other and
remember; this is counted for the chain and the tick that bring it, and what passes by the layer is `base`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from kernels import coupled_scan
from model.coupled.inputs import check_eval
from model.coupled.layers import Selection, coupled_layers

if TYPE_CHECKING:
    from model.coupled.network import CoupledMamba

# The quadrature of `mean_gradient`: its points on a piece of the way, the points of the score by which a piece may miss
# its rise, and the most pieces that are looked at.
NODES, CLOSED, PIECES = 12, 5e-6, 40
Values = Mapping[str, Float[Tensor, "B L width"]]


@dataclass(frozen=True)
class Explanation:
    """What one score owes to what, in points of the score; T ticks up to the moment explained.

    memory.sum((1, 2, 3)) + skip.sum(1) + base is the score, to about 2e-5 (the quadrature's error).
    """

    score: Float[Tensor, " B"]
    memory: Float[Tensor, "B M M T"]
    """Through target chain m's states, from source j's injection at tick s: [:, m, j, s]. Signed."""
    skip: Float[Tensor, "B M"]
    """Through D u, past the states, by chain."""
    base: Float[Tensor, " B"]
    """The score were nothing read in the last layer: what its residual stream says alone."""

    @property
    def sources(self) -> Float[Tensor, "B M T"]:
        """By source modality and source tick, over all target chains."""
        return self.memory.sum(1)

    @property
    def shares(self) -> Float[Tensor, "B M T"]:
        """`sources` as signed shares that sum to 1 over modalities and ticks; 0 where the sum is 0."""
        return signed_shares(self.sources)


def signed_shares(sources: Float[Tensor, "B M T"]) -> Float[Tensor, "B M T"]:
    """Each source's part of their sum: signed, and 1 over modalities and ticks; 0 where the sum is 0."""
    total = sources.sum((1, 2), keepdim=True)
    return torch.where(total == 0, 0.0, sources / torch.where(total == 0, 1.0, total))


@torch.no_grad()
def explain_last_layer(
    network: CoupledMamba, values: Values, presence: Float[Tensor, "B L M"], at: int | None = None
) -> Explanation:
    """Split the score at tick `at`, or with None that of the clip, among the sources of the last layer's states.

    For what a score rests on through all layers, see `model.coupled.split.split_score`, which `CoupledMamba.explain`
    gives: it finds much more of it (model/RESULTS.md, deletion). This one says what the last layer's states hold, and
    of whom.

    values and presence are those of the network's forward; `at` counts from 0, from the end where negative. Costs
    O(t) time and keeps M * M * E * N numbers. Raises ValueError for a network in training mode or without coupled
    states, IndexError for a tick outside of the clip.
    """
    values, presence, at = up_to(network, values, presence, at)
    layer = coupled_layers(network.layers)[-1]
    x, mask = network.encode(values, presence, len(network.layers) - 1)
    given = layer.selection(x)
    read, past = reading(given, mask), given.D * given.u

    def score_of(part: Float[Tensor, "B L M E"], ticks: slice) -> Float[Tensor, " B"]:
        out = x[:, ticks] + layer.out(part[:, ticks] * F.silu(given.z[:, ticks]))
        # For a tick the head needs to know what was heard until then, and no other tick.
        scores = network.head(out, mask if at is None else mask.any(1, keepdim=True))
        return scores.clip if at is None else scores.ticks[:, -1]

    ticks = slice(None) if at is None else slice(at, None)
    direction = mean_gradient(lambda part: score_of(part, ticks), read + past)
    memory, skip = trace_back(given, mask, direction), (direction * past).sum((1, 3))
    nothing = score_of(torch.zeros_like(read), ticks)
    return Explanation(score_of(read + past, ticks), memory, skip, nothing)


def mean_gradient(
    score_of: Callable[[Tensor], Tensor], end: Float[Tensor, "B *rest"]
) -> Float[Tensor, "B *rest"]:
    """The mean of the gradient of score_of [B] on the straight way from 0 to `end`.

    Gauss-Legendre quadrature. What the score rises by along a piece of the way is known, so the error on it is too: a
    piece is halved until <mean, end> is that rise to within CLOSED, at most PIECES times in all. A reading far greater
    than the stream beside it, as the literal sum makes, turns the score sharply near 0.
    """
    mean, left, looked = torch.zeros_like(end), [(0.0, 1.0)], 0
    while left:
        begin, stop = left.pop()
        piece, looked = gradient_on(score_of, end, begin, stop), looked + 1
        rise = score_of(stop * end) - score_of(begin * end)
        if looked < PIECES and ((piece * end).flatten(1).sum(1) - rise).abs().max() > CLOSED:
            middle = (begin + stop) / 2
            left += [(middle, stop), (begin, middle)]
        else:
            mean += piece
    return mean


def gradient_on(
    score_of: Callable[[Tensor], Tensor], end: Float[Tensor, "B *rest"], begin: float, stop: float
) -> Float[Tensor, "B *rest"]:
    """The integral of the gradient of score_of [B] from begin * end to stop * end, over the share of the way."""
    total = torch.zeros_like(end)
    for node, weight in zip(*np.polynomial.legendre.leggauss(NODES), strict=True):
        with torch.enable_grad():
            point = ((begin + (stop - begin) * (1 + node) / 2) * end).requires_grad_()
            (gradient,) = torch.autograd.grad(score_of(point).sum(), point)
        total += (stop - begin) * weight / 2 * gradient
    return total


def trace_back(
    given: Selection, mask: Bool[Tensor, "B L M"], gradient: Float[Tensor, "B L M E"]
) -> Float[Tensor, "B M M L"]:
    """Split <gradient, C . h> of one layer among its injections: [:, m, j, s] for target m, source j, tick s.

    The adjoint of each target chain's part is carried from the last tick to the first: what reaches the state of
    chain j at tick s, times what was injected there, is what (j, s) contributes (paper: share(j, s) =
    <lambda_s^j, b_s^j>). Summed over j and s it is sum_t <gradient_t^m, C_t^m . h_t^m>.
    """
    delta = given.step_sizes(mask)
    force = (delta * given.u).movedim(2, 0)
    batch, length, modalities, _ = gradient.shape
    # adjoint[j, b, m]: of chain j's states, for what target m reads.
    adjoint = gradient.new_zeros(modalities, batch, modalities, *given.A.shape[1:])
    begins = gradient.ne(0).any(-1).any(-1).any(0).tolist()
    found = []
    for t in reversed(range(length)):
        if begins[t]:
            seed = torch.einsum("bme,bmn->benm", gradient[:, t], given.C[:, t])
            adjoint.diagonal(dim1=0, dim2=2).add_(seed)
        heard = (adjoint * given.B[:, t].movedim(1, 0)[:, :, None, None]).sum(-1)
        found.append((heard * force[:, :, t, None]).sum(-1))
        decay = torch.exp(delta[:, t].movedim(1, 0)[..., None] * given.A[:, None])
        adjoint = pull(adjoint.mul_(decay[:, :, None]), given.coupling)
    return torch.stack(found, dim=-1).flip(-1).permute(1, 2, 0, 3)


def pull(adjoint: Float[Tensor, "M *rest"], coupling: Float[Tensor, "M M"]) -> Float[Tensor, "M *rest"]:
    """Through the coupling backwards: sum_i W_ij adjoint_i for every source j.

    A sum of M scaled copies is several times faster than a product of an M x M matrix. What has decayed to nothing
    becomes 0 before it is subnormal, which a CPU multiplies ten times more slowly.
    """
    weights = coupling.view(*coupling.shape, *(1,) * (adjoint.dim() - 1))
    pulled = weights[0] * adjoint[0]
    for row, part in zip(weights[1:], adjoint[1:], strict=True):
        pulled.addcmul_(row, part[None])
    return F.hardshrink(pulled, torch.finfo(pulled.dtype).tiny ** 0.8)


def reading(given: Selection, mask: Bool[Tensor, "B L M"]) -> Float[Tensor, "B L M E"]:
    """C . h at every tick, before skip and gate."""
    bare = {name: value for name, value in given._asdict().items() if name not in ("D", "z")}
    return coupled_scan(**bare, delta_softplus=True, mask=mask)


def up_to(
    network: CoupledMamba, values: Values, presence: Tensor, at: int | None
) -> tuple[dict[str, Tensor], Tensor, int | None]:
    """The clip up to the moment asked for: later ticks change nothing before them."""
    check_eval(network)
    length = presence.shape[1]
    if at is None:
        return dict(values), presence, None
    at = from_start(at, length)
    return {m: v[:, : at + 1] for m, v in values.items()}, presence[:, : at + 1], at


def from_start(at: int, length: int) -> int:
    """A tick counted from 0, where negative ones count from the end. IndexError for one outside of the clip."""
    if not -length <= at < length:
        raise IndexError(f"tick {at} is outside of the clip's {length}: count from 0 to {length - 1}")
    return at % length

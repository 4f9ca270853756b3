"""How the voice's head is fitted: a line, then a hidden layer beside it, both to the same ends.

What is asked of either: the class, the agreement of the expected score with the true one, and its sign. The line has
one optimum and no schedule. The hidden layer is several small ones, each from a start of its own, with its inputs and
units hidden at random, over the directions in which the training windows differ most.

Both were tried on the training speakers, a fifth left out in turn (RESULTS.md): a hidden layer alone tells voices as
the line does, and the two together better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from extractors.records import FloatArray
from extractors.voice.encoder import EMOTIONS, SCORES
from extractors.voice.head import VoiceHead, standardised


@dataclass(frozen=True)
class Recipe:
    """What is learnt from and how hard."""

    versions: int = 7  # of each recording, the first as it is
    windows: int = 3  # of each version
    decay: float = 1e-2  # of the line: times the sum of squared weights, for standardised inputs
    agreement: float = 2.0  # weight of 1 - CCC of the expected score
    sign: float = 1.5  # weight of the loss on the score's sign, positive and negative alike
    steps: int = 60  # of L-BFGS, for the line
    directions: int = 200  # that the hidden layer looks along
    groups: int = 4  # hidden layers trained apart
    units: int = 128  # in each
    epochs: int = 12
    batch: int = 512
    rate: float = 2e-3  # highest of a cycle
    unheard: float = 0.1  # share of the directions hidden from the layer
    resting: float = 0.2  # share of its units that rest
    share: float = 0.6  # of either in the sum: more than half, since two that err apart may be surer together
    seed: int = 0


USUAL = Recipe()


def fit_head(rows: FloatArray, emotion: NDArray[np.int64], recipe: Recipe) -> VoiceHead:
    """The head for windows rows [n, D] of classes emotion [n]; rows are overwritten.

    A class counts by the square root of how often it is there: between the corpora's own balance and none.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    rows[:] = standardised(rows, mean, scale)
    given, wanted = torch.from_numpy(rows), torch.from_numpy(emotion)
    rarity = torch.from_numpy(np.bincount(emotion, minlength=len(EMOTIONS)).clip(1) ** -0.5).float()
    weight, bias = fit_line(given, wanted, rarity, recipe)
    basis = widest(rows, recipe.directions)
    inner, threshold, outer, shift = fit_hidden(given @ torch.from_numpy(basis.T), wanted, rarity, recipe)
    return VoiceHead(
        mean, scale, recipe.share * weight, recipe.share * (bias + shift),
        basis, inner, threshold, recipe.share * outer,
    )  # fmt: skip


def fit_line(given: Tensor, wanted: Tensor, rarity: Tensor, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Weight [9, D] and bias [9] of the line for windows [n, D] of classes [n]; rarity [9]: what a class counts."""
    network = nn.Linear(given.shape[1], len(EMOTIONS))
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    optimiser = torch.optim.LBFGS(
        network.parameters(), max_iter=recipe.steps, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimiser.zero_grad()
        total = loss(network(given), wanted, rarity, recipe) + recipe.decay * network.weight.square().sum()
        total.backward()
        return total.item()

    optimiser.step(closure)
    return network.weight.detach().numpy().copy(), network.bias.detach().numpy().copy()


def widest(rows: FloatArray, count: int) -> FloatArray:
    """The `count` directions [count, D] in which the rows [n, D] differ most, scaled to a common spread of about 1."""
    count = min(count, *rows.shape)
    if len(rows) < rows.shape[1]:
        lengths, directions = np.linalg.svd(rows, full_matrices=False)[1:]
        spread, directions = lengths**2 / len(rows), directions.T
    else:
        spread, directions = np.linalg.eigh(rows.T.astype(np.float64) @ rows / len(rows))
        spread, directions = spread[::-1], directions[:, ::-1]
    return np.ascontiguousarray(directions[:, :count].T / np.sqrt(spread[:count].mean()), np.float32)


def fit_hidden(
    given: Tensor, wanted: Tensor, rarity: Tensor, recipe: Recipe
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The hidden layers' inner [H, K], threshold [H], outer [9, H] and what the logits shift by [9], as one layer.

    given [n, K] are the windows along the directions. The outer weights give the mean of the groups' logits.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        groups = [Hidden(given.shape[1], recipe) for _ in range(recipe.groups)]
        train_groups(groups, given, wanted, rarity, recipe)
    kept = [{name: p.detach().numpy() for name, p in group.named_parameters()} for group in groups]
    return (
        np.concatenate([k["inner.weight"] for k in kept]),
        np.concatenate([k["inner.bias"] for k in kept]),
        np.concatenate([k["outer.weight"] / np.float32(len(kept)) for k in kept], axis=1),
        np.mean([k["outer.bias"] for k in kept], axis=0, dtype=np.float32),
    )


class Hidden(nn.Module):
    """One hidden layer over K directions."""

    def __init__(self, directions: int, recipe: Recipe) -> None:
        super().__init__()
        self.unheard, self.resting = nn.Dropout(recipe.unheard), nn.Dropout(recipe.resting)
        self.inner = nn.Linear(directions, recipe.units)
        self.outer = nn.Linear(recipe.units, len(EMOTIONS))

    def forward(self, given: Tensor) -> Tensor:
        """Logits [n, 9] of windows [n, K]."""
        return self.outer(self.resting(F.relu(self.inner(self.unheard(given)))))


def train_groups(groups: list[Hidden], given: Tensor, wanted: Tensor, rarity: Tensor, recipe: Recipe) -> None:
    """Train each on the same batches, in place; torch's own generator draws."""
    batch = min(recipe.batch, len(given))
    batches = len(given) // batch
    optimiser = torch.optim.AdamW(
        [p for group in groups for p in group.parameters()], lr=recipe.rate, weight_decay=0.05
    )
    steps = max(recipe.epochs * batches + 1, 20)  # of fewer a cycle cannot be made
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=steps, pct_start=0.1)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(given))[: batches * batch].view(batches, batch):
            losses = [loss(group(given[rows]), wanted[rows], rarity, recipe) for group in groups]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()
            optimiser.step()
            rate.step()


def loss(logits: Tensor, wanted: Tensor, rarity: Tensor, recipe: Recipe) -> Tensor:
    """What logits [n, 9] get wrong of classes [n], and what their expected score does."""
    share = rarity[wanted] / rarity[wanted].sum()
    surprise = F.cross_entropy(logits, wanted, reduction="none")
    return (surprise * share).sum() + _score_loss(logits, wanted, recipe)


def _score_loss(logits: Tensor, wanted: Tensor, recipe: Recipe) -> Tensor:
    """What the expected score gets wrong: its agreement (1 - CCC, Lin 1989) and its sign, surprise left out."""
    scores = torch.tensor(list(SCORES.values()), dtype=torch.float32)
    signed = torch.isfinite(scores)
    kept = signed[wanted]
    expected = logits[kept][:, signed].softmax(dim=1) @ scores[signed]
    right = scores[wanted[kept]]
    covariance = ((expected - expected.mean()) * (right - right.mean())).mean()
    spread = expected.var(correction=0) + right.var(correction=0) + (expected.mean() - right.mean()) ** 2
    total = recipe.agreement * (1 - 2 * covariance / spread.clamp_min(1e-6))
    for side in (1, -1):
        # The mean over each side: there are three negative recordings to a positive one.
        of_side = expected[right * side > 0]
        if len(of_side):
            total = total + recipe.sign / 2 * F.softplus(-side * of_side).mean()
    return total

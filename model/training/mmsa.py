"""Training on one of MMSA's corpora in the paper's setting: Adam, L1 loss, the epoch of the lowest validation MAE.

The paper does not say which epoch it keeps; MMSA keeps the best on validation data.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from model.coupled.config import CoupledMambaConfig, check_network
from model.data.mmsa import CORPORA, TICKS, Float, Utterances, read
from model.fusion.bidirectional import make, single_directions
from model.measures.intervals import LIMIT
from model.measures.mmsa import MEASURES, Figures
from model.training.checkpoints import cut_log, resume, save, tensorboard

DONE = "trained.json"
REMEDY = "lower learning_rate in the config, or look for extreme numbers in the features"


@dataclass(frozen=True)
class MmsaSettings:
    """One run on one corpus; defaults are the paper's. Raises ValueError for a number that no run can have."""

    corpus: str = "mosei"
    aligned: bool = False
    ticks: int = TICKS
    repair: bool = False
    epochs: int = 150
    batch: int = 1024
    learning_rate: float = 5e-4
    weight_decay: float = 5e-4
    bidirectional: bool = False
    network: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "ticks"):
            if not isinstance(count := getattr(self, name), int) or count < 1:
                raise ValueError(f"{name} is {count!r}: give a whole number of 1 or more")
        if not isinstance(self.learning_rate, (int, float)) or not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate!r}: give a number above 0")


def read_settings(path: Path) -> MmsaSettings:
    """Read a TOML config. Raises TypeError for a key that no setting has, ValueError for what cannot be made."""
    settings = MmsaSettings(**tomllib.loads(path.read_text(encoding="utf-8")))
    check_network(settings.network)
    return settings


def read_corpus(settings: MmsaSettings, path: Path) -> dict[str, Utterances]:
    """The file in the form that the settings name."""
    return read(path, settings.corpus, settings.aligned, settings.ticks, settings.repair)


def build(settings: MmsaSettings, part: Utterances, seed: int) -> nn.Module:
    """A fresh network with the widths and the standardisation of the training split."""
    torch.manual_seed(seed)
    config = CoupledMambaConfig(tuple(part.widths), tuple(part.widths.values()), **settings.network)
    network = make(config, settings.bidirectional)
    for direction in single_directions(network):
        for i, (m, rows) in enumerate(part.values.items()):
            seen = torch.from_numpy(rows[part.presence[:, :, i] > 0])
            if len(seen) > 1:
                direction.embed.standardise[m].fit(seen)  # type: ignore[union-attr, index]
    return network


class DivergedError(ArithmeticError):
    """A training whose numbers ran out: what is left of its network is no result."""


class Best:
    """The weights of the epoch with the lowest validation error so far."""

    def __init__(self, network: nn.Module) -> None:
        self.error, self.weights = float("inf"), copy.deepcopy(network.state_dict())

    def offer(self, error: float, network: nn.Module) -> None:
        """Keep the network's weights if its error is the lowest."""
        if error < self.error:
            self.error, self.weights = error, copy.deepcopy(network.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Both, to be stored with a training state."""
        return {"error": self.error, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What was stored."""
        self.error, self.weights = state["error"], state["weights"]


def train(
    settings: MmsaSettings,
    parts: Mapping[str, Utterances],
    seed: int,
    run: Path | None = None,
    made: str = "",
) -> nn.Module:
    """Train on parts["train"]; the epoch of the lowest MAE on parts["valid"] is kept.

    With a folder `run` every epoch is logged and stored there, and a run that was stopped goes on; `made` names what it
    is made of. Raises ValueError where the folder holds a run of something else, DivergedError where a loss or an error
    on parts["valid"] is no finite number: weights that are NaN stay so, and the best of such a run is chance.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build(settings, parts["train"], seed).to(device)
    optimiser = torch.optim.Adam(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    best = Best(network)
    with kept_in(run, made, network, optimiser, best) as (begin, keep):
        epochs = range(begin, settings.epochs)
        bar = tqdm(epochs, f"seed {seed}", initial=begin, total=settings.epochs, disable=run is None)
        for epoch in bar:
            with told_of(seed, epoch):
                loss = one_epoch(settings, network, optimiser, parts["train"], seed, epoch)
                found = predict(settings, network, parts["valid"])
            error = float(np.abs(found - parts["valid"].score).mean())
            check_finite(seed, epoch, loss, error)
            best.offer(error, network)
            bar.set_postfix(loss=f"{loss:.3f}", valid=f"{error:.3f}", best=f"{best.error:.3f}")
            keep(epoch, loss=loss, valid_mae=error)
    # Infinite where there was no epoch, or in a run that was kept before anyone looked.
    check_finite(seed, settings.epochs, 0.0, best.error)
    network.load_state_dict(best.weights)
    return network.eval()


@contextmanager
def told_of(seed: int, epoch: int) -> Iterator[None]:
    """Raise DivergedError for a network that no longer runs on its own data: its rates of decay have overflowed."""
    try:
        yield
    except ValueError as error:
        raise DivergedError(f"seed {seed} ended in epoch {epoch} ({error}): {REMEDY}") from error


def check_finite(seed: int, epoch: int, loss: float, error: float) -> None:
    """Raise DivergedError unless both are finite numbers."""
    if not np.isfinite(loss) or not np.isfinite(error):
        raise DivergedError(
            f"seed {seed} diverged by epoch {epoch}: its loss is {loss:g} and its validation MAE {error:g}; {REMEDY}"
        )


def one_epoch(
    settings: MmsaSettings,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    part: Utterances,
    seed: int,
    epoch: int,
) -> float:
    """All utterances once, in an order and with a dropout that seed and epoch decide; the mean L1 loss, -3..3."""
    draw = np.random.SeedSequence([seed, epoch])
    torch.manual_seed(int(draw.generate_state(1)[0]))
    order = np.random.default_rng(draw.spawn(1)[0]).permutation(len(part))
    stretch = LIMIT / CORPORA[settings.corpus]  # one rated from -1 to 1 is learnt as from -3 to 3
    network.train()
    total = 0.0
    for picked in groups(order, settings.batch):
        scores = clip_scores(network, part, picked)
        loss = (scores - torch.from_numpy(part.score[picked]).to(scores.device) * stretch).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(picked)
    return total / len(part)


@contextmanager
def kept_in(run: Path | None, made: str, *parts: Any) -> Iterator[tuple[int, Callable[..., None]]]:
    """The epoch to go on from, and a function (epoch, **figures) that logs and stores each; without a folder, neither.

    Raises ValueError where the folder holds a run of something else.
    """
    if run is None:
        yield 0, lambda epoch, **figures: None
        return
    run.mkdir(parents=True, exist_ok=True)
    begin = resume(run / "last.pt", made, *parts)
    board = tensorboard(run, begin)
    cut_log(run / "log.jsonl", "epoch", begin)
    with (run / "log.jsonl").open("a", encoding="utf-8", buffering=1) as lines:

        def keep(epoch: int, **figures: float) -> None:
            lines.write(json.dumps({"epoch": epoch, **figures}) + "\n")
            for name, figure in figures.items() if board else ():
                board.add_scalar(name, figure, epoch)
            save(run / "last.pt", epoch + 1, made, *parts)

        yield begin, keep
    if board:
        board.close()


def groups(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Batches of at most `size` rows."""
    yield from (order[i : i + size] for i in range(0, len(order), size))


def clip_scores(network: nn.Module, part: Utterances, picked: NDArray[np.int64]) -> Tensor:
    """Scores [n] of some utterances, -3..3."""
    device = next(network.parameters()).device
    values = {m: torch.from_numpy(v[picked]).to(device) for m, v in part.values.items()}
    clip: Tensor = network(values, torch.from_numpy(part.presence[picked]).to(device)).clip
    return clip


def predict(settings: MmsaSettings, network: nn.Module, part: Utterances) -> Float:
    """Scores [n] on the corpus's own scale."""
    network.eval()
    with torch.inference_mode():
        found = [clip_scores(network, part, p).cpu() for p in groups(np.arange(len(part)), settings.batch)]
    share = np.float32(CORPORA[settings.corpus] / LIMIT)
    return (torch.cat(found).numpy() * share).astype(np.float32)


def measure(settings: MmsaSettings, network: nn.Module, part: Utterances) -> Figures:
    """MMSA's figures of the corpus."""
    return MEASURES[settings.corpus](predict(settings, network, part), part.score)


def train_seed(
    settings: MmsaSettings, parts: Mapping[str, Utterances], seed: int, made: str, out: Path, run: Path
) -> dict[str, Figures]:
    """Figures {valid, test} of one seed: trained and saved in `out`, or read from there where that was done before."""
    if (out / DONE).is_file():
        told = json.loads((out / DONE).read_text(encoding="utf-8"))
        if told["made"] == made:
            figures: dict[str, Figures] = told["figures"]
            return figures
    network = train(settings, parts, seed, run, made).cpu()
    figures = {split: told_figures(measure(settings, network, parts[split])) for split in ("valid", "test")}
    save_network(network, out)
    told = {"made": made, "seed": seed, "settings": asdict(settings), "figures": figures}
    (out / DONE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return figures


def told_figures(figures: Figures) -> Figures:
    """Without those that cannot be told (the correlation with a constant): JSON knows no nan."""
    return {name: figure for name, figure in figures.items() if np.isfinite(figure)}


def save_network(network: nn.Module, out: Path) -> None:
    """save_pretrained into `out`; of a bidirectional network each direction, into a folder of its own."""
    directions = single_directions(network)
    names = [""] if len(directions) == 1 else ["forwards", "backwards"]
    for name, direction in zip(names, directions, strict=True):
        direction.save_pretrained(out / name)  # type: ignore[operator]

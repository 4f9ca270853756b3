"""The paper's further protocols, one command each.

    python -m model.protocols masking CONFIG DATA
    python -m model.protocols ablate {fusion,delta,d_state,layers} CONFIG DATA

CONFIG is a file of model/configs and DATA what it is for: a pickle of MMSA's, or the folder of mosi_utterances (config
mosi). Every arm is trained with the same seeds; masking hides the same elements from all arms. Figures are means and
standard deviations over seeds. Every training is written to a file of runs as it ends, and one that stands there is
not repeated, so a protocol that was stopped goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.command_line import at_least_one, make_room, read_config, write_json, zero_to_one
from model.data.mmsa import Float, Utterances
from model.data.mosi import Videos, exchange, folds
from model.data.mosi import read as read_videos
from model.measures.mmsa import Figures, mean_and_deviation
from model.measures.paired import Paired, corrected_test, plain_test
from model.training import mmsa, mosi
from model.training.runs import append, read_runs

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""Of the elements hidden, as in the paper's robustness table."""
FUSIONS: dict[str, dict[str, Any]] = {
    "average": {"fusion": "late"},
    "concat": {"fusion": "concat"},
    "independent": {"fusion": "independent"},
    "cross attention": {"fusion": "attention"},
    "coupled mean": {"coupling": "mean"},
    "coupled learned": {"coupling": "learned"},
}
ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "fusion": FUSIONS,
    "delta": {f"d_model/{n}": {"dt_divisor": n} for n in (16, 8, 4)},
    "d_state": {str(n): {"d_state": n} for n in (128, 64, 32)},
    "layers": {str(n): {"layers": n} for n in (1, 2, 3, 4)},
}
"""The arms of the paper's four ablations: name -> changes to the network's config."""
Runs = dict[str, dict[str, list[Figures]]]
"""Arm -> share hidden -> the figures of each seed (and fold)."""
Row = NDArray[np.float64]
"""One figure, run by run."""


class Bench(Protocol):
    """Something to train on and to measure with."""

    @property
    def main(self) -> str:
        """The figure to compare by."""
        ...

    @property
    def made(self) -> str:
        """Names what its runs are made of besides changes, seed and shares: settings and data."""
        ...

    def run(self, changes: Mapping[str, Any], seed: int, shares: Sequence[float]) -> list[list[Figures]]:
        """Train with changes to the network's config, once for every fold; figures of each share hidden, by fold."""
        ...

    def compare(self, first: Row, second: Row) -> str:
        """What the paired test that fits this bench says of two arms' main figures, run by run."""
        ...


@dataclass(frozen=True)
class MmsaBench:
    """A corpus with its own splits: trained on train, chosen on valid, measured on test."""

    settings: mmsa.MmsaSettings
    parts: Mapping[str, Utterances]

    @property
    def main(self) -> str:
        """The figure to compare by."""
        return "Non0_acc_2" if self.settings.corpus in ("mosi", "mosei") else "Mult_acc_2"

    @cached_property
    def made(self) -> str:
        """Names the settings and the three splits."""
        digest = hashlib.sha256(str(self.settings).encode())
        for part in self.parts.values():
            for array in (*part.values.values(), part.presence, part.score):
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def run(self, changes: Mapping[str, Any], seed: int, shares: Sequence[float]) -> list[list[Figures]]:
        """One training."""
        settings = replace(self.settings, network={**self.settings.network, **changes})
        network = mmsa.train(settings, self.parts, seed)
        test = self.parts["test"]
        hidden = [replace(test, values=masked(test.values, share, seed)) for share in shares]
        return [[mmsa.measure(settings, network, part) for part in hidden]]

    def compare(self, first: Row, second: Row) -> str:
        """Nothing is resampled: seeds differ in the training's noise, and the test utterances are the same in all."""
        return f"{told(plain_test(first, second))} (over seeds on one split: the noise of training alone)"


@dataclass(frozen=True)
class MosiBench:
    """mosi_utterances by cross-validation over videos, held-out features weakened as model.data.mosi.exchange does."""

    settings: mosi.MosiSettings
    videos: Videos
    count: int = 5
    held: int = 5
    main: str = "acc2"

    @property
    def sizes(self) -> tuple[int, int]:
        """Utterances trained on and measured on, about."""
        n = int(self.videos.told.sum())
        return n - n // self.count, n // self.count

    @cached_property
    def made(self) -> str:
        """Names the settings, the folds and the videos."""
        return f"{mosi.digest_of(self.settings, self.videos, self.count)} {self.held}"

    def run(self, changes: Mapping[str, Any], seed: int, shares: Sequence[float]) -> list[list[Figures]]:
        """One training for each of the `held` first folds of this seed."""
        settings = replace(self.settings, network={**self.settings.network, **changes})
        result = []
        for fold, (inside, outside) in enumerate(folds(len(self.videos), self.count, seed)[: self.held]):
            network = mosi.train(settings, self.videos.take(inside), seed=1000 * seed + fold)
            held = self.videos.take(outside).only(settings.modalities)
            weak = exchange(held, np.random.default_rng([seed, fold]), settings.expected)
            rows = [mosi.predict(network, held, masked(weak, share, seed)) for share in shares]
            result.append([{"acc2": mosi.two_class_accuracy(row, held)} for row in rows])
        return result

    def compare(self, first: Row, second: Row) -> str:
        """Folds share their training data, for which the error is widened."""
        return told(corrected_test(first, second, *self.sizes))


def told(paired: Paired) -> str:
    """A paired test of accuracies, in points."""
    return f"{100 * paired.difference:+.2f} +- {100 * paired.error:.2f} points, p {paired.p:.2f}, {paired.pairs} pairs"


def masked(values: Mapping[str, Float], share: float, seed: int) -> dict[str, Float]:
    """Each element of each feature array set to 0 with this chance; the same for every network of a seed.

    Presence stays 1: the network is not told which numbers are gone. Raises ValueError for a share outside 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share hidden must be from 0 to 1, got {share}")
    rng = np.random.default_rng([seed, round(1e6 * share)])
    return {m: np.where(rng.random(v.shape) >= share, v, 0).astype(np.float32) for m, v in values.items()}


def robustness(
    bench: Bench,
    arms: Mapping[str, Mapping[str, Any]],
    seeds: int,
    shares: Sequence[float],
    kept: Path | None = None,
) -> Runs:
    """Every arm and seed trained once on whole features and measured with each share hidden.

    Seeds are the outer loop, so that what was stopped has all arms for fewer seeds. Trainings are appended to the file
    `kept` as they end, and those found there are not repeated.
    """
    runs: Runs = {arm: {f"{share:g}": [] for share in shares} for arm in arms}
    done = {r["made"]: r["folds"] for r in read_runs(kept)} if kept else {}
    turns = [(seed, arm, changes) for seed in range(seeds) for arm, changes in arms.items()]
    bar = tqdm(turns, "trainings", disable=kept is None)
    for seed, arm, changes in bar:
        bar.set_postfix_str(f"seed {seed}, {arm}")
        made = hashlib.sha256(f"{bench.made} {dict(changes)} {seed} {list(shares)}".encode()).hexdigest()
        if made not in done:
            done[made] = bench.run(changes, seed, shares)
            if kept:
                append(
                    kept,
                    {"arm": arm, "seed": seed, "shares": list(shares), "made": made, "folds": done[made]},
                )
        for fold in done[made]:
            for share, figures in zip(shares, fold, strict=True):
                runs[arm][f"{share:g}"].append(figures)
    return runs


def ablate(bench: Bench, which: str, seeds: int, kept: Path | None = None) -> Runs:
    """One of ABLATIONS."""
    return robustness(bench, ABLATIONS[which], seeds, (0.0,), kept)


def table(runs: Runs) -> str:
    """One line an arm and share, every figure as mean +- deviation over the runs."""
    lines = []
    for arm, by_share in runs.items():
        for share, figures in by_share.items():
            cells = (f"{k} {told}" for k, told in mean_and_deviation(figures).items())
            lines.append(f"{arm:18s} hidden {share:4s} {len(figures)} runs  " + "  ".join(cells))
    return "\n".join(lines)


def comparison(runs: Runs, bench: Bench, other: str = "independent") -> str:
    """Each arm's main figure, the mean over the shares hidden, against another arm's: the bench's paired test."""
    if other not in runs:
        return ""
    level: dict[str, Row] = {
        arm: np.mean([[f[bench.main] for f in s] for s in shares.values()], axis=0)
        for arm, shares in runs.items()
    }
    return "\n".join(
        f"{arm} against {other}: {bench.main} {bench.compare(figures, level[other])}"
        for arm, figures in level.items()
        if arm != other and len(figures) > 1
    )


def open_bench(parser: argparse.ArgumentParser, config: Path, data: Path, held: int = 5) -> Bench:
    """The bench for a config and its data; the parser says what cannot be read and ends."""
    if not data.exists():
        parser.error(f"there is no {data}: name a pickle of MMSA's, or the folder with train.npz")
    try:
        if data.is_dir():
            settings = read_config(parser, mosi.read_settings, config)
            return MosiBench(settings, read_videos(data / "train.npz").only(settings.modalities), held=held)
        of_file = read_config(parser, mmsa.read_settings, config)
        return MmsaBench(of_file, mmsa.read_corpus(of_file, data))
    except (OSError, ValueError) as error:
        parser.error(str(error))


def parse(given: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.protocols", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    masking = commands.add_parser("masking", help="accuracy with a share of the elements hidden")
    masking.add_argument(
        "--shares",
        type=zero_to_one,
        nargs="+",
        default=list(SHARES),
        help="of the elements set to 0, each from 0 to 1 (0 to 0.7)",
    )
    masking.add_argument(
        "--arms", nargs="+", choices=list(FUSIONS), default=list(FUSIONS), help="networks to compare (all)"
    )
    ablation = commands.add_parser("ablate", help="one of the paper's ablations")
    ablation.add_argument("which", choices=list(ABLATIONS), help="what is varied")
    for command in (masking, ablation):
        command.add_argument("config", type=Path, help="a file of model/configs: mosi*.toml or mmsa_*.toml")
        command.add_argument(
            "data", type=Path, help="the folder of mosi_utterances, or one of MMSA's pickles"
        )
        command.add_argument("--seeds", type=at_least_one, default=5, help="runs of each network (5)")
        command.add_argument("--held", type=at_least_one, default=5, help="of five folds (mosi_utterances)")
        command.add_argument(
            "--runs", type=Path, default=Path("runs/protocols.jsonl"), help="where runs are kept"
        )
        command.add_argument("--json", type=Path, help="write all figures here too")
    return parser, parser.parse_args(given)


def measured(bench: Bench, arguments: argparse.Namespace) -> Runs:
    """What the command asks for."""
    if arguments.command == "masking":
        arms = {arm: FUSIONS[arm] for arm in arguments.arms}
        return robustness(bench, arms, arguments.seeds, arguments.shares, arguments.runs)
    return ablate(bench, arguments.which, arguments.seeds, arguments.runs)


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser, arguments = parse(given)
    make_room(parser, arguments.json)
    make_room(parser, arguments.runs)
    bench = open_bench(parser, arguments.config, arguments.data, arguments.held)
    try:
        runs = measured(bench, arguments)
    except mmsa.DivergedError as error:
        sys.exit(f"{parser.prog}: {error}")
    print(table(runs))
    print(comparison(runs, bench))
    write_json(arguments.json, runs)


if __name__ == "__main__":
    main()

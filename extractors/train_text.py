"""Train the sentiment adapter of the word embeddings: python -m extractors.train_text --data DIR.

DIR holds gzipped tables of rated sentences (columns source, score, text, group). A LoRA adapter (Hu et al. 2022) is
trained on the packaged MiniLM through sentence-transformers' own adapter support. What is read from a sentence is
linear in the mean of its words' embeddings, so the same readout applies to each word: a score for every source,
and five classes for the sentences that have them.

The schedule is fixed and the last epoch's averaged weights are kept; nothing is chosen on the validation tenth. A
run goes on from its last epoch when it is started again, and ends where an uninterrupted one does.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from extractors.training.fit_adapter import Schedule, read, settle, train
from extractors.training.rated import agreement, held_for_fusion, read_sentences, training_part
from extractors.words.adapter import WEIGHTS, check, write


def main() -> None:
    """Parse the command line, train, write the weights and print how they do on the tenth kept for the fusion."""
    options = parse()
    schedule = Schedule(epochs=options.epochs, rate=options.rate, seed=options.seed)
    everything = read_sentences(options.data)
    ours = training_part(everything)
    run = train(ours, schedule, options.runs / "last.pt", begin=options.start)
    settle(run)
    trained = {"sentences": len(ours), "cpu_seconds": round(run.seconds), **asdict(schedule)}
    if options.start:
        trained["start"] = check(options.start)["trained"]
    write(run.encoder, run.head, options.weights, trained)
    kept = [s for s in everything if held_for_fusion(s.group)]
    if kept:
        out = read(run, kept)
        print(json.dumps(agreement(out[:, 0], kept, out[:, 1:]), indent=2))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.train_text", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of rated_sentences.csv.gz")
    parser.add_argument("--epochs", type=int, default=Schedule.epochs, help=f"({Schedule.epochs})")
    parser.add_argument("--rate", type=float, default=Schedule.rate, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="folder of an adapter to go on from; a fresh one without")
    parser.add_argument(
        "--seed", type=int, default=Schedule.seed, help="of the start and of all that is drawn"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/text"), help="folder of the checkpoint")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder the weights are written to")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""The networks stored for mosi_utterances (`python -m model.mosi FOLDER --final`), measured on videos new to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.data.mosi import Videos, read
from model.provenance import made_from
from model.provenance.sums import WEIGHTS as PACKAGED
from model.provenance.sums import check
from model.training.mosi import MosiSettings, Reader, predict, two_class_accuracy

WEIGHTS = PACKAGED / "mosi.safetensors"


def load_final(path: Path = WEIGHTS) -> dict[str, list[Reader]]:
    """The stored networks, ready to predict: {"published": [...], "words": [...]}, one a seed.

    Warns where the text extractor that is installed is not the one whose readings of transcripts they learnt from.
    """
    from safetensors.torch import load_file

    for file in (path, path.with_suffix(".json")):
        check(file)
    tensors = load_file(path)
    described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    made_from.warn(described.get("made_from"), path, "run `python -m model.mosi FOLDER --final`")
    networks: dict[str, list[Reader]] = {}
    for name, own in described["networks"].items():
        widths = dict(zip(own["modalities"], own.pop("widths"), strict=True))
        settings = MosiSettings(**{**own, "modalities": tuple(own["modalities"])})
        for seed in range(described["seeds"]):
            network, start = Reader(settings, widths), f"{name}.{seed}."
            state = {k.removeprefix(start): v.float() for k, v in tensors.items() if k.startswith(start)}
            network.load_state_dict(state)
            networks.setdefault(name, []).append(network.eval())
    return networks


def evaluate_file(path: Path, weights: Path = WEIGHTS) -> dict[str, float]:
    """Two-class accuracy of the stored networks on a file laid out like train.npz, with other videos.

    {n, seeds, acc2, acc2_sd, acc2_together, published_acc2, published_acc2_sd, published_acc2_together}, in 0..1: acc2
    is the mean over the networks of ten seeds that read the transcripts besides the published features,
    acc2_together that of their mean score. "published_..." are the networks that see no transcript, the ones to
    compare with the literature; where the file has no transcripts both are these. Videos that the networks learnt from,
    or that stand in a train.npz beside the file too, are left out, and `videos_left_out` counts them. Raises ValueError
    where no video is left.
    """
    with np.load(path, allow_pickle=False) as file:
        words = "transcript" in file
    videos, trained = read(path, words=words), names_in(path.with_name("train.npz")) | learnt_from(weights)
    new = [i for i, name in enumerate(videos.names) if name not in trained]
    if not new:
        raise ValueError(f"all {len(videos)} videos of {path} trained the networks: give others")
    left_out, videos = len(videos) - len(new), videos.take(new)
    networks = load_final(weights)
    report = {name: measure(networks[name], videos) for name in networks if words or name == "published"}
    best = report["words"] if words else report["published"]
    return {
        "n": int(videos.told.sum()),
        "seeds": len(networks["published"]),
        **best,
        **{f"published_{name}": figure for name, figure in report["published"].items()},
        **({"videos_left_out": left_out} if left_out else {}),
    }


def learnt_from(path: Path = WEIGHTS) -> set[str]:
    """The videos that trained the stored networks."""
    check(path.with_suffix(".json"))
    return set(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["videos"])


def names_in(path: Path) -> set[str]:
    """The videos of a file laid out like train.npz; none without it."""
    if not path.is_file():
        return set()
    with np.load(path, allow_pickle=False) as file:
        return set(map(str, file["video"].tolist()))


def measure(networks: Sequence[Reader], videos: Videos) -> dict[str, float]:
    """Mean and deviation over networks of the accuracy in 0..1, and the accuracy of their mean score."""
    own = videos.only(networks[0].modalities)
    scores = [predict(network, own) for network in networks]
    each = [two_class_accuracy(s, own) for s in scores]
    return {
        "acc2": float(np.mean(each)),
        "acc2_sd": float(np.std(each, ddof=1)) if len(each) > 1 else 0.0,
        "acc2_together": two_class_accuracy(np.mean(scores, axis=0), own),
    }

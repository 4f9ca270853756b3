"""What a Coupled Mamba is made of: one dataclass, saved beside the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from torch import nn

from kernels.checks import MAX_MODALITIES

COUPLINGS = ("learned", "mean", "sum", "none")
FUSIONS = ("coupled", "independent", "late", "concat", "attention")
OPINIONS = ("likelihood", "posterior")
SCANNED = ("coupled", "independent")
"""Fusions in which all chains go through one scan, which takes a limited number of them."""


@dataclass
class CoupledMambaConfig:
    """Sizes of the network. Defaults follow the paper's setting; what the paper leaves open is decided here.

    Raises ValueError for an unknown coupling or fusion, a size below 1, a share out of range, a modality named twice or
    by a name that no part of a network can have, more modalities than can be coupled or more readouts than features,
    and TypeError for a value of another kind than the field's, both with the value seen.
    """

    modalities: tuple[str, ...] = ()
    """Names, in the order of the modality axis, at most 8 where chains are coupled. Two lists, not a mapping:
    config.json is saved with sorted keys."""
    widths: tuple[int, ...] = ()
    """Features of each modality."""
    d_model: int = 128
    """Width of a chain's residual stream."""
    expand: int = 2
    """Inner width over d_model."""
    d_conv: int = 4
    """Ticks seen by the causal depthwise convolution."""
    d_state: int = 64
    """States a channel."""
    dt_divisor: int = 8
    """d_model over the rank of the Delta projection: 16, 8 or 4 in the paper's ablation."""
    layers: int = 3
    coupling: str = "learned"
    """W of h_t^m = S_t^m sum_j W_mj h_{t-1}^j + b_t^m: learned (row softmax), mean (1/M), sum (1), none (identity)."""
    self_weight: float = 0.8
    """The diagonal of a learned W at the start; the rest of a row is shared evenly."""
    fusion: str = "coupled"
    """How modalities meet: coupled, or a baseline of model.fusion: independent (coupled by nothing, which sets
    `coupling` to none), late, concat, attention. `build_network` makes the one that is named."""
    dropout: float = 0.1
    feature_dropout: float | tuple[float, ...] = 0.0
    """Share of a stream's features hidden in training for all its ticks, for all modalities or for each of them:
    few speakers must not be learnt by heart. 1 hides them in use too, and the network reads the readouts alone."""
    readouts: tuple[int, ...] = ()
    """Last columns of each modality, never hidden nor dropped: what the extractor makes of it. Zeros if empty."""
    opinions: str = "likelihood"
    """What a chain's opinion is to the head: likelihood, what its modality shows, which the neutral prior then shrinks;
    or posterior, what is said where it alone was heard, the prior counted in. See model.coupled.head."""
    step: float = 0.2
    """Seconds a tick, for half-lives and for those who resample to the network's grid."""
    class_spread: float = 1.0
    """By how much a sentence's score is multiplied before its class of five is told (model.evaluation.calibration)."""
    intervals: dict[str, list[float]] = field(default_factory=dict)
    """By set of modalities given ("text+visual"): scales that hold 90 % of the truths, of ticks and of clips."""

    def __post_init__(self) -> None:
        self.modalities = in_order("modalities", self.modalities)
        self.widths = tuple(whole("widths", width) for width in in_order("widths", self.widths))
        check_names(self.modalities)
        if len(self.modalities) != len(self.widths):
            raise ValueError(
                f"modalities are {self.modalities} but widths {self.widths}: give one width a modality"
            )
        self._check_each()
        self._check_choices()
        self._check_numbers()
        if self.fusion in SCANNED and len(self.modalities) > MAX_MODALITIES:
            raise ValueError(
                f"{len(self.modalities)} modalities are named, and {self.fusion} fusion couples at most "
                f"{MAX_MODALITIES}: join some of them into one, side by side"
            )

    def _check_each(self) -> None:
        """What is given for each modality: `feature_dropout` and `readouts`, filled up where they are not."""
        if isinstance(self.feature_dropout, Real):
            self.feature_dropout = (float(self.feature_dropout),) * len(self.modalities)
        self.feature_dropout = in_order("feature_dropout", self.feature_dropout)
        for share in self.feature_dropout:
            check_real("feature_dropout", share)
        if len(self.feature_dropout) != len(self.modalities) or not all(
            0 <= p <= 1 for p in self.feature_dropout
        ):
            raise ValueError(
                f"feature_dropout must be a share from 0 to 1, or one for each of {self.modalities}, "
                f"got {self.feature_dropout}"
            )
        told = tuple(whole("readouts", count) for count in in_order("readouts", self.readouts))
        self.readouts = told or (0,) * len(self.modalities)
        if len(self.readouts) != len(self.modalities):
            raise ValueError(
                f"modalities are {self.modalities} but readouts {self.readouts}: give one a modality"
            )
        if not all(0 <= told <= width for told, width in zip(self.readouts, self.widths, strict=True)):
            raise ValueError(
                f"readouts are {self.readouts} of widths {self.widths}: they are some of the columns"
            )

    def _check_choices(self) -> None:
        if self.coupling not in COUPLINGS:
            raise ValueError(f"unknown coupling {self.coupling!r}: choose one of {', '.join(COUPLINGS)}")
        if self.fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {self.fusion!r}: choose one of {', '.join(FUSIONS)}")
        if self.opinions not in OPINIONS:
            raise ValueError(f"unknown opinions {self.opinions!r}: choose one of {', '.join(OPINIONS)}")
        if self.fusion == "independent":
            self.coupling = "none"

    def _check_numbers(self) -> None:
        for name in ("d_model", "expand", "d_conv", "d_state", "dt_divisor", "layers"):
            setattr(self, name, whole(name, getattr(self, name)))
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "class_spread", "self_weight", "step"):
            check_real(name, getattr(self, name))
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout must be a share from 0 to 1, got {self.dropout}")
        for name in ("class_spread", "step"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 < self.self_weight < 1:
            raise ValueError(f"self_weight must lie between 0 and 1, got {self.self_weight}")
        for name, width in self.features.items():
            if width < 1:
                raise ValueError(f"modality {name!r} must have at least 1 feature, got {width}")

    @property
    def features(self) -> dict[str, int]:
        """Width by modality, in the order of the modality axis."""
        return dict(zip(self.modalities, self.widths, strict=True))

    @property
    def d_inner(self) -> int:
        """E, channels of the scan."""
        return self.expand * self.d_model

    @property
    def dt_rank(self) -> int:
        """Rank of the Delta projection, ceil(d_model / 8) unless set: the paper prints "Delta = d_state / 8"."""
        return math.ceil(self.d_model / self.dt_divisor)


def in_order(name: str, given: Any) -> tuple[Any, ...]:
    """A tuple of what one field holds for each modality. TypeError for text, a mapping, a set or no collection.

    Text would come apart into its letters, of a mapping the names alone would be kept, and a set has no order.
    """
    if isinstance(given, (str, bytes, Mapping, set, frozenset)) or not isinstance(given, Iterable):
        raise TypeError(
            f"{name} is {given!r}: give a list or a tuple with one entry a modality, "
            "as in modalities=('text', 'audio'), widths=(300, 74)"
        )
    return tuple(given)


def whole(name: str, given: Any) -> int:
    """A field's whole number, NumPy's too, as an int. TypeError for any other."""
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise TypeError(f"{name} must be a whole number, got {given!r}: write it without quotes or a point")
    return int(given)


def check_real(name: str, given: Any) -> None:
    """Raise TypeError where a field's value is no number."""
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{name} must be a number, got {given!r}: write it without quotes")


def check_names(modalities: tuple[Any, ...]) -> None:
    """Raise where names of modalities cannot be the names of parts of a network, or are no text or not all different.

    The network keeps a module for each by its name, and the path of a weight parts names by points.
    """
    taken = nn.ModuleDict()
    for name in modalities:
        if not isinstance(name, str):
            raise TypeError(f"modalities are {modalities}: {name!r} is no text, so give it a name")
        if not name or "." in name or hasattr(taken, name):
            raise ValueError(
                f"no modality can be called {name!r}: a name has at least one letter, no point, and is none "
                "that torch.nn.ModuleDict has itself, as 'type' and 'values' are; call it another"
            )
    if len(set(modalities)) < len(modalities):
        raise ValueError(f"modalities are {modalities}: give each a name of its own")


def check_network(settings: Mapping[str, Any]) -> None:
    """Raise what CoupledMambaConfig does for settings that it does not know or refuses, before any data are at hand.

    What depends on the modalities, `readouts` and `feature_dropout`, is left to the config itself.
    """
    of_each = ("readouts", "feature_dropout")
    CoupledMambaConfig(("any",), (1,), **{k: v for k, v in settings.items() if k not in of_each})

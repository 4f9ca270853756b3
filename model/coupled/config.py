"""What a Coupled Mamba is made of: one dataclass, saved beside the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COUPLINGS = ("learned", "mean", "sum", "none")
FUSIONS = ("coupled", "independent", "late", "concat", "attention")
OPINIONS = ("likelihood", "posterior")


@dataclass
class CoupledMambaConfig:
    """Sizes of the network. Defaults follow the paper's setting; what the paper leaves open is decided here.

    Raises ValueError for an unknown coupling or fusion, a size below 1, a share out of range, a modality named twice or
    more readouts than features, with the value seen.
    """

    modalities: tuple[str, ...] = ()
    """Names, in the order of the modality axis. Two lists, not a mapping: config.json is saved with sorted keys."""
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
        self.modalities, self.widths = tuple(self.modalities), tuple(self.widths)
        if len(self.modalities) != len(self.widths):
            raise ValueError(
                f"modalities are {self.modalities} but widths {self.widths}: give one width a modality"
            )
        if len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"modalities are {self.modalities}: give each a name of its own")
        if isinstance(self.feature_dropout, (int, float)):
            self.feature_dropout = (float(self.feature_dropout),) * len(self.modalities)
        self.feature_dropout = tuple(self.feature_dropout)
        if len(self.feature_dropout) != len(self.modalities) or not all(
            0 <= p <= 1 for p in self.feature_dropout
        ):
            raise ValueError(
                f"feature_dropout must be a share from 0 to 1, or one for each of {self.modalities}, "
                f"got {self.feature_dropout}"
            )
        self.readouts = tuple(self.readouts) or (0,) * len(self.modalities)
        if len(self.readouts) != len(self.modalities):
            raise ValueError(
                f"modalities are {self.modalities} but readouts {self.readouts}: give one a modality"
            )
        if not all(0 <= told <= width for told, width in zip(self.readouts, self.widths, strict=True)):
            raise ValueError(
                f"readouts are {self.readouts} of widths {self.widths}: they are some of the columns"
            )
        if self.coupling not in COUPLINGS:
            raise ValueError(f"unknown coupling {self.coupling!r}: choose one of {', '.join(COUPLINGS)}")
        if self.fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {self.fusion!r}: choose one of {', '.join(FUSIONS)}")
        if self.opinions not in OPINIONS:
            raise ValueError(f"unknown opinions {self.opinions!r}: choose one of {', '.join(OPINIONS)}")
        if self.fusion == "independent":
            self.coupling = "none"
        for name in ("d_model", "expand", "d_conv", "d_state", "dt_divisor", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.class_spread > 0:
            raise ValueError(f"class_spread must be above 0, got {self.class_spread}")
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


def check_network(settings: Mapping[str, Any]) -> None:
    """Raise what CoupledMambaConfig does for settings that it does not know or refuses, before any data are at hand.

    What depends on the modalities, `readouts` and `feature_dropout`, is left to the config itself.
    """
    of_each = ("readouts", "feature_dropout")
    CoupledMambaConfig(("any",), (1,), **{k: v for k, v in settings.items() if k not in of_each})

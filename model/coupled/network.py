"""Coupled Mamba: features of M modalities on one grid of ticks in, a score for every tick and for the clip out.

On entry: values, one [B, L, width] a modality, and presence [B, L, M] in 0..1, where 0 means not observed.
Inside: x [B, L, M, D], one chain a modality, through `config.layers` coupled layers.
On exit: ticks [B, L] and clip [B], scores from -3 (strongly negative) to 3 (strongly positive). The score at a
tick depends on that tick and those before it, never on later ones.
"""

# No postponed annotations here: the hub mixin reads __init__'s to turn config.json back into the dataclass.
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.coupled.base import Fusion
from model.coupled.config import CoupledMambaConfig
from model.coupled.head import build_head
from model.coupled.inputs import check_dtype, check_inputs
from model.coupled.layers import CoupledLayer, Trace
from model.coupled.split import Split, split_score
from model.coupled.streaming import Stream

CUT = 5.0  # deviations beyond which a feature counts no more


@dataclass(frozen=True)
class Output:
    """ticks [B, L] and clip [B] in -3..3, the scales of their errors, and the last layer's trace where asked for."""

    ticks: Float[Tensor, "B L"]
    clip: Float[Tensor, " B"]
    tick_scale: Float[Tensor, "B L"]
    clip_scale: Float[Tensor, " B"]
    trace: Trace | None = None

    def cpu(self) -> "Output":
        """The same on the CPU; nothing is copied where it is there already."""
        trace = None if self.trace is None else (self.trace[0].cpu(), self.trace[1].cpu())
        return Output(self.ticks.cpu(), self.clip.cpu(), self.tick_scale.cpu(), self.clip_scale.cpu(), trace)


class Standardise(nn.Module):
    """(value - mean) / deviation, cut at CUT deviations, so that one loud tick cannot rule a clip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def fit(self, rows: Float[Tensor, "n width"]) -> None:
        """Take mean and deviation from training rows; of one row the mean alone, and of none neither.

        A single row has a deviation of NaN, and every feature with it. Whole numbers, which the forward takes too, have
        no mean of their own kind, and in half precision both would be rounded.
        """
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        if len(rows):
            self.get_buffer("mean").copy_(rows.mean(0))
        if len(rows) > 1:
            self.get_buffer("deviation").copy_(rows.std(0).clamp_min(1e-4))

    def fitted(self) -> bool:
        """Whether mean and deviation are other than the 0 and 1 that stand there before any fit."""
        return bool(self.get_buffer("mean").any() or self.get_buffer("deviation").ne(1).any())

    def forward(self, x: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        """Standardise the last axis."""
        return ((x - self.get_buffer("mean")) / self.get_buffer("deviation")).clamp(-CUT, CUT)


class Features(nn.Module):
    """Every modality's features standardised, and in training partly hidden: all ticks of some, and single numbers.

    The extractor's own readouts never are: a network learns to trust a score less where in training it is often
    missing, and that distrust stays when it no longer is.
    """

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        if not config.modalities:
            raise ValueError("config.modalities is empty: name at least one, with its feature width")
        self.standardise = nn.ModuleDict({m: Standardise(w) for m, w in config.features.items()})
        shares = config.feature_dropout
        assert isinstance(shares, tuple)  # the config made one of it
        self.hidden_share = dict(zip(config.modalities, shares, strict=True))
        self.readouts = dict(zip(config.modalities, config.readouts, strict=True))
        self.dropout = nn.Dropout(config.dropout)
        self.looked = False

    @torch.no_grad()
    def fit(self, values: Mapping[str, Float[Tensor, "B L width"]], mask: Bool[Tensor, "B L M"]) -> None:
        """Fit each modality's standardisation to its observed ticks; one without any keeps what it had.

        Raises ValueError for NaN or infinity among them, before anything is fitted.
        """
        rows = {m: values[m][mask[..., i]] for i, m in enumerate(self.standardise)}
        for m, seen in rows.items():
            if not seen.isfinite().all():
                raise ValueError(
                    f"values[{m!r}] holds NaN or infinity at an observed tick: mend it, or give presence 0 there"
                )
        for m, seen in rows.items():
            layer = self.standardise[m]
            assert isinstance(layer, Standardise)
            layer.fit(seen)

    def prepare(
        self, values: Mapping[str, Float[Tensor, "B L width"]], mask: Bool[Tensor, "B L M"]
    ) -> dict[str, Tensor]:
        """Name -> [B, L, width], in the order of the modality axis; what was not observed is read as 0.

        NaN there is often padding. Left for later, behind a weight, it would make no score but every gradient NaN.
        Raises TypeError where the features have another dtype than the weights can take.
        """
        for m, layer in self.standardise.items():
            check_dtype(m, values[m], layer.get_buffer("mean"))
        seen = {m: values[m].masked_fill(~mask[..., i, None], 0) for i, m in enumerate(self.standardise)}
        self.warn_if_cut(seen, mask)
        return {m: self.hide(m, layer(seen[m])) for m, layer in self.standardise.items()}

    @torch.no_grad()
    def warn_if_cut(
        self, values: Mapping[str, Float[Tensor, "B L width"]], mask: Bool[Tensor, "B L M"]
    ) -> None:
        """Warn where a standardisation was never fitted and cuts most of what was observed.

        At the first batch in training alone: to look at numbers makes a GPU wait, and a compiled graph break.
        """
        if self.looked or not self.training or torch.compiler.is_compiling():
            return
        self.looked = True
        cut = []
        for i, (m, layer) in enumerate(self.standardise.items()):
            assert isinstance(layer, Standardise)
            rows = values[m][mask[..., i]]
            if (rows.abs() > CUT).sum() > rows.numel() / 2 and not layer.fitted():
                cut.append(m)
        if cut:
            warnings.warn(
                f"most features of {', '.join(cut)} lie beyond {CUT:g} and are cut there: fit the standardisation to "
                "the training data first, with fit_standardisation",
                stacklevel=2,
            )

    def hide(self, modality: str, x: Float[Tensor, "B L width"]) -> Float[Tensor, "B L width"]:
        """In training, some of a stream's features for all its ticks, and `dropout` of the numbers that are left.

        Where the share is 1 all but the readouts are hidden, and in use too.
        """
        plain = x.shape[-1] - self.readouts[modality]
        share = self.hidden_share[modality]
        if share == 1:
            return F.pad(x[..., plain:], (plain, 0))
        if not self.training:
            return x
        shown = F.dropout1d(x[..., :plain].mT, share).mT if share else x[..., :plain]
        return torch.cat([self.dropout(shown), x[..., plain:]], dim=-1)


class Embed(Features):
    """Each modality's features to a chain of width D; an unobserved tick gets the chain's own learnt token."""

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__(config)
        self.project = nn.ModuleDict({m: nn.Linear(w, config.d_model) for m, w in config.features.items()})
        self.absent = nn.Parameter(0.02 * torch.randn(len(config.widths), config.d_model))

    def forward(
        self, values: Mapping[str, Float[Tensor, "B L width"]], mask: Bool[Tensor, "B L M"]
    ) -> Float[Tensor, "B L M D"]:
        """Stack the chains along the modality axis."""
        chains = [self.project[m](x) for m, x in self.prepare(values, mask).items()]
        return torch.where(mask[..., None], torch.stack(chains, dim=2), self.absent)


class CoupledMamba(Fusion, tags=["multimodal", "sentiment", "state-space-model", "mamba"]):
    """The network. `save_pretrained` and `push_to_hub` write safetensors, config.json and a card, never a pickle.

    Features are read as deviations from a mean and cut at 5 of them. A fresh network has mean 0 and deviation 1: call
    `fit_standardisation` with the training data before training, or features on any other scale are mostly cut. What
    was fitted is saved with the weights. `from_pretrained` gives float32 whatever was saved: a network saved in
    bfloat16 has the same numbers then, and `.bfloat16()` takes it back. It raises FileNotFoundError where there is no
    config.json, and DamagedWeightsError where the weights are not all of those, and only those, that the config needs.

    The card names no licence: which one a network may have depends on the data that it learnt from.
    """

    fusions: tuple[str, ...] = ("coupled", "independent")
    embed: Embed

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__(config)
        self.embed = Embed(config)
        self.layers = self.make_layers(config)
        self.head = build_head(config)

    @staticmethod
    def make_layers(config: CoupledMambaConfig) -> nn.ModuleList:
        """What stands between the embedding and the head."""
        return nn.ModuleList(CoupledLayer(config) for _ in range(config.layers))

    def forward(
        self,
        values: Mapping[str, Float[Tensor, "B L width"]],
        presence: Float[Tensor, "B L M"],
        trace: bool = False,
    ) -> Output:
        """Scores of every tick and of the clip; with `trace` the last layer's state norms and source shares.

        Values are whole features, which the network standardises by what `fit_standardisation` found. Pad clips behind
        and not before: an unobserved tick enters the convolutions as the learnt token of what is absent, where before
        the first tick they find zeros, so ticks of padding before a clip change its scores and those behind it do not.
        Raises ValueError where there is no tick, or a modality is missing from `values` or has another width or length,
        and TypeError for what is no tensor or has another dtype than the weights.
        """
        x, mask = self.encode(values, presence, len(self.layers) - 1)
        x, traced = self.layers[-1](x, mask, trace=trace)
        scores = self.head(x, mask)
        return Output(scores.ticks, scores.clip, scores.tick_scale, scores.clip_scale, traced)

    def encode(
        self, values: Mapping[str, Float[Tensor, "B L width"]], presence: Float[Tensor, "B L M"], layers: int
    ) -> tuple[Float[Tensor, "B L M D"], Bool[Tensor, "B L M"]]:
        """The chains after the first `layers` layers, and where they were observed. Errors as in forward."""
        check_inputs(self.config, values, presence)
        mask = presence > 0
        x = self.embed(values, mask)
        for layer in self.layers[:layers]:
            x, _ = layer(x, mask)
        return x, mask

    def stream(self, batch: int | None = None) -> Stream:
        """A stream to feed tick by tick; see model.coupled.streaming."""
        return Stream(self, batch)

    def explain(
        self,
        values: Mapping[str, Float[Tensor, "B L width"]],
        presence: Float[Tensor, "B L M"],
        at: int | None = None,
    ) -> Split:
        """What the score at a tick, or the clip's, owes to each modality at each tick; see `split_score`."""
        return split_score(self, values, presence, at)

"""Features on their way into a network: standardised, in training partly hidden, and projected to a chain's width."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig
from model.coupled.inputs import check_dtype

CUT = 5.0  # deviations beyond which a feature counts no more


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

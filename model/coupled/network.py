"""Coupled Mamba: features of M modalities on one grid of ticks in, a score for every tick and for the clip out.

On entry: values, one [B, L, width] a modality, and presence [B, L, M] in 0..1, where 0 means not observed.
Inside: x [B, L, M, D], one chain a modality, through `config.layers` coupled layers.
On exit: ticks [B, L] and clip [B], scores from -3 (strongly negative) to 3 (strongly positive). The score at a
tick depends on that tick and those before it, never on later ones.
"""

# No postponed annotations here: the hub mixin reads __init__'s to turn config.json back into the dataclass.
from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.coupled.base import Fusion
from model.coupled.config import CoupledMambaConfig
from model.coupled.features import Embed
from model.coupled.head import build_head
from model.coupled.inputs import check_inputs
from model.coupled.layers import CoupledLayer, Trace
from model.coupled.split import Split, split_score
from model.coupled.streaming import Stream


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

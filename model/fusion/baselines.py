"""What Coupled Mamba is compared with: four other ways for modalities to meet, behind the same interface.

On entry and on exit as in `model.coupled.network`: values, one [B, L, width] a modality, and presence [B, L, M]; scores
and scales of every tick and of the clip. Every baseline is causal, takes a missing modality as a mask, keeps
`embed.standardise` and is fitted, saved and read by the same names, so one trainer serves all. None has coupled
states, so `Output.trace` is None and there is nothing to stream or to explain, but for "independent", which is Coupled
Mamba with W the identity.
"""

# No postponed annotations here: the hub mixin reads __init__'s to turn config.json back into the dataclass.
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors.torch import load_model
from torch import Tensor, nn

from model.coupled.base import Fusion, wholly_read
from model.coupled.config import CoupledMambaConfig
from model.coupled.features import Features
from model.coupled.inputs import check_inputs
from model.coupled.layers import ModalityLinear, ModalityNorm
from model.coupled.network import CoupledMamba, Output
from model.provenance.sums import DamagedWeightsError

Values = Mapping[str, Float[Tensor, "B L width"]]
HEADS = 4


class Zeroed(Features):
    """The features without an embedding: zeros where a modality was not observed."""

    def forward(self, values: Values, mask: Bool[Tensor, "B L M"]) -> dict[str, Tensor]:
        """Name -> [B, L, width]."""
        features = enumerate(self.prepare(values, mask).items())
        return {m: torch.where(mask[..., i, None], x, 0.0) for i, (m, x) in features}


class LateFusion(Fusion):
    """One network of a single chain for each modality; the score is the mean of those heard.

    Heard is a modality observed at this tick or before it; for the clip, at any tick. The scale follows the law of
    total variance, so it grows where the networks disagree. Before anything was heard all count alike.
    """

    fusions = ("late",)

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__(config)
        self.embed = Zeroed(config)
        self.alone = nn.ModuleDict(
            {m: CoupledMamba(single_chain(config, m, width)) for m, width in config.features.items()}
        )

    def forward(self, values: Values, presence: Float[Tensor, "B L M"], trace: bool = False) -> Output:
        """Scores and scales of every tick and of the clip; see CoupledMamba."""
        check_inputs(self.config, values, presence)
        mask = presence > 0
        features = self.embed(values, mask)
        outputs = [
            net({m: features[m]}, presence[..., i, None]) for i, (m, net) in enumerate(self.alone.items())
        ]
        ticks, tick_scale = mean_of_heard(
            torch.stack([o.ticks for o in outputs], -1),
            torch.stack([o.tick_scale for o in outputs], -1),
            mask.cumsum(1) > 0,
        )
        clip, clip_scale = mean_of_heard(
            torch.stack([o.clip for o in outputs], -1),
            torch.stack([o.clip_scale for o in outputs], -1),
            mask.any(1),
        )
        return Output(ticks, clip, tick_scale, clip_scale)


class ConcatFusion(Fusion):
    """All features side by side, and a flag for each modality's presence, into one Mamba chain."""

    fusions = ("concat",)

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__(config)
        self.embed = Zeroed(config)
        self.chain = CoupledMamba(single_chain(config, "all", sum(config.widths) + len(config.widths)))

    def forward(self, values: Values, presence: Float[Tensor, "B L M"], trace: bool = False) -> Output:
        """Scores and scales of every tick and of the clip; see CoupledMamba."""
        check_inputs(self.config, values, presence)
        mask = presence > 0
        features = self.embed(values, mask)
        # In the features' own precision: presence may be given in another, which the chain would refuse as theirs.
        flags = mask.to(next(iter(features.values())).dtype)
        joined = torch.cat([*features.values(), flags], dim=-1)
        return self.chain({"all": joined}, mask.any(-1, keepdim=True).to(presence.dtype))


class AttentionFusion(CoupledMamba):
    """Directed crossmodal attention between each pair of modalities, then self-attention: after MulT, made causal.

    Tsai et al., Multimodal Transformer for Unaligned Multimodal Language Sequences, ACL 2019 (arXiv 1906.00295).
    The embedding and the head are Coupled Mamba's own.
    """

    fusions = ("attention",)

    @staticmethod
    def make_layers(config: CoupledMambaConfig) -> nn.ModuleList:
        """All of it in one module: streams of pairs have another width than what enters and leaves."""
        return nn.ModuleList([CrossAttention(config)])


class CrossAttention(nn.Module):
    """Streams m <- j for every ordered pair, each `layers` blocks deep, then each target's streams side by side
    through `layers` blocks of self-attention: [B, L, M, D] -> [B, L, M, D].
    """

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        m, d, drop = len(config.widths), config.d_model, config.dropout
        pairs = [(target, source) for target in range(m) for source in range(m) if source != target]
        self.targets, self.sources = [t for t, _ in pairs], [s for _, s in pairs]
        wide = d * max(m - 1, 1)
        depth = range(config.layers)
        self.cross = nn.ModuleList(AttentionBlock(len(pairs), d, drop) for _ in depth if pairs)
        self.own = nn.ModuleList(AttentionBlock(m, wide, drop) for _ in depth)
        self.out = ModalityLinear(m, wide, d)

    def forward(
        self, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"], trace: bool = False
    ) -> tuple[Float[Tensor, "B L M D"], None]:
        """One pass over all ticks; there is no trace of states to give."""
        batch, length, modalities, width = x.shape
        x = x + positions(length, width, x)[:, None]
        if self.targets:
            streams, source, seen = x[:, :, self.targets], x[:, :, self.sources], mask[:, :, self.sources]
            for block in self.cross:
                streams = block(streams, source, seen)
            x = streams.reshape(batch, length, modalities, -1)
        anything = mask.any(-1, keepdim=True).expand_as(mask)
        for block in self.own:
            x = block(x, x, anything)
        return self.out(x), None


class AttentionBlock(nn.Module):
    """A transformer's block for P streams, each attending to the ticks so far of a source of its own.

    A learnt key and value stands beside the source's, so that a tick before anything was observed attends to it.
    """

    def __init__(self, streams: int, width: int, dropout: float) -> None:
        super().__init__()
        inner = HEADS * math.ceil(width / HEADS)
        self.norms = nn.ModuleList(ModalityNorm(streams, width) for _ in range(3))
        self.query = ModalityLinear(streams, width, inner)
        self.keys = ModalityLinear(streams, width, 2 * inner)
        self.nothing = nn.Parameter(0.02 * torch.randn(streams, 2 * inner))
        self.out = ModalityLinear(streams, inner, width)
        self.widen = ModalityLinear(streams, width, 4 * width)
        self.narrow = ModalityLinear(streams, 4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B L P D"], source: Float[Tensor, "B L P D"], seen: Bool[Tensor, "B L P"]
    ) -> Float[Tensor, "B L P D"]:
        """`seen` is True where the source was observed."""
        of_x, of_source, of_feed = self.norms
        query, keys = self.query(of_x(x)), self.keys(of_source(source))
        keys = torch.cat([self.nothing.expand_as(keys[:, :1]).to(keys.dtype), keys], dim=1)
        key, value = keys.chunk(2, dim=-1)
        found = F.scaled_dot_product_attention(
            by_head(query), by_head(key), by_head(value), attn_mask=allowed(seen)
        )
        found = found.permute(0, 3, 1, 2, 4).flatten(3)
        x = x + self.dropout(self.out(found))
        return x + self.dropout(self.narrow(F.silu(self.widen(of_feed(x)))))


def by_head(x: Float[Tensor, "B L P D"]) -> Float[Tensor, "B P H L d"]:
    """Split the width among the heads."""
    return x.unflatten(-1, (HEADS, -1)).permute(0, 2, 3, 1, 4)


def allowed(seen: Bool[Tensor, "B L P"]) -> Bool[Tensor, "B P 1 L K"]:
    """Which of the K = L + 1 keys a tick may attend to: the learnt one, and what was seen up to now."""
    length = seen.shape[1]
    so_far = torch.ones(length, length, dtype=torch.bool, device=seen.device).tril()
    rows = seen.transpose(1, 2)[:, :, None] & so_far
    return F.pad(rows, (1, 0), value=True)[:, :, None]


def positions(length: int, width: int, like: Tensor) -> Float[Tensor, "L D"]:
    """Sines and cosines of the tick, periods from 2 pi to 10,000 * 2 pi ticks (Vaswani et al. 2017, 3.5)."""
    half = (width + 1) // 2
    rates = torch.exp(-torch.arange(half, device=like.device) * (torch.log(torch.tensor(1e4)) / half))
    angles = torch.arange(length, device=like.device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width].to(like.dtype)


def mean_of_heard(
    score: Float[Tensor, "*shape M"], scale: Float[Tensor, "*shape M"], heard: Bool[Tensor, "*shape M"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Mean over the modalities heard, and sqrt(mean of scale^2 + variance of the scores)."""
    weight = (heard | ~heard.any(-1, keepdim=True)).to(score.dtype)
    weight = weight / weight.sum(-1, keepdim=True)
    mean = (weight * score).sum(-1)
    # As in the head of Coupled Mamba: the scale learns from the scores and must not bend them.
    apart = (score - mean[..., None]).detach() ** 2
    return mean, (weight * (scale**2 + apart)).sum(-1).sqrt()


def single_chain(config: CoupledMambaConfig, name: str, width: int) -> CoupledMambaConfig:
    """The config of one Mamba chain alone; all its inputs count as readouts, since what stands before it hides."""
    alone = replace(config, modalities=(name,), widths=(width,), readouts=(width,), feature_dropout=0.0)
    return replace(alone, fusion="independent")


Network = CoupledMamba | LateFusion | ConcatFusion
BUILDERS: dict[str, type[Network]] = {
    "coupled": CoupledMamba,
    "independent": CoupledMamba,
    "late": LateFusion,
    "concat": ConcatFusion,
    "attention": AttentionFusion,
}


def build_network(config: CoupledMambaConfig) -> Network:
    """The network that config.fusion names, fresh. Raises ValueError where no modality is named."""
    return BUILDERS[config.fusion](config)


def load_network(folder: Path | str) -> Network:
    """What `save_pretrained` of any fusion left in a folder, ready to predict.

    In float32, also what was saved in another precision: see CoupledMamba. Raises FileNotFoundError where nothing was
    saved there, and DamagedWeightsError for a file that is no network's config, or does not hold its weights.
    """
    config_path, weights = saved_files(folder)
    network = build_network(read_config(config_path))
    with wholly_read(weights):
        load_model(network, weights)
    return network.eval()


def saved_files(folder: Path | str) -> tuple[Path, Path]:
    """The config and the weights in a folder. Raises FileNotFoundError for the one that is not there."""
    paths = Path(folder) / "config.json", Path(folder) / "model.safetensors"
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: put a network saved by save_pretrained there")
    return paths


def read_config(path: Path) -> CoupledMambaConfig:
    """A config as `save_pretrained` writes it. Raises DamagedWeightsError, with what is wrong, for any other file."""
    try:
        return CoupledMambaConfig(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise DamagedWeightsError(
            f"{path} is no network's config ({error}): save the network anew"
        ) from error


def parameters(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def match_width(config: CoupledMambaConfig, target: int, tolerance: float = 0.05) -> CoupledMambaConfig:
    """The config with the d_model whose network comes nearest to `target` parameters.

    Raises ValueError where the nearest is further off than `tolerance` of the target, with the count seen.
    """
    low, high = 1, 2
    while count(config, high) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(config, middle) < target else (low, middle)
    width = min((low, high), key=lambda d: abs(count(config, d) - target))
    found = count(config, width)
    if abs(found - target) > tolerance * target:
        raise ValueError(
            f"{config.fusion} comes no nearer to {target} parameters than {found} at d_model {width}: "
            f"raise the target or the tolerance, {tolerance:g}"
        )
    return replace(config, d_model=width)


def count(config: CoupledMambaConfig, d_model: int) -> int:
    """Parameters at a width, without making any."""
    with torch.device("meta"):
        return parameters(build_network(replace(config, d_model=d_model)))

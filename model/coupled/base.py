"""What every network has, however its modalities meet: it is built for its own fusion, fitted to the scale of its
features, and read as a whole from what was saved, or not at all.
"""

# No postponed annotations here: the hub mixin reads __init__'s to turn config.json back into the dataclass.
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Self

from huggingface_hub import PyTorchModelHubMixin
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig
from model.coupled.inputs import check_inputs
from model.provenance.sums import DamagedWeightsError

if TYPE_CHECKING:
    from model.coupled.features import Features


class Fusion(nn.Module, PyTorchModelHubMixin, library_name="coupled-mamba"):
    """A network of one config, whose `embed` standardises the features.

    `save_pretrained`, `push_to_hub` and `from_pretrained` are as in CoupledMamba. Raises ValueError for a config that
    names a fusion which is none of the class's `fusions`.
    """

    fusions: tuple[str, ...]
    embed: "Features"

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        if config.fusion not in self.fusions:
            raise ValueError(
                f"{type(self).__name__} is no {config.fusion!r} fusion: use model.build_network, or "
                "model.load_network for one that was saved"
            )
        self.config = config

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **given: Any) -> Self:
        """As the hub mixin's, which lets a network without a config.json fail in its constructor, and leaves at random
        what the file of weights does not hold.
        """
        if "config" not in given:
            raise FileNotFoundError(
                f"there is no config.json in {model_id}: name a folder or a hub repository that save_pretrained or "
                "push_to_hub wrote"
            )
        with wholly_read(model_id):
            network: Self = super()._from_pretrained(model_id=model_id, **{**given, "strict": True})
        return network

    def fit_standardisation(
        self, values: Mapping[str, Float[Tensor, "B L width"]], presence: Float[Tensor, "B L M"]
    ) -> None:
        """Take every modality's mean and deviation from its observed ticks in the training data, given as to forward.

        A modality observed at no tick keeps what it had. Raises as forward does, and ValueError for NaN or infinity
        where observed.
        """
        check_inputs(self.config, values, presence)
        self.embed.fit(values, presence > 0)


@contextmanager
def wholly_read(weights: Path | str) -> Iterator[None]:
    """What is read here is a network's weights, all of them and no others. DamagedWeightsError where it is not."""
    try:
        yield
    except SafetensorError as error:
        raise DamagedWeightsError(f"{weights} cannot be read ({error}): save the network anew") from error
    except RuntimeError as error:
        if "loading state_dict" not in str(error):  # a full GPU is no fault of the file's
            raise
        raise DamagedWeightsError(
            f"{weights} holds another network's weights than its config.json describes ({_reason(error)}): put "
            "there what one save_pretrained wrote"
        ) from error


def _reason(error: RuntimeError) -> str:
    """The first thing found wrong: torch's heading says none, and all weights may follow."""
    return shorten(str(error).splitlines()[1], 200).strip(". ")

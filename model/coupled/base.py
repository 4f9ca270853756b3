"""What every network has, however its modalities meet: it is read as a whole from what was saved, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError
from torch import nn

from model.provenance.sums import DamagedWeightsError


class Fusion(nn.Module, PyTorchModelHubMixin, library_name="coupled-mamba"):
    """A network of one config; `save_pretrained`, `push_to_hub` and `from_pretrained` as in CoupledMamba."""

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

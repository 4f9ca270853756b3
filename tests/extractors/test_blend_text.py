from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from extractors.blend_text import blend
from extractors.words.adapter import ADAPTER, HEAD, WEIGHTS, attach, check, load_head
from extractors.words.embeddings import load_base

TEXTS = ["I love this film, it is wonderful.", "What a boring waste of time!"]


def other(folder: Path) -> Path:
    """An adapter that differs from the packaged one in its second matrices."""
    from extractors.words.adapter import seal

    shutil.copytree(WEIGHTS, folder)
    tensors = load_file(folder / ADAPTER)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if "lora_B" in name:
            tensors[name] = tensor * (0.5 + torch.rand(tensor.shape, generator=generator)).half()
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
    head = torch.nn.Linear(384, 6)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.ones_(head.bias)
    seal(head, folder, {"seed": 1})
    return folder


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    network = attach(load_base(), folder)[0].auto_model
    return {k: v for k, v in network.named_parameters() if "dense.weight" in k or "query.weight" in k}


def test_the_mean_of_an_adapter_with_itself_is_itself(tmp_path: Path) -> None:
    config = blend([WEIGHTS, WEIGHTS], tmp_path / "mean")
    assert check(tmp_path / "mean") == config
    assert config["trained"]["mean_of"] == [check()["trained"]] * 2
    before, after = (attach(load_base(), f).encode(TEXTS) for f in (WEIGHTS, tmp_path / "mean"))
    assert after == pytest.approx(before, abs=2e-3)  # written in float16
    assert np.abs(before - load_base().encode(TEXTS)).max() > 0.05


def test_with_rank_enough_the_weights_are_the_means(tmp_path: Path) -> None:
    second = other(tmp_path / "second")
    rank = 64
    blend([WEIGHTS, second], tmp_path / "mean", rank)
    a, b, mean = (weights_of(f) for f in (WEIGHTS, second, tmp_path / "mean"))
    for name, value in mean.items():
        torch.testing.assert_close(value, (a[name] + b[name]) / 2, atol=1e-3, rtol=0)
    assert max(float((a[k] - b[k]).abs().max()) for k in a) > 0.02
    head, first = load_head(tmp_path / "mean"), load_head()
    assert head.weight == pytest.approx(first.weight / 2, abs=1e-3)
    assert head.bias == pytest.approx((first.bias + 1) / 2, abs=1e-3)


def test_one_adapter_has_no_mean(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two adapters or more, got 1"):
        blend([WEIGHTS], tmp_path / "mean")


def test_a_damaged_adapter_is_refused(tmp_path: Path) -> None:
    second = Path(shutil.copytree(WEIGHTS, tmp_path / "second"))
    data = bytearray((second / HEAD).read_bytes())
    data[-3] ^= 1
    (second / HEAD).write_bytes(data)
    with pytest.raises(ValueError, match="sha256"):
        blend([WEIGHTS, second], tmp_path / "mean")

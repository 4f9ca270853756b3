"""What expression networks answer to many faces: alone, several together as teachers, and how sure one may be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from extractors.training.augment_faces import views


def here(tensor: Tensor) -> Tensor:
    """The tensor on the device that training runs on, torch's default one."""
    return tensor.to(torch.get_default_device())


def to_faces(images: NDArray[np.uint8]) -> Tensor:
    """Images [n, 48, 48] as the network is given them: [n, 1, 48, 48] in 0..1, on torch's default device."""
    return here(torch.from_numpy(np.ascontiguousarray(images)))[:, None].float() / 255


@torch.inference_mode()
def probabilities(network: torch.nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Class probabilities [n, 7] for images [n, 48, 48], averaged over each face and its mirror image."""
    network.eval()
    parts = []
    for i in range(0, len(images), 256):
        faces = to_faces(images[i : i + 256])
        shown = network(torch.cat([faces, faces.flip(3)])).float().softmax(1)
        parts.append(shown.unflatten(0, (2, -1)).mean(0).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)


@torch.inference_mode()
def taught(teachers: Sequence[torch.nn.Module], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the teachers say together of images [n, 48, 48], over eight looks at each: probabilities [n, 7]."""
    parts = []
    for i in range(0, len(images), 256):
        looks = views(to_faces(images[i : i + 256]))
        with torch.autocast(looks[0].device.type, torch.bfloat16):
            said = [teacher(look).float().softmax(1) for teacher in teachers for look in looks]
        parts.append(torch.stack(said).mean(0).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)


def taught_once(
    teachers: Sequence[torch.nn.Module], images: NDArray[np.uint8], path: Path, made: str
) -> NDArray[np.float32]:
    """What `taught` gives, kept at `path` for the run named `made`, so that one which goes on does not ask again."""
    if path.exists():
        with np.load(path) as kept:
            if str(kept["made"]) == made:
                return np.asarray(kept["said"], np.float32)
    said = taught(teachers, images)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, said=said, made=made)
    part.replace(path)
    return said


@torch.no_grad()
def sharpen(network: torch.nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int8]) -> float:
    """Multiply the network's logits, in place, by what makes faces it was not trained on likeliest; that factor.

    Smoothed labels and mixed faces teach it to be less sure than it may be (temperature scaling, Guo et al. 2017).
    """
    from scipy.optimize import minimize_scalar

    likely = np.log(probabilities(network, images).clip(1e-9))

    def surprise(factor: float) -> float:
        logits = torch.from_numpy(factor * likely)
        return F.cross_entropy(logits, torch.from_numpy(labels).long()).item()

    factor = float(minimize_scalar(surprise, bounds=(0.25, 4.0), method="bounded").x)
    head = network.get_submodule("head")
    for parameter in head.parameters():
        parameter.mul_(factor)
    return factor

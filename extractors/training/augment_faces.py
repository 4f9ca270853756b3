"""Faces as they might have been seen: for training the expression network.

Faces are [n, 1, 48, 48] in 0..1, and so is what comes back.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NEARER, ASIDE = 0.9, 0.08  # scale of a nearer view; half of a shift's width, as a share of the picture


def augment(faces: Tensor, hardness: float = 1.0) -> Tensor:
    """Seen from elsewhere, in other light, partly covered, and as soft as a face cut from video.

    faces [n, 1, 48, 48] in 0..1, and so is what comes back; hardness 0..1 scales how far and how often.
    """
    faces = _move(faces, hardness)
    n = len(faces)
    # The mean and the contrast are undone by the network; what is lost by clipping and by gamma is not.
    gamma = (torch.empty(n, 1, 1, 1).uniform_(-0.4, 0.4) * hardness).exp()
    contrast = (torch.empty(n, 1, 1, 1).uniform_(-0.35, 0.35) * hardness).exp()
    shift = torch.empty(n, 1, 1, 1).uniform_(-0.15, 0.15) * hardness
    faces = ((faces.clamp_min(0) ** gamma - 0.5) * contrast + 0.5 + shift).clamp(0, 1)
    return _cover(_soften(faces, 0.25 * hardness), 0.5 * hardness)


def _move(faces: Tensor, hardness: float) -> Tensor:
    n = len(faces)
    angle = torch.empty(n).uniform_(-0.26, 0.26) * hardness
    wide, high = (torch.empty(2, n).uniform_(-0.17, 0.17) * hardness).exp()
    mirror = torch.randint(0, 2, (n,)) * 2.0 - 1
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * wide * angle.cos(), -high * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * wide * angle.sin(), high * angle.cos()
    matrix[:, :, 2] = torch.empty(n, 2).uniform_(-0.2, 0.2) * hardness
    grid = F.affine_grid(matrix, list(faces.shape), align_corners=False)
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _soften(faces: Tensor, share: float) -> Tensor:
    """A share of the batch, at one lower resolution drawn for it."""
    part, side = int(share * len(faces)), int(torch.randint(14, 37, ()))
    if not part:
        return faces
    small = F.interpolate(faces[:part], size=(side, side), mode="area")
    soft = F.interpolate(small, size=faces.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([soft, faces[part:]])


def _cover(faces: Tensor, share: float) -> Tensor:
    """A grey square of 6 to 18 pixels over a share of the faces."""
    n, side = len(faces), faces.shape[2]
    centre = torch.rand(2, n, 1) * side
    half = torch.empty(n, 1).uniform_(3, 9) * (torch.rand(n, 1) < share)
    place = torch.arange(side) + 0.5
    rows, columns = ((place - centre[i]).abs() < half for i in (0, 1))
    hidden = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(hidden, torch.rand(n, 1, 1, 1), faces)


def views(faces: Tensor) -> list[Tensor]:
    """Eight looks at faces: as they are, nearer, and nearer and shifted along the diagonal; each mirrored too."""
    looks = [(1.0, 0.0), (NEARER, 0.0), (NEARER, ASIDE), (NEARER, -ASIDE)]
    seen = []
    for scale, shift in looks:
        matrix = torch.tensor([[scale, 0.0, shift], [0.0, scale, shift]]).expand(len(faces), 2, 3)
        grid = F.affine_grid(matrix, list(faces.shape), align_corners=False)
        look = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
        seen += [look, look.flip(3)]
    return seen


def mix(faces: Tensor, wanted: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Each face laid over another one, and what is wanted of it likewise (Zhang et al. 2018, mixup).

    wanted [n, 7] are probabilities; strength > 0 is the parameter of the Beta distribution of the weights, one a face.
    """
    weight = torch.distributions.Beta(strength, strength).sample((len(faces),))
    other = torch.randperm(len(faces))
    image, answer = weight[:, None, None, None], weight[:, None]
    return image * faces + (1 - image) * faces[other], answer * wanted + (1 - answer) * wanted[other]

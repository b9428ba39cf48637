"""Perceptual distances of colours, for normal and deficient colour vision."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
NEAREST = (0.075, 0.025, 0.025, 0.025)
"""By vision (normal, and without long, middle or short cones), the distance in Oklab under which two colours
are easily confused: somewhat less than the smallest one among the ten shipped colours, which is 0.092 in
normal vision and 0.028 in the worst one.
"""
LIGHTNESS = (0.5, 0.82)
"""Range of lightness that is visible on light and dark pages."""

# Simulated vision without long-, middle- or short-wave cones, on linear RGB: Machado, Oliveira & Fernandes,
# "A physiologically-based model for simulation of color vision deficiency" (2009), severity 1.
_VISIONS = np.array(
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# Björn Ottosson, "A perceptual color space for image processing" (2020).
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen(colours: Sequence[str]) -> Floats:
    """Convert colours to Oklab for each kind of colour vision.

    Parameters
    ----------
    colours : sequence of str
        Written like ``#1b9e77``.

    Returns
    -------
    ndarray, shape (4, n, 3)
        Oklab coordinates by vision (normal, and without each kind of cone) and colour.

    Raises
    ------
    ValueError
        If a colour has another format.
    """
    if not all(COLOUR.fullmatch(colour) for colour in colours):
        raise ValueError("A colour is written like #1b9e77.")
    triples = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours]
    rgb = np.array(triples, np.float64).reshape(-1, 3) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = np.clip(np.einsum("vij,nj->vni", _VISIONS, linear), 0, 1)
    return np.asarray(np.cbrt(light @ _TO_CONES.T) @ _TO_OKLAB.T)


def alike(colour: str, others: Sequence[str]) -> list[bool]:
    """Tell, for each of `others`, whether it is easily confused with `colour` in some vision."""
    if not others:
        return []
    both = seen([colour, *others])
    distances = np.linalg.norm(both[:, 1:] - both[:, :1], axis=2)
    return [bool(near) for near in (distances < np.array(NEAREST)[:, None]).any(axis=0)]


def free_colour(others: Sequence[str]) -> str:
    """Return the colour that is farthest from `others`, neither too light nor too dark."""
    mixed = [
        _written(colorsys.hls_to_rgb(hue / 24, lightness, fullness))
        for hue in range(24)
        for lightness in (0.35, 0.45, 0.55, 0.65)
        for fullness in (0.4, 0.6, 0.8)
    ]
    least, most = LIGHTNESS
    lightness_of = seen(mixed)[0, :, 0]
    candidates = [colour for colour, light in zip(mixed, lightness_of, strict=True) if least <= light <= most]
    if not others:
        return candidates[0]
    everything = seen([*candidates, *others])
    ours, theirs = everything[:, : len(candidates)], everything[:, len(candidates) :]
    distances = np.linalg.norm(ours[:, :, None] - theirs[:, None], axis=3) / np.array(NEAREST)[:, None, None]
    return candidates[int(distances.min(axis=(0, 2)).argmax())]


def _written(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)

"""Untrained Keras networks from the metadata of a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from classifier.core import networks
from classifier.core.architectures import EFFICIENTNET_B0, RESIDUAL_CNN
from classifier.core.artifact import ReleaseError, architecture_of
from classifier.core.patches import PatchParams
from classifier.fitting.networks.efficientnet import efficientnet_b0


def _efficientnet_b0(metadata: Mapping[str, Any], seed: int) -> Any:
    return efficientnet_b0(
        n_labels=len(metadata["labels"]), patches=PatchParams(**metadata["patches"]), seed=seed
    )


def _residual_cnn(metadata: Mapping[str, Any], seed: int) -> Any:
    return networks.from_metadata(metadata, seed=seed)


BUILDERS: Final[Mapping[str, Callable[[Mapping[str, Any], int], Any]]] = {
    RESIDUAL_CNN.name: _residual_cnn,
    EFFICIENTNET_B0.name: _efficientnet_b0,
}
"""By the name of each architecture that `is_network`."""


def build(metadata: Mapping[str, Any], *, seed: int = 0) -> Any:
    """The untrained network that metadata describe.

    Raises
    ------
    ReleaseError
        The architecture is no Keras network.
    """
    name = architecture_of(metadata)
    if name not in BUILDERS:
        raise ReleaseError(f"{name} is no network.")
    return BUILDERS[name](metadata, seed)

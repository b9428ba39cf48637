"""Keras networks of every architecture, from and to the files of a version. Functions import Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core import networks
from classifier.core.artifact import MODEL_FILE, ReleaseError, architecture_of, file_in, read_metadata
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import PatchParams
from classifier.fitting.artifact import conversion
from classifier.fitting.loop import devices
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.networks.efficientnet import efficientnet_b0
from classifier.fitting.networks.regression import Affine
from classifier.fitting.release.train import export

__all__ = ["WEIGHTS_FILE", "build", "load", "use_threads", "with_head", "write"]


def build(metadata: Mapping[str, Any], *, seed: int = 0) -> Any:
    """The untrained network that metadata describe.

    Raises
    ------
    ReleaseError
        The architecture is no Keras network.
    """
    match architecture_of(metadata):
        case "residual-cnn":
            return networks.from_metadata(metadata, seed=seed)
        case "efficientnet-b0":
            return efficientnet_b0(
                n_labels=len(metadata["labels"]), patches=PatchParams(**metadata["patches"]), seed=seed
            )
        case other:
            raise ReleaseError(f"{other} is no network.")


def load(folder: Path) -> Any:
    """The network of a version with its weights.

    Raises
    ------
    ReleaseError
        The weights are missing, do not match the hash in the metadata or do not fit the network.
    """
    metadata = read_metadata(folder)
    if architecture_of(metadata) == "residual-cnn":
        return networks.load(folder)
    path = file_in(folder, WEIGHTS_FILE)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReleaseError(f"The weights of release {folder.name} cannot be read: {error}.") from error
    if found != metadata.get("weights_sha256"):
        raise ReleaseError(f"The weights of release {folder.name} do not match the hash in its metadata.")
    model = build(metadata)
    model.load_weights(path)
    return model


def with_head(network: Any, metadata: Mapping[str, Any], head: Affine) -> Any:
    """The same network with another last layer, of as many labels as `metadata` name."""
    made = build(metadata)
    for old, new in zip(network.layers, made.layers, strict=True):
        if new.name != "logits":
            new.set_weights(old.get_weights())
    made.get_layer("logits").set_weights([head.weights.astype(np.float32), head.biases.astype(np.float32)])
    return made


def write(network: Any, folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write what a version answers from, and the weights that it can be taught further from.

    Parameters
    ----------
    metadata
        What `build` makes such a network from.

    Raises
    ------
    ExportError
        LiteRT and Keras disagree.
    """
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    network.save_weights(folder / WEIGHTS_FILE)
    if keras.backend.backend() == "tensorflow" and len(devices.names()) < 2:
        export(network, folder / MODEL_FILE, PatchParams(**metadata["patches"]))
    else:
        conversion.apart(folder, metadata)

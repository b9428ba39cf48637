"""Keras networks of every architecture, from and to the files of a version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core.artifact import MODEL_FILE, ReleaseError, file_in, file_sha256, read_metadata
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import PatchParams
from classifier.fitting.artifact.conversion import convert_in_process
from classifier.fitting.artifact.export import export
from classifier.fitting.artifact.weights import save_weights
from classifier.fitting.loop import devices
from classifier.fitting.networks.builders import build
from classifier.fitting.networks.regression import Affine


def load(folder: Path) -> Any:
    """The network of a version with its weights.

    Raises
    ------
    ReleaseError
        The weights are missing, or do not match the hash in the metadata; see also `artifact.read_metadata`.
    """
    metadata = read_metadata(folder)
    path = file_in(folder, WEIGHTS_FILE)
    try:
        found = file_sha256(path)
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
    """Write the LiteRT model of a version and its weights, from which it can be trained further.

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
    save_weights(network, folder / WEIGHTS_FILE)
    if keras.backend.backend() == "tensorflow" and len(devices.names()) < 2:
        export(network, folder / MODEL_FILE, PatchParams(**metadata["patches"]))
    else:
        convert_in_process(folder, metadata)

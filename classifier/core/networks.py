"""Backend-neutral Keras 3 networks. Keras takes seconds to import, so functions import it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core.artifact import file_in
from classifier.core.descriptors import describe
from classifier.core.inference import ReleaseError, read_metadata
from classifier.core.patches import PatchParams

WEIGHTS_FILE = "network.weights.h5"


@dataclass(frozen=True, slots=True)
class ResidualCnnParams:
    """Shape of the platform's network; stored with every release.

    Parameters
    ----------
    stem
        Channels of the first convolution.
    widths
        Channels of each residual block; all but the last are followed by 2 x 2 max pooling.
    n_embedding
        Size of each branch's embedding.
    statistics
        Size of the layer, parallel to the convolutions, on statistics of each band over time.
    dropout
        Rate before the statistics' layer, before the descriptors' layer and before the embedding.
    descriptors
        Size of the layer of the descriptor branch; 0 means no such branch, as in releases before 2026.11.3.
    descriptor_dropout
        Rate after that layer.
    norm_momentum
        Of the batch normalisation. With few steps per epoch, Keras' default of 0.99 adapts too slowly.
    members
        Networks of this shape whose logits are averaged. Each is fitted separately, from its own seed.
    """

    stem: int = 16
    widths: tuple[int, ...] = (24, 48, 96)
    n_embedding: int = 128
    statistics: int = 128
    dropout: float = 0.3
    descriptors: int = 0
    descriptor_dropout: float = 0.3
    norm_momentum: float = 0.9
    members: int = 1


@dataclass(frozen=True, slots=True)
class DescriptorMlpParams:
    """Shape of the network on descriptors that is averaged with the members; stored with releases.

    Parameters
    ----------
    hidden
        Size of the hidden layer.
    n_embedding
        Size of the embedding.
    input_dropout, dropout
        Rates before and after that layer.
    norm_momentum
        As in `ResidualCnnParams`.
    """

    hidden: int = 512
    n_embedding: int = 128
    input_dropout: float = 0.3
    dropout: float = 0.3
    norm_momentum: float = 0.9


def residual_cnn(*, n_labels: int, patches: PatchParams, params: ResidualCnnParams, seed: int) -> Any:
    """Build one member of the platform's network on patches.

    The input is (batch, n_mels, n_columns, 1). The outputs are a dictionary: ``logits`` (batch, n_labels) of
    the genres, ``music`` (batch, 1), the logit of music against other sounds, and ``embedding`` (batch,
    n_embedding), of which both are affine functions.

    With descriptors there are two branches, a pre-activation residual network (He et al., 2016) and a small
    network on the descriptors of `descriptors.describe`. Their embeddings are concatenated, and there is a
    fourth output, ``branches`` (batch, n_branches * n_labels): the logits of each branch alone, of which
    ``logits`` is the mean. Each branch has its own loss: with a common one, the branch that learns faster
    would leave the other little gradient.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((patches.n_mels, patches.n_columns, 1), name="patches")
    rows = layers.Reshape((patches.n_mels, patches.n_columns))(inputs)
    embedding = _convolutions(inputs, rows, params)
    logits = layers.Dense(n_labels, name="logits")
    if not params.descriptors:
        return keras.Model(inputs, _outputs(embedding, logits), name="residual_cnn")
    embedding = layers.Concatenate(name="embedding")([embedding, _descriptors(rows, params)])
    # The layer is affine, so the mean of the branches' logits equals the logits of the whole embedding.
    branch = np.repeat(np.eye(2, dtype=np.float32), params.n_embedding, axis=1)
    alone = [logits(embedding * (2 * part)) for part in branch]
    outputs = {**_outputs(embedding, logits), "branches": layers.Concatenate()(alone)}
    return keras.Model(inputs, outputs, name="residual_cnn")


def _outputs(embedding: Any, logits: Any) -> dict[str, Any]:
    from keras import layers

    return {
        "logits": logits(embedding),
        "music": layers.Dense(1, name="music")(embedding),
        "embedding": embedding,
    }


def _normalised_relu(x: Any, params: ResidualCnnParams) -> Any:
    from keras import layers

    x = layers.BatchNormalization(momentum=params.norm_momentum)(x)
    return layers.Activation("relu")(x)


def _convolutions(inputs: Any, rows: Any, params: ResidualCnnParams) -> Any:
    """Embed patches by convolutions and by statistics of each band over time.

    Convolutions and pooling are invariant to the position in the spectrum; a learnt offset for each row and
    channel after the first convolution encodes it (after Koutini et al., Receptive-field-regularized CNN
    variants, 2019, who add a frequency channel).
    """
    from keras import layers, ops

    def block(x: Any, width: int) -> Any:
        shortcut = x if x.shape[-1] == width else layers.Conv2D(width, 1, use_bias=False)(x)
        y = layers.Conv2D(width, 3, padding="same", use_bias=False)(_normalised_relu(x, params))
        y = layers.Conv2D(width, 3, padding="same", use_bias=False)(_normalised_relu(y, params))
        return layers.Add()([shortcut, y])

    x = layers.Conv2D(params.stem, 5, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.EinsumDense("bftc,cd->bftd", output_shape=tuple(x.shape[1:]), bias_axes="fd")(x)
    for index, width in enumerate(params.widths):
        x = block(x, width)
        if index < len(params.widths) - 1:
            x = layers.MaxPooling2D(2)(x)
    x = _normalised_relu(x, params)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    mean = ops.mean(rows, axis=2)
    deviation = ops.sqrt(ops.maximum(ops.mean(ops.square(rows), axis=2) - ops.square(mean), 1e-6))
    change = ops.mean(ops.abs(rows[:, :, 1:] - rows[:, :, :-1]), axis=2)
    slow = ops.mean(ops.abs(rows[:, :, 4:] - rows[:, :, :-4]), axis=2)
    s = layers.Concatenate()([mean, deviation, change, slow])
    s = layers.BatchNormalization(momentum=params.norm_momentum)(s)
    s = layers.Dropout(params.dropout)(s)
    s = layers.Dense(params.statistics, use_bias=False)(s)
    s = _normalised_relu(s, params)
    x = layers.Concatenate()([x, s])
    x = layers.Dropout(params.dropout)(x)
    name = None if params.descriptors else "embedding"
    return layers.Dense(params.n_embedding, activation="relu", name=name)(x)


def _descriptors(rows: Any, params: ResidualCnnParams) -> Any:
    """Embed patches by their descriptors alone."""
    from keras import layers

    x = layers.BatchNormalization(momentum=params.norm_momentum)(describe(rows))
    x = layers.Dropout(params.dropout)(x)
    x = layers.Dense(params.descriptors, use_bias=False)(x)
    x = _normalised_relu(x, params)
    x = layers.Dropout(params.descriptor_dropout)(x)
    return layers.Dense(params.n_embedding, activation="relu")(x)


def descriptor_mlp(*, n_labels: int, n_descriptors: int, params: DescriptorMlpParams, seed: int) -> Any:
    """Build the network on descriptors.

    The input is (batch, n_descriptors), from `descriptors.describe`; the outputs have the names of those of
    `residual_cnn`.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((n_descriptors,), name="descriptors")
    x = layers.BatchNormalization(momentum=params.norm_momentum)(inputs)
    x = layers.Dropout(params.input_dropout)(x)
    x = layers.Dense(params.hidden, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=params.norm_momentum)(x)
    x = layers.Activation("relu")(x)
    x = layers.Dropout(params.dropout)(x)
    embedding = layers.Dense(params.n_embedding, activation="relu", name="embedding")(x)
    return keras.Model(
        inputs, _outputs(embedding, layers.Dense(n_labels, name="logits")), name="descriptor_mlp"
    )


def describer(patches: PatchParams) -> Any:
    """Build a model, without weights, from patches (batch, n_mels, n_columns, 1) to their descriptors."""
    import keras

    inputs = keras.Input((patches.n_mels, patches.n_columns, 1), name="patches")
    return keras.Model(inputs, _described(inputs), name="describer")


def on_patches(mlp: Any, patches: PatchParams) -> Any:
    """Build a network on patches from one on descriptors, with the outputs of `residual_cnn`."""
    import keras

    described = describer(patches)
    return keras.Model(described.input, mlp(described.output), name="descriptor_mlp_on_patches")


def _described(inputs: Any) -> Any:
    from keras import layers

    return describe(layers.Reshape(tuple(inputs.shape[1:3]))(inputs))


def assemble(members: Sequence[Any], *, mlp: Any | None = None, mlp_share: float = 0.0) -> Any:
    """Combine fitted networks into one whose logits are a weighted mean of theirs.

    The embeddings are concatenated, so that ``logits`` and ``music`` stay affine functions of one embedding
    and a new head can be fitted on all of them at once.

    Parameters
    ----------
    members
        Of one shape, from `residual_cnn`, with equal weights. Only they contribute to ``music``.
    mlp
        From `descriptor_mlp`, if any.
    mlp_share
        Its weight in the mean.
    """
    import keras

    inputs = keras.Input(members[0].input.shape[1:], name="patches")
    parts = [(member, (1 - mlp_share) / len(members), 1 / len(members)) for member in members]
    embeddings = [
        keras.Model(member.input, member.output["embedding"], name=f"tower_{index}")(inputs)
        for index, member in enumerate(members)
    ]
    if mlp is not None:
        parts.append((mlp, mlp_share, 0.0))
        reader = keras.Model(mlp.input, mlp.output["embedding"], name="descriptor_mlp")
        embeddings.append(reader(_described(inputs)))
    embedding = keras.layers.Concatenate(name="embedding")(embeddings)
    outputs = {"embedding": embedding}
    heads = {}
    for place, name in enumerate(("logits", "music"), start=1):
        fitted = [(part[place], *part[0].get_layer(name).get_weights()) for part in parts]
        heads[name] = (
            np.concatenate([share * kernel for share, kernel, _ in fitted]),
            np.sum([share * bias for share, _, bias in fitted], axis=0),
        )
        outputs[name] = keras.layers.Dense(len(heads[name][1]), name=name)(embedding)
    model = keras.Model(inputs, outputs, name="residual_cnns")
    for name, weights in heads.items():
        model.get_layer(name).set_weights(weights)
    return model


def member_count(metadata: Mapping[str, Any]) -> int:
    """Number of convolutional networks whose logits a version averages."""
    shape = metadata["network"]
    return int(shape.get("members", shape.get("towers", 1)))


def from_metadata(metadata: Mapping[str, Any], *, seed: int = 0) -> Any:
    """Build the untrained network that the metadata of a release describe."""
    shape = dict(metadata["network"])
    shape["widths"] = tuple(shape["widths"])
    # Releases up to 2026.11.5 call it "towers".
    shape["members"] = member_count(metadata)
    shape.pop("towers", None)
    params = ResidualCnnParams(**shape)
    n_labels, patches = len(metadata["labels"]), PatchParams(**metadata["patches"])
    members = [
        residual_cnn(n_labels=n_labels, patches=patches, params=params, seed=seed + index)
        for index in range(params.members)
    ]
    mlp_shape = metadata.get("descriptor_mlp")
    if mlp_shape is None:
        return members[0] if params.members == 1 else assemble(members)
    mlp = descriptor_mlp(
        n_labels=n_labels,
        n_descriptors=describer(patches).output.shape[1],
        params=DescriptorMlpParams(**mlp_shape),
        seed=seed,
    )
    return assemble(members, mlp=mlp)


def load(release: Path) -> Any:
    """Build the Keras network of a release folder with its weights.

    Raises
    ------
    ReleaseError
        The weights are missing or do not match the hash in the metadata; see also `inference.read_metadata`.
    """
    metadata = read_metadata(release)
    path = file_in(release, WEIGHTS_FILE)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReleaseError(f"The weights of release {release.name} cannot be read: {error}.") from error
    if digest != metadata["weights_sha256"]:
        raise ReleaseError(f"The weights of release {release.name} do not match the hash in its metadata.")
    model = from_metadata(metadata)
    model.load_weights(path)
    return model

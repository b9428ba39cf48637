"""EfficientNet-B0 on log-mel patches, with the outputs of the platform's own network."""

from __future__ import annotations

from typing import Any

from classifier.core.patches import PatchParams

_BATCH_NORM_MOMENTUM = 0.9
"""A few hundred clips make few steps per epoch; Keras' 0.99 would lag behind."""
_DROPOUT = 0.3


def efficientnet_b0(*, n_labels: int, patches: PatchParams, seed: int) -> Any:
    """Build EfficientNet-B0 (Tan and Le, ICML 2019), from scratch, on the spectrogram as a grey picture.

    Inputs and outputs are those of `classifier.core.networks.residual_cnn`; the embedding has 1280 values.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((patches.n_mels, patches.n_columns, 1), name="patches")
    # Keras' EfficientNet scales pictures of 0 to 255 itself.
    lowest = patches.floor_db / patches.ceiling_db
    grey = layers.Rescaling(255 / (1 - lowest), offset=-255 * lowest / (1 - lowest))(inputs)
    body = keras.applications.EfficientNetB0(
        include_top=False,
        weights=None,
        input_tensor=layers.Concatenate()([grey, grey, grey]),
        pooling="avg",
    )
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _BATCH_NORM_MOMENTUM
    embedding = layers.Dropout(_DROPOUT, name="embedding")(body.output)
    outputs = {
        "logits": layers.Dense(n_labels, name="logits")(embedding),
        "music": layers.Dense(1, name="music")(embedding),
        "embedding": embedding,
    }
    return keras.Model(inputs, outputs, name="efficientnet_b0")

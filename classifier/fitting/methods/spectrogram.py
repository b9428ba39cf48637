"""Well-known networks on spectrograms, fitted from scratch on the same crops as the platform's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters, patches
from classifier.core.activations import softmax
from classifier.core.baselines import Sounds
from classifier.core.patches import PatchParams
from classifier.fitting.data.feed import Feed, FeedParams
from classifier.fitting.loop.schedule import warm_cosine
from classifier.fitting.methods.context import Context
from classifier.fitting.networks.efficientnet import efficientnet_b0

FloatArray = NDArray[np.floating[Any]]

BATCH_NORM_MOMENTUM = 0.9
"""A few hundred clips make few steps per epoch; Keras' 0.99 would lag behind."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a network is fitted: epochs, the peak of a cosine schedule and the decay of AdamW."""

    epochs: int
    learning_rate: float
    weight_decay: float = 0.02


class _SpectrogramNetwork(ABC):
    """Fit a Keras network on crops; predict all patches of a track and average the logits."""

    def __init__(self, context: Context, *, cut: PatchParams, feed: FeedParams, course: Course) -> None:
        self._report = context.report
        self._cut = cut
        self._feed = feed
        self._course = course

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "columns": self._cut.n_columns,
            "feed": asdict(self._feed),
            "epochs": self._course.epochs,
            "learning_rate": self._course.learning_rate,
            "weight_decay": self._course.weight_decay,
        }

    @abstractmethod
    def _build(self, n_labels: int) -> Any:
        """The untrained Keras model, from `_inputs` to logits."""

    @abstractmethod
    def _inputs(self, crops: FloatArray) -> FloatArray:
        """Inputs of the model, from (b, n_mels, n_columns, 1) normalised crops."""

    def fit(self, train: Sounds, *, seed: int) -> None:
        import keras

        keras.utils.set_random_seed(seed)
        self._seed = seed
        feed = Feed(
            train.examples,
            [],
            n_labels=train.n_labels,
            patch_params=self._cut,
            params=self._feed,
            seed=seed,
        )
        self._model = self._build(train.n_labels)
        course = self._course
        schedule = warm_cosine(
            peak=course.learning_rate,
            steps=max((course.epochs - 1) * feed.steps_per_epoch, 1),
            warm_up=feed.steps_per_epoch,
        )
        self._model.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=course.weight_decay),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        )
        for epoch in range(1, course.epochs + 1):
            losses = [
                float(self._model.train_on_batch(self._inputs(batch.inputs), batch.genres))
                for batch in feed.epoch(epoch)
            ]
            self._report(f"epoch {epoch}/{course.epochs}, loss {np.mean(losses):.3f}")

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        logits = []
        for db in sounds.examples.db:
            crops = patches.cut(db, self._cut).inputs[..., None]
            logits.append(np.asarray(self._model.predict_on_batch(self._inputs(crops))).mean(axis=0))
        return softmax(np.stack(logits))


class EfficientNetB0(_SpectrogramNetwork):
    """EfficientNet-B0 (Tan and Le, ICML 2019) on the log-mel spectrogram as a grey picture, from scratch."""

    def __init__(self, context: Context) -> None:
        columns = context.columns or 64
        super().__init__(
            context,
            cut=PatchParams(n_columns=columns, hop_columns=columns),
            feed=FeedParams(outlier_share=0.0, channel_probability=0.0),
            course=Course(epochs=20, learning_rate=1e-3),
        )

    def _build(self, n_labels: int) -> Any:
        import keras

        network = efficientnet_b0(n_labels=n_labels, patches=self._cut, seed=self._seed)
        return keras.Model(network.input, network.output["logits"])

    def _inputs(self, crops: FloatArray) -> FloatArray:
        return crops


class MfccCnn(_SpectrogramNetwork):
    """The small network of countless tutorials: three convolutions over 13 MFCCs of three seconds."""

    N_MFCC = 13

    def __init__(self, context: Context) -> None:
        columns = context.columns or 38
        super().__init__(
            context,
            cut=PatchParams(n_columns=columns, hop_columns=columns),
            # A clip holds ten such windows: ten crops show as much of it as a tutorial's segments do.
            feed=FeedParams(
                batch_size=32,
                crops_per_epoch=1 if context.columns else 10,
                outlier_share=0.0,
                channel_probability=0.0,
                shift=0,
                masks=0,
                label_smoothing=0.0,
            ),
            course=Course(epochs=30, learning_rate=1e-3),
        )

    def _build(self, n_labels: int) -> Any:
        from keras import Input, Sequential, layers

        def block(width: int, pool: tuple[int, int]) -> list[Any]:
            return [
                layers.Conv2D(32, width, activation="relu", padding="same"),
                layers.MaxPooling2D(pool, padding="same"),
                layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM),
            ]

        return Sequential(
            [
                Input((self.N_MFCC, self._cut.n_columns, 1)),
                *block(3, (2, 2)),
                *block(3, (2, 2)),
                *block(2, (2, 2)),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dropout(0.3),
                layers.Dense(n_labels),
            ]
        )

    def _inputs(self, crops: FloatArray) -> FloatArray:
        mfcc = np.einsum("cm,bmt->bct", filters.dct(self.N_MFCC, crops.shape[1]), crops[..., 0])
        return np.asarray(mfcc[..., None], dtype=np.float32)

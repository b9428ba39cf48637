"""The devices that a network is fitted on: one, chosen by Keras, or several that divide every batch.

JAX divides batches by Keras distribution, TensorFlow, which Keras distribution does not support, by
``tf.distribute``. PyTorch uses the first device only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from classifier.fitting.data.feed import Batch
from classifier.fitting.loop.task import ShouldStop


def names() -> list[str]:
    """The devices that a fit would share, such as ``gpu:0``; `KERAS_BACKEND` and the driver decide."""
    import keras

    return list(keras.distribution.list_devices()) if keras.backend.backend() in _SHARING else []


@contextlib.contextmanager
def shared() -> Iterator[int]:
    """Let all devices share what is built, compiled and fitted within a block; give how many they are."""
    import keras

    devices = names()
    if len(devices) < 2:
        yield 1
        return
    with _SHARING[keras.backend.backend()](devices):
        yield len(devices)


@contextlib.contextmanager
def _mirrored(devices: list[str]) -> Iterator[None]:
    import tensorflow as tf

    with tf.distribute.MirroredStrategy([f"/{name}" for name in devices]).scope():
        yield


@contextlib.contextmanager
def _data_parallel(devices: list[str]) -> Iterator[None]:
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


_SHARING = {"tensorflow": _mirrored, "jax": _data_parallel}


class Learner(Protocol):
    """Trains a network on the batches of an epoch."""

    def __call__(self, batches: Iterable[Batch], *, steps: int) -> tuple[float, float] | None:
        """Mean loss and accuracy over the epoch; None where it was stopped between two batches."""


def learner(model: Any, *, should_stop: ShouldStop, devices: int = 1, together: int = 1) -> Learner:
    """Train a compiled network on one device, or on those of a block of `shared`.

    Parameters
    ----------
    together
        Successive rows that the loss compares with each other: they must be on one device.
    """
    if devices == 1:
        return _OneDevice(model, should_stop)
    return _SeveralDevices(model, should_stop, devices, together)


class _OneDevice:
    def __init__(self, model: Any, should_stop: ShouldStop) -> None:
        self._model = model
        self._should_stop = should_stop

    def __call__(self, batches: Iterable[Batch], *, steps: int) -> tuple[float, float] | None:
        figures: list[tuple[float, float]] = []
        for batch in batches:
            if self._should_stop():
                return None
            logs = self._model.train_on_batch(batch.inputs, _targets(batch), return_dict=True)
            figures.append((float(logs["loss"]), float(logs["logits_accuracy"])))
        loss, accuracy = np.mean(figures, axis=0).tolist()
        return loss, accuracy


class _SeveralDevices:
    """Only whole epochs are distributed by Keras, not single batches."""

    def __init__(self, model: Any, should_stop: ShouldStop, devices: int, together: int) -> None:
        self._model = model
        self._should_stop = should_stop
        self._unit = devices * together

    def __call__(self, batches: Iterable[Batch], *, steps: int) -> tuple[float, float] | None:
        import keras

        if stopped := self._should_stop():
            return None

        def check_stopped(batch: int, logs: Any = None) -> None:
            nonlocal stopped
            stopped = stopped or self._should_stop()
            self._model.stop_training = stopped

        history = self._model.fit(
            ((batch.inputs, _targets(batch)) for batch in map(self._whole, batches)),
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=check_stopped)],
        ).history
        return None if stopped else (float(history["loss"][-1]), float(history["logits_accuracy"][-1]))

    def _whole(self, batch: Batch) -> Batch:
        """Repeat the first rows so that all devices get the same number of rows."""
        rows = np.resize(np.arange(len(batch.inputs)), -(-len(batch.inputs) // self._unit) * self._unit)
        tags = None if batch.tags is None else batch.tags[rows]
        return Batch(batch.inputs[rows], batch.genres[rows], batch.music[rows], tags)


def _targets(batch: Batch) -> dict[str, Any]:
    targets = {"logits": batch.genres, "music": batch.music}
    return targets if batch.tags is None else {**targets, "tags": batch.tags}

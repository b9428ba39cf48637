"""The training loop: epochs, a checkpoint after each, averaged weights, resumable after any interruption."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core import patches
from classifier.core.dataset import Examples
from classifier.core.inference import softmax
from classifier.core.patches import PatchParams
from classifier.fitting.data.feed import Batches
from classifier.fitting.evaluation.calibration import log_loss
from classifier.fitting.loop import devices


@dataclass(frozen=True, slots=True)
class FitParams:
    """How long and how fast.

    Parameters
    ----------
    epochs
        Passes over the examples.
    learning_rate
        Peak of a cosine schedule with one warm-up epoch.
    weight_decay
        Of AdamW.
    music_weight
        Weight of the "is it music" loss beside that of the genres.
    agreement_weight
        Where the feed gives several views of each crop: weight of how far apart what is said of them is.
    average_decay
        Decay per epoch of the moving average of the weights, which is what is kept.
    """

    epochs: int = 60
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    music_weight: float = 0.3
    agreement_weight: float = 1.0
    average_decay: float = 0.8


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Progress after an epoch: its number from 1, mean loss, seconds it took and estimated seconds left.

    `accuracy` is that of the varied crops it was fitted on; the figures of the validation part are those of
    the averaged weights, which are what is kept, and None where there is no such part.
    """

    epoch: int
    epochs: int
    loss: float
    seconds: float
    seconds_left: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None


_ROWS = 32


class Validation:
    """Clips that are not learnt, to watch a fit by: the middle patch of each."""

    def __init__(self, examples: Examples, params: PatchParams) -> None:
        cuts = [patches.cut(db, params).inputs for db in examples.db]
        self._inputs = np.stack([inputs[len(inputs) // 2] for inputs in cuts])[..., None]
        self._targets = examples.targets
        # Devices that share a batch get as much each, so that no batch may be smaller than the others.
        filled = -(-len(cuts) // _ROWS) * _ROWS
        self._inputs = self._inputs[np.resize(np.arange(len(cuts)), filled)]

    def measure(self, model: Any) -> tuple[float, float]:
        """Log loss and accuracy of a network with an output ``logits``."""
        said = np.asarray(model.predict(self._inputs, batch_size=_ROWS, verbose=0)["logits"])
        logits = said[: len(self._targets)]
        probabilities = softmax(logits)
        right = logits.argmax(axis=1) == self._targets
        return log_loss(probabilities, self._targets), float(right.mean())


def use_threads(count: int) -> None:
    """Limit the backend's threads; has effect before Keras is first imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(count))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def fit(
    model: Any,
    feed: Batches,
    params: FitParams,
    *,
    checkpoint: Path,
    identity: str,
    on_epoch: Callable[[EpochReport], None],
    valid: Validation | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    share: int = 1,
) -> bool:
    """Fit a network in place and leave the averaged weights in it; False where it was stopped before the end.

    An interrupted call with the same arguments continues after the last whole epoch. `on_epoch` may raise to
    cancel; `should_stop` is asked before every batch.

    Parameters
    ----------
    model
        From `networks`; its ``logits`` and ``music`` outputs are fitted.
    feed
        What it is shown.
    checkpoint
        Folder for the state; it is removed by the caller when the result is safe.
    identity
        Names everything that decides the fit. A state left by another identity is not continued.
    share
        The number of devices, within a block of `devices.shared` in which the network was built.
    """
    import keras

    total = params.epochs * feed.steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=params.learning_rate / 25,
        decay_steps=max(total - feed.steps_per_epoch, 1),
        warmup_target=params.learning_rate,
        warmup_steps=feed.steps_per_epoch,
    )
    # Branches are fitted each on its own; their mean is what the network says.
    trained = keras.Model(
        model.input,
        {"logits": model.output.get("branches", model.output["logits"]), "music": model.output["music"]},
    )
    n_labels = model.output["logits"].shape[-1]
    trained.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=params.weight_decay),
        loss={
            "logits": _mean_loss(n_labels, views=feed.views, agreement_weight=params.agreement_weight),
            "music": keras.losses.BinaryCrossentropy(from_logits=True),
        },
        loss_weights={"logits": 1.0, "music": params.music_weight},
        metrics={"logits": [_mean_accuracy(n_labels)]},
        jit_compile=False,
    )
    trained.optimizer.build(trained.trainable_variables)
    # What a first step makes besides would have TensorFlow trace that step twice, which takes long.
    nothing = {
        name: np.zeros((feed.views, output.shape[-1]), np.float32) for name, output in trained.output.items()
    }
    asked = {name: np.zeros((feed.views, model.output[name].shape[-1]), np.float32) for name in nothing}
    trained.compute_loss(y=asked, y_pred=nothing)
    trained.compute_metrics(None, asked, nothing)
    trained.reset_metrics()
    state = _State(trained, checkpoint, identity=identity)
    average, done = state.restore()
    taken: list[float] = []
    learn = devices.learner(trained, should_stop=should_stop, devices=share, together=feed.views)
    for epoch in range(done + 1, params.epochs + 1):
        began = time.monotonic()
        learnt = learn(feed.epoch(epoch), steps=feed.steps_per_epoch)
        if learnt is None:
            return False
        decay = min(params.average_decay, (epoch - 1) / (epoch + 9))
        average = [
            decay * old + (1 - decay) * np.asarray(new)
            for old, new in zip(average, trained.get_weights(), strict=True)
        ]
        val_loss, val_accuracy = _validated(model, average, valid)
        taken.append(time.monotonic() - began)
        left = float(np.median(taken[-5:])) * (params.epochs - epoch)
        loss, accuracy = learnt
        on_epoch(EpochReport(epoch, params.epochs, loss, taken[-1], left, accuracy, val_loss, val_accuracy))
        # Last: who is killed in between reports the epoch again, with the same figures; none is left out.
        state.save(average, epoch)
    trained.set_weights(average)
    return True


def _mean_loss(n_labels: int, *, views: int, agreement_weight: float) -> Callable[[Any, Any], Any]:
    """Cross entropy of logits, the mean over the branches whose logits stand side by side.

    Rows that are views of one crop are also to say the same: added is the mean divergence of each from their
    mean, which for two is that of Jensen and Shannon (as in AugMix: Hendrycks et al., ICLR 2020).
    """
    from keras import ops

    def loss(targets: Any, logits: Any) -> Any:
        count = logits.shape[-1] // n_labels
        each = ops.reshape(logits, (-1, count, n_labels))
        asked = ops.repeat(ops.reshape(targets, (-1, 1, n_labels)), count, axis=1)
        entropy = ops.mean(ops.categorical_crossentropy(asked, each, from_logits=True), axis=1)
        if views == 1:
            return entropy
        said = ops.log_softmax(ops.reshape(logits, (-1, views, count, n_labels)))
        mean = ops.logsumexp(said, axis=1, keepdims=True) - math.log(views)
        divergence = ops.mean(ops.sum(ops.exp(said) * (said - mean), axis=-1), axis=(1, 2))
        return entropy + agreement_weight * ops.repeat(divergence, views)

    return loss


def _mean_accuracy(n_labels: int) -> Callable[[Any, Any], Any]:
    """Accuracy of the mean of the branches."""
    from keras import ops

    def accuracy(targets: Any, logits: Any) -> Any:
        mean = ops.mean(ops.reshape(logits, (-1, logits.shape[-1] // n_labels, n_labels)), axis=1)
        return ops.equal(ops.argmax(mean, axis=-1), ops.argmax(targets, axis=-1))

    return accuracy


def _validated(
    model: Any, average: list[Any], valid: Validation | None
) -> tuple[float, float] | tuple[None, None]:
    """Measure with the averaged weights and put the others back."""
    if valid is None:
        return None, None
    present = [np.asarray(w) for w in model.get_weights()]
    model.set_weights(average)
    measured = valid.measure(model)
    model.set_weights(present)
    return measured


class _State:
    """Weights, optimiser and averaged weights after the last whole epoch, in one file replaced at once."""

    def __init__(self, model: Any, folder: Path, *, identity: str) -> None:
        self._model = model
        self._file = folder / "state.npz"
        self._identity = identity
        folder.mkdir(parents=True, exist_ok=True)

    def _variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]

    def save(self, average: list[Any], epoch: int) -> None:
        values: dict[str, Any] = {
            f"v{i}": np.asarray(variable) for i, variable in enumerate(self._variables())
        }
        values |= {f"a{i}": value for i, value in enumerate(average)}
        partial = self._file.with_suffix(".partial.npz")
        np.savez(partial, epoch=epoch, identity=self._identity, **values)
        partial.replace(self._file)

    def restore(self) -> tuple[list[Any], int]:
        if not self._file.exists():
            return [np.asarray(w) for w in self._model.get_weights()], 0
        with np.load(self._file) as saved:
            if str(saved["identity"]) != self._identity:
                return [np.asarray(w) for w in self._model.get_weights()], 0
            for i, variable in enumerate(self._variables()):
                variable.assign(saved[f"v{i}"])
            count = len(self._model.get_weights())
            return [saved[f"a{i}"] for i in range(count)], int(saved["epoch"])

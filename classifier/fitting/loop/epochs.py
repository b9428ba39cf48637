"""The training loop: epochs, a checkpoint after each, averaged weights, resumable after any interruption."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.fitting.data.feed import Batches
from classifier.fitting.loop import devices
from classifier.fitting.loop.checkpoint import Checkpoint, Progress
from classifier.fitting.loop.losses import mean_accuracy, mean_loss, tag_loss
from classifier.fitting.loop.reports import EpochClock, OnEpoch
from classifier.fitting.loop.schedule import warm_cosine
from classifier.fitting.loop.task import ShouldStop
from classifier.fitting.loop.validation import Validation


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
        Where the feed gives several views of each crop: weight of the consistency term, see
        `losses.mean_loss`.
    tag_weight
        Where the feed has targets from the tagger: weight of the error of their prediction.
    average_decay
        Decay per epoch of the moving average of the weights, which is what is kept.
    """

    epochs: int = 60
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    music_weight: float = 0.3
    agreement_weight: float = 1.0
    tag_weight: float = 0.5
    average_decay: float = 0.8


def use_threads(count: int) -> None:
    """Limit the backend's threads; has effect before Keras is first imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(count))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def never_stop() -> bool:
    """Work that is not to be cancelled."""
    return False


class NetworkFit:
    """A network that is being fitted in place, an epoch at a time.

    What an interrupted fit with the same identity left is restored when it is made.

    Parameters
    ----------
    model
        From `core.networks`; its ``logits`` and ``music`` outputs are fitted.
    feed
        Its batches.
    checkpoint
        Folder for the state; the caller removes it when the result is safe.
    identity
        Names everything that decides the fit. A state left by another identity is not continued.
    should_stop
        Called before every batch; true to stop.
    share
        The number of devices, within a block of `devices.shared` in which the network was built.

    Attributes
    ----------
    done
        Whole epochs so far.
    figures
        Loss and accuracy over the batches of the last epoch.
    """

    def __init__(
        self,
        model: Any,
        feed: Batches,
        params: FitParams,
        *,
        checkpoint: Path,
        identity: str,
        should_stop: ShouldStop = never_stop,
        share: int = 1,
    ) -> None:
        self.model = model
        self._feed = feed
        self._params = params
        self._trained = _compiled(model, feed, params)
        self._checkpoint = Checkpoint(self._trained, checkpoint, identity=identity)
        restored = self._checkpoint.restore()
        self.done, self.figures, self._average = restored.epoch, restored.figures, restored.average
        self._learn = devices.learner(
            self._trained, should_stop=should_stop, devices=share, together=feed.views
        )

    def run_epoch(self) -> bool:
        """Do the next epoch; False where it was stopped in between."""
        epoch = self.done + 1
        figures = self._learn(self._feed.epoch(epoch), steps=self._feed.steps_per_epoch)
        if figures is None:
            return False
        decay = min(self._params.average_decay, (epoch - 1) / (epoch + 9))
        self._average = [
            decay * old + (1 - decay) * np.asarray(new)
            for old, new in zip(self._average, self._trained.get_weights(), strict=True)
        ]
        self.done, self.figures = epoch, figures
        return True

    def save(self) -> None:
        """Write the checkpoint."""
        self._checkpoint.save(Progress(self.done, self._average, self.figures))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within a block, the model has the averaged weights."""
        present = [np.asarray(weights) for weights in self._trained.get_weights()]
        self.finish()
        try:
            yield
        finally:
            self._trained.set_weights(present)

    def finish(self) -> None:
        """Leave the averaged weights in the model."""
        self._trained.set_weights(self._average)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the networks that are fitted side by side.

    Attributes
    ----------
    weight
        Of its logits in the mean that a version gives; the weights sum to 1.
    valid
        The validation part, as this network takes it; None where there is none.
    """

    fit: NetworkFit
    weight: float
    valid: Validation | None


def fit_together(parts: Sequence[Part], *, epochs: int, on_epoch: OnEpoch) -> bool:
    """Fit networks side by side, all of them for one epoch after the other; False where it was stopped.

    So there is one progress and one estimate of the time left, validation figures are those of the joined
    networks, and each network is fitted as it would be alone. An interrupted call continues after the last
    whole epoch of each network. `on_epoch` may raise to cancel.
    """
    clock = EpochClock(epochs)
    for epoch in range(min(part.fit.done for part in parts) + 1, epochs + 1):
        clock.begin()
        # One may be ahead, when what was interrupted was saving them.
        due = [part for part in parts if part.fit.done < epoch]
        if not all(part.fit.run_epoch() for part in due):
            return False
        weights = [part.weight for part in parts]
        loss, accuracy = np.average([part.fit.figures for part in parts], axis=0, weights=weights).tolist()
        on_epoch(clock.report(epoch, (loss, accuracy), _validated(parts)))
        # Last: who is killed in between reports the epoch again, with the same figures; none is left out.
        for part in due:
            part.fit.save()
    for part in parts:
        part.fit.finish()
    return True


def fit(
    model: Any,
    feed: Batches,
    params: FitParams,
    *,
    checkpoint: Path,
    identity: str,
    on_epoch: OnEpoch,
    valid: Validation | None = None,
    should_stop: ShouldStop = never_stop,
    share: int = 1,
) -> bool:
    """Fit one network in place and leave the averaged weights in it; False where it was stopped.

    See `NetworkFit` for the parameters, and `fit_together`.
    """
    one = NetworkFit(
        model,
        feed,
        params,
        checkpoint=checkpoint,
        identity=identity,
        should_stop=should_stop,
        share=share,
    )
    return fit_together([Part(one, 1.0, valid)], epochs=params.epochs, on_epoch=on_epoch)


def _validated(parts: Sequence[Part]) -> tuple[float, float] | None:
    """Log loss and accuracy of the joined networks with their averaged weights."""
    logits: Any = 0.0
    for part in parts:
        if part.valid is None:
            return None
        with part.fit.averaged():
            logits = logits + part.weight * part.valid.logits(part.fit.model)
    valid = parts[0].valid
    return valid.figures(logits) if valid else None


def _compiled(model: Any, feed: Batches, params: FitParams) -> Any:
    """A Keras model with the weights of `model`, ready for batches of `feed`."""
    import keras

    schedule = warm_cosine(
        peak=params.learning_rate,
        steps=max((params.epochs - 1) * feed.steps_per_epoch, 1),
        warm_up=feed.steps_per_epoch,
    )
    n_labels = model.output["logits"].shape[-1]
    # Each branch has a loss of its own; the output of the network is their mean.
    fitted = {"logits": model.output.get("branches", model.output["logits"]), "music": model.output["music"]}
    losses: dict[str, Any] = {
        "logits": mean_loss(n_labels, views=feed.views, agreement_weight=params.agreement_weight),
        "music": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    loss_weights = {"logits": 1.0, "music": params.music_weight}
    widths = {"logits": n_labels, "music": 1}
    if feed.n_tags:
        fitted["tags"] = _tag_output(model, feed.n_tags)
        losses["tags"] = tag_loss(feed.n_tags)
        loss_weights["tags"] = params.tag_weight
        widths["tags"] = feed.n_tags
    trained = keras.Model(model.input, fitted)
    trained.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=params.weight_decay),
        loss=losses,
        loss_weights=loss_weights,
        metrics={"logits": [mean_accuracy(n_labels)]},
        jit_compile=False,
    )
    trained.optimizer.build(trained.trainable_variables)
    # What a first step makes besides would have TensorFlow trace that step twice, which takes long.
    outputs = {
        name: np.zeros((feed.views, output.shape[-1]), np.float32) for name, output in trained.output.items()
    }
    targets = {name: np.zeros((feed.views, width), np.float32) for name, width in widths.items()}
    trained.compute_loss(y=targets, y_pred=outputs)
    trained.compute_metrics(None, targets, outputs)
    trained.reset_metrics()
    return trained


def _tag_output(model: Any, n_targets: int) -> Any:
    """(batch, n_branches * n_targets) predictions of the tagger's output by a layer that is not kept.

    Each branch predicts from its own part of the embedding: with a common error, the branch that learns
    faster would leave the other little gradient.
    """
    from keras import layers

    embedding, output = model.output["embedding"], model.output
    branches = output["branches"].shape[-1] // output["logits"].shape[-1] if "branches" in output else 1
    parts = np.repeat(np.eye(branches, dtype=np.float32), embedding.shape[-1] // branches, axis=1)
    layer = layers.Dense(n_targets, name="tags")
    predicted = [layer(embedding * part) for part in parts]
    return predicted[0] if branches == 1 else layers.Concatenate()(predicted)

"""The platform's own network: as it ships, and fitted anew on any division of the clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.baselines import Sounds
from classifier.core.inference import Classifier, NetworkOutput, pool, read_metadata, softmax
from classifier.fitting.loop import EpochReport
from classifier.fitting.methods.context import Context
from classifier.fitting.release import Recipe, fit_network

FloatArray = NDArray[np.floating[Any]]

PIECE_EPOCHS = 40
"""Pieces are ten times as many as clips, and none is varied."""


class ShippedRelease:
    """A release's network with its own calibration. Nothing is fitted."""

    def __init__(self, release: Path) -> None:
        metadata = read_metadata(release)
        self.settings: Mapping[str, Any] = {
            "sha256": metadata["sha256"],
            "temperature": metadata["calibration"]["temperature"],
        }
        self._release = release

    def fit(self, train: Sounds, *, seed: int) -> None:
        """Leave the release as it is."""

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        classifier = Classifier.load(self._release)
        logits = [
            _pooled(classifier.network.run(patches.cut(db, classifier.patch_params).inputs))
            for db in sounds.examples.db
        ]
        return softmax(np.stack(logits) / classifier.calibration.temperature)


class ResidualCnn:
    """The platform's network by its recipe, one network from one seed, with nothing but the sounds given."""

    def __init__(self, context: Context) -> None:
        recipe = Recipe()
        # Several towers are for what ships; how many does not change one of them.
        recipe = replace(recipe, network=replace(recipe.network, towers=1), rehearsals=1)
        if context.columns:
            recipe = _for_pieces(recipe, context.columns)
        self._recipe = recipe
        self._context = context

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"recipe": asdict(self._recipe), "epochs": self._recipe.fit.epochs}

    def fit(self, train: Sounds, *, seed: int) -> None:
        self._model = fit_network(
            train.examples,
            n_labels=train.n_labels,
            seed=seed,
            recipe=self._recipe,
            checkpoint=self._context.checkpoint,
            on_epoch=self._report,
        )

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        logits = []
        for db in sounds.examples.db:
            inputs = patches.cut(db, self._recipe.patches).inputs[..., None]
            raw = self._model.predict_on_batch(inputs)
            logits.append(
                _pooled(
                    NetworkOutput(
                        logits=np.asarray(raw["logits"]),
                        music_logits=np.asarray(raw["music"])[:, 0],
                        embeddings=np.asarray(raw["embedding"]),
                    )
                )
            )
        return softmax(np.stack(logits))

    def _report(self, report: EpochReport) -> None:
        minutes, seconds = divmod(round(report.seconds_left), 60)
        self._context.report(
            f"epoch {report.epoch}/{report.epochs}, loss {report.loss:.3f}, {minutes}:{seconds:02d} left"
        )


def _pooled(output: NetworkOutput) -> FloatArray:
    # The set's decibels are relative, so silence cannot be told; its clips are music throughout.
    return pool(output, np.ones(len(output.logits), dtype=np.float32)).logits


def _for_pieces(recipe: Recipe, columns: int) -> Recipe:
    """The recipe for sounds of `columns` columns, of which there are ten times as many as of clips.

    They are seen whole and once per epoch. Channels and masks would only hide what this leaky protocol asks
    to be recognised again, so few epochs are enough.
    """
    return replace(
        recipe,
        patches=replace(recipe.patches, n_columns=columns, hop_columns=columns),
        feed=replace(
            recipe.feed, batch_size=32, crops_per_epoch=1, channel_probability=0.0, masks=0, shift=0
        ),
        views=1,
        fit=replace(recipe.fit, epochs=PIECE_EPOCHS),
    )

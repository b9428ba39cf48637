"""The platform's own network: as released, and fitted anew on any division of the clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import networks
from classifier.core.activations import softmax
from classifier.core.artifact import read_metadata
from classifier.core.baselines import Sounds
from classifier.core.inference import Classifier
from classifier.core.outputs import Runner
from classifier.core.patches import PatchParams
from classifier.fitting.evaluation.outputs import KerasRunner, run_tracks
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.methods.context import Context
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe, fit_descriptor_mlp
from classifier.fitting.networks.recipe import Recipe, fit_member, synthesise_outliers

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
        outputs = run_tracks(classifier.network, sounds.examples.db, classifier.patch_params)
        return softmax(outputs.logits / classifier.calibration.temperature)


class ResidualCnn:
    """The platform's network by its recipe, one network from one seed, with nothing but the sounds given."""

    def __init__(self, context: Context) -> None:
        recipe = Recipe()
        # Several members are for what ships; how many does not change one of them.
        recipe = replace(
            recipe, network=replace(recipe.network, members=1), descriptor_mlp=None, calibration_folds=1
        )
        if context.columns:
            recipe = _for_pieces(recipe, context.columns)
        self._recipe = recipe
        self._context = context

    @property
    def settings(self) -> Mapping[str, Any]:
        # The network on descriptors does not change it.
        recipe = {key: value for key, value in asdict(self._recipe).items() if key != "descriptor_mlp"}
        return {"recipe": recipe, "epochs": self._recipe.fit.epochs}

    def fit(self, train: Sounds, *, seed: int) -> None:
        self._model = fit_member(
            train.examples,
            n_labels=train.n_labels,
            seed=seed,
            recipe=self._recipe,
            checkpoint=self._context.checkpoint,
            on_epoch=lambda epoch: _report(self._context, epoch),
        )

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        return _probabilities(KerasRunner(self._model), sounds, self._recipe.patches)


class DescriptorMlp:
    """The platform's small network on descriptors by its recipe, with nothing but the sounds given."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recipe = DescriptorMlpRecipe()
        self._whole = Recipe()
        if context.columns:
            # The leaky protocol rewards recognising recordings, which channels would hide.
            self._recipe = replace(self._recipe, copies=replace(self._recipe.copies, copies=0))
            self._whole = _for_pieces(self._whole, context.columns)

    @property
    def settings(self) -> Mapping[str, Any]:
        # Its weight in the mean with the members does not change it.
        recipe = {key: value for key, value in asdict(self._recipe).items() if key != "share"}
        outliers = {key: getattr(self._whole, key) for key in ("n_outliers", "outlier_seconds")}
        patches_of = asdict(self._whole.patches)
        return {
            "recipe": {**recipe, "patches": patches_of, **outliers},
            "epochs": self._recipe.fit.epochs,
        }

    def fit(self, train: Sounds, *, seed: int) -> None:
        mlp = fit_descriptor_mlp(
            train.examples,
            synthesise_outliers(self._whole, seed=seed * 2, count=self._whole.n_outliers),
            n_labels=train.n_labels,
            seed=seed,
            patch_params=self._whole.patches,
            recipe=self._recipe,
            checkpoint=self._context.checkpoint,
            on_epoch=lambda epoch: _report(self._context, epoch),
        )
        self._model = networks.on_patches(mlp, self._whole.patches)

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        return _probabilities(KerasRunner(self._model), sounds, self._whole.patches)


def _probabilities(network: Runner, sounds: Sounds, params: PatchParams) -> FloatArray:
    return softmax(run_tracks(network, sounds.examples.db, params).logits)


def _report(context: Context, epoch: EpochReport) -> None:
    minutes, seconds = divmod(round(epoch.seconds_left), 60)
    context.report(f"epoch {epoch.epoch}/{epoch.epochs}, loss {epoch.loss:.3f}, {minutes}:{seconds:02d} left")


def _for_pieces(recipe: Recipe, columns: int) -> Recipe:
    """The recipe for sounds of `columns` columns, of which there are ten times as many as of clips.

    Each occurs whole and once per epoch. Channels and masks would hide the recordings, which this leaky
    protocol rewards recognising, so few epochs are enough.
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

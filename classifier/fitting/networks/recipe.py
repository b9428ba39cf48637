"""The recipe of the platform's network: a convolutional member and a small network on descriptors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from classifier.core import networks
from classifier.core.dataset import Examples
from classifier.core.networks import ResidualCnnParams
from classifier.core.patches import FloatArray, PatchParams
from classifier.fitting.data import outliers
from classifier.fitting.data.feed import Feed, FeedParams, described_by
from classifier.fitting.loop.epochs import FitParams, NetworkFit, Part, fit_together, never_stop
from classifier.fitting.loop.reports import OnEpoch
from classifier.fitting.loop.task import ShouldStop
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the data and the seed that decides a release.

    Parameters
    ----------
    network, feed, fit
        Of the members, the networks on whole patches.
    views
        Rows that each crop gives to a batch, each through another channel.
    descriptor_mlp
        The small network on descriptors joined with the members; None is none.
    calibration_folds
        Divisions of the clips by artist. For each, networks like those that ship are fitted on the clips
        outside it and predict those inside: what temperature and thresholds are fitted on.
    n_outliers, outlier_seconds
        Synthetic sounds that are not music, and their length.
    """

    patches: PatchParams = field(default_factory=lambda: PatchParams(hop_columns=40))
    network: ResidualCnnParams = field(default_factory=lambda: ResidualCnnParams(descriptors=256))
    feed: FeedParams = field(default_factory=lambda: FeedParams(batch_size=16))
    fit: FitParams = field(default_factory=FitParams)
    views: int = 2
    descriptor_mlp: DescriptorMlpRecipe | None = field(default_factory=DescriptorMlpRecipe)
    calibration_folds: int = 3
    n_outliers: int = 200
    outlier_seconds: float = 13.0


def synthesise_outliers(recipe: Recipe, *, seed: int, count: int) -> list[FloatArray]:
    """(n_mels, n_columns) decibels of `count` synthetic sounds that are not music."""
    return outliers.synthesise(count=count, seconds=recipe.outlier_seconds, params=recipe.patches, seed=seed)


def member_fit(
    examples: Examples,
    *,
    n_labels: int,
    seed: int,
    recipe: Recipe,
    checkpoint: Path,
    should_stop: ShouldStop = never_stop,
    share: int = 1,
    outlier_columns: list[FloatArray] | None = None,
) -> NetworkFit:
    """Fit of one member on any examples, not begun or as an interrupted one left it; see `NetworkFit`.

    Parameters
    ----------
    outlier_columns
        What `synthesise_outliers` gives for twice the seed, where the caller has it already.
    """
    if outlier_columns is None:
        outlier_columns = synthesise_outliers(recipe, seed=seed * 2, count=recipe.n_outliers)
    return NetworkFit(
        networks.residual_cnn(n_labels=n_labels, patches=recipe.patches, params=recipe.network, seed=seed),
        Feed(
            examples,
            outlier_columns,
            n_labels=n_labels,
            patch_params=recipe.patches,
            params=recipe.feed,
            seed=seed,
            views=recipe.views,
        ),
        recipe.fit,
        checkpoint=checkpoint,
        identity=json.dumps({"recipe": asdict(_of_member(recipe)), "seed": seed, **described_by(examples)}),
        should_stop=should_stop,
        share=share,
    )


def fit_member(
    examples: Examples,
    *,
    n_labels: int,
    seed: int,
    recipe: Recipe,
    checkpoint: Path,
    on_epoch: OnEpoch,
) -> Any:
    """Fit one member alone; continues what an interrupted call left.

    Parameters
    ----------
    checkpoint
        Folder for the state after each epoch; the caller removes it.
    """
    one = member_fit(examples, n_labels=n_labels, seed=seed, recipe=recipe, checkpoint=checkpoint)
    fit_together([Part(one, 1.0, None)], epochs=recipe.fit.epochs, on_epoch=on_epoch)
    return one.model


def _of_member(recipe: Recipe) -> Recipe:
    """The recipe less what does not decide how one member is fitted."""
    return replace(
        recipe,
        patches=replace(recipe.patches, hop_columns=recipe.patches.n_columns),
        network=replace(recipe.network, members=1),
        descriptor_mlp=None,
        calibration_folds=1,
    )

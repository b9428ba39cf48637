"""A site's full run of a Keras network: fitted from the beginning, written as a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from classifier.core import networks
from classifier.core.architectures import EFFICIENTNET_B0, RESIDUAL_CNN, Architecture
from classifier.core.artifact import file_sha256
from classifier.core.dataset import Examples
from classifier.core.inference import Classifier
from classifier.core.networks import WEIGHTS_FILE
from classifier.core.patches import PatchParams
from classifier.fitting.artifact import keras_files
from classifier.fitting.artifact.embeddings import write_replay
from classifier.fitting.artifact.metadata import amend_metadata
from classifier.fitting.artifact.weights import round_weights
from classifier.fitting.artifact.writer import StoppableRunner, complete
from classifier.fitting.data import outliers
from classifier.fitting.data.feed import Feed, FeedParams, described_by
from classifier.fitting.loop import devices
from classifier.fitting.loop.epochs import FitParams, NetworkFit, Part, fit_together, use_threads
from classifier.fitting.loop.task import FitTask, StoppedError
from classifier.fitting.loop.validation import Validation
from classifier.fitting.networks.builders import build
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe, descriptor_mlp_fit, patch_count
from classifier.fitting.networks.recipe import Recipe, member_fit, synthesise_outliers
from classifier.releases import REPLAY_FILE

CHECKPOINT = "checkpoint"
_N_OUTLIERS = 60
_OUTLIER_SECONDS = 8.0
_MOST_DESCRIPTOR_BYTES = 1 << 30
"""Memory for the descriptors of all copies of the training clips."""
_EFFICIENTNET_FIT = FitParams(learning_rate=1e-3)


def fit_residual_cnn(task: FitTask) -> None:
    """Fit all that ships, the convolutional network and the network on descriptors, side by side.

    There is one member: a site's run is to end within the hour.

    Raises
    ------
    StoppedError
        It was stopped before its end.
    """
    recipe = _site_recipe(task)
    mlp_recipe = recipe.descriptor_mlp
    assert mlp_recipe is not None  # noqa: S101  # as `_site_recipe` makes it
    use_threads(task.threads)
    with devices.shared() as share:
        parts = _platform_parts(task, recipe, mlp_recipe, share=share)
        if not fit_together(parts, epochs=recipe.fit.epochs, on_epoch=task.on_epoch):
            raise StoppedError
        member, mlp = (part.fit.model for part in parts)
        model = networks.assemble([member], mlp=mlp, mlp_share=mlp_recipe.share)
    round_weights(model)
    shape = {
        "patches": asdict(recipe.patches),
        "network": asdict(recipe.network),
        "descriptor_mlp": asdict(mlp_recipe.network),
    }
    _write_version(RESIDUAL_CNN, task, model, shape, {**asdict(recipe), **described_by(task.fitted_on)})


def fit_efficientnet(task: FitTask) -> None:
    """Fit EfficientNet-B0.

    Raises
    ------
    StoppedError
        It was stopped before its end.
    """
    params, feed = PatchParams(hop_columns=64), FeedParams()
    course = replace(_EFFICIENTNET_FIT, epochs=task.epochs or _EFFICIENTNET_FIT.epochs)
    shape = {"patches": asdict(params), "network": {}}
    described = {"architecture": EFFICIENTNET_B0.name, "labels": list(task.labels), **shape}
    sounds = outliers.synthesise(
        count=_N_OUTLIERS, seconds=_OUTLIER_SECONDS, params=params, seed=task.seed * 2
    )
    use_threads(task.threads)
    with devices.shared() as share:
        one = NetworkFit(
            build(described, seed=task.seed),
            Feed(
                # Whether the tagger's output helps this network too was not measured.
                replace(task.train, tags=None),
                sounds,
                n_labels=len(task.labels),
                patch_params=params,
                params=feed,
                seed=task.seed,
            ),
            course,
            checkpoint=task.work / CHECKPOINT,
            identity=repr((described, course, feed, task.seed, len(task.train))),
            should_stop=task.should_stop,
            share=share,
        )
        valid = Validation(task.valid, params) if len(task.valid) else None
        if not fit_together([Part(one, 1.0, valid)], epochs=course.epochs, on_epoch=task.on_epoch):
            raise StoppedError
    _write_version(EFFICIENTNET_B0, task, one.model, shape, {"feed": asdict(feed), "fit": asdict(course)})


def _site_recipe(task: FitTask) -> Recipe:
    """The recipe of a release with one member, and the epochs and the memory of a site's run."""
    recipe = Recipe()
    mlp = recipe.descriptor_mlp or DescriptorMlpRecipe()
    epochs = task.epochs or recipe.fit.epochs
    copies = min(mlp.copies.copies, _copies_in_memory(task.fitted_on, recipe.patches))
    return replace(
        recipe,
        network=replace(recipe.network, members=1),
        fit=replace(recipe.fit, epochs=epochs),
        descriptor_mlp=replace(
            mlp, fit=replace(mlp.fit, epochs=epochs), copies=replace(mlp.copies, copies=copies)
        ),
        n_outliers=_N_OUTLIERS,
        outlier_seconds=_OUTLIER_SECONDS,
    )


def _copies_in_memory(examples: Examples, params: PatchParams) -> int:
    """Number of degraded copies whose descriptors fit into memory beside the clean ones; at least one."""
    width = networks.describer(params).output.shape[1]
    clean = patch_count(examples, params) * width * np.dtype(np.float32).itemsize
    return max(int(_MOST_DESCRIPTOR_BYTES // max(clean, 1)) - 1, 1)


def _platform_parts(
    task: FitTask, recipe: Recipe, mlp_recipe: DescriptorMlpRecipe, *, share: int
) -> list[Part]:
    n_labels, checkpoint = len(task.labels), task.work / CHECKPOINT
    task.check_stopped()
    sounds = synthesise_outliers(recipe, seed=task.seed * 2, count=recipe.n_outliers)
    member = member_fit(
        task.fitted_on,
        n_labels=n_labels,
        seed=task.seed,
        recipe=recipe,
        checkpoint=checkpoint / "member",
        should_stop=task.should_stop,
        share=share,
        outlier_columns=sounds,
    )
    mlp = descriptor_mlp_fit(
        task.fitted_on,
        sounds,
        n_labels=n_labels,
        seed=task.seed,
        patch_params=recipe.patches,
        recipe=mlp_recipe,
        checkpoint=checkpoint / "descriptors",
        should_stop=task.should_stop,
        share=share,
    )
    valid = Validation(task.valid, recipe.patches) if len(task.valid) else None
    described = valid.through(networks.describer(recipe.patches)) if valid else None
    return [Part(member, 1 - mlp_recipe.share, valid), Part(mlp, mlp_recipe.share, described)]


def _write_version(
    architecture: Architecture,
    task: FitTask,
    model: Any,
    shape: Mapping[str, Any],
    recipe: Mapping[str, Any],
) -> None:
    """Write the files of a version into ``task.work``.

    Parameters
    ----------
    shape
        Entries of the metadata that the network is built from.
    recipe
        How it was fitted, for the metadata.
    """
    work = task.work
    described = {"architecture": architecture.name, "labels": list(task.labels), **shape}
    keras_files.write(model, work, described)
    weights = file_sha256(work / WEIGHTS_FILE)
    extra = {
        **shape,
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "parameters": int(model.count_params()),
        "recipe": recipe,
    }
    complete(architecture, task, extra)
    runner = StoppableRunner(Classifier.load(work).network, task)
    names = [str(i) for i in range(len(task.train))] if task.names is None else list(task.names)
    write_replay(work / REPLAY_FILE, runner, task.train, names, PatchParams(**shape["patches"]))
    amend_metadata(work, replay_sha256=file_sha256(work / REPLAY_FILE))

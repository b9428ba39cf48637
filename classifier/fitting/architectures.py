"""What can be trained on a site, by name: each fits from the beginning and writes the files of a version."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from classifier.core.artifact import MODEL_FILES
from classifier.core.inference import Classifier
from classifier.core.patches import PatchParams
from classifier.fitting.artifact.writer import StoppableRunner, StoppedError, amend, complete, digest
from classifier.fitting.loop.epochs import Validation, fit, use_threads
from classifier.fitting.loop.task import FitTask
from classifier.fitting.methods import baselines

CHECKPOINT: Final = "checkpoint"
_N_OUTLIERS = 60
_OUTLIER_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Architecture:
    """One way to classify.

    Attributes
    ----------
    title, explanation
        In words, for people who choose.
    epochs
        The usual number; None where there are none.
    needs
        What of a clip it works on.
    fitter
        Does the work of `fit`.
    """

    title: str
    explanation: str
    epochs: int | None
    needs: Literal["columns", "summary"]
    fitter: Callable[[FitTask], bool]

    def fit(self, given: FitTask) -> bool:
        """Write the files of a version into ``given.work``; say False where it was asked to end before.

        A call that was killed goes on after its last whole epoch from ``work/checkpoint``, which is left to
        the caller to remove.
        """
        try:
            return self.fitter(replace(given, epochs=given.epochs or self.epochs))
        except StoppedError:
            return False


def _residual_cnn(given: FitTask) -> bool:
    from classifier.fitting.release.train import Recipe

    recipe = Recipe()
    # One member: a site's run is to end within the hour.
    network = asdict(replace(recipe.network, members=1))
    return _fit_network("residual-cnn", {"patches": asdict(recipe.patches), "network": network}, given)


def _efficientnet(given: FitTask) -> bool:
    shape = {"patches": asdict(PatchParams(hop_columns=64)), "network": {}}
    return _fit_network("efficientnet-b0", shape, given)


def _fit_network(name: str, shape: Mapping[str, Any], given: FitTask) -> bool:
    use_threads(given.threads)
    import keras

    from classifier.fitting.artifact import keras_files
    from classifier.fitting.artifact.embeddings import write_replay
    from classifier.fitting.data import outliers
    from classifier.fitting.data.feed import Feed, FeedParams
    from classifier.fitting.loop import devices
    from classifier.fitting.release.train import Recipe
    from classifier.releases import REPLAY_FILE

    recipe = Recipe()
    if name != "residual-cnn":
        recipe = replace(recipe, feed=FeedParams(), fit=replace(recipe.fit, learning_rate=1e-3), views=1)
    params = PatchParams(**shape["patches"])
    train, valid, labels, seed, work = given.train, given.valid, given.labels, given.seed, given.work
    metadata = {"architecture": name, "labels": list(labels), **shape}
    course = replace(recipe.fit, epochs=given.epochs or recipe.fit.epochs)
    identity = {
        **metadata,
        "fit": asdict(course),
        "views": recipe.views,
        "seed": seed,
        "tracks": len(train),
        "backend": keras.backend.backend(),
    }
    sounds = outliers.synthesise(count=_N_OUTLIERS, seconds=_OUTLIER_SECONDS, params=params, seed=seed)
    with devices.shared() as share:
        model = keras_files.build(metadata, seed=seed)
        done = fit(
            model,
            Feed(
                train,
                sounds,
                n_labels=len(labels),
                patch_params=params,
                params=recipe.feed,
                seed=seed,
                views=recipe.views,
            ),
            course,
            checkpoint=work / CHECKPOINT,
            identity=json.dumps(identity),
            on_epoch=given.on_epoch,
            valid=Validation(valid, params) if len(valid) else None,
            should_stop=given.should_stop,
            share=share,
        )
    if not done:
        return False
    keras_files.write(model, work, metadata)
    weights = digest(work / keras_files.WEIGHTS_FILE)
    extra = {
        **shape,
        "weights_sha256": weights,
        "backbone_sha256": weights,
        "parameters": int(model.count_params()),
        "recipe": {"feed": asdict(recipe.feed), "fit": asdict(course), "views": recipe.views},
    }
    complete(name, given, extra)
    watched = StoppableRunner(Classifier.load(work).network, given.should_stop)
    known = [str(i) for i in range(len(train))] if given.names is None else list(given.names)
    write_replay(work / REPLAY_FILE, watched, train, known, params)
    amend(work, replay_sha256=digest(work / REPLAY_FILE))
    return True


def _mfcc_knn(given: FitTask) -> bool:
    params = PatchParams()
    found = baselines.neighbours(
        given.train, n_labels=len(given.labels), params=params, should_stop=given.should_stop
    )
    return found is not None and _written("mfcc-knn", found.to_bytes(), given)


def _feature_mlp(given: FitTask) -> bool:
    found = baselines.summary_mlp(
        given.train,
        given.valid,
        n_labels=len(given.labels),
        epochs=given.epochs or 1,
        seed=given.seed,
        on_epoch=given.on_epoch,
        should_stop=given.should_stop,
    )
    return found is not None and _written("feature-mlp", found.to_bytes(), given)


def _written(name: str, model: bytes, given: FitTask) -> bool:
    given.work.mkdir(parents=True, exist_ok=True)
    (given.work / MODEL_FILES[name]).write_bytes(model)
    complete(name, given, {"patches": asdict(PatchParams())})
    return True


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "residual-cnn": Architecture(
        title="The platform's network",
        explanation="A residual convolutional network on the mel spectrogram; the best one here. An epoch on "
        "1,000 clips takes five to ten seconds on two cores.",
        epochs=60,
        needs="columns",
        fitter=_residual_cnn,
    ),
    "efficientnet-b0": Architecture(
        title="EfficientNet-B0",
        explanation="A well-known network for pictures, from scratch on the spectrogram. Ten times as large, "
        "several times slower, and with few clips usually worse.",
        epochs=30,
        needs="columns",
        fitter=_efficientnet,
    ),
    "mfcc-knn": Architecture(
        title="Nearest neighbours of MFCCs",
        explanation="The method before networks: a clip is what the most similar known clips are. Ready at "
        "once, without training.",
        epochs=None,
        needs="columns",
        fitter=_mfcc_knn,
    ),
    "feature-mlp": Architecture(
        title="Feature network",
        explanation="A small network on 57 summary features, as in many student projects. Learns in seconds, "
        "only from clips whose sound is here, and takes longer to answer.",
        epochs=60,
        needs="summary",
        fitter=_feature_mlp,
    ),
}

"""Fitting the candidate of a run on stored features."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier import testset
from classifier.core.artifact import ReleaseError
from classifier.core.inference import Classifier
from classifier.fitting.architectures import FITTERS
from classifier.fitting.data.feature_store import FeatureStore
from classifier.fitting.jobs.clips import TRAINED_ON, RunClips
from classifier.fitting.jobs.description import JobDescription, JobFolder
from classifier.fitting.jobs.ensemble import write_ensemble
from classifier.fitting.jobs.holdout import predict_row
from classifier.fitting.loop.parts import EMBEDDINGS, HEAD, OnShare, between
from classifier.fitting.loop.reports import OnEpoch
from classifier.fitting.loop.task import FitTask, ShouldStop, StoppedError
from classifier.fitting.networks.full_run import CHECKPOINT
from classifier.fitting.networks.refit import refit_head
from classifier.releases import Replay, read_replay

FloatArray = NDArray[np.float32]


class NothingNewError(Exception):
    """There is no clip that the version in service was not trained on."""


@dataclass(frozen=True, slots=True)
class RunControl:
    """Where the work reports its progress and whether it is to end."""

    on_step: Callable[[str], None]
    on_epoch: OnEpoch
    on_share: OnShare
    should_stop: ShouldStop

    def check_stopped(self) -> None:
        """Raise `StoppedError` where the work is to end."""
        if self.should_stop():
            raise StoppedError


def fit_candidate(
    job: JobDescription, clips: RunClips, features: FeatureStore, *, folder: JobFolder, control: RunControl
) -> None:
    """Write the candidate's files into ``folder.result``.

    Raises
    ------
    StoppedError
        It was stopped before the end.
    NothingNewError
        A quick run has no clip to fit on.
    ReleaseError
        The version in service cannot be used.
    ExportError
        LiteRT and Keras disagree.
    """
    if job.kind == "full":
        _fit_full(job, clips, features, folder=folder, control=control)
    elif job.base is not None:
        _fit_quick(job, job.base, clips, features, folder=folder, control=control)
    control.check_stopped()
    write_ensemble(job, clips, folder.result)
    if job.kind == "quick":
        control.on_share(1.0)


def _fit_quick(
    job: JobDescription,
    base: Path,
    clips: RunClips,
    features: FeatureStore,
    *,
    folder: JobFolder,
    control: RunControl,
) -> None:
    """Fit a new head on the network in service.

    The embeddings of the clips that the network itself was fitted on are replayed. All other clips are given
    anew each time, so that a clip that was withdrawn or relabelled since an earlier quick run has no effect.
    """
    replay = read_replay(base)
    chosen = clips.on(*TRAINED_ON)
    kept = _replayed(replay, dict(zip(clips.keys[chosen], clips.targets[chosen], strict=True)))
    chosen = chosen[~np.isin(clips.names[chosen], kept) & ~np.isin(clips.keys[chosen], kept)]
    if not len(chosen):
        raise NothingNewError
    control.on_step("fit")
    embeddings = _embeddings(base, clips, features, chosen, control)
    refit_head(
        base,
        embeddings,
        clips.targets[chosen].astype(np.intp),
        job.labels,
        out=folder.result,
        seed=job.seed,
        names=clips.keys[chosen].tolist(),
        groups=clips.groups[chosen].tolist(),
        forget=sorted(set(replay.names) - set(kept)),
        threads=job.threads,
        on_share=between(*HEAD, control.on_share),
    )


def _replayed(replay: Replay, targets: Mapping[str, int]) -> list[str]:
    """Names of the stored clips to be replayed.

    These are the clips of the set that a release was trained on, and those of the site that the network
    itself was fitted on, which have variants, as long as they are here under the same label.
    """
    shipped = frozenset(testset.fitted().names)
    fitted = set(np.unique(replay.clip[replay.variant > 0]).tolist())
    label = dict(zip(replay.clip.tolist(), replay.targets.tolist(), strict=True))
    return [
        name
        for place, name in enumerate(replay.names)
        if name in shipped or (place in fitted and targets.get(name) == label.get(place))
    ]


def _embeddings(
    base: Path, clips: RunClips, features: FeatureStore, chosen: NDArray[np.intp], control: RunControl
) -> FloatArray:
    """Take the stored embeddings, and compute those that are missing."""
    classifier = Classifier.load(base)
    found: list[FloatArray] = []
    on_share = between(*EMBEDDINGS, control.on_share)
    for done, place in enumerate(chosen):
        on_share(done / len(chosen))
        control.check_stopped()
        stored = clips.embeddings[place]
        if len(stored) and np.isfinite(stored).all():
            found.append(stored)
        else:
            prediction = predict_row(classifier, features, int(clips.rows[place]))
            if prediction is None:
                raise ReleaseError("The version in service needs the sound of clips to learn more.")
            found.append(prediction.embedding)
    return np.stack(found)


def _fit_full(
    job: JobDescription, clips: RunClips, features: FeatureStore, *, folder: JobFolder, control: RunControl
) -> None:
    """Fit from the beginning; continues after the last whole epoch where the folder holds a state."""
    fitter = FITTERS[job.architecture]
    sides = []
    for side in TRAINED_ON:
        places = clips.on(side)
        if fitter.architecture.needs == "summary":
            places = places[np.isfinite(features.summary[clips.rows[places]]).all(axis=1)]
        sides.append(places)
    train, valid = sides
    control.on_step("fit")
    folder.fit.mkdir(exist_ok=True)
    unlabelled = clips.unlabelled()
    tagged = clips.examples(features, np.concatenate([train, unlabelled])) if len(unlabelled) else None
    task = FitTask(
        train=clips.examples(features, train),
        valid=clips.examples(features, valid),
        labels=job.labels,
        names=clips.keys[train].tolist(),
        tagged=None if tagged is None or tagged.tags is None else tagged,
        seed=job.seed,
        epochs=job.epochs or None,
        work=folder.fit,
        threads=job.threads,
        on_epoch=control.on_epoch,
        should_stop=control.should_stop,
    )
    if not fitter.fit(task):
        raise StoppedError
    control.on_step("export")
    shutil.copytree(folder.fit, folder.result, ignore=shutil.ignore_patterns(CHECKPOINT), dirs_exist_ok=True)

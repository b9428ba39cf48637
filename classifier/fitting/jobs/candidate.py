"""A candidate of a training run: learnt from stored features, measured beside the version in service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier import testset
from classifier.core.artifact import METADATA_FILE, ReleaseError
from classifier.core.dataset import Examples
from classifier.core.inference import Classifier
from classifier.fitting.data.feature_store import FeatureStore
from classifier.fitting.loop.task import FitTask
from classifier.releases import Replay

FloatArray = NDArray[np.float32]
LEARNT = ("train", "valid")


@dataclass(frozen=True, slots=True)
class RunClips:
    """The clips of a run, one row each.

    Attributes
    ----------
    rows
        Place in the material.
    targets
        Index of the label, -1 where it is not taught.
    genres, sides
        Label and side of the split: train, valid, holdout or test.
    keys, names, groups
        Id of the clip, the name under which a shipped version may know it, and what it belongs together with.
    seen
        Whether the version in service has learnt from it.
    embeddings
        (n, n_embedding) by the network in service; rows of NaN where there is none. May be (n, 0).
    """

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    genres: NDArray[np.str_]
    sides: NDArray[np.str_]
    keys: NDArray[np.str_]
    names: NDArray[np.str_]
    groups: NDArray[np.str_]
    seen: NDArray[np.bool_]
    embeddings: FloatArray

    @classmethod
    def read(cls, path: Path) -> RunClips:
        """Read what `numpy.savez` wrote under the names of the attributes."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(**{name: archive[name] for name in cls.__slots__})

    def on(self, *sides: str) -> NDArray[np.intp]:
        """Places of the clips on these sides whose label is taught."""
        return np.flatnonzero(np.isin(self.sides, sides) & (self.targets >= 0))


class StoppedError(Exception):
    """Somebody asked for the end."""


class NothingNewError(Exception):
    """There is no clip that the version in service could learn."""


@dataclass(frozen=True, slots=True)
class RunControl:
    """How the work tells of itself and hears that it is to end."""

    on_step: Callable[[str], None]
    on_epoch: Callable[[Any], None]
    should_stop: Callable[[], bool]

    def check_stopped(self) -> None:
        """Raise `StoppedError` where the work is to end."""
        if self.should_stop():
            raise StoppedError


def quick(
    job: Mapping[str, Any],
    entries: RunClips,
    material: FeatureStore,
    *,
    work: Path,
    out: Path,
    watch: RunControl,
) -> None:
    """Fit a new head on the network in service.

    What the network itself was fitted on is replayed from the version's memory. All other clips are given
    anew each time, so that what was withdrawn or relabelled since an earlier quick run does not live on.
    """
    from classifier.fitting.networks.head import refit_head
    from classifier.releases import read_replay

    base = Path(job["base"])
    replay = read_replay(base)
    learnt = entries.on(*LEARNT)
    kept = _replayed(replay, dict(zip(entries.keys[learnt], entries.targets[learnt], strict=True)))
    learnt = learnt[~np.isin(entries.names[learnt], kept) & ~np.isin(entries.keys[learnt], kept)]
    if not len(learnt):
        raise NothingNewError
    embeddings = _embeddings(base, entries, material, learnt, watch)
    watch.on_step("fit")
    refit_head(
        base,
        embeddings,
        entries.targets[learnt].astype(np.intp),
        job["labels"],
        out=out,
        seed=job["seed"],
        names=entries.keys[learnt].tolist(),
        groups=entries.groups[learnt].tolist(),
        forget=sorted(set(replay.names) - set(kept)),
        threads=job["threads"],
    )


def _replayed(replay: Replay, targets: Mapping[str, int]) -> list[str]:
    """Name the remembered clips to be replayed.

    These are the clips of the set that a version was shipped with, and those of the site that the network
    itself was fitted on, which are known by their variants, as long as they are here under the same label.
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
    base: Path, entries: RunClips, material: FeatureStore, chosen: NDArray[np.intp], watch: RunControl
) -> FloatArray:
    """Take the embeddings that are there, and work out those that are not."""
    classifier = Classifier.load(base)
    found: list[FloatArray] = []
    for place in chosen:
        watch.check_stopped()
        stored = entries.embeddings[place]
        if len(stored) and np.isfinite(stored).all():
            found.append(stored)
        else:
            prediction = _predict(classifier, material, int(entries.rows[place]))
            if prediction is None:
                raise ReleaseError("The version in service needs the sound of clips to learn more.")
            found.append(prediction.embedding)
    return np.stack(found) if found else np.empty((0, entries.embeddings.shape[1]), np.float32)


def full(
    job: Mapping[str, Any],
    entries: RunClips,
    material: FeatureStore,
    *,
    work: Path,
    out: Path,
    watch: RunControl,
) -> None:
    """Train a network from the beginning; goes on after the last whole epoch where `work` holds a state."""
    from classifier.fitting.architectures import ARCHITECTURES, CHECKPOINT

    architecture = ARCHITECTURES[job["architecture"]]
    sides = []
    for side in LEARNT:
        places = entries.on(side)
        if architecture.needs == "summary":
            places = places[np.isfinite(material.summary[entries.rows[places]]).all(axis=1)]
        sides.append(places)
    train, valid = sides
    watch.on_step("fit")
    fit = work / "fit"
    fit.mkdir(exist_ok=True)
    assignment = FitTask(
        train=_examples(entries, material, train),
        valid=_examples(entries, material, valid),
        labels=job["labels"],
        names=entries.keys[train].tolist(),
        seed=job["seed"],
        epochs=job["epochs"] or None,
        work=fit,
        threads=job["threads"],
        on_epoch=watch.on_epoch,
        should_stop=watch.should_stop,
    )
    if not architecture.fit(assignment):
        raise StoppedError
    watch.on_step("export")
    shutil.copytree(fit, out, ignore=shutil.ignore_patterns(CHECKPOINT), dirs_exist_ok=True)


def _examples(entries: RunClips, material: FeatureStore, places: NDArray[np.intp]) -> Examples:
    rows = entries.rows[places]
    return Examples(
        db=material.rows(rows.tolist()),
        targets=entries.targets[places].astype(np.intp),
        summary=material.summary[rows],
    )


def judge(
    job: Mapping[str, Any], entries: RunClips, material: FeatureStore, *, out: Path, watch: RunControl
) -> dict[str, Any]:
    """Complete the metadata of the candidate in `out`; ask it and the champion about held-out clips.

    Returns
    -------
    dict
        ``holdout``: the ``champion`` (its row's number or None) and ``clips`` by id: the ``genre`` they have,
        what the ``candidate`` said and what the ``champion`` said as ``[label, confidence]``. What the
        champion has learnt from it is not asked about.
    """
    from classifier.fitting.evaluation.figures import Clips
    from classifier.fitting.evaluation.figures import judge as measure

    test, measurable = entries.on("test"), entries.on("holdout")
    figures = measure(
        out,
        test=Clips(entries.names[test].tolist(), _examples(entries, material, test)),
        holdout=Clips(entries.keys[measurable].tolist(), _examples(entries, material, measurable)),
        check_stopped=watch.check_stopped,
    )
    held_out = np.flatnonzero(entries.sides == "holdout")
    _complete(out, job, entries, figures)
    candidate = Classifier.load(out)
    champion = Classifier.load(Path(job["base"])) if job["base"] else None
    clips: dict[str, dict[str, Any]] = {}
    for place in held_out.tolist():
        row = int(entries.rows[place])
        said = {"genre": str(entries.genres[place]), "candidate": _verdict(candidate, material, row)}
        if champion is not None and not entries.seen[place]:
            said["champion"] = _verdict(champion, material, row)
        clips[str(entries.keys[place])] = said
        watch.check_stopped()
    return {"holdout": {"champion": job["base_pk"], "clips": clips}}


def _complete(out: Path, job: Mapping[str, Any], entries: RunClips, figures: Mapping[str, Any]) -> None:
    from classifier.fitting.artifact.version_card import CARD_FILE, version_card

    path = out / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8"))
    learnt = entries.on(*(LEARNT if job["kind"] == "quick" else LEARNT[:1]))
    genres, counts = np.unique(entries.genres[learnt], return_counts=True)
    trained_on = {
        **metadata.get("trained_on", {}),
        "snapshot": job["snapshot"],
        "clips": dict(zip(genres.tolist(), counts.tolist(), strict=True)),
    }
    metadata |= {**figures, "name": job["name"], "trained_on": trained_on}
    path.write_text(json.dumps(metadata, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (out / CARD_FILE).write_text(version_card(metadata), encoding="utf-8")


def _verdict(classifier: Classifier, material: FeatureStore, row: int) -> list[Any] | None:
    prediction = _predict(classifier, material, row)
    if prediction is None:
        return None
    best = max(prediction.probabilities.items(), key=lambda item: item[1])
    return [best[0], round(best[1], 4)]


def _predict(classifier: Classifier, material: FeatureStore, row: int) -> Any:
    summary = material.summary[row]
    known = None if np.isnan(summary).any() else summary
    return classifier.predict_stored(material.db(row), summary=known)

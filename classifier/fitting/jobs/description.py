"""The folder of a job and its description: what the platform gives to the training process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from classifier.fitting.jobs.clips import RunClips

Kind = Literal["quick", "full"]


class JobError(ValueError):
    """The files of a job are missing or invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """What one run is to fit, on what, and with what.

    Attributes
    ----------
    kind
        A new last layer on the version in service, or a version from the beginning.
    architecture
        By its name in `classifier.core.architectures`; of a full run.
    epochs
        0 for the usual number.
    name
        Of the version.
    labels
        In the order of the version's outputs.
    snapshot
        Hash of the training set.
    base
        Folder of the version in service; None where there is none or it is damaged, which a quick run cannot
        do without.
    base_pk
        Its row's number.
    features
        Folder of the feature store.
    threads
        For the backend.
    """

    kind: Kind
    architecture: str
    epochs: int
    seed: int
    name: str
    labels: tuple[str, ...]
    snapshot: str
    base: Path | None
    base_pk: int | None
    features: Path
    threads: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise JobError(f"{self.kind!r} is no kind of run")
        if self.kind == "quick" and self.base is None:
            raise JobError("a quick run needs a version to start from")
        if self.epochs < 0 or self.seed < 0 or self.threads < 1:
            raise JobError(f"epochs {self.epochs}, seed {self.seed}, threads {self.threads}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise JobError("there must be at least two labels, all different")

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self), indent=1, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a description.

        Raises
        ------
        JobError
            It is not JSON, lacks an entry, has an unknown one, or one of another type.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            raise JobError(f"the description of the job cannot be read: {error}") from error
        if not isinstance(given, dict) or given.keys() != _TYPES.keys():
            raise JobError("the description of the job does not have the expected entries")
        for name, types in _TYPES.items():
            if not isinstance(given[name], types) or isinstance(given[name], bool):
                raise JobError(f"the entry {name} of the job is of another type: {given[name]!r:.40}")
        if not all(isinstance(label, str) for label in given["labels"]):
            raise JobError("the labels of the job must be texts")
        paths = {name: Path(given[name]) for name in ("base", "features") if given[name] is not None}
        return cls(**{**given, **paths, "labels": tuple(given["labels"])})


_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "architecture": (str,),
    "epochs": (int,),
    "seed": (int,),
    "name": (str,),
    "labels": (list,),
    "snapshot": (str,),
    "base": (str, type(None)),
    "base_pk": (int, type(None)),
    "features": (str,),
    "threads": (int,),
}


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The files of one job; all their names are here.

    Attributes
    ----------
    path
        The folder. It stays while a run is interrupted and continued.
    """

    path: Path

    @property
    def description(self) -> Path:
        """The `JobDescription`."""
        return self.path / "job.json"

    @property
    def clips(self) -> Path:
        """The `RunClips`."""
        return self.path / "entries.npz"

    @property
    def fit(self) -> Path:
        """Folder of a full run's unfinished version, with its checkpoint."""
        return self.path / "fit"

    @property
    def result(self) -> Path:
        """Folder of the finished version."""
        return self.path / "result"

    @property
    def holdout_predictions(self) -> Path:
        """Predictions of the candidate and the champion for held-out clips, as JSON."""
        return self.path / "holdout_predictions.json"

    @property
    def log(self) -> Path:
        """What the training process prints."""
        return self.path / "output.log"

    @property
    def lock(self) -> Path:
        """Held by the process that works in the folder."""
        return self.path / "lock"

    def write(self, description: JobDescription, clips: RunClips) -> None:
        """Write the inputs of a job; the state of an interrupted fit stays."""
        self.path.mkdir(parents=True, exist_ok=True)
        clips.write(self.clips)
        self.description.write_text(description.to_json(), encoding="utf-8")

    def read_description(self) -> JobDescription:
        """Read the description.

        Raises
        ------
        JobError
            It is missing or invalid.
        """
        try:
            text = self.description.read_text(encoding="utf-8")
        except OSError as error:
            raise JobError(f"the description of the job cannot be read: {error}") from error
        return JobDescription.from_json(text)

    def read_holdout_predictions(self) -> dict[str, Any]:
        """The predictions that `jobs.holdout.predict_holdout` gave."""
        predictions: dict[str, Any] = json.loads(self.holdout_predictions.read_text(encoding="utf-8"))
        return predictions

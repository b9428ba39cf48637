"""Preflight report on a run: clips by genre and side of the split, what is missing, estimated duration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from classifier.models import Genre, ModelVersion
from training.errors import TrainingError
from training.models import Clip, SnapshotClip, TrainingRun
from training.run_messages import in_words
from training.services import bases, snapshots
from training.services.training_data import LEAST_CLIPS

DEFAULT_ARCHITECTURE = "residual-cnn"
LEAST_GENRES = 2
LEARNT = (SnapshotClip.Split.TRAIN, SnapshotClip.Split.VALID)
"""The sides that a quick run is fitted on; a full one uses the second for validation."""

# Measured on two cores with one training thread: fixed seconds of every run, seconds per clip of a quick run,
# and seconds per clip and epoch of a full one. Used until this site has figures of its own.
_QUICK_SECONDS, _QUICK_CLIP_SECONDS = 25.0, 0.05
_FULL_SECONDS = 45.0
_EPOCH_CLIP_SECONDS = {"residual-cnn": 0.06, "efficientnet-b0": 0.25, "feature-mlp": 0.0005}
_OTHER_CLIP_SECONDS = 0.02
_RUNS_LOOKED_AT = 5

Kind = TrainingRun.Kind
Note = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class GenreRow:
    """The clips of one genre.

    Attributes
    ----------
    new
        Of those for training, the ones that the version in service was not trained on.
    known
        Whether the version in service can predict the genre.
    """

    genre: Genre
    train: int
    valid: int
    holdout: int
    test: int
    new: int
    known: bool

    @property
    def usable(self) -> int:
        """All clips except those of the test set."""
        return self.train + self.valid + self.holdout

    @property
    def missing(self) -> int:
        """Clips that the genre still needs to become predictable."""
        return max(LEAST_CLIPS - self.usable, 0)


@dataclass(frozen=True, slots=True)
class Report:
    """Whether a kind of run could start.

    Attributes
    ----------
    labels
        The genres that its version would predict.
    clips, new_clips
        Training clips; those of them that the version in service was not trained on.
    seconds
        Estimated duration.
    problems
        Why it cannot start.
    notes
        Notes for the curator, as codes and parameters.
    """

    kind: str
    architecture: str
    epochs: int
    labels: list[str]
    clips: int
    new_clips: int
    seconds: float
    problems: list[TrainingError] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Preflight:
    """Reports on both kinds of run, computed on access."""

    base: ModelVersion | None
    plan: snapshots.Plan
    genres: list[GenreRow]
    architecture: str
    epochs: int
    active: TrainingRun | None

    def of(self, kind: str) -> Report:
        return self.quick if kind == Kind.QUICK else self.full

    @cached_property
    def quick(self) -> Report:
        clips = sum(row.train + row.valid for row in self.genres)
        new = sum(row.new for row in self.genres)
        labels = labels_of_quick(self.base, self.plan.counts)
        problems = []
        if self.base is None or bases.remembered(self.base) is None:
            problems.append(TrainingError("run_no_base"))
        elif not new and not _changed_since(self.base, self.plan):
            problems.append(TrainingError("run_nothing_new"))
        notes = self._notes([row for row in self.genres if row.missing and not row.known])
        return Report(
            kind=Kind.QUICK,
            architecture=bases.architecture_of(self.base.metadata) if self.base else DEFAULT_ARCHITECTURE,
            epochs=0,
            labels=labels,
            clips=clips,
            new_clips=new,
            seconds=_quick_seconds(clips),
            problems=problems,
            notes=notes,
        )

    @cached_property
    def full(self) -> Report:
        clips = sum(row.train for row in self.genres)
        labels = labels_of_full(self.plan.counts)
        problems = []
        if len(labels) < LEAST_GENRES:
            problems.append(TrainingError("run_few_genres", {"genres": len(labels), "least": LEAST_CLIPS}))
        elif not any(row.valid for row in self.genres if row.genre.slug in labels):
            problems.append(TrainingError("run_no_validation"))
        return Report(
            kind=Kind.FULL,
            architecture=self.architecture,
            epochs=self.epochs,
            labels=labels,
            clips=clips,
            new_clips=sum(row.new for row in self.genres),
            seconds=_full_seconds(self.architecture, self.epochs, clips),
            problems=problems,
            notes=self._notes([row for row in self.genres if row.genre.slug not in labels]),
        )

    def _notes(self, left_out: list[GenreRow]) -> list[Note]:
        notes: list[Note] = [
            ("genre_short", {"genre": row.genre.slug, "missing": row.missing})
            for row in left_out
            if row.usable and not row.known
        ]
        if forgotten := [row.genre.slug for row in left_out if row.known]:
            notes.append(("genres_forgotten", {"genres": forgotten, "least": LEAST_CLIPS}))
        return notes + plan_notes(self.plan)


def collect(*, architecture: str = "", epochs: int | None = None) -> Preflight:
    """Collect the figures, without writing to the database."""
    architecture = architecture if architecture in architectures() else DEFAULT_ARCHITECTURE
    usual = architectures()[architecture].epochs
    base = bases.in_service()
    plan = snapshots.plan()
    new = _new(base, plan)
    counts = plan.counts
    rows = [
        GenreRow(
            genre=genre,
            **{side.value: counts.get(genre.slug, {}).get(side, 0) for side in SnapshotClip.Split},
            new=new.get(genre.slug, 0),
            known=base is not None and genre.slug in base.labels,
        )
        for genre in Genre.objects.all()
    ]
    return Preflight(
        base=base,
        plan=plan,
        genres=rows,
        architecture=architecture,
        epochs=0 if usual is None else epochs or usual,
        active=TrainingRun.objects.active(),
    )


def architectures() -> Mapping[str, Any]:
    """Return the trainable architectures by name."""
    from classifier.fitting.architectures import ARCHITECTURES

    found: Mapping[str, Any] = ARCHITECTURES
    return found


def base_architecture() -> str:
    """Return the architecture of the version in service, which a quick run keeps."""
    base = bases.in_service()
    return bases.architecture_of(base.metadata) if base else DEFAULT_ARCHITECTURE


def labels_of_quick(base: ModelVersion | None, counts: dict[str, dict[str, int]]) -> list[str]:
    """Return the labels of the version in service, then the new genres with enough clips."""
    known = list(base.labels) if base else []
    return known + [genre for genre in labels_of_full(counts) if genre not in known]


def labels_of_full(counts: dict[str, dict[str, int]]) -> list[str]:
    """Return the genres with enough clips, in alphabetical order."""
    test = SnapshotClip.Split.TEST
    return sorted(
        genre
        for genre, sides in counts.items()
        if sum(count for side, count in sides.items() if side != test) >= LEAST_CLIPS
    )


def plan_notes(plan: snapshots.Plan) -> list[Note]:
    """Notes on how the split was adapted to few clips or few contributors."""
    notes: list[Note] = []
    if plan.all_in_training:
        notes.append(("nothing_held_out", {"least": snapshots.LEAST_GROUPS}))
    elif plan.grouping != "people":
        notes.append((f"grouped_by_{plan.grouping}", {}))
    notes += [("rescued", {"genre": genre}) for genre in plan.rescued]
    return notes


def readable(notes: Iterable[Note], genres: Mapping[str, Genre]) -> list[tuple[str, str]]:
    """Return the code and the sentence of each note, with the names of genres."""
    return [(code, in_words(code, named(params, genres))) for code, params in notes]


def named(params: Mapping[str, Any], genres: Mapping[str, Genre]) -> dict[str, Any]:
    """Replace labels by the names of genres."""

    def name(label: str) -> str:
        return genres[label].display_name if label in genres else label

    words = dict(params)
    if "genre" in params:
        words["genre"] = name(params["genre"])
    if isinstance(params.get("genres"), list):
        words["genres"] = ", ".join(map(name, params["genres"]))
    return words


def _new(base: ModelVersion | None, plan: snapshots.Plan) -> dict[str, int]:
    """Count by genre the training clips that `base` was not trained on."""
    remembered = (bases.remembered(base) if base else None) or frozenset()
    names = dict(Clip.objects.usable().exclude(known_as="").values_list("pk", "known_as"))
    counts: dict[str, int] = {}
    for entry in plan.entries:
        known = str(entry.pk) in remembered or names.get(entry.pk) in remembered
        if entry.split in LEARNT and not known:
            counts[entry.genre] = counts.get(entry.genre, 0) + 1
    return counts


def _changed_since(base: ModelVersion, plan: snapshots.Plan) -> bool:
    """Tell whether clips were withdrawn or relabelled since `base` was trained on them."""
    run = TrainingRun.objects.filter(candidate=base).select_related("snapshot").first()
    return run is not None and run.snapshot is not None and run.snapshot.digest != plan.digest


def _quick_seconds(clips: int) -> float:
    runs = _former(Kind.QUICK, "")
    if not runs:
        return _QUICK_SECONDS + _QUICK_CLIP_SECONDS * clips
    return median(_seconds(run) for run in runs)


def _full_seconds(architecture: str, epochs: int, clips: int) -> float:
    passes = max(epochs, 1)
    rates: list[float] = []
    others: list[float] = []
    for run in _former(Kind.FULL, architecture):
        assert run.snapshot is not None  # noqa: S101  # a run that is done has one
        learnt = sum(sides.get(SnapshotClip.Split.TRAIN, 0) for sides in run.snapshot.counts.values())
        taken = list(run.epoch_rows.values_list("seconds", flat=True))
        if learnt and taken:
            rates.append(median(taken) / learnt)
            others.append(max(_seconds(run) - sum(taken), 0.0))
        elif learnt:
            others.append(_seconds(run))
    if rates:
        return median(others) + passes * clips * median(rates)
    if others:
        return median(others)
    return _FULL_SECONDS + passes * clips * _EPOCH_CLIP_SECONDS.get(architecture, _OTHER_CLIP_SECONDS)


def _former(kind: str, architecture: str) -> list[TrainingRun]:
    """Find the last uninterrupted runs of this kind."""
    runs = TrainingRun.objects.filter(
        kind=kind, status=TrainingRun.Status.DONE, attempt=1, started_at__isnull=False
    ).select_related("snapshot")
    if architecture:
        runs = runs.filter(architecture=architecture)
    return list(runs.order_by("-created")[:_RUNS_LOOKED_AT])


def _seconds(run: TrainingRun) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return (run.finished_at - run.started_at).total_seconds()

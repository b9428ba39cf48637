"""Counts of the training data: approved clips by genre and source, and clips that wait for review."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Count, Q

from classifier.models import Genre
from training.models import Clip, Dataset

LEAST_CLIPS = 20
"""Approved clips that a genre needs to be predictable."""


@dataclass(slots=True)
class GenreClips:
    """The clips of one genre.

    Attributes
    ----------
    usable : int
        Approved and usable for training, validation or holding out; `test` of them are never trained on.
    contributed : int
        Of the usable ones, those that users contributed; the others were imported.
    leaks : int
        Approved ones that contain a recording of the test set, and are left out.
    """

    genre: Genre
    usable: int = 0
    contributed: int = 0
    test: int = 0
    pending: int = 0
    checking: int = 0
    rejected: int = 0
    leaks: int = 0

    @property
    def for_training(self) -> int:
        return self.usable - self.test

    @property
    def missing(self) -> int:
        """Clips that it still needs to become predictable."""
        return max(LEAST_CLIPS - self.for_training, 0)


@dataclass(slots=True)
class DatasetClips:
    """The clips of one dataset: all, and the usable ones."""

    dataset: Dataset
    clips: int
    usable: int
    failed: int


@dataclass(slots=True)
class TrainingData:
    genres: list[GenreClips] = field(default_factory=list)
    datasets: list[DatasetClips] = field(default_factory=list)
    contributed: int = 0
    contributors: int = 0

    @property
    def usable(self) -> int:
        return sum(genre.usable for genre in self.genres)

    @property
    def for_training(self) -> int:
        return sum(genre.for_training for genre in self.genres)

    @property
    def test(self) -> int:
        return sum(genre.test for genre in self.genres)

    @property
    def pending(self) -> int:
        return sum(genre.pending for genre in self.genres)


_USABLE = Q(clips__status=Clip.Status.APPROVED, clips__leaks=False) & ~Q(clips__features="")


def collect() -> TrainingData:
    """Count everything in three queries."""
    genres = [
        GenreClips(
            genre=genre,
            **{name: getattr(genre, f"n_{name}") for name in _COUNTS},
        )
        for genre in Genre.objects.annotate(**{f"n_{name}": count for name, count in _COUNTS.items()})
    ]
    datasets = [
        DatasetClips(dataset, dataset.n_clips, dataset.n_usable, dataset.n_failed)
        for dataset in Dataset.objects.annotate(
            n_clips=Count("clips"),
            n_usable=Count("clips", filter=_USABLE),
            n_failed=Count("clips", filter=Q(clips__status=Clip.Status.FAILED)),
        )
    ]
    people = Clip.objects.usable().filter(contributor__isnull=False)
    counts = people.aggregate(clips=Count("pk"), people=Count("contributor", distinct=True))
    return TrainingData(genres, datasets, contributed=counts["clips"], contributors=counts["people"])


_COUNTS = {
    "usable": Count("clips", filter=_USABLE),
    "contributed": Count("clips", filter=_USABLE & Q(clips__contributor__isnull=False)),
    "test": Count("clips", filter=_USABLE & Q(clips__part=Clip.Part.TEST)),
    "pending": Count("clips", filter=Q(clips__status=Clip.Status.PENDING)),
    "checking": Count("clips", filter=Q(clips__status=Clip.Status.CHECKING)),
    "rejected": Count("clips", filter=Q(clips__status=Clip.Status.REJECTED)),
    "leaks": Count("clips", filter=Q(clips__status=Clip.Status.APPROVED, clips__leaks=True)),
}

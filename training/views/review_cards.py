"""Cards of the review page: a clip's sound, its label, and evidence for another label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from classifier.core import pictures
from classifier.core.patches import PatchParams
from classifier.models import Genre
from library.templatetags.sound import percent
from library.views.verdict import Bar, GenreOf, whole_percents
from training.models import Clip
from training.models.clips import ClipQuerySet
from training.neighbours import ClipNeighbour, nearest_approved
from training.services.features import FeaturesError, read_features

QUEUE, DOUBTS = "queue", "doubts"
SOURCES = (QUEUE, DOUBTS)
# One key each; zero follows nine as on a keyboard.
PICK_KEYS = "1234567890abcdefghijklmnopqrstuvwxyz"
_BARS = 4
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Card:
    """One clip, prepared for review.

    Attributes
    ----------
    bars : list of Bar
        The most probable predicted genres, and always the clip's own label.
    predicted : Bar or None
        The most probable of them, if there is a prediction.
    peaks : list of int
        Outline of the sound, minima and maxima in turn; empty if its features are missing.
    """

    clip: Clip
    source: str
    bars: list[Bar]
    neighbours: list[ClipNeighbour]
    peaks: list[int]
    duration: float
    suspected: Genre | None

    @property
    def predicted(self) -> Bar | None:
        return max(self.bars, key=lambda bar: bar.share) if self.bars else None

    @property
    def agrees(self) -> bool:
        return self.predicted is not None and self.predicted.genre.slug == self.clip.genre.slug

    @property
    def title(self) -> str:
        return title_of(self.clip)

    @property
    def is_open(self) -> bool:
        return self.clip.status == Clip.Status.PENDING

    @property
    def picture(self) -> str:
        address = reverse("training:review-picture", args=[self.clip.pk])
        return f"{address}?v={self.clip.features_sha256[:16]}"

    @property
    def ticks(self) -> list[pictures.Tick]:
        return list(pictures.mel_axis(PatchParams().sample_rate))

    @property
    def announcement(self) -> str:
        """Text that a screen reader announces when the card is shown."""
        label = self.clip.genre.display_name
        if self.suspected is not None:
            return gettext("{title}. Approved as {label}; the other clips say {other}.").format(
                title=self.title, label=label, other=self.suspected.display_name
            )
        if self.predicted is None:
            return gettext("{title}. Said to be {label}.").format(title=self.title, label=label)
        return gettext("{title}. Said to be {label}; the classifier hears {other}, {share}.").format(
            title=self.title,
            label=label,
            other=self.predicted.genre.display_name,
            share=percent(self.predicted.share),
        )


def title_of(clip: Clip) -> str:
    return clip.title or gettext("Untitled")


def clips_of(source: str) -> ClipQuerySet:
    """Return the clips to review, in order."""
    return Clip.objects.suspicious() if source == DOUBTS else Clip.objects.to_review()


def for_cards(clips: ClipQuerySet) -> ClipQuerySet:
    """Prefetch what the cards of clips show."""
    return clips.select_related(
        "genre",
        "contributed_genre",
        "contributor",
        "dataset",
        "duplicate_of__genre",
        "opinion_version",
        "reviewed_by",
    ).defer("tags", "fingerprint")


def card_of(clip: Clip, source: str, genre_of: GenreOf) -> Card:
    peaks, duration = _outline(clip)
    doubted = source == DOUBTS and clip.suspected_genre not in ("", clip.genre.slug)
    return Card(
        clip=clip,
        source=source,
        bars=bars_of(clip, genre_of),
        neighbours=nearest_approved(clip=clip),
        peaks=peaks,
        duration=clip.duration or duration,
        suspected=genre_of(clip.suspected_genre) if doubted else None,
    )


def bars_of(clip: Clip, genre_of: GenreOf) -> list[Bar]:
    """Give the likeliest predicted genres, and the clip's own label after them if it is none."""
    shares: dict[str, float] = clip.opinion
    percents = whole_percents(shares)
    ranked = sorted(shares, key=lambda label: -shares[label])
    shown = [label for label in ranked[:_BARS] if shares[label] >= _LEAST_SHARE]
    if shares and clip.genre.slug not in shown:
        shown.append(clip.genre.slug)
    return [Bar(genre_of(label), shares.get(label, 0.0), percents.get(label, 0)) for label in shown]


def picks(genres: Iterable[Genre]) -> list[tuple[str, Genre]]:
    """Assign to each genre the key that picks it; genres after the thirty-sixth have none."""
    keys = iter(PICK_KEYS)
    return [(next(keys, ""), genre) for genre in genres]


def _outline(clip: Clip) -> tuple[list[int], float]:
    try:
        db = read_features(clip).db
    except (FeaturesError, OSError):
        return [], 0.0
    seconds = db.shape[1] * PatchParams().column_seconds
    return [int(value) for value in pictures.loudness_peaks(db).ravel()], seconds


def wanted(source: str, *, without: Iterable[Any] = ()) -> QuerySet[Clip]:
    """Return the clips to review, except those that the page has already."""
    return for_cards(clips_of(source).exclude(pk__in=list(without)))

"""The figures of a version's card, prepared for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy, ngettext

from classifier.models import Genre, ModelVersion

# Names of the channels that a card may hold figures for.
CHANNELS = {
    "equaliser": gettext_lazy("Tone controls"),
    "loudspeaker": gettext_lazy("A small loudspeaker"),
    "room": gettext_lazy("An echoing room"),
    "noise floor": gettext_lazy("Hiss"),
    "babble": gettext_lazy("People talking"),
    "knocks": gettext_lazy("Knocks and bumps"),
    "hum": gettext_lazy("Mains hum"),
    "codec": gettext_lazy("Strong compression"),
    "telephone": gettext_lazy("A telephone line"),
    "8 kHz": gettext_lazy("Sampled at 8 kHz, as on the telephone"),
    "automatic gain": gettext_lazy("A recorder that sets its own level"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """How many clips of one genre were predicted as another."""

    count: int
    share: float
    right: bool


@dataclass(frozen=True, slots=True)
class GenreRow:
    """Recall of one genre in percent, and its row of the confusion matrix.

    A genre without test clips has no recall.
    """

    genre: Genre
    recall: int | None
    clips: int
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """Figures of the version on sound degraded by one channel, in percent."""

    name: str
    accuracy: int
    confident: int
    confident_accuracy: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """The measured quality of one version; every share is in percent."""

    version: ModelVersion
    accuracy: int
    low: int
    high: int
    clips: int
    coverage_accuracy: int | None
    unsure_below: int | None
    calibration_error: float
    genres: list[GenreRow]
    channels: list[ChannelRow]


def card_of(version: ModelVersion) -> Card | None:
    """Read the card of a version; None where it was never measured on a test set."""
    metadata: Mapping[str, Any] = version.metadata
    test = metadata.get("test")
    if not test:
        return None
    coverage = metadata.get("test_accuracy_at_60_percent_coverage")
    unsure_below = metadata.get("calibration", {}).get("unsure_below")
    return Card(
        version=version,
        accuracy=_percent(test["accuracy"]["value"]),
        low=_percent(test["accuracy"]["low"]),
        high=_percent(test["accuracy"]["high"]),
        clips=test["n"],
        coverage_accuracy=None if coverage is None else _percent(coverage),
        unsure_below=None if unsure_below is None else _percent(unsure_below),
        calibration_error=test["calibration_error"],
        genres=_genres(version, test),
        channels=_channels(metadata.get("test_channels", {})),
    )


def _channels(measured: Mapping[str, Mapping[str, Any]]) -> list[ChannelRow]:
    """A row for each channel alone, and one for the mean of all pairs, whose names are joined by a plus."""
    pairs = [row for name, row in measured.items() if " + " in name]
    rows = [
        _channel_row(str(CHANNELS.get(name, name)), [row])
        for name, row in measured.items()
        if " + " not in name
    ]
    if pairs:
        name = ngettext("Two of these at once (%(n)d pair)", "Two of these at once (%(n)d pairs)", len(pairs))
        rows.append(_channel_row(name % {"n": len(pairs)}, pairs))
    return rows


def _channel_row(name: str, measured: Sequence[Mapping[str, Any]]) -> ChannelRow:
    sure = sum(row["confident"] for row in measured)
    # Each answer given without doubt counts the same, whatever the channel.
    right = sum(row["confident"] * row["confident_accuracy"] for row in measured if row["confident"])
    return ChannelRow(
        name=name,
        accuracy=_percent(sum(row["accuracy"] for row in measured) / len(measured)),
        confident=_percent(sure / len(measured)),
        confident_accuracy=_percent(right / sure) if sure else None,
    )


def _genres(version: ModelVersion, test: Mapping[str, Any]) -> list[GenreRow]:
    known = Genre.objects.in_bulk(version.labels, field_name="slug")
    rows = []
    for place, label in enumerate(version.labels):
        counts = test["confusion"][place]
        total = sum(counts)
        recall = test["recall"].get(label)
        rows.append(
            GenreRow(
                # A genre that was since removed from the site is shown by its label.
                genre=known.get(label) or Genre(slug=label, name=label, colour="#8a8d96"),
                recall=None if recall is None else _percent(recall),
                clips=total,
                cells=[
                    Cell(count, count / total if total else 0.0, right=column == place)
                    for column, count in enumerate(counts)
                ],
            )
        )
    return rows


def _percent(share: float) -> int:
    return round(100 * share)

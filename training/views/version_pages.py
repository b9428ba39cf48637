"""Contexts of the pages of versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.translation import gettext

from classifier.core.gate import ChangedClip, GenreChange
from classifier.models import Genre, ModelVersion
from classifier.quality.card import Card, card_of
from training import gate_messages
from training.models import Clip, Promotion, TrainingRun
from training.services.version_report import TEST, Figures, Report, figures_of, report_on
from training.services.versions import LearntClips

_UNLISTED_COLOUR = "#8a8d96"
NARROW_SPACE = "\u202f"


class Genres:
    """Genres by label, fetched once; a label without a genre is its own name."""

    def __init__(self) -> None:
        self._known = {genre.slug: genre for genre in Genre.objects.all()}

    def __call__(self, label: str) -> Genre:
        return self._known.get(label) or Genre(slug=label, name=label.capitalize(), colour=_UNLISTED_COLOUR)

    def name(self, label: str) -> str:
        return self(label).display_name

    def unlisted(self, labels: Iterable[str]) -> list[str]:
        """Filter by labels for which this site has no genre."""
        return [label for label in labels if label not in self._known]


def percent(share: float | None) -> str:
    """Format a share as a percentage with one decimal, a dash for None."""
    return "–" if share is None else f"{number(100 * share, 1)}{NARROW_SPACE}%"


def number(value: float, digits: int) -> str:
    """Format a number, rounded to so many decimals; Django's own formatting truncates."""
    return number_format(round(value, digits), digits)


# --- one version among others --------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version in the list."""

    version: ModelVersion
    figures: Figures
    learnt: LearntClips | None
    served: bool

    @property
    def accuracy(self) -> str:
        return percent(self.figures.accuracy)

    @property
    def interval(self) -> str:
        if self.figures.low is None or self.figures.high is None:
            return ""
        return f"{round(100 * self.figures.low)} – {round(100 * self.figures.high)}"

    @property
    def robustness(self) -> str:
        return percent(self.figures.robustness)

    @property
    def calibration(self) -> str:
        error = self.figures.calibration_error
        return "–" if error is None else number(error, 3)

    @property
    def size(self) -> str:
        return "–" if self.figures.size is None else filesizeformat(self.figures.size)


def rows_of(versions: list[ModelVersion], learnt: dict[int, LearntClips]) -> list[VersionRow]:
    """Make the rows of the list."""
    return [
        VersionRow(
            version=version,
            figures=figures_of(version),
            learnt=learnt.get(version.pk),
            served=version.served_at is not None,
        )
        for version in versions
    ]


@dataclass(frozen=True, slots=True)
class LogRow:
    """A change of the version in service, with the gate's objections."""

    promotion: Promotion
    objections: list[str]


def log_rows(promotions: QuerySet[Promotion], genres: Genres) -> list[LogRow]:
    """Make the rows of the log."""
    return [LogRow(promotion, _objections(promotion, genres)) for promotion in promotions]


def _objections(promotion: Promotion, genres: Genres) -> list[str]:
    if not promotion.overridden:
        return []
    texts = {
        "not_measured": gettext("never measured on the same clips"),
        "worse": gettext("worse on the whole"),
        "genre_lost": gettext("loses %(genre)s"),
        "genre_gone": gettext("no longer knows %(genre)s"),
    }
    return [
        texts[refusal["code"]] % {"genre": genres.name(refusal.get("genre", "")).lower()}
        for refusal in promotion.gate.get("refusals", [])
        if refusal.get("code") in texts
    ]


# --- two versions side by side -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of both versions; `kind` is better, worse or empty."""

    name: str
    help: str
    before: str
    after: str
    change: str
    kind: str


def figure_rows(before: Figures, after: Figures) -> list[FigureRow]:
    """Make the rows that compare the metrics of two versions."""

    def shares(name: str, explained: str, attribute: str) -> FigureRow:
        return _row(
            name,
            explained,
            getattr(before, attribute),
            getattr(after, attribute),
            written=percent,
            difference=lambda change: gettext("%(points)s points") % {"points": _signed(100 * change, 1)},
        )

    return [
        shares(
            gettext("Right on the test clips"),
            gettext("of the frozen test set, which nothing was learnt from"),
            "accuracy",
        ),
        shares(
            gettext("Macro F1"), gettext("the same, each genre counting as much as any other"), "macro_f1"
        ),
        shares(gettext("Right among the surest 60 %"), "", "at_coverage"),
        shares(
            gettext("Right when the sound is degraded"), gettext("mean over simulated trouble"), "robustness"
        ),
        _row(
            gettext("Calibration error"),
            gettext("how far its percentages are from how often it is right; 0 would be perfect"),
            before.calibration_error,
            after.calibration_error,
            written=lambda value: "–" if value is None else number(value, 3),
            difference=lambda change: _signed(change, 3),
            less_is_better=True,
        ),
        _row(
            gettext("Time for 30 seconds of sound"),
            gettext("on one core"),
            before.milliseconds,
            after.milliseconds,
            written=lambda value: "–" if value is None else f"{number(value, 0)}{NARROW_SPACE}ms",
            difference=lambda change: f"{_signed(change, 0)}{NARROW_SPACE}ms",
            less_is_better=True,
        ),
        _row(
            gettext("Size of the network"),
            "",
            before.size,
            after.size,
            written=lambda value: "–" if value is None else filesizeformat(value),
            difference=lambda change: f"{'+' if change > 0 else '−'}{filesizeformat(abs(change))}",
            less_is_better=True,
        ),
    ]


def _row(
    name: str,
    explained: str,
    before: float | None,
    after: float | None,
    *,
    written: Callable[[float | None], str],
    difference: Callable[[float], str],
    less_is_better: bool = False,
) -> FigureRow:
    change = None if before is None or after is None else after - before
    alike = change is None or written(before) == written(after)
    return FigureRow(
        name=name,
        help=explained,
        before=written(before),
        after=written(after),
        change="" if alike or change is None else difference(change),
        kind="" if alike or change is None else "better" if (change > 0) != less_is_better else "worse",
    )


def _signed(value: float, digits: int) -> str:
    return f"{'+' if value > 0 else '−'}{number(abs(value), digits)}"


@dataclass(frozen=True, slots=True)
class GenreRow:
    """Recall of one genre under both versions; shares are in whole percent."""

    genre: Genre
    change: GenreChange

    @property
    def before(self) -> int | None:
        return None if self.change.before is None else round(100 * self.change.before)

    @property
    def after(self) -> int | None:
        return None if self.change.after is None else round(100 * self.change.after)

    @property
    def points(self) -> str:
        change = self.change.change
        return "" if not change else _signed(100 * change, 0)

    @property
    def kind(self) -> str:
        change = self.change.change
        return "" if not change else "better" if change > 0 else "worse"


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip whose prediction changed. Clips of the test set have no sound here."""

    changed: ChangedClip
    name: str
    clip: Clip | None
    truth: Genre
    before: Genre
    after: Genre

    @property
    def is_frozen(self) -> bool:
        return self.changed.name.startswith(TEST)


@dataclass(frozen=True, slots=True)
class Beside:
    """Context of the comparison of a candidate with the version in service."""

    report: Report
    words: str
    reasons: list[str]
    figures: list[FigureRow]
    genres: list[GenreRow]
    new_genres: list[GenreRow]
    clips: list[ClipRow]
    champion_card: Card | None

    @property
    def p(self) -> str:
        """The p-value with its sign: "= 0.031" or "< 0.001"."""
        p = self.report.result.paired.p
        return f"< {number(0.001, 3)}" if p < 0.001 else f"= {number(p, 3)}"

    @property
    def lost(self) -> int:
        return sum(row.changed.kind == "worse" for row in self.clips)

    @property
    def won(self) -> int:
        return sum(row.changed.kind == "better" for row in self.clips)


def beside(candidate: ModelVersion, champion: ModelVersion, genres: Genres) -> Beside:
    """Compare a candidate with the champion, in words and tables."""
    report = report_on(candidate, champion)
    result = report.result
    return Beside(
        report=report,
        words=gate_messages.in_words(result.paired),
        reasons=gate_messages.reasons(result, named=genres.name),
        figures=figure_rows(figures_of(champion), figures_of(candidate)),
        genres=[GenreRow(genres(change.label), change) for change in result.genres],
        new_genres=[GenreRow(genres(change.label), change) for change in result.new_genres],
        clips=_clip_rows(result.changed, genres),
        champion_card=card_of(champion),
    )


def _clip_rows(changed: list[ChangedClip], genres: Genres) -> list[ClipRow]:
    names = {clip.name: clip.name.partition(":")[2] for clip in changed}
    ids = [_uuid(names[clip.name]) for clip in changed if not clip.name.startswith(TEST)]
    sounds = Clip.objects.in_bulk([pk for pk in ids if pk is not None])
    return [
        ClipRow(
            changed=clip,
            name=names[clip.name],
            clip=None if clip.name.startswith(TEST) else sounds.get(_uuid(names[clip.name])),
            truth=genres(clip.truth),
            before=genres(clip.before.label),
            after=genres(clip.after.label),
        )
        for clip in changed
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def curves_of(run: TrainingRun | None) -> list[dict[str, Any]]:
    """Return the figures after each epoch of a run, as on its own page; empty if it had none."""
    columns = ("number", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    return list(run.epoch_rows.values(*columns)) if run is not None else []

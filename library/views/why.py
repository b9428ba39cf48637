"""Explanations in words: which bands and moments support a genre and which count against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext

from classifier.models import Genre
from library.errors import sentence
from library.models import Analysis, Explanation
from library.services import queue
from library.templatetags.sound import clock
from library.views.verdict import GenreOf, ticks_of

# A moment this short is given by its middle, a longer one by its range.
_MOMENT_SECONDS = 2.5
# After this time the page says why it takes long, if the reason is known.
PATIENCE = timedelta(seconds=12)

_THIN = "\u202f"

Stretch = dict[str, float]


@dataclass(frozen=True, slots=True)
class Why:
    """The explanation of a verdict as a page shows it.

    Attributes
    ----------
    genre : Genre
        The genre that is explained: the predicted one, or the most probable one of an unsure verdict.
    explanation : Explanation or None
        None if nobody has requested it.
    ticks : tuple of (float, str)
        Ticks of the map's frequency axis.
    """

    genre: Genre
    explanation: Explanation | None
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, analysis: Analysis, genre_of: GenreOf) -> Why | None:
        """Return None if no music was found: then there is nothing to explain."""
        if not analysis.music:
            return None
        return cls(genre_of(analysis.genre), analysis.requested_explanation, ticks_of(analysis, "mel"))

    @property
    def done(self) -> bool:
        return self.explanation is not None and self.explanation.status == Explanation.Status.DONE

    @property
    def failed(self) -> bool:
        return self.explanation is not None and self.explanation.status == Explanation.Status.FAILED

    @property
    def waiting(self) -> bool:
        return self.explanation is not None and not self.explanation.is_finished

    @property
    def no_worker(self) -> bool:
        """Whether it waits for a worker and none is alive."""
        if self.explanation is None or self.explanation.status != Explanation.Status.QUEUED:
            return False
        return timezone.now() - self.explanation.queued_at > PATIENCE and not queue.has_worker()

    @property
    def seen(self) -> str:
        """The state shown, which the page sends with its next poll."""
        return f"{self.explanation.status if self.explanation else ''}-{self.no_worker:d}"

    @property
    def reason(self) -> str:
        """Why it failed."""
        return (
            sentence(self.explanation.error_code, self.explanation.error_params) if self.explanation else ""
        )

    @property
    def words(self) -> str:
        """What supports the genre and what counts against it, in sentences."""
        return in_words(self.explanation.summary, self.genre.display_name.lower()) if self.explanation else ""


def in_words(summary: dict[str, Any], genre: str) -> str:
    """Describe the strongest parts of a map.

    Parameters
    ----------
    summary : dict
        As stored in `Explanation.summary`.
    genre : str
        The name of the genre, in the form used within a sentence.
    """
    top = summary["bands"][-1]
    bands, moments = _bands(summary["bands_for"], top), _moments(summary["moments_for"])
    if bands and moments:
        text = gettext("What spoke most for {genre}: {bands}, most of all {moments}.")
    elif bands:
        text = gettext("What spoke most for {genre}: {bands}, throughout.")
    elif moments:
        text = gettext("What spoke most for {genre}: the sound as a whole, most of all {moments}.")
    else:
        text = gettext(
            "No band and no moment stands out: what spoke for {genre} is spread over the whole sound."
        )
    text = text.format(genre=genre, bands=bands, moments=moments)
    bands, moments = _bands(summary["bands_against"], top), _moments(summary["moments_against"])
    if bands and moments:
        against = gettext("Against it: {bands}, and {moments}.")
    elif bands or moments:
        against = gettext("Against it: {what}.")
    else:
        against = gettext("Nothing in particular spoke against it.")
    return f"{text} {against.format(bands=bands, moments=moments, what=bands or moments)}"


def _bands(parts: Sequence[Stretch], top: float) -> str:
    return _list([_band(part["from"], part["to"], top) for part in parts])


def _band(low: float, high: float, top: float) -> str:
    return gettext("{name} ({range})").format(name=_name(low, high), range=_range(low, high, top))


def _name(low: float, high: float) -> str:
    # By its geometric middle, from 60 Hz on, below which little is audible.
    middle = math.sqrt(max(low, 60.0) * high)
    if middle < 250:
        return gettext("the bass")
    if middle < 600:
        return gettext("the lower middle")
    if middle < 2000:
        return gettext("the middle")
    return gettext("the upper middle") if middle < 4000 else gettext("the treble")


def _range(low: float, high: float, top: float) -> str:
    if low <= 0:
        return gettext("under {hertz}").format(hertz=_hertz(high))
    if high >= top:
        return gettext("above {hertz}").format(hertz=_hertz(low))
    lowest = _hertz(low)
    # Write the unit once if both have the same.
    return f"{lowest if low < 1000 <= high else lowest.partition(_THIN)[0]}–{_hertz(high)}"


def _hertz(hertz: float) -> str:
    if hertz < 1000:
        return f"{number_format(round(hertz))}{_THIN}Hz"
    thousands = round(hertz / 1000, 1)
    return f"{number_format(thousands, decimal_pos=0 if thousands.is_integer() else 1)}{_THIN}kHz"


def _moments(parts: Sequence[Stretch]) -> str:
    """Name moments in chronological order."""
    times = [_moment(part["from"], part["to"]) for part in sorted(parts, key=lambda part: part["from"])]
    return gettext("around {times}").format(times=_list(times)) if times else ""


def _moment(start: float, end: float) -> str:
    if end - start <= _MOMENT_SECONDS:
        return clock((start + end) / 2)
    return f"{clock(start)}–{clock(end)}"


def _list(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    if len(names) == 2:
        return gettext("{first} and {second}").format(first=names[0], second=names[1])
    first, second, third = names
    return gettext("{first}, {second} and {third}").format(first=first, second=second, third=third)

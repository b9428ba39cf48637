"""Sentences about the comparison of two versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from classifier.core.gate import Comparison, GenreChange, Paired, Refusal

Named = Callable[[str], str]
"""Function that returns the name of a genre for its label."""


def plainly(label: str) -> str:
    return label


def in_words(paired: Paired) -> str:
    """Say how the two compare on the same clips, and whether the difference is significant."""
    counts = {"better": paired.better, "worse": paired.worse}
    if not paired.n:
        return gettext("There are no clips that both have heard.")
    if not paired.better and not paired.worse:
        return gettext("Right and wrong on the very same clips.")
    if paired.better == paired.worse:
        words = ngettext(
            "Better on %(better)d clip, worse on %(worse)d: no difference.",
            "Better on %(better)d clips, worse on %(worse)d: no difference.",
            paired.better,
        )
    elif paired.is_chance:
        words = ngettext(
            "Better on %(better)d clip, worse on %(worse)d: could well be chance.",
            "Better on %(better)d clips, worse on %(worse)d: could well be chance.",
            paired.better,
        )
    else:
        words = ngettext(
            "Better on %(better)d clip, worse on %(worse)d: unlikely to be chance.",
            "Better on %(better)d clips, worse on %(worse)d: unlikely to be chance.",
            paired.better,
        )
    return words % counts


def reasons(result: Comparison, *, named: Named = plainly) -> list[str]:
    """Say why the gate refuses; empty if it does not."""
    return [_reason(refusal, result.paired, named) for refusal in result.refusals]


def _reason(refusal: Refusal, paired: Paired, named: Named) -> str:
    genre = refusal.genre
    if genre is None:
        if refusal.code == "worse":
            return ngettext(
                "It is worse on the whole: %(before)d clip right before, %(after)d now.",
                "It is worse on the whole: %(before)d clips right before, %(after)d now.",
                paired.right_before,
            ) % {"before": paired.right_before, "after": paired.right_after}
        return gettext("It was never measured on the clips that the version in service was measured on.")
    if refusal.code == "genre_gone":
        return gettext("It does not know %(genre)s any more.") % {"genre": named(genre.label)}
    points = round(-100 * (genre.change or 0.0))
    lost = ngettext(
        "%(genre)s loses %(points)d point: %(before)d %% found before, %(after)d %% now.",
        "%(genre)s loses %(points)d points: %(before)d %% found before, %(after)d %% now.",
        points,
    ) % {
        "genre": named(genre.label),
        "points": points,
        "before": round(100 * (genre.before or 0.0)),
        "after": round(100 * (genre.after or 0.0)),
    }
    return f"{lost} {_few(genre)}" if genre.is_few else lost


def _few(genre: GenreChange) -> str:
    return ngettext(
        "There is only %(n)d clip of it, so this may be chance.",
        "There are only %(n)d clips of it, so this may be chance.",
        genre.n,
    ) % {"n": genre.n}


def as_json(result: Comparison) -> dict[str, Any]:
    """Serialise the result of the gate, to be stored with a promotion."""
    paired = result.paired
    return {
        "open": result.is_open,
        "n": paired.n,
        "better": paired.better,
        "worse": paired.worse,
        "p": paired.p,
        "refusals": [_refusal(refusal) for refusal in result.refusals],
    }


def _refusal(refusal: Refusal) -> Mapping[str, Any]:
    genre = refusal.genre
    if genre is None:
        return {"code": refusal.code}
    return {
        "code": refusal.code,
        "genre": genre.label,
        "n": genre.n,
        "before": genre.before,
        "after": genre.after,
    }

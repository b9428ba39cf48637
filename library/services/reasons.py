"""Why a track is similar to what was asked about, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier import key_words, tag_words
from classifier.core.keys import parsed
from classifier.core.lenses import BLEND, HARMONY, HARMONY_ANY_KEY, MOOD, SOUND, TIMBRE
from classifier.core.tags import NOTABLE, TAGS, flattened
from library.models import Track
from library.services.lens_queries import LensQuery

_MOST_TAGS: Final = 3
_SIMILAR: Final = (_("nearly the same"), _("very similar"), _("similar"), _("somewhat similar"))
_SOUND: Final = (
    _("the same sound"),
    _("very similar sound"),
    _("similar sound"),
    _("somewhat similar sound"),
)
_HARMONY: Final = (
    _("the same harmony"),
    _("very similar harmony"),
    _("similar harmony"),
    _("somewhat similar harmony"),
)
_TIMBRE: Final = (
    _("the same timbre"),
    _("very similar timbre"),
    _("similar timbre"),
    _("somewhat similar timbre"),
)
_MOOD: Final = (_("the same mood"), _("very similar mood"), _("similar mood"), _("somewhat similar mood"))

BY_DESCRIPTOR: Final = "descriptor"
"""The chroma descriptors themselves, which are compared while analyses are moved over to the lenses."""

# Of random pairs of several hundred clips 1 % are nearer than the second bound, 5 % nearer than the third and
# 25 % nearer than the fourth; the same recording encoded twice is nearer than the first. Of the descriptors
# it is 1 %, 25 % and 50 %.
_DEGREES: Final[Mapping[str, tuple[tuple[str | Promise, ...], tuple[float, ...]]]] = {
    BLEND: (_SIMILAR, (0.30, 0.78, 0.95, 1.28)),
    SOUND: (_SOUND, (0.30, 0.64, 0.89, 1.27)),
    HARMONY: (_HARMONY, (0.25, 0.95, 1.10, 1.30)),
    HARMONY_ANY_KEY: (_HARMONY, (0.25, 0.91, 1.09, 1.30)),
    TIMBRE: (_TIMBRE, (0.20, 0.74, 0.94, 1.26)),
    MOOD: (_MOOD, (0.10, 0.22, 0.45, 0.94)),
    BY_DESCRIPTOR: (_HARMONY, (0.03, 0.09, 0.16, 0.20)),
}
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    BLEND: ("voices_instruments", "style", "mood"),
    SOUND: ("voices_instruments", "style"),
    MOOD: ("mood",),
}

_KEYED: Final = (BLEND, HARMONY, BY_DESCRIPTOR)


def reasons(query: LensQuery, track: Track, lens: str, distance: float) -> tuple[str, ...]:
    """Say why `track` is similar, by the lens that found it: how near it is, and what both have.

    Parameters
    ----------
    distance
        Of the lens, 0 to 2.
    """
    analysis = track.current
    found = [nearness(lens, distance)]
    if analysis is None:
        return tuple(found)
    key = parsed(query.key)
    if lens in _KEYED and key is not None and parsed(analysis.key) == key:
        found.append(gettext("same key: %(key)s") % {"key": key_words.named(key)})
    words = [tag_words.named(slug).name.lower() for slug in _shared(query.tags, analysis.tags, lens)]
    if words:
        found.append(gettext("both: %(tags)s") % {"tags": ", ".join(words)})
    return tuple(found)


def nearness(lens: str, distance: float) -> str:
    """Say in words how near a neighbour is by a lens."""
    words, bounds = _DEGREES[lens]
    degrees = zip(words, bounds, strict=True)
    return str(next((word for word, bound in degrees if distance < bound), _("little in common")))


def _shared(own: Mapping[str, float], theirs: Mapping[str, Mapping[str, float]], lens: str) -> list[str]:
    """The tags that are strong in both, the strongest first."""
    groups = _GROUPS.get(lens, ())
    other = flattened(theirs)
    both = {slug: min(own[slug], other[slug]) for slug in own if slug in other and TAGS[slug].group in groups}
    strong = sorted(
        (slug for slug, strength in both.items() if strength >= NOTABLE), key=lambda slug: -both[slug]
    )
    return strong[:_MOST_TAGS]

"""Template tags for the tags of a track and for what is none of the classifier's genres."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from classifier.core.tags import MOODS, flattened
from classifier.tag_words import NamedTag, group_name, named, sounds
from library.models import Analysis
from library.templatetags.sound import percent

register = template.Library()

_TEN = 10


@dataclass(frozen=True, slots=True)
class Chip:
    """A tag that stands out: its words, its strength, and the list of tracks that have it too."""

    tag: NamedTag
    strength: float
    url: str

    @property
    def words(self) -> str:
        """What the tag means and how strong it is."""
        return gettext("{meaning} Stronger here than in {percent} of the reference songs.").format(
            meaning=self.tag.meaning, percent=percent(self.strength)
        )


@register.simple_tag
def tag_chips(analysis: Analysis, mine: bool) -> list[tuple[str, list[Chip]]]:
    """Return the few tags that describe a track best, by the name of their group.

    A mood leads to the music for it; another tag to the user's own tracks if this is one of them, else to the
    catalogue.
    """
    strengths = flattened(analysis.tags)
    return [
        (group_name(group), [Chip(named(slug), strengths[slug], _list_of(slug, mine)) for slug in slugs])
        for group, slugs in analysis.outstanding_tags.items()
    ]


@register.simple_tag
def none_of_the_genres(analysis: Analysis) -> str:
    """Say that a track is none of the classifier's genres, and what it sounds like."""
    words = sounds(analysis.style)
    if analysis.known_genres == _TEN:
        return gettext("None of the ten: {sounds}").format(sounds=words)
    return gettext("None of the {count} genres: {sounds}").format(count=analysis.known_genres, sounds=words)


def _list_of(slug: str, mine: bool) -> str:
    if slug in MOODS:
        return reverse("library:mood", args=[slug])
    return f"{reverse('library:history' if mine else 'library:catalogue')}?{urlencode({'tag': slug})}"

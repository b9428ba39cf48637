"""Which genre a word means: a label, or a name in any language, whatever its spelling."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from classifier.models import Genre


def genre_for(name: str) -> Genre | None:
    """Find the genre that a name or a label means, ignoring case, spaces and punctuation."""
    return another_for([name])


def another_for(names: Iterable[str], *, than: Genre | None = None) -> Genre | None:
    """Find the first genre, but for `than`, that one of several names means."""
    wanted = {folded(name) for name in names} - {""}
    others = Genre.objects.exclude(pk=than.pk) if than is not None else Genre.objects.all()
    return next((genre for genre in others if wanted & meanings(genre)), None)


def meanings(genre: Genre) -> set[str]:
    """Give all that means a genre: its label, and its name in every language, each `folded`."""
    translated = (words["name"] for words in genre.translations.values() if "name" in words)
    return {folded(word) for word in (genre.slug, genre.name, *translated)}


def folded(name: str) -> str:
    """Keep letters, digits and combining marks, in one case; "R&B" and "R and B" are the same."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("&", "and")
    return "".join(character for character in plain if unicodedata.category(character)[0] in "LNM")

"""Find genres by the words that people use for them, and add genres to a site."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from classifier.genre_names import another_for, folded, genre_for, meanings
from classifier.genre_translations import DESCRIPTION_LENGTH, NAME_LENGTH, Translations, cleaned
from classifier.models import Genre
from genreweb.accounts.models import User
from library.colours import COLOUR, free_colour
from library.errors import GenreError
from library.services.tracks import clean_title

SLUG_LENGTH = 40
UNKNOWN_GENRE = "no such genre here"


def add_genre(
    *,
    by: User | None,
    name: str,
    description: str = "",
    colour: str = "",
    translations: Mapping[str, Mapping[str, str]] | None = None,
) -> Genre:
    """Add a genre; it becomes predictable with the first version that was trained on it.

    Without a colour it gets a free one. `translations` are ``name`` and ``description`` by language.
    `by` is the curator who adds it, None for an import.

    Raises
    ------
    GenreError
        ``genre_unnamed``, ``genre_exists`` (ignoring case and punctuation), ``colour_invalid``.
    PermissionError
        If `by` is not a curator.
    """
    if by is not None and not by.is_curator:
        raise PermissionError("only curators add genres")
    shown = clean_title(name)[:NAME_LENGTH].strip()
    slug = slug_of(shown)[:SLUG_LENGTH].strip("-_")
    if not slug:
        raise GenreError("genre_unnamed")
    colour = colour.strip().lower()
    if colour and not COLOUR.fullmatch(colour):
        raise GenreError("colour_invalid")
    words = cleaned(translations or {})
    try:
        with transaction.atomic():
            if another_for((shown, slug, *_names(words))) is not None:
                raise GenreError("genre_exists")
            return Genre.objects.create(
                slug=slug,
                name=shown,
                description=description.strip()[:DESCRIPTION_LENGTH],
                translations=words,
                colour=colour or free_colour(list(Genre.objects.values_list("colour", flat=True))),
            )
    except IntegrityError as error:
        # Two curators at once, and the other one was first.
        raise GenreError("genre_exists") from error


def slug_of(name: str) -> str:
    """Make a label of a name, of any length; empty if it has neither a letter nor a digit."""
    # If slugify removes every character of a name in another script, keep its letters.
    return (slugify(name) or slugify(name, allow_unicode=True).encode("punycode").decode("ascii")).strip("-_")


def _names(translations: Translations) -> list[str]:
    return [words["name"] for words in translations.values() if "name" in words]


class GenreWords:
    """The genres that the words of an import mean; each word is looked up once.

    Attributes
    ----------
    unknown : dict of str to str
        Why a word means no genre, by word.
    """

    def __init__(self, *, make: bool = False) -> None:
        self.unknown: dict[str, str] = {}
        self._make = make
        self._found: dict[str, Genre | None] = {}
        self._known: dict[str, Genre] = {}
        for genre in Genre.objects.all():
            self._known |= dict.fromkeys(meanings(genre), genre)

    def knows(self, word: str) -> bool:
        """Whether the site has this genre already."""
        return folded(word) in self._known

    def __call__(self, word: str) -> Genre | None:
        """Return the genre that `word` means, adding it if that was asked for; None if there is none."""
        if word not in self._found:
            self._found[word] = self._known.get(folded(word)) or self._missing(word)
        return self._found[word]

    def _missing(self, word: str) -> Genre | None:
        if not self._make:
            self.unknown[word] = UNKNOWN_GENRE
            return None
        try:
            genre: Genre | None = add_genre(by=None, name=word)
        except GenreError as error:
            genre = _by_label(word)
            if genre is None:
                self.unknown[word] = error.message
        if genre is not None:
            self._known |= dict.fromkeys(meanings(genre), genre)
        return genre


def _by_label(word: str) -> Genre | None:
    """Find the genre whose label a name would get, if only accents tell them apart: "Chanson", "Chansón"."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    label = slug_of(clean_title(word))
    return genre_for(label) if folded(bare) == folded(label) else None

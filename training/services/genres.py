"""Add genres to a site."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from classifier.models import Genre
from genreweb.accounts.models import User
from library.services.tracks import clean_title, genre_for
from training.errors import TrainingError
from training.services.colours import COLOUR, free_colour

NAME_LENGTH = 60
SLUG_LENGTH = 40
DESCRIPTION_LENGTH = 1000


def add_genre(*, by: User | None, name: str, description: str = "", colour: str = "") -> Genre:
    """Add a genre; it becomes predictable with the first version that was trained on it.

    Without a colour it gets a free one. `by` is the curator who adds it, None for an import.

    Raises
    ------
    TrainingError
        ``genre_unnamed``, ``genre_exists`` (ignoring case, spaces and hyphens), ``colour_invalid``.
    PermissionError
        If `by` is not a curator.
    """
    if by is not None and not by.is_curator:
        raise PermissionError("only curators add genres")
    shown = clean_title(name)[:NAME_LENGTH].strip()
    # If slugify removes every character of a name in another script, keep its letters.
    slug = (slugify(shown) or slugify(shown, allow_unicode=True).encode("punycode").decode("ascii"))[
        :SLUG_LENGTH
    ].strip("-_")
    if not slug:
        raise TrainingError("genre_unnamed")
    colour = colour.strip().lower()
    if colour and not COLOUR.fullmatch(colour):
        raise TrainingError("colour_invalid")
    try:
        with transaction.atomic():
            if genre_for(shown) or genre_for(slug):
                raise TrainingError("genre_exists")
            return Genre.objects.create(
                slug=slug,
                name=shown,
                description=description.strip()[:DESCRIPTION_LENGTH],
                colour=colour or free_colour(list(Genre.objects.values_list("colour", flat=True))),
            )
    except IntegrityError as error:
        # Two curators at once, and the other one was first.
        raise TrainingError("genre_exists") from error

"""The form that adds a genre."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from classifier.models import Genre
from genreweb.accounts.models import User
from library import colours
from library.errors import GenreError
from library.services.genres import add_genre
from training.access import curator_required
from training.forms import GenreForm
from training.services.training_data import LEAST_CLIPS

_FIELDS = {"genre_unnamed": "name", "genre_exists": "name", "colour_invalid": "colour"}


@require_http_methods(["GET", "HEAD", "POST"])
@curator_required
def new(request: HttpRequest) -> HttpResponse:
    """Show the form, with a free colour; add the genre."""
    genres = list(Genre.objects.all())
    form = GenreForm(
        request.POST or None, initial={"colour": colours.free_colour([genre.colour for genre in genres])}
    )
    if request.method == "POST" and form.is_valid():
        try:
            genre = add_genre(by=cast(User, request.user), **form.cleaned_data)
        except GenreError as error:
            form.add_error(_FIELDS.get(error.code), error.message)
        else:
            text = _("%(genre)s is added. It can be chosen for clips from now on.")
            messages.success(request, text % {"genre": genre.display_name})
            return redirect("training:genre-new")
    colour = str(form["colour"].value() or "")
    context = {
        "form": form,
        "genres": genres,
        "colour": colour,
        "alike": _alike(colour, genres),
        "least_clips": LEAST_CLIPS,
    }
    status = 422 if form.errors else 200
    return render(request, "training/contribute/genre_new.html", context, status=status)


@require_safe
@curator_required
def colour(request: HttpRequest) -> HttpResponse:
    """List the genres whose colours are easily confused with a colour."""
    genres = list(Genre.objects.all())
    chosen = request.GET.get("colour", "")
    context = {"colour": chosen, "alike": _alike(chosen, genres)}
    return render(request, "training/contribute/genre_colour.html", context)


def _alike(colour: str, genres: list[Genre]) -> list[Genre]:
    if not colours.COLOUR.fullmatch(colour):
        return []
    near = colours.alike(colour, [genre.colour for genre in genres])
    return [genre for genre, is_near in zip(genres, near, strict=True) if is_near]

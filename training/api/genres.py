"""Genres: the library's list, and the endpoint with which curators add one."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.genre_translations import DESCRIPTION_LENGTH, NAME_LENGTH, other_languages
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.genres import GenreListView
from library.api.serializers import GenreSerializer
from library.errors import GenreError
from library.services.genres import add_genre
from training.access import IsCurator

_FIELD_OF = {"genre_unnamed": "name", "genre_exists": "name", "colour_invalid": "colour"}


class GenreWordsSerializer(serializers.Serializer[Any]):
    """What a genre is called in one more language."""

    name = serializers.CharField(required=False, allow_blank=True, max_length=NAME_LENGTH)
    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_LENGTH)


class NewGenreSerializer(serializers.Serializer[Any]):
    """A genre to add."""

    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Its label is made of it.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_LENGTH)
    colour = serializers.CharField(
        required=False, allow_blank=True, max_length=7, help_text="Like #1b9e77; else one is chosen."
    )
    translations = serializers.DictField(
        child=GenreWordsSerializer(),
        required=False,
        help_text='Name and description in further languages of the site: `{"ko": {"name": "…"}}`.',
    )

    def validate_translations(self, given: dict[str, Any]) -> dict[str, Any]:
        for code in given:
            if code not in other_languages():
                raise serializers.ValidationError(
                    gettext("“%(code)s” is no further language of this site. Known are: %(codes)s.")
                    % {"code": code, "codes": ", ".join(other_languages())}
                )
        return given


class GenresView(GenreListView):
    """The genres that the site knows, all at once."""

    write_scope = Scope.CURATE

    def get_permissions(self) -> list[BasePermission]:
        return [IsCurator() if self.request.method == "POST" else AllowAny()]

    @extend_schema(
        operation_id="add_genre",
        tags=["genres"],
        summary="Add a genre",
        request=NewGenreSerializer,
        responses={201: GenreSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a genre, as a curator.

        It becomes predictable with the first version trained on at least 20 approved clips of it.
        """
        form = NewGenreSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            genre = add_genre(by=cast(User, request.user), **form.validated_data)
        except GenreError as error:
            raise serializers.ValidationError({_FIELD_OF[error.code]: [error.message]}, error.code) from error
        return Response(GenreSerializer(genre).data, status=201)

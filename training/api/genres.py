"""Genres: the library's list, and the endpoint with which curators add one."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from genreweb.accounts.models import User
from library.api.genres import GenreListView
from library.api.serializers import GenreSerializer
from library.errors import GenreError
from library.services.genres import DESCRIPTION_LENGTH, NAME_LENGTH, add_genre
from training.access import IsCurator

_FIELD_OF = {"genre_unnamed": "name", "genre_exists": "name", "colour_invalid": "colour"}


class NewGenreSerializer(serializers.Serializer[Any]):
    """A genre to add."""

    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Its label is made of it.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_LENGTH)
    colour = serializers.CharField(
        required=False, allow_blank=True, max_length=7, help_text="Like #1b9e77; else one is chosen."
    )


class GenresView(GenreListView):
    """The genres that the site knows, all at once."""

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

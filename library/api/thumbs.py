"""Thumbs on neighbours: give, take back, list."""

from __future__ import annotations

from typing import Any, Final, cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.core.lenses import DEFAULT, LENSES
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.access import readable_track
from library.models import Thumb, Track
from library.services import thumbs as service

THUMBS: Final = {"up": Thumb.Value.UP, "down": Thumb.Value.DOWN}


def word_of(value: int) -> str | None:
    """How the API writes a thumb; None where there is none."""
    return next((word for word, each in THUMBS.items() if each == value), None)


class GivenThumbSerializer(serializers.Serializer[Any]):
    """A thumb to give."""

    value = serializers.ChoiceField(choices=list(THUMBS))
    by = serializers.ChoiceField(
        choices=LENSES, default=DEFAULT, help_text="The lens by which the neighbour was found."
    )


class ThumbSerializer(serializers.Serializer[Thumb]):
    """Your thumb on one track as a neighbour of another."""

    track = serializers.UUIDField(source="query_id", help_text="What was asked about.")
    neighbour = serializers.UUIDField(source="neighbour_id")
    value = serializers.SerializerMethodField("word")
    by = serializers.CharField(source="lens")
    changed = serializers.DateTimeField()

    def word(self, thumb: Thumb) -> str:
        return word_of(thumb.value) or ""


class ThumbView(APIView):
    """Your thumb on one neighbour of a track."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD

    @extend_schema(
        operation_id="give_thumb",
        tags=["tracks"],
        summary="Give a thumb up or down",
        request=GivenThumbSerializer,
        responses=ThumbSerializer,
    )
    def put(self, request: Request, pk: UUID, other: UUID) -> Response:
        """Keep your opinion of a neighbour, in place of an earlier one.

        It has a part in the order of neighbours that you are given by default, and of nobody else's. Ask by a
        lens, such as `by=blend`, for the order without it.
        """
        query, neighbour = (readable_track(request, each, among=Track.objects.all()) for each in (pk, other))
        if query.pk == neighbour.pk:
            raise ValidationError(gettext("A track is no neighbour of itself."))
        form = GivenThumbSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        thumb = service.give(
            user=cast(User, request.user),
            query=query,
            neighbour=neighbour,
            value=THUMBS[form.validated_data["value"]],
            lens=form.validated_data["by"],
        )
        return Response(ThumbSerializer(thumb).data)

    @extend_schema(
        operation_id="take_thumb_back",
        tags=["tracks"],
        summary="Take a thumb back",
        responses={204: None},
    )
    def delete(self, request: Request, pk: UUID, other: UUID) -> Response:
        """Forget your opinion and what was learnt from it; the same where there is none."""
        service.take_back(user=cast(User, request.user), query=pk, neighbour=other)
        return Response(status=204)


@extend_schema_view(
    get=extend_schema(operation_id="list_thumbs", tags=["tracks"], summary="List your thumbs")
)
class ThumbListView(ListAPIView[Thumb]):
    """Your thumbs, the newest first."""

    serializer_class = ThumbSerializer
    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Thumb]:
        if getattr(self, "swagger_fake_view", False):
            return Thumb.objects.none()
        return service.listed(user=cast(User, self.request.user))

"""The bin: what is in it, taken out again, or deleted for good."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.access import readable_track
from library.api.serializers import TrackSerializer
from library.api.tracks import whole_tracks
from library.models import Track, TrackQuerySet
from library.services import bin as service


class BinnedTrackSerializer(serializers.ModelSerializer[Track]):
    """A track in the bin."""

    was_published = serializers.BooleanField(help_text="Whether it was in the catalogue.")
    binned_at = serializers.DateTimeField(help_text="Since when it is in the bin.")
    purge_at = serializers.SerializerMethodField(help_text="When it is deleted for good, at the earliest.")

    class Meta:
        model = Track
        fields = (
            *("id", "title", "artist", "album", "year", "duration", "size", "source", "created"),
            *("was_published", "binned_at", "purge_at"),
        )
        read_only_fields = fields

    def get_purge_at(self, track: Track) -> datetime:
        return service.purge_at(track)


@extend_schema_view(
    get=extend_schema(operation_id="list_bin", tags=["tracks"], summary="List what is in the bin")
)
class BinView(ListAPIView[Track]):
    """What you have deleted and is not deleted for good yet, the latest first.

    It is seen by nobody else and found nowhere else, but counts as kept.
    """

    write_scope = Scope.UPLOAD
    serializer_class = BinnedTrackSerializer
    permission_classes = (IsAuthenticated,)
    filter_backends = ()

    def get_queryset(self) -> TrackQuerySet:
        return Track.objects.in_bin_of(self.request.user).without_long_columns().order_by("-binned_at", "pk")

    @extend_schema(operation_id="empty_bin", tags=["tracks"], summary="Empty the bin", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Delete for good everything that is in the bin."""
        service.delete_from_bin(by=cast(User, request.user), tracks=Track.objects.all())
        return Response(status=204)


class BinnedTrackView(APIView):
    """One track of the bin."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="delete_from_bin",
        tags=["tracks"],
        summary="Delete a track for good",
        responses={204: None},
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete a track of the bin with its sound, pictures and analyses."""
        if not service.delete_from_bin(by=cast(User, request.user), tracks=Track.objects.filter(pk=pk)):
            raise _not_there()
        return Response(status=204)


class RestoreView(APIView):
    """A track out of the bin."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="restore_track",
        tags=["tracks"],
        summary="Take a track out of the bin",
        request=None,
        responses=TrackSerializer,
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Take a track out of the bin.

        It returns to its playlists, and where it was in the catalogue and you may publish, to the catalogue.
        """
        if not service.restore(by=cast(User, request.user), tracks=Track.objects.filter(pk=pk)):
            raise _not_there()
        track = readable_track(request, pk, among=whole_tracks())
        return Response(TrackSerializer(track, context={"request": request}).data)


def _not_there() -> NotFound:
    return NotFound(gettext("There is no such track in your bin."))

"""Tracks: upload, list, retrieve, edit, analyse again, delete."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from genreweb.api_paging import LongPagination
from genreweb.api_parsers import OctetStreamParser, SoundParser, refuse_empty_sound
from library.api.access import readable_track, writable_track
from library.api.filters import TrackFilter
from library.api.preferences import wait_preference, wait_until_finished
from library.api.serializers import (
    UPLOAD_SOURCES,
    AddedTrackSerializer,
    TrackSerializer,
    TrackSummarySerializer,
    UploadSerializer,
    WordsSerializer,
)
from library.models import Track, TrackQuerySet
from library.services.bin import bin_tracks
from library.services.tracks import Added, add_track, analyse_again, edit

PREFER = OpenApiParameter(
    "Prefer",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`wait=30` answers with the finished track if it is finished within 30 seconds (60 at most).",
)
LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[200, 202],
    description="The address of the track.",
)
APPLIED = OpenApiParameter(
    "Preference-Applied",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200, 202],
    description="The preference that was heeded, such as `wait=30`.",
)
RAW = [
    OpenApiParameter("name", str, description="The file's name, where the body is the file."),
    OpenApiParameter("title", str, description="As in the form, where the body is the file."),
    OpenApiParameter(
        "source",
        str,
        enum=[choice[0] for choice in UPLOAD_SOURCES],
        description="As in the form, where the body is the file.",
    ),
]


def whole_tracks() -> TrackQuerySet:
    """Query for single tracks: with their timelines, in one query."""
    tracks = Track.objects.select_related("labelled_genre", "current__model_version")
    return tracks.with_columns("current__timeline")


def listed_tracks() -> TrackQuerySet:
    """Query for lists of tracks, without their timelines, in one query."""
    return Track.objects.with_verdict().select_related("labelled_genre", "current__model_version")


@extend_schema_view(get=extend_schema(operation_id="list_tracks", tags=["tracks"], summary="List tracks"))
class TrackListView(ListAPIView[Track]):
    """Your tracks and the catalogue."""

    write_scope = Scope.UPLOAD
    serializer_class = TrackSummarySerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    parser_classes = (MultiPartParser, SoundParser, OctetStreamParser)
    filterset_class = TrackFilter
    pagination_class = LongPagination

    @property
    def throttle_scope(self) -> str | None:
        return "upload" if self.request.method == "POST" else None

    def get_queryset(self) -> TrackQuerySet:
        return listed_tracks()

    @extend_schema(
        operation_id="add_track",
        tags=["tracks"],
        summary="Send a sound",
        description="Stores a sound and queues its analysis. The same file sent twice is recognised, and "
        "taken out of the bin if it is there. The file may be part of a form or the whole body; then its "
        "name and the fields are parameters of the address, or the name stands in `Content-Disposition`.",
        parameters=[PREFER, LOCATION, APPLIED, *RAW],
        request={
            "multipart/form-data": UploadSerializer,
            "audio/*": OpenApiTypes.BINARY,
            "application/octet-stream": OpenApiTypes.BINARY,
        },
        responses={200: AddedTrackSerializer, 202: AddedTrackSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        refuse_empty_sound(request)
        form = UploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sound = form.validated_data["file"]
        added = add_track(
            owner=cast(User, request.user),
            file=sound,
            name=sound.name,
            title=form.validated_data.get("title", ""),
            source=form.validated_data["source"],
        )
        return _answer(request, added.track.pk, added=added)


class TrackView(APIView):
    """One track."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="get_track", tags=["tracks"], summary="Get a track", responses=TrackSerializer
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a track with its whole analysis."""
        return _response(request, readable_track(request, pk, among=whole_tracks()))

    @extend_schema(
        operation_id="edit_track",
        tags=["tracks"],
        summary="Change the title and other words",
        request=WordsSerializer,
        responses=TrackSerializer,
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change the title, artist, album, year or genre in words of a track, or remove its cover."""
        track = writable_track(request, pk, among=whole_tracks())
        form = WordsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        words = dict(form.validated_data)
        without_cover = "cover" in words
        words.pop("cover", None)
        try:
            edit(track=track, words=words, without_cover=without_cover)
        except ValueError as error:
            raise ValidationError({"title": [str(error)]}) from error
        return _response(request, track)

    @extend_schema(
        operation_id="delete_track", tags=["tracks"], summary="Delete a track", responses={204: None}
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Put a track into the bin, from which it can be taken out again for some days.

        Then it is deleted with its sound, pictures and analyses; at once where the site keeps no bin.
        """
        track = writable_track(request, pk, among=Track.objects.only("pk", "owner"))
        bin_tracks(Track.objects.filter(pk=track.pk))
        return Response(status=204)


class AnalyseView(APIView):
    """One more analysis of a track."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticatedOrReadOnly,)
    throttle_scope = "upload"

    @extend_schema(
        operation_id="analyse_track",
        tags=["tracks"],
        summary="Analyse again",
        parameters=[PREFER, LOCATION, APPLIED],
        request=None,
        responses={200: TrackSerializer, 202: TrackSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Queue a track again; one that waits or runs already is left alone."""
        track = writable_track(request, pk, among=Track.objects.all())
        analyse_again(track=track)
        return _answer(request, track.pk)


def _answer(request: Request, pk: UUID, *, added: Added | None = None) -> Response:
    """Respond 200 with the finished track if the client waits for it and it is finished in time, else 202."""
    seconds = wait_preference(request.headers.get("Prefer", ""))
    in_time = seconds is not None and wait_until_finished(pk, seconds=seconds)
    track = whole_tracks().filter(pk=pk).first()
    if track is None:
        raise NotFound
    context = {"request": request, "added": added}
    serializer = TrackSerializer if added is None else AddedTrackSerializer
    duplicate = added is not None and added.duplicate
    response = Response(
        serializer(track, context=context).data,
        status=200 if duplicate or (in_time and track.is_finished) else 202,
        headers={"Location": reverse("api:track", args=[pk], request=request)},
    )
    if seconds is not None:
        response["Preference-Applied"] = f"wait={seconds}"
    patch_vary_headers(response, ["Prefer"])
    return response


def _response(request: Request, track: Track) -> Response:
    return Response(TrackSerializer(track, context={"request": request}).data)

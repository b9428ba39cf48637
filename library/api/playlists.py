"""Playlists: make, list, change, order, delete, and take along as files."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.access import readable_tracks
from library.api.playlist_download import downloaded
from library.api.serializers import TrackSummarySerializer
from library.models import TITLE_LENGTH, Playlist, Track, TrackQuerySet
from library.playlist_files import FORMATS
from library.services import playlists as service

MINE, SHARED = "mine", "shared"


class PlaylistLinksSerializer(serializers.Serializer[Any]):
    """Links to what belongs to a playlist."""

    self = serializers.URLField()
    tracks = serializers.URLField()
    m3u8 = serializers.URLField()
    xspf = serializers.URLField()
    json = serializers.URLField()


class PlaylistSerializer(serializers.ModelSerializer[Playlist]):
    """A playlist, as far as you may see its tracks."""

    mine = serializers.SerializerMethodField(help_text="Whether you may change it.")
    by = serializers.CharField(source="owner.display_name", help_text="The name that its owner goes by.")
    count = serializers.IntegerField(help_text="Tracks that you may see.")
    duration = serializers.FloatField(source="seconds", help_text="Of these, in seconds.")
    created = serializers.SerializerMethodField(help_text="Null where it is not yours.")
    changed = serializers.SerializerMethodField(help_text="Null where it is not yours.")
    links = serializers.SerializerMethodField()

    class Meta:
        model = Playlist
        fields = (
            *("id", "title", "shared", "mine", "by", "count", "duration"),
            *("created", "changed", "links"),
        )
        read_only_fields = fields

    def get_mine(self, playlist: Playlist) -> bool:
        return bool(playlist.owner_id == self.context["request"].user.pk)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_created(self, playlist: Playlist) -> str | None:
        return playlist.created.isoformat() if self.get_mine(playlist) else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_changed(self, playlist: Playlist) -> str | None:
        return playlist.changed.isoformat() if self.get_mine(playlist) else None

    @extend_schema_field(PlaylistLinksSerializer)
    def get_links(self, playlist: Playlist) -> dict[str, str]:
        request = self.context["request"]
        links = {
            "self": reverse("api:playlist", args=[playlist.pk], request=request),
            "tracks": reverse("api:playlist-tracks", args=[playlist.pk], request=request),
        }
        for suffix in FORMATS:
            links[suffix] = reverse("api:playlist-file", args=[playlist.pk, suffix], request=request)
        return links


class PlaylistWordsSerializer(serializers.Serializer[Any]):
    """What may be changed of a playlist; what is left out stays."""

    title = serializers.CharField(max_length=TITLE_LENGTH, required=False)
    shared = serializers.BooleanField(
        required=False, help_text="Whether everybody who has an account may see it."
    )


class TrackIdsSerializer(serializers.Serializer[Any]):
    """Tracks by their ids."""

    tracks = serializers.ListField(child=serializers.UUIDField(), max_length=service.MOST_ENTRIES)


class NewPlaylistSerializer(serializers.Serializer[Any]):
    """A playlist to make."""

    title = serializers.CharField(max_length=TITLE_LENGTH)
    shared = serializers.BooleanField(default=False)
    tracks = serializers.ListField(
        child=serializers.UUIDField(), default=list, max_length=service.MOST_ENTRIES, help_text="In order."
    )


class PlaceSerializer(serializers.Serializer[Any]):
    """Where in a playlist a track is to stand."""

    position = serializers.IntegerField(
        min_value=1, required=False, help_text="From 1 on, among the tracks that you see; the end without it."
    )


@extend_schema_view(
    get=extend_schema(
        operation_id="list_playlists",
        tags=["playlists"],
        summary="List playlists",
        parameters=[
            OpenApiParameter(
                "scope",
                str,
                enum=[MINE, SHARED],
                description="Yours, or those that others share; both without.",
            )
        ],
    )
)
class PlaylistListView(ListAPIView[Playlist]):
    """Your playlists and those that others share, by title."""

    serializer_class = PlaylistSerializer
    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Playlist]:
        if getattr(self, "swagger_fake_view", False):
            return Playlist.objects.none()
        user = cast(User, self.request.user)
        playlists = Playlist.objects.visible_to(user)
        scope = self.request.query_params.get("scope")
        if scope == MINE:
            playlists = playlists.owned_by(user)
        elif scope == SHARED:
            playlists = playlists.exclude(owner=user)
        elif scope:
            raise serializers.ValidationError({"scope": [gettext("There is no such scope.")]})
        return service.counted(playlists, viewer=user)

    @extend_schema(
        operation_id="make_playlist",
        tags=["playlists"],
        summary="Make a playlist",
        description="Of tracks that you may see, in the order given; only you see it unless it is shared.",
        request=NewPlaylistSerializer,
        responses={201: PlaylistSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        form = NewPlaylistSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        playlist = service.create(
            owner=cast(User, request.user),
            title=form.validated_data["title"],
            tracks=readable_tracks(request, form.validated_data["tracks"]),
            shared=form.validated_data["shared"],
        )
        body = _described(request, playlist)
        return Response(body, status=201, headers={"Location": body["links"]["self"]})


class PlaylistView(APIView):
    """One playlist."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD

    @extend_schema(
        operation_id="get_playlist",
        tags=["playlists"],
        summary="Get a playlist",
        responses=PlaylistSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a playlist without its tracks."""
        return Response(_described(request, _readable(request, pk)))

    @extend_schema(
        operation_id="edit_playlist",
        tags=["playlists"],
        summary="Rename or share a playlist",
        request=PlaylistWordsSerializer,
        responses=PlaylistSerializer,
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Rename it, share it inside the site, or take it back."""
        playlist = _writable(request, pk)
        form = PlaylistWordsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(_described(request, service.edit(playlist=playlist, **form.validated_data)))

    @extend_schema(
        operation_id="delete_playlist", tags=["playlists"], summary="Delete a playlist", responses={204: None}
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete it; its tracks stay."""
        service.delete(playlist=_writable(request, pk))
        return Response(status=204)


@extend_schema_view(
    get=extend_schema(
        operation_id="list_playlist_tracks", tags=["playlists"], summary="List the tracks of a playlist"
    )
)
class PlaylistTracksView(ListAPIView[Track]):
    """The tracks of a playlist that you may see, in order."""

    queryset = Track.objects.none()
    serializer_class = TrackSummarySerializer
    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD
    filter_backends = ()

    def get_queryset(self) -> TrackQuerySet:
        playlist = _readable(self.request, self.kwargs["pk"])
        return service.tracks_of(playlist, viewer=self.request.user)

    @extend_schema(
        operation_id="add_playlist_tracks",
        tags=["playlists"],
        summary="Add tracks to a playlist",
        request=TrackIdsSerializer,
        responses=PlaylistSerializer,
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Put tracks at its end; those that are in it already stay where they are."""
        playlist = _writable(request, pk)
        service.add(playlist=playlist, tracks=readable_tracks(request, _ids(request)))
        return Response(_described(request, playlist))

    @extend_schema(
        operation_id="order_playlist_tracks",
        tags=["playlists"],
        summary="Order the tracks of a playlist",
        request=TrackIdsSerializer,
        responses=PlaylistSerializer,
    )
    def put(self, request: Request, pk: UUID) -> Response:
        """Give all of its tracks that you see, in their new order."""
        playlist = _writable(request, pk)
        service.arrange(playlist=playlist, tracks=_ids(request), viewer=request.user)
        return Response(_described(request, playlist))


class PlaylistTrackView(APIView):
    """One track of a playlist."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD

    @extend_schema(
        operation_id="put_playlist_track",
        tags=["playlists"],
        summary="Add or move one track of a playlist",
        request=PlaceSerializer,
        responses=PlaylistSerializer,
    )
    def put(self, request: Request, pk: UUID, track: UUID) -> Response:
        """Put a track at a position, be it in the playlist already or not."""
        playlist = _writable(request, pk)
        form = PlaceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        [found] = readable_tracks(request, [track])
        position = form.validated_data.get("position", service.MOST_ENTRIES)
        service.put(playlist=playlist, track=found, place=position - 1, viewer=request.user)
        return Response(_described(request, playlist))

    @extend_schema(
        operation_id="remove_playlist_track",
        tags=["playlists"],
        summary="Remove a track from a playlist",
        responses={204: None},
    )
    def delete(self, request: Request, pk: UUID, track: UUID) -> Response:
        """Take it out of the playlist; the track itself stays."""
        if service.remove(playlist=_writable(request, pk), track=track, viewer=request.user) is None:
            raise NotFound
        return Response(status=204)


class PlaylistFileView(APIView):
    """A playlist as a file."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.UPLOAD

    @extend_schema(
        operation_id="download_playlist",
        tags=["playlists"],
        summary="Download a playlist",
        parameters=[OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=list(FORMATS))],
        responses={
            (200, kind): OpenApiTypes.OBJECT if kind == "application/json" else OpenApiTypes.BINARY
            for kind in (each.media_type.partition(";")[0] for each in FORMATS.values())
        },
    )
    def get(self, request: Request, pk: UUID, kind: str) -> HttpResponse:
        """Return the tracks that you may see as M3U8, XSPF or JSPF. The links to the sounds expire."""
        if kind not in FORMATS:
            raise NotFound
        return downloaded(cast(HttpRequest, request), _readable(request, pk), FORMATS[kind])


def _ids(request: Request) -> list[UUID]:
    form = TrackIdsSerializer(data=request.data)
    form.is_valid(raise_exception=True)
    return cast(list[UUID], form.validated_data["tracks"])


def _readable(request: Request, pk: UUID) -> Playlist:
    playlist = Playlist.objects.visible_to(request.user).filter(pk=pk).first()
    if playlist is None:
        raise NotFound(gettext("There is no such playlist."))
    return playlist


def _writable(request: Request, pk: UUID) -> Playlist:
    playlist = _readable(request, pk)
    if playlist.owner_id != request.user.pk:
        raise PermissionDenied(gettext("Only the owner of a playlist may change it."))
    return playlist


def _described(request: Request, playlist: Playlist) -> dict[str, Any]:
    rows = service.counted(Playlist.objects.filter(pk=playlist.pk), viewer=request.user)
    found = rows.first()
    if found is None:
        raise NotFound(gettext("There is no such playlist."))
    return dict(PlaylistSerializer(found, context={"request": request}).data)

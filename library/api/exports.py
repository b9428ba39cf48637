"""Lists of tracks as files: the filters of the list, without pages."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from genreweb.accounts.models import User
from genreweb.table_stream import CSV_TYPE, JSON_TYPE, csv_lines, download, json_pieces
from library import exports
from library.api.filters import TrackFilter
from library.api.serializers import TrackSummarySerializer
from library.models import Track, TrackQuerySet
from library.services import features


class AnswersFile:
    """A view that answers a file, whatever type the client says it accepts; errors are JSON."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


class FileView(AnswersFile, GenericAPIView[Track]):
    """A list of tracks as a file."""

    queryset = Track.objects.none()
    serializer_class = TrackSummarySerializer
    permission_classes: tuple[type[BasePermission], ...] = (IsAuthenticatedOrReadOnly,)
    filterset_class = TrackFilter
    pagination_class = None

    def get_queryset(self) -> TrackQuerySet:
        return Track.objects.all()

    def found(self) -> TrackQuerySet:
        return cast(TrackQuerySet, self.filter_queryset(self.get_queryset()))


class TrackTableView(FileView):
    """Tracks as CSV."""

    @extend_schema(
        operation_id="export_tracks_csv",
        tags=["tracks"],
        summary="List tracks as CSV",
        description="All pages at once, with the filters of the list. Text that a spreadsheet would take for "
        "a formula begins with an apostrophe.",
        filters=True,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        genres = exports.labels()
        rows = exports.rows(self.found(), genres=genres, user=request.user)
        return download(csv_lines(exports.columns(genres), rows), content_type=CSV_TYPE, name="tracks.csv")


class TrackJsonView(FileView):
    """Tracks as one JSON array."""

    @extend_schema(
        operation_id="export_tracks_json",
        tags=["tracks"],
        summary="List tracks as one JSON array",
        description="All pages at once, with the filters of the list.",
        filters=True,
        responses=TrackSummarySerializer(many=True),
    )
    def get(self, request: Request) -> HttpResponseBase:
        context = self.get_serializer_context()
        items = (TrackSummarySerializer(track, context=context).data for track in exports.each(self.found()))
        return download(json_pieces(items), content_type=JSON_TYPE, name="tracks.json")


class FeatureTableView(FileView):
    """The summary features of tracks as CSV."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="export_features",
        tags=["tracks"],
        summary="Features of tracks as CSV",
        description=f"The columns of GTZAN's features_30_sec.csv, for at most {features.MOST} tracks, with "
        "the filters of the list. What nobody has asked for yet is computed meanwhile, about a second a "
        "track; the cells of a track that cannot be decoded are empty.",
        filters=True,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        rows = features.table(self.found(), user=cast(User, request.user))
        return download(csv_lines(features.HEADER, rows), content_type=CSV_TYPE, name="features.csv")

"""The approved clips as files, for curators."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from genreweb.table_stream import CSV_TYPE, JSON_TYPE, csv_lines, download, json_pieces
from library.api.exports import AnswersFile
from training.access import IsCurator
from training.services import clip_exports


class ApprovedClipSerializer(serializers.Serializer[Any]):
    """What is known of an approved clip, without anything about who gave it."""

    id = serializers.UUIDField()
    path = serializers.CharField(help_text="In the archive; empty where there is no sound.")
    genre = serializers.CharField()
    artist = serializers.CharField(help_text="A number: clips with the same one have the same artist.")
    part = serializers.CharField(help_text="The split of its dataset: train, valid, test or empty.")
    repetition_group = serializers.CharField()
    duration = serializers.FloatField(allow_null=True)
    sha256 = serializers.CharField(help_text="Of what was sent.")
    features_sha256 = serializers.CharField()
    feature_version = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not DRF's own attribute
    dataset = serializers.CharField()
    dataset_key = serializers.CharField()
    licence = serializers.CharField()


class ClipTableView(AnswersFile, APIView):
    """Approved clips as CSV."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="export_clips_csv",
        tags=["clips"],
        summary="Approved clips as CSV",
        description="Hashes, genre, split and licence, and nothing about who gave them. For curators.",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        rows = ([row[name] for name in clip_exports.COLUMNS] for row in clip_exports.rows())
        return download(csv_lines(clip_exports.COLUMNS, rows), content_type=CSV_TYPE, name="clips.csv")


class ClipJsonView(AnswersFile, APIView):
    """Approved clips as one JSON array."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="export_clips_json",
        tags=["clips"],
        summary="Approved clips as one JSON array",
        description="For curators.",
        responses=ApprovedClipSerializer(many=True),
    )
    def get(self, request: Request) -> HttpResponseBase:
        return download(json_pieces(clip_exports.rows()), content_type=JSON_TYPE, name="clips.json")


class ClipArchiveView(AnswersFile, APIView):
    """Approved clips with their sounds."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="export_clips_archive",
        tags=["clips"],
        summary="Approved clips as a ZIP archive",
        description="Sounds in folders of their genres, and `clips.csv`, which `manage.py import_dataset` of "
        "another site reads. For curators.",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return clip_exports.archive_response()

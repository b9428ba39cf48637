"""Copies of sounds with what was heard in their tags."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.core.tag_writing import FIELDS
from genreweb.accounts.archive import stream
from genreweb.media_types import media_type
from library.api.access import readable_track
from library.api.exports import AnswersFile, FileView
from library.api.tracks import listed_tracks
from library.services import tagged_copies

FIELD = OpenApiParameter(
    "field",
    OpenApiTypes.STR,
    enum=FIELDS,
    many=True,
    description="What is written; may be given several times. Genre and mood unless said otherwise.",
)


class ChangeSerializer(serializers.Serializer[Any]):
    """A field of a file's tags."""

    field = serializers.ChoiceField(choices=FIELDS)
    before = serializers.ListField(child=serializers.CharField(), help_text="As the file has it.")
    after = serializers.ListField(child=serializers.CharField(), help_text="As the copy would have it.")
    changes = serializers.BooleanField()


def fields_of(request: Request) -> tuple[str, ...]:
    """Return the fields that a request names."""
    asked = request.query_params.getlist("field")
    if unknown := [name for name in asked if name not in FIELDS]:
        raise ValidationError({"field": [f"{unknown[0][:60]}: {', '.join(FIELDS)}"]})
    return tuple(asked) or tagged_copies.DEFAULT


class TaggedPreviewView(APIView):
    """What a tagged copy would change."""

    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="preview_tagged_copy",
        tags=["tracks"],
        summary="What a tagged copy changes",
        parameters=[FIELD],
        responses=ChangeSerializer(many=True),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Say for each field what the file has and what the copy would have; nothing is written."""
        track = readable_track(request, pk, among=listed_tracks())
        changes = tagged_copies.preview(track=track, user=request.user, fields=fields_of(request))
        return Response(ChangeSerializer(changes, many=True).data)


class TaggedFileView(AnswersFile, APIView):
    """A copy of a sound with what was heard in its tags."""

    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="get_tagged_copy",
        tags=["tracks"],
        summary="Get a tagged copy",
        description="ID3v2.4, Vorbis comments or MP4 atoms, after the format of the file. What is kept here "
        "stays as it is. A genre that the classifier is unsure of is not written.",
        parameters=[FIELD],
        responses={
            (200, "audio/*"): OpenApiTypes.BINARY,
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        track = readable_track(request, pk, among=listed_tracks())
        copy = tagged_copies.tagged_copy(track=track, user=request.user, fields=fields_of(request))
        name = tagged_copies.copy_name(track, request.user)
        return FileResponse(copy, as_attachment=True, filename=name, content_type=media_type(name))


class TaggedArchiveView(FileView):
    """Tagged copies of many sounds."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="export_tagged_copies",
        tags=["tracks"],
        summary="Get tagged copies as a ZIP archive",
        description="With the filters of the list. Files that cannot be tagged are named in `left out.txt`.",
        parameters=[FIELD],
        filters=True,
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        fields = fields_of(request)
        files = tagged_copies.copies(tracks=self.found(), user=request.user, fields=fields)
        response = StreamingHttpResponse(stream(files), content_type="application/zip")
        response["Content-Disposition"] = 'attachment; filename="tagged.zip"'
        response["Cache-Control"] = "private, no-store"
        return response

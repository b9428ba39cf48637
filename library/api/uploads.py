"""Batches of uploads: send many files at once, and see how far they are."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.serializers import FailureSerializer
from library.errors import sentence
from library.models import UploadBatch, UploadEntry
from library.services import batches

LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[202],
    description="The address of the batch.",
)


class BatchRequestSerializer(serializers.Serializer[Any]):
    """Several files, or one ZIP archive of them."""

    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        required=False,
        help_text="Audio files, each as a part of this name; up to 100.",
    )
    archive = serializers.FileField(
        required=False, help_text="A ZIP archive of audio files, in folders or not."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("files")) == ("archive" in attrs):
            raise serializers.ValidationError({"files": [gettext("Send either files or one archive.")]})
        return attrs


class BatchProgressSerializer(serializers.Serializer[batches.Progress]):
    """Files by what came of them, and tracks by what came of their analyses."""

    total = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Not unpacked yet.")
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="That you had sent before.")
    refused = serializers.IntegerField()
    tracks = serializers.IntegerField(help_text="That they became, each counted once.")
    analysed = serializers.IntegerField(help_text="Tracks whose analysis is done.")
    failed = serializers.IntegerField(help_text="Tracks whose analysis failed.")


class BatchFileSerializer(serializers.ModelSerializer[UploadEntry]):
    """One file of a batch, and the track that it became."""

    track = serializers.SerializerMethodField(help_text="Null where it is deleted or in the bin.")
    error = serializers.SerializerMethodField(help_text="Why it was refused, else null.")

    class Meta:
        model = UploadEntry
        fields = ("name", "status", "track", "error")
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_track(self, entry: UploadEntry) -> UUID | None:
        return entry.track.pk if entry.track is not None and entry.track.binned_at is None else None

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, entry: UploadEntry) -> dict[str, str] | None:
        return _failure(entry)


class BatchSerializer(serializers.ModelSerializer[UploadBatch]):
    """A batch of uploads."""

    error = serializers.SerializerMethodField(help_text="Why the archive could not be unpacked, else null.")
    progress = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField(help_text="In the order in which they were sent.")

    class Meta:
        model = UploadBatch
        fields = ("id", "status", "created", "finished_at", "error", "progress", "files")
        read_only_fields = fields

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, batch: UploadBatch) -> dict[str, str] | None:
        return _failure(batch)

    @extend_schema_field(BatchProgressSerializer)
    def get_progress(self, batch: UploadBatch) -> dict[str, Any]:
        return dict(BatchProgressSerializer(batches.progress(list(batch.entries.all()))).data)

    @extend_schema_field(BatchFileSerializer(many=True))
    def get_files(self, batch: UploadBatch) -> Any:
        return BatchFileSerializer(batch.entries.all(), many=True).data


class UploadListView(APIView):
    """Many files in one request."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser,)
    throttle_scope = "upload"

    @extend_schema(
        operation_id="add_tracks",
        tags=["tracks"],
        summary="Send many sounds",
        parameters=[LOCATION],
        request={"multipart/form-data": BatchRequestSerializer},
        responses={202: BatchSerializer},
        extensions={"x-curl": "-F archive=@songs.zip"},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Store several sounds, or those of a ZIP archive, and queue their analyses.

        Each is taken or refused by itself. An archive is unpacked in the background: ask for the batch until
        its `status` is `done` or `failed`.
        """
        form = BatchRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        owner = cast(User, request.user)
        if "archive" in form.validated_data:
            batch = batches.add_archive(owner=owner, file=form.validated_data["archive"])
        else:
            batch = batches.add_files(owner=owner, files=form.validated_data["files"])
        return Response(
            BatchSerializer(_batch(request, batch.pk)).data,
            status=202,
            headers={"Location": reverse("api:upload", args=[batch.pk], request=request)},
        )


class UploadView(APIView):
    """One batch."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="get_upload",
        tags=["tracks"],
        summary="Get a batch of uploads",
        responses=BatchSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a batch of your own with what came of each file; it is kept for 30 days."""
        return Response(BatchSerializer(_batch(request, pk)).data)


def _batch(request: Request, pk: UUID) -> UploadBatch:
    rows = UploadBatch.objects.filter(owner=cast(User, request.user)).prefetch_related("entries__track")
    batch = rows.filter(pk=pk).first()
    if batch is None:
        raise NotFound(gettext("There is no such batch of uploads."))
    return batch


def _failure(row: UploadBatch | UploadEntry) -> dict[str, str] | None:
    if not row.error_code:
        return None
    return {"code": row.error_code, "message": sentence(row.error_code, row.error_params)}

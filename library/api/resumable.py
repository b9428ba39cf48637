"""Resumable uploads by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

The core protocol and its extensions creation, expiration and termination. The protocol has its own documents
and its clients, so that the schema of the API leaves it out.
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.utils.http import http_date
from django.utils.translation import gettext
from rest_framework.exceptions import APIException, NotFound, UnsupportedMediaType, ValidationError
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.models import ResumableUpload
from library.services import resumable

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,termination"
_PART: Final = "application/offset+octet-stream"
_WHOLE_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_MOST_METADATA: Final = 4096


class UnsupportedVersion(APIException):
    """The client speaks another version of the protocol, or none."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "tus_version"

    def __init__(self) -> None:
        super().__init__(gettext("Send the header Tus-Resumable: 1.0.0."))


class LengthRequired(APIException):
    """How long a part is was not said."""

    status_code = HTTPStatus.LENGTH_REQUIRED
    default_code = "length_required"

    def __init__(self) -> None:
        super().__init__(gettext("Say in Content-Length how long the part is."))


class _TusView(APIView):
    """What both addresses have in common."""

    write_scope = Scope.UPLOAD
    schema = None

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if self.request.method == "OPTIONS" else IsAuthenticated()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in ("OPTIONS", "GET") and request.headers.get("Tus-Resumable") != VERSION:
            raise UnsupportedVersion

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().finalize_response(request, response, *args, **kwargs)
        found["Tus-Resumable"] = VERSION
        found["Cache-Control"] = "no-store"
        if found.status_code == HTTPStatus.PRECONDITION_FAILED:
            found["Tus-Version"] = VERSION
        return found

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell what the server can do."""
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(settings.AUDIO_MAX_BYTES),
        }
        return Response(status=204, headers=headers)


class ResumableListView(_TusView):
    """Where uploads begin."""

    throttle_scope = "upload"

    def post(self, request: Request) -> Response:
        """Begin an upload; its address stands in ``Location``."""
        metadata = request.headers.get("Upload-Metadata", "")
        upload = resumable.create(
            owner=cast(User, request.user),
            length=_number(request, "Upload-Length"),
            name=_filename(metadata),
            metadata=metadata,
        )
        address = reverse("api:resumable-upload", args=[upload.pk], request=request)
        return Response(status=201, headers={"Location": address, **_expiry(upload)})


class ResumableView(_TusView):
    """One upload."""

    def get(self, request: Request, pk: UUID) -> Response:
        """Say how much has arrived, and which track it became."""
        upload = _upload(request, pk)
        body = {
            "id": upload.pk,
            "name": upload.name,
            "length": upload.length,
            "offset": upload.offset,
            "expires": upload.expires,
            "track": upload.track_id,
        }
        return Response(body)

    def head(self, request: Request, pk: UUID) -> Response:
        upload = _upload(request, pk)
        headers = {"Upload-Length": str(upload.length), **_standing(request, upload)}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        return Response(headers=headers)

    def patch(self, request: Request, pk: UUID) -> Response:
        """Take in the next part; the last one makes the track."""
        if request.content_type != _PART:
            raise UnsupportedMediaType(request.content_type)
        upload = _upload(request, pk)
        offset = _number(request, "Upload-Offset")
        if not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        resumable.receive(upload=upload, offset=offset, source=request._request)
        if upload.is_complete and upload.track_id is None:
            resumable.finish(upload=upload)
        return Response(status=204, headers=_standing(request, upload))

    def delete(self, request: Request, pk: UUID) -> Response:
        """Give an upload up. A track that it became stays."""
        resumable.discard(ResumableUpload.objects.filter(pk=_upload(request, pk).pk))
        return Response(status=204)


def _upload(request: Request, pk: UUID) -> ResumableUpload:
    upload = ResumableUpload.objects.select_related("owner").filter(owner=cast(User, request.user), pk=pk)
    found = upload.first()
    if found is None:
        raise NotFound(gettext("There is no such upload."))
    return found


def _standing(request: Request, upload: ResumableUpload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset), **_expiry(upload)}
    if upload.track_id is not None:
        headers["Content-Location"] = reverse("api:track", args=[upload.track_id], request=request)
    return headers


def _expiry(upload: ResumableUpload) -> dict[str, str]:
    return {"Upload-Expires": http_date(upload.expires.timestamp())}


def _number(request: Request, name: str) -> int:
    value = request.headers.get(name, "")
    if not _WHOLE_NUMBER.fullmatch(value):
        raise ValidationError({name: [gettext("This header is a whole number.")]})
    return int(value)


def _filename(metadata: str) -> str:
    """Read the name of the file: pairs of a key and a value in base64, with commas between."""
    if len(metadata) > _MOST_METADATA or not metadata.isascii():
        raise ValidationError({"Upload-Metadata": [gettext("This header cannot be understood.")]})
    pairs = dict(pair.strip().partition(" ")[::2] for pair in metadata.split(","))
    try:
        return base64.b64decode(pairs.get("filename", pairs.get("name", "")), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValidationError({"Upload-Metadata": [gettext("This header cannot be understood.")]}) from error

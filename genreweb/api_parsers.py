"""Parsers of request bodies: those read into memory are limited in size; a sound may be the whole body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from rest_framework import parsers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import DataAndFiles
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches


class _BoundedParser(parsers.BaseParser):
    """Refuse a body that is parsed in memory once it is larger than a form may be."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and (not length.isdigit() or int(length) > limit):
            raise RequestDataTooBig
        return super().parse(stream, media_type, parser_context)


class JSONParser(_BoundedParser, parsers.JSONParser):
    """JSON of limited size and nesting, whose texts are Unicode."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            found = super().parse(stream, media_type, parser_context)
            # Half of a surrogate pair ("\\ud800") can be parsed, but neither stored nor named in an answer.
            json.dumps(found, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError(gettext("The JSON is nested too deeply.")) from error
        except UnicodeEncodeError as error:
            raise ParseError(gettext("The JSON holds half of a surrogate pair.")) from error
        return found


class FormParser(_BoundedParser, parsers.FormParser):
    """A URL-encoded form of limited size."""


class SoundParser(parsers.FileUploadParser):
    """A body that is the file itself, as ``curl --data-binary @song.mp3`` sends it.

    It arrives through the site's upload handlers, as a file of a form does. Its name stands in ``?name=`` or
    in ``Content-Disposition``; the other query parameters are the fields that a form would have beside it.
    """

    media_type = "audio/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        parsed = super().parse(stream, media_type, parser_context)
        request = (parser_context or {})["request"]
        fields: QueryDict = request.query_params.copy()
        fields.pop("name", None)
        files = MultiValueDict({"file": [parsed.files["file"]]})
        # Django closes its request's files with the answer; REST framework gives it those of forms only.
        request._request._files = files
        return DataAndFiles(fields, files)

    def get_filename(self, stream: Any, media_type: Any, parser_context: Any) -> str:
        name = parser_context["request"].query_params.get("name", "")
        # An UploadedFile keeps what stands behind the last slash, which must be something.
        said = name or super().get_filename(stream, media_type, parser_context) or ""
        return said if said.strip("./\\ ") and not said.endswith("/") else "untitled"


class OctetStreamParser(SoundParser):
    """The same from clients that do not know what kind of file they send."""

    media_type = "application/octet-stream"


def refuse_empty_sound(request: Request) -> None:
    """Say that there is nothing in a body which is to be a sound: empty bodies reach no parser.

    Raises
    ------
    ValidationError
    """
    kinds = (SoundParser.media_type, OctetStreamParser.media_type)
    said = request.content_type
    if said and not request.FILES and any(media_type_matches(kind, said) for kind in kinds):
        raise ValidationError({"file": [gettext("The body of the request is empty.")]}, code="empty")

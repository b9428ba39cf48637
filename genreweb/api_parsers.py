"""Parsers that limit the size of request bodies read into memory. Uploaded files do not pass through them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext
from rest_framework import parsers
from rest_framework.exceptions import ParseError


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

"""Refuse request bodies that are compressed: parsers would take them for damaged ones."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

from genreweb import problems

_PLAIN = {"", "identity"}


def refuse_encoded_bodies(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer 415 to a body with a content coding, and tell which ones are accepted (RFC 9110, 15.5.16)."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        encoding = request.headers.get("Content-Encoding", "").strip()
        if encoding.lower() in _PLAIN or request.method in {"GET", "HEAD", "OPTIONS"}:
            return get_response(request)
        message = _(
            "Compressed requests (Content-Encoding: %(encoding)s) are not read. Send the file as it is."
        )
        return _refusal(request, message % {"encoding": encoding[:40]})

    return middleware


def _refusal(request: HttpRequest, message: str) -> HttpResponse:
    headers = {"Accept-Encoding": "identity"}
    if request.path.startswith("/api/") or request.headers.get("Accept") == "application/json":
        body = problems.problem(415, "unsupported_content_encoding", message)
        return JsonResponse(body, status=415, headers=headers, content_type=problems.MEDIA_TYPE)
    return HttpResponse(message, status=415, content_type="text/plain; charset=utf-8", headers=headers)

"""What all of the API shares: error responses, unknown addresses.

Every error, whatever raised it, is answered as a problem (`genreweb.problems`); where fields of the request
are at fault, ``fields`` names them with a sentence each. Programs read the code, people the sentence.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from typing import Any, cast

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import HttpResponseBase, UnreadablePostError
from django.http.response import HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.views import exception_handler as rest_framework_handler

from genreweb import problems
from genreweb.accounts.quotas import seconds_until_tomorrow
from genreweb.accounts.scopes import MissingScopeError
from genreweb.domain_errors import DomainError
from library.errors import TrackError

log = logging.getLogger(__name__)

_STATUSES = {
    "not_found": 404,
    "curators_only": 403,
    "clip_gone": 404,
    "playlist_gone": 404,
    "no_music": 409,
    "nothing_outdated": 409,
    "already_in_service": 409,
    "bundle_damaged": 409,
    "gate_refused": 409,
    "nothing_before": 409,
    "service_changed": 409,
    "version_damaged": 409,
    "bundle_too_large": 413,
    "not_reviewable": 409,
    "already_reviewed": 409,
    "changed_meanwhile": 409,
    "order_other_tracks": 409,
    "nothing_to_undo": 409,
    "run_no_base": 409,
    "run_nothing_new": 409,
    "run_few_genres": 409,
    "run_no_validation": 409,
    "too_large": 413,
    "archive_large": 413,
    "archive_many": 413,
    "upload_offset": 409,
    "uploads_many": 403,
    "quota_tracks": 403,
    "quota_bytes": 403,
    "quota_minutes": 429,
    "storage_full": 507,
    "busy": 503,
    "unavailable": 503,
    "no_classifier": 503,
    "time_limit": 503,
    "internal": 500,
}
"""HTTP status by `DomainError` code; all other codes are client errors and answer 400."""
_RETRY_AFTER_SECONDS = 10


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Convert any exception of a view into an error response of the API."""
    if isinstance(exc, DomainError):
        return _refusal(exc)
    response = rest_framework_handler(exc, context)
    if response is None:
        return _unexpected(exc, context)
    status = response.status_code
    if isinstance(exc, exceptions.ValidationError):
        response.data = _validation_error(exc, status)
    elif isinstance(exc, exceptions.APIException):
        response.data = problems.problem(status, _code(exc), _first(exc.detail))
    else:
        # Django's own Http404 and PermissionDenied.
        code = "not_found" if status == 404 else "permission_denied"
        response.data = problems.problem(status, code, str(response.data["detail"]))
    response.content_type = problems.MEDIA_TYPE
    if isinstance(exc, MissingScopeError):
        needed = " ".join(exc.scopes)
        response["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{needed}"'
    return response


def _answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = problems.problem(status, code, message)
    return Response(body, status=status, headers=headers, content_type=problems.MEDIA_TYPE)


def _refusal(exc: DomainError) -> Response:
    status = _STATUSES.get(exc.code, 400)
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 503 else None
    if exc.code == "quota_minutes":
        headers = {"Retry-After": str(seconds_until_tomorrow())}
    return _answer(status, exc.code, exc.message, headers)


def _unexpected(exc: Exception, context: dict[str, Any]) -> Response:
    if isinstance(exc, RequestDataTooBig):
        return _answer(413, "request_too_large", gettext("The request is too large."))
    if isinstance(exc, SuspiciousOperation | UnreadablePostError):
        return _answer(400, "bad_request", gettext("The request could not be understood."))
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("no room to take in a request", exc_info=exc)
        return _refusal(TrackError("storage_full"))
    request = cast(Request, context["request"])
    log.error("%s %s failed", request.method, request.path, exc_info=exc)
    got_request_exception.send(sender=None, request=request)
    if isinstance(exc, OperationalError):
        # The database is unreachable or restarts.
        return _refusal(TrackError("unavailable"))
    message = gettext("Something went wrong on our side. Try again in a while.")
    return _answer(500, "internal", message)


def _code(exc: exceptions.APIException) -> str:
    codes = exc.get_codes()
    return codes if isinstance(codes, str) else exc.default_code


def _validation_error(exc: exceptions.ValidationError, status: int) -> dict[str, Any]:
    if not isinstance(exc.detail, dict):
        code = next(_leaves(exc.get_codes()), exc.default_code)
        return problems.problem(status, code, _first(exc.detail))
    fields = {str(name): list(_leaves(detail)) for name, detail in exc.detail.items()}
    general = fields.pop("non_field_errors", [])
    if general and not fields:
        return problems.problem(status, next(_leaves(exc.get_codes()), exc.default_code), general[0])
    name, sentences = next(iter(fields.items()))
    return problems.problem(status, "invalid", f"{name}: {sentences[0]}", fields)


def _leaves(detail: Any) -> Iterator[str]:
    """Return every message (or code) in a nested detail."""
    if isinstance(detail, dict):
        for inner in detail.values():
            yield from _leaves(inner)
    elif isinstance(detail, list | tuple):
        for inner in detail:
            yield from _leaves(inner)
    else:
        yield str(detail)


def _first(detail: Any) -> str:
    return next(_leaves(detail), gettext("The request could not be understood."))


class UnknownAddress(APIView):
    """Answer unknown addresses in JSON; redirect if only the trailing slash is missing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.path_info.endswith("/") and _is_address(request.path_info + "/"):
            # Unlike 301, 308 keeps method and body.
            target = request.get_full_path(force_append_slash=True)
            return HttpResponsePermanentRedirect(target, status=308)
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound(gettext("There is nothing at this address."))


def _is_address(path: str) -> bool:
    try:
        return resolve(path).url_name != "unknown"
    except Resolver404:
        return False

"""Error pages, and their JSON counterpart under /api/."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

_TOO_BIG = (RequestDataTooBig, TooManyFilesSent, TooManyFieldsSent)


def _answer(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"error": {"code": code, "message": message}}, status=status)
    return render(request, f"{status}.html", status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, _TOO_BIG):
        return _answer(
            request, 413, "too_large", _("The request is too large. Send fewer or smaller files at once.")
        )
    return _answer(request, 400, "bad_request", _("The request could not be understood."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "permission_denied", _("You may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", _("There is nothing here, or it is not yours to see."))


def method_not_allowed_page(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer a browser that asked with a method which an address does not know by a page, not by nothing."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        # Of all that asks, only browsers that open a page name the type; what is not Django's own has a body.
        if not isinstance(response, HttpResponseNotAllowed) or response.content or not _opens_a_page(request):
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page

    return middleware


def _opens_a_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def broken(request: HttpRequest) -> HttpResponse:
    """Answer without the database, the session or a context processor: any of them may be what failed.

    503 while the database restarts, so that programs and proxies ask again.
    """
    away = isinstance(sys.exc_info()[1], OperationalError)
    status, headers = (503, {"Retry-After": "10"}) if away else (500, {})
    if request.path.startswith("/api/"):
        code, message = "internal", _("Something went wrong on our side. Try again in a moment.")
        if away:
            code = "unavailable"
            message = _("Part of the site is not reachable at the moment. Try again in a minute.")
        return JsonResponse({"error": {"code": code, "message": message}}, status=status, headers=headers)
    return HttpResponse(render_to_string("500.html", {"away": away}), status=status, headers=headers)

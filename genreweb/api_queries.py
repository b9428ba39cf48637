"""The query parameters of the API: what an address does not know is refused, not ignored.

A misspelt filter that is ignored answers with everything. What an address knows is what the schema says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext, ngettext
from drf_spectacular.generators import SchemaGenerator

from genreweb import problems


@cache
def known_parameters() -> dict[tuple[str, str], frozenset[str]]:
    """Give the query parameters of every operation, by route and method in lower case."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return {
        (_without_names(path), method): frozenset(
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        )
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }


def _without_names(route: str) -> str:
    return re.sub(r"[<{][^>}]*[>}]", "{}", route)


class KnownParametersMiddleware:
    """Answer 400 under ``/api/`` where a query parameter is none of the address's own, and name those."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        if not request.GET or match is None or "api" not in match.namespaces:
            return None
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        # What the schema leaves out, such as the schema itself, looks after its own.
        known = known_parameters().get((_without_names(simplify_regex(match.route)), method))
        unknown = [] if known is None else [name for name in request.GET if name not in known]
        return _refusal(unknown, sorted(known or ())) if unknown else None


def _refusal(unknown: list[str], known: list[str]) -> JsonResponse:
    sentence = ngettext(
        "There is no parameter %(unknown)s.", "There are no parameters %(unknown)s.", len(unknown)
    ) % {"unknown": ", ".join(f"“{name[:60]}”" for name in unknown[:10])}
    if known:
        hint = gettext("This address knows: %(known)s.") % {"known": ", ".join(known)}
    else:
        hint = gettext("This address knows none.")
    body = problems.problem(400, "unknown_parameter", f"{sentence} {hint}")
    return JsonResponse(body, status=400, content_type=problems.MEDIA_TYPE)

"""Paginated lists, whose results htmx fetches as a partial."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest


def page_of(rows: QuerySet[Any], request: HttpRequest, *, per_page: int, filters: str) -> dict[str, Any]:
    """Return the template context of the requested page and the links to the others."""
    page = Paginator(rows, per_page).get_page(request.GET.get("page"))
    return {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "filters": filters,
    }


def wants_results(request: HttpRequest) -> bool:
    """Whether only the list is requested. History restoration needs the whole page."""
    return (
        request.headers.get("HX-Target") == "results" and "HX-History-Restore-Request" not in request.headers
    )

"""Lists in pages, of which htmx fetches the part that changes."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest


def page_of(rows: QuerySet[Any], request: HttpRequest, *, per_page: int, filters: str) -> dict[str, Any]:
    """Give what a template needs to show the page that was asked for, and the ways to the others."""
    page = Paginator(rows, per_page).get_page(request.GET.get("page"))
    return {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "filters": filters,
    }


def wants_results(request: HttpRequest) -> bool:
    """Whether only the list is asked for. What the back button left is restored with the whole page."""
    return (
        request.headers.get("HX-Target") == "results" and "HX-History-Restore-Request" not in request.headers
    )

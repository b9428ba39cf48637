"""Paginated lists, whose results htmx fetches as a partial."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from genreweb.bounded_pages import BoundedPaginator, ContinuedPage, next_key


def page_of(rows: QuerySet[Any], request: HttpRequest, *, per_page: int, filters: str) -> dict[str, Any]:
    """Return the template context of the requested page and the links to the others."""
    page = Paginator(rows, per_page).get_page(request.GET.get("page"))
    return _context(page, filters)


def bounded_page_of(
    rows: QuerySet[Any], request: HttpRequest, *, per_page: int, filters: str
) -> dict[str, Any]:
    """Return the same of a list that may be very long: pages without a number come after those with one."""
    paginator = BoundedPaginator(rows, per_page)
    key = request.GET.get("after", "")
    page = (paginator.after(key) if key else None) or paginator.get_page(request.GET.get("page"))
    return {**_context(page, filters), "next_key": next_key(page)}


def _context(page: Page[Any], filters: str) -> dict[str, Any]:
    numbered = not isinstance(page, ContinuedPage)
    pages = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1) if numbered else ()
    return {"page": page, "pages": pages, "filters": filters}


def wants_results(request: HttpRequest) -> bool:
    """Whether only the list is requested. History restoration needs the whole page."""
    return (
        request.headers.get("HX-Target") == "results" and "HX-History-Restore-Request" not in request.headers
    )

"""Pages of the API's lists."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from genreweb.bounded_pages import MOST_COUNTED, BoundedPaginator, ContinuedPage, next_key

_AFTER = "after"


class Pagination(PageNumberPagination):
    """``?page=2&page_size=50``; the addresses of other pages also stand in ``Link`` (RFC 8288)."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        links = {"prev": self.get_previous_link(), "next": self.get_next_link()}
        if found := [f'<{address}>; rel="{rel}"' for rel, address in links.items() if address]:
            response["Link"] = ", ".join(found)
        return response


class LongPagination(Pagination):
    """Of lists that may be very long: beyond the counted rows ``next`` goes on with ``?after=ID``."""

    django_paginator_class = BoundedPaginator

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        self.request = request
        key = request.query_params.get(_AFTER, "")
        if not key:
            return super().paginate_queryset(queryset, request, view)
        page = BoundedPaginator(queryset, self.get_page_size(request) or MOST_COUNTED).after(key)
        if page is None:
            raise NotFound(_("This list has no such track to go on after."))
        self.page = page
        return list(page)

    def get_next_link(self) -> str | None:
        assert self.page is not None  # noqa: S101  # after paginate_queryset
        assert self.request is not None  # noqa: S101
        key = next_key(self.page)
        if not key:
            return super().get_next_link() if not isinstance(self.page, ContinuedPage) else None
        url = remove_query_param(self.request.build_absolute_uri(), self.page_query_param)
        return replace_query_param(url, _AFTER, key)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        assert self.page is not None  # noqa: S101  # after paginate_queryset
        response.data["count_is_exact"] = not cast(BoundedPaginator, self.page.paginator).has_more
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        properties = described["properties"]
        properties["count"]["description"] = f"How many there are; no more than {MOST_COUNTED:,} are counted."
        properties["count_is_exact"] = {
            "type": "boolean",
            "description": "Whether `count` is all of them. Where it is not, follow `next` to the end.",
            "example": True,
        }
        described["required"] = [*described.get("required", ()), "count_is_exact"]
        return described

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            *super().get_schema_operation_parameters(view),
            {
                "name": _AFTER,
                "required": False,
                "in": "query",
                "description": "The id of a track of this list: gives those that come after it, however far "
                "down. `next` holds it where pages have no number any more.",
                "schema": {"type": "string", "format": "uuid"},
            },
        ]

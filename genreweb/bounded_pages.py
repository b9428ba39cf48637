"""Pages of lists that may be very long: counted up to a limit, and continued beyond it row by row."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db import connections, models, transaction
from django.utils.functional import cached_property

from genreweb.keyset import following

MOST_COUNTED: Final = 10_000
"""Rows that are counted, and that pages have numbers for: the database reads all of them."""
_FEW: Final = 500


class BoundedPaginator(Paginator[Any]):
    """Numbers pages up to `MOST_COUNTED` rows. `count` is how many of those there are."""

    object_list: models.QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: MOST_COUNTED + 1].count()

    @property
    def count(self) -> int:
        return min(self._counted, MOST_COUNTED)

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than are counted."""
        return self._counted > MOST_COUNTED

    def get_page(self, number: float | str | None) -> Page[Any]:
        """Give a page; a list that ends on its first one is not counted: that would read it a second time."""
        if number not in (None, "", 1, "1"):
            return super().get_page(number)
        rows = list(self.object_list[: self.per_page + 1])
        if len(rows) <= self.per_page:
            self._counted = len(rows)
        return Page(rows[: self.per_page], 1, self)

    def page(self, number: int | str) -> Page[Any]:
        """Give a page; far ones by the keys of their rows, which are joined with nothing."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        if first >= _FEW:
            keys = self.object_list.values("pk")[first : min(first + self.per_page, self.count)]
            return Page(self.object_list.filter(pk__in=keys), number, self)
        if not self.has_more:
            return super().page(number)
        return Page(_in_order(self.object_list[first : first + self.per_page]), number, self)

    def after(self, key: str) -> ContinuedPage | None:
        """Give the page that begins after a row, by its primary key; None where the list has no such row."""
        rows = following(self.object_list, key)
        if rows is None:
            return None
        found = list(rows[: self.per_page + 1])
        return ContinuedPage(found[: self.per_page], self, more=len(found) > self.per_page)


def _in_order(rows: models.QuerySet[Any]) -> list[Any]:
    """Read some rows of a long list along the index of its order.

    PostgreSQL takes words for rarer than they are, reads all rows that hold them and sorts these.
    """
    with transaction.atomic(using=rows.db), connections[rows.db].cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        found = list(rows)
        cursor.execute("SET LOCAL enable_bitmapscan TO DEFAULT")
    return found


class ContinuedPage(Page[Any]):
    """A page that has no number, as those before it were not counted."""

    def __init__(self, rows: list[Any], paginator: BoundedPaginator, *, more: bool) -> None:
        super().__init__(rows, 0, paginator)
        self._more = more

    def has_next(self) -> bool:
        return self._more

    def has_previous(self) -> bool:
        return False


def next_key(page: Page[Any]) -> str:
    """Give what `BoundedPaginator.after` goes on with, where the next page has no number; else nothing."""
    paginator = page.paginator
    numbered = not isinstance(page, ContinuedPage)
    if numbered and (page.has_next() or not getattr(paginator, "has_more", False)):
        return ""
    if not numbered and not page.has_next():
        return ""
    rows = list(page)
    return str(rows[-1].pk) if rows else ""

"""A contributor's receipts, one for each version that was trained on their clips and went into service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import Context
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.models import Genre
from genreweb.accounts.models import User
from library.templatetags.sound import genre
from library.views.paging import page_of
from training.models import Receipt

PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Gain:
    """Gain of one genre: contributed clips, and recall in whole percent, None if unknown."""

    genre: Genre
    clips: int
    before: int | None
    after: int | None

    @property
    def rose(self) -> bool:
        return self.before is not None and self.after is not None and self.after > self.before

    @property
    def fell(self) -> bool:
        return self.before is not None and self.after is not None and self.after < self.before


@login_required
@require_safe
@never_cache
def receipts(request: HttpRequest) -> HttpResponse:
    """Show the receipts, the newest first, and mark them as seen."""
    user = cast(User, request.user)
    rows = Receipt.objects.filter(user=user).select_related("version")
    paged = page_of(rows, request, per_page=PER_PAGE, filters="")
    shown = [(receipt, list(_gains(request, receipt))) for receipt in paged["page"]]
    if request.method == "GET":
        unseen = [receipt.pk for receipt, _gains in shown if receipt.seen_at is None]
        if unseen:
            Receipt.objects.filter(pk__in=unseen, seen_at=None).update(seen_at=timezone.now())
    return render(request, "training/contribute/receipts.html", {**paged, "receipts": shown})


def _gains(request: HttpRequest, receipt: Receipt) -> Iterator[Gain]:
    context = Context({"request": request})
    for slug, told in receipt.genres.items():
        yield Gain(
            genre=genre(context, slug),
            clips=int(told.get("clips", 0)),
            before=_percent(told.get("before")),
            after=_percent(told.get("after")),
        )


def _percent(share: Any) -> int | None:
    return None if share is None else int(float(share) * 100 + 0.5)

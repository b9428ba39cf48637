"""Template tags for contributors: unseen receipts, and the clips made from a track."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import template
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, QuerySet

from genreweb.accounts.models import User
from genreweb.prepared_queries import PreparedQueries
from library.models import Track
from training.models import Clip, Receipt
from training.models.clips import ClipQuerySet
from training.views.clip_rows import ClipRow, for_rows, rows_of

register = template.Library()
_QUERIES: Final = PreparedQueries()


@register.simple_tag
def unseen_receipts(user: User | AnonymousUser) -> int:
    """Count the receipts that a user has not seen yet."""
    if not user.is_authenticated:
        return 0

    def like() -> tuple[QuerySet[Any, Any], list[Any]]:
        counted = Receipt.objects.filter(user=-1, seen_at=None).order_by().values("user")
        return counted.annotate(number=Count("pk")).values_list("number"), [-1]

    # With every page.
    return sum(number for (number,) in _QUERIES.rows("unseen", [user.pk], like=like))


@register.simple_tag
def given_of(track: Track, user: User | AnonymousUser) -> list[ClipRow]:
    """Return a user's clips of a track, the newest first; of several pieces, only the first."""
    if not isinstance(user, User):
        return []

    def clips(user: User, track: Any) -> ClipQuerySet:
        return Clip.objects.contributed_by(user).filter(track=track, origin=None)

    def like() -> tuple[QuerySet[Any, Any], list[Any]]:
        return clips(User(pk=-1), UUID(int=0)).order_by().values_list("pk")[:1], [-1, UUID(int=0)]

    # Of most tracks there are none, and the query of what rows show takes long to write.
    if not _QUERIES.rows("given", [user.pk, track.pk], like=like):
        return []
    return rows_of(for_rows(clips(user, track)), user)

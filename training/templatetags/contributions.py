"""Template tags for contributors: unseen receipts, and the clips made from a track."""

from __future__ import annotations

from django import template
from django.contrib.auth.models import AnonymousUser

from genreweb.accounts.models import User
from library.models import Track
from training.models import Clip, Receipt
from training.views.clip_rows import ClipRow, for_rows, rows_of

register = template.Library()


@register.simple_tag
def unseen_receipts(user: User | AnonymousUser) -> int:
    """Count the receipts that a user has not seen yet."""
    return Receipt.objects.filter(user=user, seen_at=None).count() if user.is_authenticated else 0


@register.simple_tag
def given_of(track: Track, user: User | AnonymousUser) -> list[ClipRow]:
    """Return a user's clips of a track, the newest first; of several pieces, only the first."""
    if not isinstance(user, User):
        return []
    clips = Clip.objects.contributed_by(user).filter(track=track, origin=None)
    # Of most tracks there are none, and the query of what rows show takes long to write.
    return rows_of(for_rows(clips), user) if clips.exists() else []

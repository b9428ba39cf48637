"""API tokens: made, listed and revoked by the person they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.scopes import Scope

MAX_TOKENS = 100
"""A program that asks for a new token at each run is stopped here rather than never."""

STAMP_EVERY = timedelta(minutes=1)
"""`last_used` is no finer than this: one write a minute, not one per request."""


class TooManyTokensError(Exception):
    """A person has as many tokens as one may have."""

    @property
    def message(self) -> str:
        return gettext("You have %(count)d API tokens already. Revoke one that you no longer need.") % {
            "count": MAX_TOKENS
        }


def create_token(
    *, user: User, name: str = "", scopes: Iterable[str] | None = None, expires: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token; give its row, and the secret, which is kept nowhere and can be shown only now.

    Without `scopes` it may do everything that its owner may; without `expires` it works until it is revoked.

    Raises
    ------
    TooManyTokensError
        If the person has MAX_TOKENS already.
    """
    if ApiToken.objects.filter(user=user).count() >= MAX_TOKENS:
        raise TooManyTokensError
    chosen = set(Scope.values if scopes is None else scopes)
    token, secret = ApiToken.objects.create(
        user=user,
        name=" ".join(name.split()),
        scopes=[scope for scope in Scope.values if scope in chosen],
        expiry=None if expires is None else expires - timezone.now(),
    )
    return token, secret


def stamp(token: ApiToken) -> None:
    """Note that a token was just used, at most once per STAMP_EVERY."""
    now = timezone.now()
    if token.last_used is not None and token.last_used > now - STAMP_EVERY:
        return
    stale = Q(last_used=None) | Q(last_used__lte=now - STAMP_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used=now)
    token.last_used = now

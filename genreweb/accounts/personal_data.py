"""Everything the site holds on a person: to take along, and to delete.

This app must not know who else keeps data on people. An app that does registers a module with the three
functions of `Holder` in its ``AppConfig.ready``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

from allauth.account.models import EmailAddress
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from genreweb.accounts import factors, single_sign_on
from genreweb.accounts.models import User
from genreweb.accounts.webhooks import service as webhooks

Content = bytes | Callable[[], IO[bytes]]
"""What stands in a file, or how to open it; opening may raise FileNotFoundError."""


class Holder(Protocol):
    """A part of the site that keeps data on people."""

    def export(self, user: User) -> Iterator[tuple[str, Content]]:
        """Give every file to hand out, as (path in the archive, content)."""
        ...

    def losses(self, user: User) -> list[str]:
        """Say what is lost with the account, each in a few words such as “12 tracks”."""
        ...

    def delete(self, user: User) -> None:
        """Delete all of it, rows at once and files when the transaction is committed."""
        ...


class LastAdministratorError(Exception):
    """Nobody could look after the site if this account were deleted."""


_holders: list[Holder] = []


def register(holder: Holder) -> None:
    """Have `holder` asked whenever a person takes their data along or leaves."""
    if holder not in _holders:
        _holders.append(holder)


def as_json(data: Any) -> bytes:
    """Write data as people can read it and programs too."""
    return json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2).encode()


def export(user: User) -> Iterator[tuple[str, Content]]:
    """Give every file that holds something on `user`, as (path in the archive, content)."""
    yield "account.json", as_json(_account(user))
    if hooks := webhooks.listed(user):
        yield "webhooks.json", as_json(hooks)
    for holder in _holders:
        yield from holder.export(user)


def _account(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "display_name": user.display_name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "joined": user.date_joined,
        "last_signed_in": user.last_login,
        "is_staff": user.is_staff,
        "quotas": {
            "tracks": user.quota_tracks,
            "megabytes": user.quota_megabytes,
            "daily_minutes": user.quota_daily_minutes,
        },
        "sound_sent_by_day": list(user.daily_uses.order_by("day").values("day", "seconds")),
        "groups": list(user.groups.order_by("name").values_list("name", flat=True)),
        "email_addresses": list(
            EmailAddress.objects.filter(user=user).order_by("pk").values("email", "verified", "primary")
        ),
        "second_factors": factors.listed(user),
        "single_sign_on": single_sign_on.listed(user),
        "api_tokens": list(
            user.auth_token_set.values("name", "token_key", "scopes", "created", "last_used", "expiry")
        ),
    }


def losses(user: User) -> list[str]:
    """Say what is lost with the account, each in a few words."""
    return [loss for holder in _holders for loss in holder.losses(user)]


def is_last_administrator(user: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.is_superuser and not others.exists()


def delete_account(*, user: User) -> None:
    """Delete a person with all that the site holds on them.

    Raises
    ------
    LastAdministratorError
        If nobody else may administer the site.
    """
    with transaction.atomic():
        # Held first, so that nothing of theirs can be added while it is taken away.
        User.objects.select_for_update().get(pk=user.pk)
        if is_last_administrator(user):
            raise LastAdministratorError
        for holder in _holders:
            holder.delete(user)
        user.delete()


def opened(content: Content) -> IO[bytes]:
    """Open a content for reading."""
    return io.BytesIO(content) if isinstance(content, bytes) else content()

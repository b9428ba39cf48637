"""How much a person may keep and send: tracks, bytes, and minutes of sound a day.

The site's limits are settings; a person may have others, given in the administration. 0 is no limit. This app
does not know what people keep: an app that stores something registers a function that counts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from genreweb.accounts.models import DailyUse, User

MEGABYTE = 2**20


class QuotaError(Exception):
    """A person may not keep or send so much; the parameters are those of the sentence.

    Attributes
    ----------
    code : str
        ``quota_tracks``, ``quota_bytes`` or ``quota_minutes``.
    """

    def __init__(self, code: str, params: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(frozen=True, slots=True)
class Kept:
    """What a person keeps on the site."""

    tracks: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit and how much of it is used; `most` is None where there is no limit."""

    used: float
    most: float | None

    @property
    def left(self) -> float | None:
        return None if self.most is None else max(self.most - self.used, 0)

    @property
    def percent(self) -> int:
        """Share that is used, for a bar; 100 where nothing may be used at all."""
        if self.most is None:
            return 0
        return min(round(100 * self.used / self.most), 100) if self.most else 100


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of one person. Bytes count the files as they were sent."""

    tracks: Quota
    size: Quota
    minutes_today: Quota


_counters: list[Callable[[User], Kept]] = []


def register(counter: Callable[[User], Kept]) -> None:
    """Have `counter` asked for what it keeps of a person."""
    if counter not in _counters:
        _counters.append(counter)


def quotas_of(user: User) -> Quotas:
    """Give the limits of a person and what is used of them."""
    kept = [counter(user) for counter in _counters]
    today = DailyUse.objects.filter(user=user, day=_today()).values_list("seconds", flat=True).first()
    tracks, megabytes, minutes = (
        _limit(own, of_site)
        for own, of_site in (
            (user.quota_tracks, settings.QUOTA_TRACKS),
            (user.quota_megabytes, settings.QUOTA_MB),
            (user.quota_daily_minutes, settings.QUOTA_DAILY_MINUTES),
        )
    )
    return Quotas(
        tracks=Quota(sum(part.tracks for part in kept), tracks),
        size=Quota(sum(part.size for part in kept), None if megabytes is None else megabytes * MEGABYTE),
        minutes_today=Quota((today or 0.0) / 60, minutes),
    )


def check(*, user: User, tracks: int = 0, size: int = 0, seconds: float = 0.0) -> None:
    """Refuse what would be more than a person may keep or send.

    Raises
    ------
    QuotaError
        If so.
    """
    quotas = quotas_of(user)
    if tracks and _exceeds(quotas.tracks, tracks):
        raise QuotaError("quota_tracks", {"most": quotas.tracks.most})
    if size and _exceeds(quotas.size, size):
        raise QuotaError("quota_bytes", {"most": round((quotas.size.most or 0) / MEGABYTE)})
    if seconds and _exceeds(quotas.minutes_today, seconds / 60):
        raise QuotaError("quota_minutes", {"most": quotas.minutes_today.most})


def take(*, user: User, tracks: int = 0, size: int = 0, seconds: float = 0.0) -> None:
    """Check as `check` does and count the seconds, in the transaction that stores what they are of.

    Of several uploads at once one waits for the other. Seconds stay counted when what was sent is deleted.

    Raises
    ------
    QuotaError
        As `check`.
    """
    current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check(user=current, tracks=tracks, size=size, seconds=seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_dailyuse (user_id, day, seconds) VALUES (%s, %s, %s) "
            "ON CONFLICT (user_id, day) DO UPDATE SET seconds = accounts_dailyuse.seconds + EXCLUDED.seconds",
            [user.pk, _today(), seconds],
        )


def seconds_until_tomorrow() -> int:
    """How long it takes until the minutes of a day are counted anew."""
    tomorrow = datetime.combine(_today() + timedelta(days=1), time(), UTC)
    return max(int((tomorrow - timezone.now()).total_seconds()), 1)


def forget_past_days() -> int:
    """Delete the counts of days that are over; return their number."""
    return DailyUse.objects.filter(day__lt=_today() - timedelta(days=1)).delete()[0]


def _today() -> Any:
    return timezone.now().astimezone(UTC).date()


def _limit(own: int | None, of_site: int) -> int | None:
    return (of_site if own is None else own) or None


def _exceeds(quota: Quota, more: float) -> bool:
    return quota.most is not None and quota.used + more > quota.most

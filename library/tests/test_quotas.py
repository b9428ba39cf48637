"""What a person may keep and send: refused before anything is stored, and shown before that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from genreweb.accounts import quotas
from genreweb.accounts.models import DailyUse, User
from genreweb.accounts.personal_data import delete_account, export
from library.errors import TrackError
from library.models import Track
from library.services.tidying import tidy
from library.services.tracks import add_track, delete_tracks
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db

Stored = Callable[[], list[str]]
SECONDS = 3
ME = "/api/v1/me/"


def sound(seed: int = 0) -> bytes:
    return wav(chords(SECONDS, seed=seed))


def send(api: APIClient, seed: int = 0) -> Any:
    response: Response = api.post(
        "/api/v1/tracks/", {"file": SimpleUploadedFile("song.wav", sound(seed))}, format="multipart"
    )
    return response


def test_nobody_is_limited_by_what_is_not_set(owner: User, settings: Settings) -> None:
    settings.QUOTA_TRACKS = settings.QUOTA_MB = settings.QUOTA_DAILY_MINUTES = 0
    quotas.check(user=owner, tracks=10**9, size=10**15, seconds=10**9)
    assert quotas.quotas_of(owner).tracks.most is None


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        ({"quota_tracks": 1}, (403, "quota_tracks")),
        # One file of 3 s has 130 kB.
        ({"quota_megabytes": 1}, (403, "quota_bytes")),
        ({"quota_daily_minutes": 1}, (429, "quota_minutes")),
    ],
)
def test_what_is_too_much_is_refused_and_not_stored(
    owner_api: APIClient, owner: User, stored: Stored, limits: dict[str, int], refusal: tuple[int, str]
) -> None:
    User.objects.filter(pk=owner.pk).update(**limits)
    assert send(owner_api).status_code == 202
    Track.objects.update(size=2**20 - 1)
    DailyUse.objects.update(seconds=59)
    kept = stored()
    response = send(owner_api, seed=1)
    assert (response.status_code, response.json()["error"]["code"]) == refusal
    assert "1 " in response.json()["error"]["message"]
    assert ("Retry-After" in response) == (response.status_code == 429)
    assert (Track.objects.count(), stored()) == (1, kept)
    assert DailyUse.objects.get().seconds == 59
    # The file that is there already costs nothing.
    assert send(owner_api).status_code == 200


def test_the_sites_limit_holds_for_everybody_without_one_of_their_own(
    owner: User, other: User, settings: Settings
) -> None:
    settings.QUOTA_TRACKS = 1
    User.objects.filter(pk=other.pk).update(quota_tracks=0)
    other.refresh_from_db()
    for person in (owner, other):
        add_track(owner=person, file=ContentFile(sound()), name="song.wav")
    with pytest.raises(TrackError, match="quota_tracks"):
        add_track(owner=owner, file=ContentFile(sound(1)), name="song.wav")
    assert not add_track(owner=other, file=ContentFile(sound(1)), name="song.wav").duplicate


def test_deleting_gives_room_but_no_minutes(owner: User, settings: Settings) -> None:
    settings.QUOTA_TRACKS = 1
    add_track(owner=owner, file=ContentFile(sound()), name="song.wav")
    delete_tracks(Track.objects.owned_by(owner))
    found = quotas.quotas_of(owner)
    assert (found.tracks.used, found.size.used) == (0, 0)
    assert found.minutes_today.used == pytest.approx(SECONDS / 60, abs=0.01)
    add_track(owner=owner, file=ContentFile(sound(1)), name="song.wav")
    assert DailyUse.objects.get().seconds == pytest.approx(2 * SECONDS, abs=0.1)


def test_another_day_counts_anew(owner: User) -> None:
    today = timezone.now().date()
    for days, seconds in ((0, 60), (1, 600), (9, 6000)):
        DailyUse.objects.create(user=owner, day=today - timedelta(days=days), seconds=seconds)
    assert quotas.quotas_of(owner).minutes_today.used == 1
    assert quotas.forget_past_days() == 1
    assert 0 < quotas.seconds_until_tomorrow() <= 24 * 3600


def test_limits_are_shown_before_they_bite(owner_api: APIClient, owner: User, client: Client) -> None:
    User.objects.filter(pk=owner.pk).update(quota_tracks=4, quota_megabytes=0)
    send(owner_api)
    shown = owner_api.get(ME).json()["quotas"]
    assert shown["tracks"] == {"used": 1, "most": 4, "left": 3}
    assert shown["bytes"] == {"used": Track.objects.get().size, "most": None, "left": None}
    assert shown["minutes_today"]["used"] == pytest.approx(SECONDS / 60, abs=0.01)
    client.force_login(owner)
    page = " ".join(client.get("/account/").content.decode().split())
    assert "1 of 4" in page
    assert 'value="25"' in page


def test_only_the_administration_changes_limits(
    owner_api: APIClient, owner: User, staff: User, client: Client
) -> None:
    owner_api.patch(ME, {"display_name": "Me", "quota_tracks": 10**6, "quotas": {"tracks": {"most": 9}}})
    owner.refresh_from_db()
    assert (owner.display_name, owner.quota_tracks) == ("Me", None)
    client.force_login(staff)
    address = f"/admin/accounts/user/{owner.pk}/change/"
    form = client.get(address).context["adminform"].form
    sent = {name: value for name, value in form.initial.items() if value not in (None, False, [])}
    sent |= {"quota_tracks": "7", "quota_megabytes": "0"}
    assert client.post(address, sent).status_code == 302
    owner.refresh_from_db()
    assert (owner.quota_tracks, owner.quota_megabytes, owner.quota_daily_minutes) == (7, 0, None)


def test_the_reserve_of_free_space_is_left(
    owner_api: APIClient, owner: User, client: Client, settings: Settings, tmp_path: Any
) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        },
    }
    settings.STORAGE_RESERVE_BYTES = 2**60
    response = send(owner_api)
    assert (response.status_code, response.json()["error"]["code"]) == (507, "storage_full")
    client.force_login(owner)
    by_script = client.post(
        "/upload/", {"file": SimpleUploadedFile("song.wav", sound())}, headers={"Accept": "application/json"}
    )
    assert by_script.status_code == 507
    short = owner_api.post(
        "/api/v1/classify/", {"file": SimpleUploadedFile("song.wav", sound())}, format="multipart"
    )
    assert short.status_code == 507
    assert not Track.objects.exists()
    assert not (tmp_path / "media").exists()
    settings.STORAGE_RESERVE_BYTES = 0
    assert send(owner_api).status_code == 202


def test_personal_data_hold_limits_and_uses_and_nothing_outlives_the_account(
    owner_api: APIClient, owner: User
) -> None:
    send(owner_api)
    User.objects.filter(pk=owner.pk).update(quota_tracks=7)
    owner.refresh_from_db()
    account = dict(export(owner))["account.json"]
    assert isinstance(account, bytes)
    assert b'"tracks": 7' in account
    assert b'"sound_sent_by_day"' in account
    delete_account(user=owner)
    assert not DailyUse.objects.exists()


def test_what_a_health_check_left_behind_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    default_storage.save("healthz/1234", ContentFile(b"ok"))
    assert tidy() == 0
    monkeypatch.setattr("library.services.tidying.GRACE", timedelta(seconds=-1))
    tidy()
    assert not default_storage.exists("healthz/1234")

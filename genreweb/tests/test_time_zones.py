"""Pages write moments as the reader's clock shows them; programs are told UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from genreweb.accounts.models import ApiToken, User
from genreweb.time_zones import COOKIE, browser_time_zone
from library.models import Track


def hour_at(moment: datetime, zone: str, path: str = "/") -> str:
    """Give the hour that a page would write."""

    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{timezone.localtime(moment):%d %H:%M}")

    request = RequestFactory().get(path)
    request.COOKIES[COOKIE] = zone
    return browser_time_zone(answer)(request).content.decode()


WINTER, SUMMER = datetime(2026, 1, 1, 23, 30, tzinfo=UTC), datetime(2026, 7, 1, 23, 30, tzinfo=UTC)


def test_the_zone_of_the_browser_counts_with_its_daylight_saving() -> None:
    assert hour_at(SUMMER, "Asia/Seoul") == "02 08:30"
    assert (hour_at(WINTER, "Europe/Berlin"), hour_at(SUMMER, "Europe/Berlin")) == ("02 00:30", "02 01:30")
    assert hour_at(SUMMER, "America/Argentina/Ushuaia") == "01 20:30"
    # The next request has its own.
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    "name",
    ["", "Nowhere/Here", "America", "../../etc/passwd", "/etc/localtime", "A" * 300, "Asia/Seoul\0", "한국"],
)
def test_what_is_no_zone_counts_for_nothing(name: str) -> None:
    assert hour_at(SUMMER, name) == "01 23:30"


def test_programs_are_told_utc() -> None:
    assert hour_at(SUMMER, "Asia/Seoul", "/api/v1/tracks/") == "01 23:30"


@pytest.mark.django_db
def test_a_page_and_the_api(client: Client) -> None:
    person = User.objects.create_user("p@example.org", "x")
    client.force_login(person)
    token, _ = ApiToken.objects.create(user=person, name="phone")
    ApiToken.objects.filter(pk=token.pk).update(last_used=SUMMER)
    assert "July 1, 2026, 11:30 p.m." in client.get("/account/").content.decode()
    client.cookies[COOKIE] = "Asia/Seoul"
    assert "July 2, 2026, 8:30 a.m." in client.get("/account/").content.decode()
    (listed,) = client.get("/api/v1/tokens/").json()["results"]
    assert listed["last_used"] == "2026-07-01T23:30:00Z"


@pytest.mark.django_db
def test_rows_that_others_have_seen_are_written_anew_in_another_zone(client: Client) -> None:
    person = User.objects.create_user("p@example.org", "x")
    client.force_login(person)
    track = Track.objects.create(owner=person, title="one", sound="a.wav", sha256="ab" * 32, size=1)
    Track.objects.filter(pk=track.pk).update(created=SUMMER)
    for zone, told in (("", "July 1, 2026, 11:30 p.m."), ("Asia/Seoul", "July 2, 2026, 8:30 a.m.")):
        client.cookies[COOKIE] = zone
        assert told in client.get("/tracks/").content.decode()

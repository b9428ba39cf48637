"""No address leaves somebody who opens it before a blank page, as read from the tables of addresses."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django.asserts import assertRedirects

from genreweb.accounts.models import User
from library.models import Reanalysis, Track
from library.services import playlists
from training.tests.versions import make_version, put_into_service

pytestmark = pytest.mark.django_db

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAMS = ("api:", "subsonic:", "admin:")
NONE: Mapping[str, object] = {}
NOTHING: Mapping[str, object] = {
    "uuid": uuid.UUID(int=0),
    "int": 0,
    "slug": "mine",
    "string": "x",
    "path": "x",
}


def _filled(pattern: URLPattern | URLResolver) -> dict[str, object]:
    # Where an address is a regular expression, as some of django-allauth's are, a digit fits.
    values: dict[str, object] = dict.fromkeys(pattern.pattern.regex.groupindex, "1")
    for key, converter in pattern.pattern.converters.items():
        values[key] = NOTHING[type(converter).__name__.removesuffix("Converter").lower()]
    return values


def _pages(
    patterns: Iterable[URLPattern | URLResolver], space: str = "", outer: Mapping[str, object] = NONE
) -> Iterator[tuple[str, str]]:
    """Every address that a browser may open, by its name, filled with what names nothing."""
    for each in patterns:
        values = {**outer, **_filled(each)}
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from _pages(each.url_patterns, inner, values)
        elif each.name and not space.startswith(PROGRAMS):
            yield space + each.name, reverse(space + each.name, kwargs=values)


@pytest.mark.slow
def test_no_page_of_the_site_refuses_to_be_opened(client: Client, staff: User) -> None:
    client.force_login(staff)
    pages = dict(_pages(get_resolver().url_patterns))
    assert {"library:upload", "training:review-bulk", "accounts:export", "account_login"} <= pages.keys()
    # It answers with a stream that does not end.
    del pages["library:events"]
    statuses = {name: client.get(address, headers=BROWSER).status_code for name, address in pages.items()}
    assert {name for name, status in statuses.items() if status == 405} == set()


def test_whoever_opens_the_address_of_a_form_lands_where_the_form_is(
    client: Client, staff: User, done_track: Callable[..., Track]
) -> None:
    client.force_login(staff)
    track, version = done_track(staff), make_version("candidate")
    put_into_service(make_version("champion"))
    job = Reanalysis.objects.create(scope="mine", requested_by=staff, total=1)
    playlist = playlists.create(owner=staff, title="List")
    other = uuid.uuid4()
    history, reviewed = reverse("library:history"), reverse("training:review-list")
    leads = {
        reverse("library:upload"): reverse("library:home"),
        reverse("library:sample", args=["riff"]): reverse("library:home"),
        reverse("library:bulk"): history,
        reverse("library:again", args=[track.pk]): reverse("library:track", args=[track.pk]),
        reverse("library:thumb", args=[track.pk, other]): reverse("library:track", args=[track.pk]),
        reverse("library:playlist-edit", args=[playlist.pk]): reverse("library:playlist", args=[playlist.pk]),
        reverse("library:bin-restore"): reverse("library:bin"),
        reverse("library:tagged-archive"): history,
        reverse("library:reanalysis-begin", args=["mine"]): history,
        reverse("library:reanalysis-begin", args=["catalogue"]): reverse("library:catalogue"),
        reverse("library:reanalysis-steer", args=[job.pk]): history,
        reverse("training:contribute-tracks"): history,
        reverse("training:review-decide", args=[other]): reverse("training:review"),
        reverse("training:review-bulk"): reviewed,
        reverse("training:review-bulk-undo"): reviewed,
        reverse("training:review-check"): reverse("training:review-health"),
        reverse("training:versions-import"): reverse("training:versions"),
        reverse("training:version-promote", args=[version.pk]): reverse(
            "training:version", args=[version.pk]
        ),
        reverse("accounts:add_token"): reverse("accounts:account"),
        reverse("accounts:export"): reverse("accounts:account"),
    }
    for address, page in leads.items():
        assertRedirects(client.get(address, headers=BROWSER), page, target_status_code=200)
    job.refresh_from_db()
    assert (job.status, Reanalysis.objects.count()) == (Reanalysis.Status.RUNNING, 1)


def test_a_form_sent_without_signing_in_leads_back_to_its_page(client: Client, owner: User) -> None:
    sent = client.post(reverse("library:sample", args=["riff"]))
    assert sent.status_code == 302
    next_page = parse_qs(urlsplit(sent["Location"]).query)["next"][0]
    client.force_login(owner)
    assertRedirects(client.get(next_page, headers=BROWSER), reverse("library:home"))
    assert not Track.objects.filter(owner=owner).exists()


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "This address shows nothing by itself"),
        ("ko", "이 주소만으로는 볼 수 있는 것이 없습니다"),
    ],
)
def test_another_method_is_answered_by_a_page_with_a_way_on(
    client: Client, owner: User, language: str, title: str
) -> None:
    client.force_login(owner)
    answer = client.post(reverse("library:history"), headers={**BROWSER, "Accept-Language": language})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    html = answer.content.decode()
    assert html.count(title) == 2
    assert f'href="{reverse("library:home")}"' in html


def test_programs_are_refused_in_few_words(client: Client, owner: User) -> None:
    client.force_login(owner)
    assert client.put(reverse("library:upload"), headers={"Accept": "*/*"}).content == b""
    answer = client.put("/api/v1/tracks/", headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")

"""Tracks in Django's admin."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.tests.conftest import Matrix

Make = Callable[..., Track]
LIST = "/admin/library/track/"


def change(track: Track) -> str:
    return f"{LIST}{track.pk}/change/"


@pytest.fixture
def desk(staff: User, client: Client) -> Client:
    client.force_login(staff)
    return client


def rows(client: Client, query: str = "") -> set[str]:
    """Return the titles in the list."""
    response = client.get(f"{LIST}{query}")
    assert response.status_code == 200
    return {track.title for track in response.context["cl"].result_list}


def form(track: Track, **changes: str) -> dict[str, str]:
    """Fill in the page of a track as it stands, but for `changes`."""
    filled = {"title": track.title, "artist": track.artist, "licence": "", "visibility": track.visibility}
    inline = {"analyses-TOTAL_FORMS": "0", "analyses-INITIAL_FORMS": "0"}
    return {**filled, "labelled_genre": "", **inline, **changes}


def test_the_list(desk: Client, owner: User, done_track: Make, queued_track: Make) -> None:
    done_track(owner, title="Blue", genre="jazz", confidence=0.73, unsure=True)
    queued_track(owner, title="Waiting")
    html = desk.get(LIST).content.decode()
    assert "jazz ?" in html
    assert "73%" in html
    assert "owner@example.org" in html


@pytest.mark.slow
def test_search_and_filters(
    desk: Client, owner: User, done_track: Make, queued_track: Make, genres: dict[str, Genre]
) -> None:
    blue = done_track(owner, title="Blue", artist="Joni", genre="blues")
    done_track(None, title="Noise", genre="", unsure=True)
    queued_track(owner, title="Waiting", original_name="take.wav")
    expected = {
        "": {"Blue", "Noise", "Waiting"},
        "?q=joni": {"Blue"},
        "?q=take.wav": {"Waiting"},
        "?q=owner@example": {"Blue", "Waiting"},
        f"?q={blue.pk}": {"Blue"},
        f"?q={blue.sha256}": {"Blue"},
        "?q=nothing": set(),
        "?genre=blues": {"Blue"},
        "?genre=-": {"Noise"},
        "?current__unsure__exact=1": {"Noise"},
        "?status__exact=queued": {"Waiting"},
        "?visibility__exact=catalogue": {"Noise"},
    }
    assert {query: rows(desk, query) for query in expected} == expected


@pytest.mark.parametrize("page", [LIST, f"{LIST}?q=song&genre=blues&o=4.5"])
def test_the_price_of_the_list_does_not_grow(
    desk: Client, owner: User, done_track: Make, genres: dict[str, Genre], page: str
) -> None:
    prices = []
    for count in (1, 9):
        for _ in range(count):
            done_track(owner, title="song", labelled_genre=genres["rock"])
        desk.get(page)
        with CaptureQueriesContext(connection) as queries:
            desk.get(page)
        prices.append(len(queries))
    assert prices[0] == prices[1]
    assert prices[0] <= 9


def test_the_page_of_a_track(
    desk: Client, owner: User, finished_track: Make, genres: dict[str, Genre]
) -> None:
    track = finished_track(owner)
    response = desk.get(change(track))
    html = response.content.decode()
    links = re.findall(r'<(?:audio|img)[^>]* src="(/media/[^"]+)"', html)
    assert len(links) == 5
    assert [desk.get(link).status_code for link in links] == [200] * 5
    assert html.count("<meter") == 10
    assert f'<th scope="row">{genres["hiphop"]}</th>' in html
    assert '<th scope="row">hiphop</th>' not in html
    assert str(track.current.model_version) in html if track.current else False


def test_a_failed_one_says_why(desk: Client, owner: User, queued_track: Make) -> None:
    track = queued_track(owner, status="failed", error_code="truncated")
    assert "truncated: The file is damaged" in desk.get(change(track)).content.decode()


def test_no_page_has_inline_scripts(desk: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    for page in ("/admin/", LIST, change(track), f"{LIST}{track.pk}/delete/"):
        response = desk.get(page)
        assert response.status_code == 200
        assert "script-src 'self'" in response["Content-Security-Policy"].split("; ")
        html = response.content.decode()
        for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL):
            assert "src=" in attributes or "application/json" in attributes or not body.strip()
        assert not re.search(r"\son[a-z]+=\"", html)


def test_the_price_of_the_page_does_not_grow(desk: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    prices = []
    for _ in range(2):
        desk.get(change(track))
        with CaptureQueriesContext(connection) as queries:
            desk.get(change(track))
        prices.append(len(queries))
        analysis = Analysis.objects.filter(track=track)[0]
        for _ in range(5):
            analysis.pk = None
            analysis.save(force_insert=True)
    assert prices[0] == prices[1]


def test_a_change_leaves_alone_what_a_worker_did_meanwhile(
    desk: Client, owner: User, done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = done_track(owner, title="old")
    validate = Track.validate_constraints

    def a_worker_comes_by(self: Track, *args: Any, **kwargs: Any) -> None:
        validate(self, *args, **kwargs)
        Track.objects.filter(pk=self.pk).update(status="running", attempt=7)

    monkeypatch.setattr(Track, "validate_constraints", a_worker_comes_by)
    response = desk.post(change(track), form(track, title="new"))
    assert response.status_code == 302, response.context["errors"]
    track.refresh_from_db()
    assert (track.title, track.status, track.attempt) == ("new", "running", 7)


def test_publishing(desk: Client, owner: User, done_track: Make, genres: dict[str, Genre]) -> None:
    track = done_track(owner)
    desk.post(change(track), form(track, visibility="catalogue", labelled_genre=str(genres["jazz"].pk)))
    track.refresh_from_db()
    assert (track.visibility, track.labelled_genre) == ("catalogue", genres["jazz"])


def test_a_track_that_nobody_owns_stays_public(desk: Client, done_track: Make) -> None:
    track = done_track(None)
    response = desk.post(change(track), form(track, visibility="private"))
    assert response.status_code == 200
    assert "nobody owns" in response.content.decode()
    track.refresh_from_db()
    assert track.visibility == "catalogue"


def test_tracks_are_not_made_here(desk: Client) -> None:
    assert desk.get(f"{LIST}add/").status_code == 403


def test_delete_takes_the_files_along(
    desk: Client,
    owner: User,
    done_track: Make,
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    kept = done_track(owner, title="kept")
    remaining = stored()
    one = done_track(owner, title="one")
    with django_capture_on_commit_callbacks(execute=True):
        assert desk.post(f"{LIST}{one.pk}/delete/", {"post": "yes"}).status_code == 302
    assert (list(Track.objects.all()), stored()) == ([kept], remaining)
    many = [done_track(owner, title=f"many {n}") for n in range(3)]
    action = {"action": "delete_selected", "_selected_action": [str(track.pk) for track in many]}
    asked = desk.post(f"{LIST}?q=many", action)
    assert "many 2" in asked.content.decode()
    assert Track.objects.count() == 4
    with django_capture_on_commit_callbacks(execute=True):
        assert desk.post(f"{LIST}?q=many", {**action, "post": "yes"}).status_code == 302
    assert (list(Track.objects.all()), list(Analysis.objects.all())) == ([kept], [kept.current])
    assert stored() == remaining


def test_analyse_again(
    desk: Client,
    owner: User,
    done_track: Make,
    queued_track: Make,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    done, running = done_track(owner), queued_track(owner, status="running")
    with django_capture_on_commit_callbacks() as callbacks:
        response = desk.post(
            LIST, {"action": "queue_again", "_selected_action": [str(done.pk), str(running.pk)]}
        )
    assert len(callbacks) == 1
    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "1 track is queued.",
        "1 track waits or runs already.",
    ]
    done.refresh_from_db()
    running.refresh_from_db()
    assert (done.status, running.status) == ("queued", "running")


def test_only_staff_come_in(matrix: Matrix, client: Client, done_track: Make) -> None:
    track = done_track(matrix.owner)
    for person in (None, matrix.owner, matrix.other, matrix.curator):
        client.logout()
        if person is not None:
            client.force_login(person)
        for page in (LIST, change(track)):
            answer = client.get(page)
            assert answer.status_code in (302, 403)
            assert track.title not in answer.content.decode()


def test_a_genre_that_the_catalogue_gives_is_not_deleted(
    desk: Client, owner: User, done_track: Make, genres: dict[str, Genre]
) -> None:
    polka = Genre.objects.create(slug="polka", name="Polka", colour="#123456")
    for n in range(22):
        done_track(owner, title=f"labelled {n}", labelled_genre=polka)
    address = f"/admin/classifier/genre/{polka.pk}/delete/"
    page = desk.get(address).content.decode()
    assert "labelled" in page
    assert "and 2 more" in page
    desk.post(address, {"post": "yes"})
    assert Track.objects.filter(labelled_genre=polka).count() == 22
    Track.objects.update(labelled_genre=genres["jazz"])
    assert desk.post(address, {"post": "yes"}).status_code == 302
    assert not Genre.objects.filter(slug="polka").exists()

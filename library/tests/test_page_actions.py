"""Renaming, analysing again and deleting from the pages: one track, and many at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from genreweb.accounts.models import User
from library.models import Analysis, Track

HTMX = {"HX-Request": "true"}
BULK = "/tracks/bulk/"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def events(answer: Any) -> dict[str, Any]:
    return dict(json.loads(answer.headers["HX-Trigger"]))


# --- rename ----------------------------------------------------------------------------------------------
def test_a_new_title_is_kept_and_shown(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner, title="Old")
    url = reverse("library:rename", args=[track.pk])
    field = page.get(url, headers=HTMX).content.decode()
    assert 'value="Old"' in field
    assert "<html" not in field
    answer = page.post(url, {"title": "  New\u202e \t name "}, headers=HTMX)
    assert answer.status_code == 200
    assert ">New name</a>" in answer.content.decode()
    track.refresh_from_db()
    assert track.title == "New name"


@pytest.mark.parametrize("title", ["", "   ", "\u200b\u202e", "x" * 201])
def test_a_title_that_is_none_is_refused(
    page: Client, owner: User, done_track: Callable[..., Track], title: str
) -> None:
    track = done_track(owner, title="Old")
    answer = page.post(reverse("library:rename", args=[track.pk]), {"title": title}, headers=HTMX)
    assert 'aria-invalid="true"' in answer.content.decode()
    track.refresh_from_db()
    assert track.title == "Old"


def test_renaming_can_be_given_up(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner, title="Old")
    answer = page.get(reverse("library:rename", args=[track.pk]) + "?cancel=1", headers=HTMX)
    assert ">Old</a>" in answer.content.decode()


def test_renaming_works_without_a_script(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner, title="Old")
    url = reverse("library:rename", args=[track.pk])
    assert "<html" in page.get(url).content.decode()
    assert page.post(url, {"title": "New"}).headers["Location"] == reverse("library:history")
    track.refresh_from_db()
    assert track.title == "New"


# --- analyse again ---------------------------------------------------------------------------------------
def test_a_failed_track_is_queued_again_and_its_row_comes_back(
    page: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner, status="failed", error_code="internal", tries=3)
    answer = page.post(reverse("library:again", args=[track.pk]), {"list": "history"}, headers=HTMX)
    row = answer.content.decode()
    assert f'id="history-{track.pk}" hx-swap-oob="true" data-watch="history.{track.pk}.queued."' in row
    track.refresh_from_db()
    assert (track.status, track.error_code, track.tries) == ("queued", "", 0)


def test_without_a_script_it_leads_to_the_result(
    page: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner)
    answer = page.post(reverse("library:again", args=[track.pk]), {"list": "history"})
    assert answer.headers["Location"] == reverse("library:track", args=[track.pk])
    track.refresh_from_db()
    assert track.status == "queued"
    assert track.current is not None


def test_a_track_that_runs_is_left_alone(
    page: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner, status="running", attempt=1)
    page.post(reverse("library:again", args=[track.pk]))
    track.refresh_from_db()
    assert (track.status, track.attempt) == ("running", 1)


# --- delete ----------------------------------------------------------------------------------------------
def test_deleting_asks_first(
    page: Client, owner: User, done_track: Callable[..., Track], stored: Callable[[], list[str]]
) -> None:
    track = done_track(owner, title="Song <3")
    url = reverse("library:delete", args=[track.pk])
    for headers in (HTMX, {}):
        question = page.get(url, headers=headers).content.decode()
        assert "Delete “Song &lt;3”?" in question
    assert Track.objects.filter(pk=track.pk).exists()
    assert len(stored()) == 5


@pytest.mark.usefixtures("no_bin")
def test_deleting_removes_row_verdict_and_files(
    page: Client,
    owner: User,
    done_track: Callable[..., Track],
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    track = done_track(owner, title="Song")
    with django_capture_on_commit_callbacks(execute=True):
        answer = page.post(reverse("library:delete", args=[track.pk]), {"list": "history"}, headers=HTMX)
    assert answer.status_code == 204
    told = events(answer)
    assert told["toast"]["text"] == "“Song” is deleted."
    assert told["tracks-gone"] == {"ids": [str(track.pk)]}
    assert told["tracks-changed"] is told["dialog-close"] is True
    assert not Track.objects.exists()
    assert not Analysis.objects.exists()
    assert stored() == []


@pytest.mark.usefixtures("no_bin")
def test_deleting_from_elsewhere_leads_to_the_history(
    page: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner)
    answer = page.post(reverse("library:delete", args=[track.pk]))
    assert answer.headers["Location"] == reverse("library:history")
    assert not Track.objects.exists()


# --- many at once ----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("no_bin")
def test_many_are_deleted_after_asking(
    page: Client,
    owner: User,
    done_track: Callable[..., Track],
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    tracks = [done_track(owner) for _number in range(3)]
    chosen = {"action": "delete", "track": [str(track.pk) for track in tracks[:2]]}
    question = page.post(BULK, chosen, headers=HTMX).content.decode()
    assert "Delete 2 tracks?" in question
    assert all(f'value="{pk}"' in question for pk in chosen["track"])
    assert Track.objects.count() == 3
    with django_capture_on_commit_callbacks(execute=True):
        answer = page.post(BULK, {**chosen, "confirmed": "1"}, headers=HTMX)
    assert events(answer)["toast"]["text"] == "2 tracks are deleted."
    assert list(Track.objects.all()) == [tracks[2]]
    assert len(stored()) == 5


def test_many_are_analysed_again(
    page: Client, owner: User, done_track: Callable[..., Track], queued_track: Callable[..., Track]
) -> None:
    tracks = [done_track(owner), done_track(owner), queued_track(owner, status="running")]
    answer = page.post(BULK, {"action": "again", "track": [track.pk for track in tracks]}, headers=HTMX)
    assert events(answer)["toast"]["text"] == "2 tracks are analysed again."
    assert sorted(Track.objects.values_list("status", flat=True)) == ["queued", "queued", "running"]


@pytest.mark.usefixtures("no_bin")
def test_other_peoples_tracks_are_not_touched_by_a_bulk_action(
    page: Client, owner: User, other: User, done_track: Callable[..., Track]
) -> None:
    mine, foreign = done_track(owner), done_track(other)
    catalogue = done_track(None, catalogue_key="a")
    everything = {"track": [mine.pk, foreign.pk, catalogue.pk]}
    page.post(BULK, {**everything, "action": "again"})
    foreign.refresh_from_db()
    catalogue.refresh_from_db()
    assert (foreign.status, catalogue.status) == ("done", "done")
    page.post(BULK, {**everything, "action": "delete", "confirmed": "1"})
    assert set(Track.objects.all()) == {foreign, catalogue}


@pytest.mark.parametrize(
    "sent",
    [{}, {"action": "delete"}, {"action": "delete", "track": ["x", str(uuid.uuid4())]}, {"action": "x"}],
)
def test_nothing_chosen_is_said(page: Client, sent: dict[str, Any]) -> None:
    answer = page.post(BULK, sent, headers=HTMX)
    assert events(answer)["toast"]["text"] == "Choose at least one track."
    assert page.post(BULK, sent).headers["Location"] == reverse("library:history")


@pytest.mark.usefixtures("no_bin")
def test_many_work_without_a_script(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner)
    question = page.post(BULK, {"action": "delete", "track": [track.pk]})
    assert "<html" in question.content.decode()
    answer = page.post(BULK, {"action": "delete", "track": [track.pk], "confirmed": "1"})
    assert answer.headers["Location"] == reverse("library:history")
    assert not Track.objects.exists()


# --- who may ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("who", ["other", "curator", "staff"])
@pytest.mark.parametrize(
    ("method", "name"),
    [("get", "rename"), ("post", "rename"), ("post", "again"), ("get", "delete"), ("post", "delete")],
)
def test_other_peoples_tracks_do_not_exist(
    request: pytest.FixtureRequest, done_track: Callable[..., Track], who: str, method: str, name: str
) -> None:
    track = done_track(request.getfixturevalue("owner"), title="Song")
    client = Client()
    client.force_login(request.getfixturevalue(who))
    answer = getattr(client, method)(reverse(f"library:{name}", args=[track.pk]), {"title": "Mine now"})
    assert answer.status_code == 404
    track.refresh_from_db()
    assert (track.title, track.status) == ("Song", "done")


def test_a_catalogue_track_can_be_seen_but_not_changed(
    page: Client, done_track: Callable[..., Track]
) -> None:
    track = done_track(None, catalogue_key="a")
    for name in ("rename", "again", "delete"):
        assert page.post(reverse(f"library:{name}", args=[track.pk]), {"title": "x"}).status_code == 404
    assert Track.objects.filter(pk=track.pk, status="done").exists()


@pytest.mark.parametrize("name", ["rename", "again", "delete"])
def test_strangers_are_asked_to_sign_in(
    client: Client, owner: User, done_track: Callable[..., Track], name: str
) -> None:
    track = done_track(owner)
    answer = client.post(reverse(f"library:{name}", args=[track.pk]), {"title": "x"})
    assert answer.headers["Location"].startswith(reverse("account_login"))
    track.refresh_from_db()
    assert (track.title, track.status) == ("Song", "done")


def test_looking_changes_nothing(page: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner)
    assert page.get(reverse("library:again", args=[track.pk])).status_code == 302
    assert page.get(BULK, {"action": "delete", "track": str(track.pk)}).status_code == 302

"""The page of a track whose analysis waits, runs or has failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.models import Genre
from genreweb.accounts.models import User
from library.errors import sentence
from library.models import Track

HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner_client(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def page(client: Client, track: Track) -> str:
    response = client.get(reverse("library:track", args=[track.pk]))
    assert response.status_code == 200
    return response.content.decode()


def asks(html: str) -> str:
    """Return the URL that a page polls."""
    match = re.search(r'id="progress"[^>]* hx-get="([^"]+)"', html)
    assert match
    return match.group(1)


def current_step(html: str) -> str:
    match = re.search(r'aria-current="step">.*?<span class="step-name">(.*?)</span>', html)
    assert match
    return match.group(1)


@pytest.mark.slow
def test_a_waiting_track_shows_its_steps_and_asks_for_more(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner)
    html = page(owner_client, track)
    assert current_step(html) == "waiting for a free worker"
    assert html.count('<li class="step') == 1 + len(Track.Step)
    assert "data-sound" not in html
    assert reverse("library:delete", args=[track.pk]) in html


def test_nothing_is_sent_while_nothing_changes_and_each_step_once(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner)
    url = asks(page(owner_client, track))
    unchanged = owner_client.get(url, headers=HTMX)
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    Track.objects.filter(pk=track.pk).update(status="running", step=Track.Step.CLASSIFY, attempt=1)
    changed = owner_client.get(url, headers=HTMX)
    html = changed.content.decode()
    assert current_step(html) == "listening for the genre"
    assert html.count("is-done") == 3
    assert '<p id="track-news" hx-swap-oob="innerHTML">Listening for the genre</p>' in html
    assert owner_client.get(asks(html), headers=HTMX).status_code == 204


def test_the_whole_result_comes_at_the_end_and_nobody_asks_any_more(
    owner_client: Client,
    owner: User,
    queued_track: Callable[..., Track],
    done_track: Callable[..., Track],
) -> None:
    url = asks(page(owner_client, queued_track(owner)))
    track = done_track(owner, genre="disco", confidence=0.9)
    url = re.sub(r"[0-9a-f-]{36}", str(track.pk), url)
    response = owner_client.get(url, headers=HTMX)
    html = response.content.decode()
    assert response["HX-Retarget"] == "#result"
    assert response["HX-Reswap"] == "outerHTML"
    assert html.startswith('<div id="result"')
    assert "data-sound" in html
    assert 'id="progress"' not in html
    assert not re.search(r'hx-trigger="[^"]*(every|load)|data-live', html)
    assert re.search(r'id="track-news"[^>]*>The analysis is done\. Disco, 90&#8239;%', html)
    # What browsers play may have been made meanwhile.
    assert re.search(
        rf'id="track-play"[^>]*hx-swap-oob="true"><button[^>]*data-play="{track.player_url}"', html
    )


def test_a_page_whose_track_is_gone_is_told_to_look_again(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner)
    url = asks(page(owner_client, track))
    track.delete()
    response = owner_client.get(url, headers=HTMX)
    assert response.status_code == 404
    assert response["HX-Refresh"] == "true"


def test_who_waits_long_with_no_worker_alive_is_told(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner)
    url = asks(page(owner_client, track))
    said = "No analysis worker is running"
    assert said not in page(owner_client, track)
    Track.objects.filter(pk=track.pk).update(queued_at=timezone.now() - timedelta(minutes=1))
    assert said in page(owner_client, track)
    assert said in owner_client.get(url, headers=HTMX).content.decode()


def test_a_failed_track_says_why_and_offers_another_try(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner, status="failed", error_code="file_missing")
    html = page(owner_client, track)
    assert sentence("file_missing") in html
    assert "Try again" in html
    assert reverse("library:again", args=[track.pk]) in html
    assert 'id="progress"' not in html


@pytest.mark.slow
def test_trying_again_queues_the_track_and_shows_its_steps(
    owner_client: Client,
    owner: User,
    queued_track: Callable[..., Track],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    track = queued_track(owner, status="failed", error_code="internal", tries=3)
    with django_capture_on_commit_callbacks() as callbacks:
        response = owner_client.post(reverse("library:again", args=[track.pk]), headers=HTMX, follow=True)
    html = response.content.decode()
    track.refresh_from_db()
    assert (track.status, track.error_code, track.tries) == ("queued", "", 0)
    assert len(callbacks) == 1
    assert current_step(html) == "waiting for a free worker"
    assert sentence("internal") not in html


def test_an_old_verdict_stays_while_the_track_is_analysed_again_and_after_that_failed(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, genre="pop", confidence=0.66)
    Track.objects.filter(pk=track.pk).update(status="running", step=Track.Step.DECODE)
    html = page(owner_client, track)
    assert current_step(html) == "decoding the sound"
    assert "Pop, 66&#8239;%" in html
    assert reverse("library:again", args=[track.pk]) not in html
    Track.objects.filter(pk=track.pk).update(status="failed", step="", error_code="internal")
    html = page(owner_client, track)
    assert sentence("internal") in html
    assert "Below is what was heard before." in html
    assert "Pop, 66&#8239;%" in html


def test_a_failed_end_is_told_as_news(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner, status="failed", error_code="time_limit")
    url = reverse("library:track-result", args=[track.pk])
    html = owner_client.get(url, {"seen": "running-decode-0"}, headers=HTMX).content.decode()
    assert (
        f'<p id="track-news" hx-swap-oob="innerHTML">The analysis failed. {sentence("time_limit")}</p>'
        in html
    )

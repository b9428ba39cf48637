"""Explanations on the page of a track: request, progress, result, and permissions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from genreweb.accounts.models import User
from library.errors import sentence
from library.models import Analysis, Explanation, Track
from library.services.explanations import explain
from library.tests.conftest import Matrix
from library.tests.sounds import chords, wav
from library.views.why import in_words

Make = Callable[..., Track]
HTMX = {"HX-Request": "true"}
BANDS = [0.0, 125.0, 250.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 6000.0, 8000.0, 11025.0]


def summary(**parts: list[tuple[float, float]]) -> dict[str, Any]:
    named = {
        name: [{"from": low, "to": high, "share": 0.5} for low, high in parts.get(name, [])]
        for name in ("bands_for", "bands_against", "moments_for", "moments_against")
    }
    return {"genre": "blues", "bands": BANDS, "slices": [0.0, 30.0], "effects": [[0.0]] * 11, **named}


def explained(track: Track, **parts: list[tuple[float, float]]) -> Explanation:
    explanation = Explanation(analysis=track.current, status="done", summary=summary(**parts))
    explanation.picture.save("why.png", ContentFile(b"PNG"), save=False)
    explanation.save(force_insert=True)
    return explanation


def page(client: Client, track: Track) -> str:
    response = client.get(reverse("library:track", args=[track.pk]))
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def address(track: Track) -> str:
    return reverse("library:track-why", args=[track.pk])


def asks(html: str) -> str | None:
    """Return the URL that a page polls."""
    match = re.search(r'hx-get="([^"]+/why/\?seen=[^"]*)"', html)
    return unescape(match.group(1)) if match else None


@pytest.fixture
def owner_client(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def test_the_question_is_offered_and_nothing_worked_out_unasked(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    html = page(owner_client, done_track(owner))
    assert "Why this genre?" in words(html)
    assert 'id="tab-why"' in html
    assert re.search(r'<div id="why" [^>]*hidden>', html)
    assert asks(html) is None
    assert "<img" not in html[html.index('id="why-map"') : html.index("data-ruler")]
    assert not Explanation.objects.exists()


def test_an_unsure_verdict_is_asked_about_its_likeliest_genre(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    html = page(owner_client, done_track(owner, genre="country", confidence=0.3, unsure=True))
    assert "Why country?" in words(html)


def test_without_music_there_is_no_question(owner_client: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner, unsure=True)
    Analysis.objects.update(genre="")
    html = page(owner_client, track)
    assert "tab-why" not in html
    assert address(track) not in html
    for response in (owner_client.get(address(track)), owner_client.post(address(track), headers=HTMX)):
        assert response.status_code == 404
    assert not Explanation.objects.exists()


@pytest.mark.slow
def test_asked_waited_for_and_answered(owner_client: Client, owner: User, finished_track: Make) -> None:
    track = finished_track(owner, sound=wav(chords(8, seed=1)))
    Analysis.objects.update(genre="jazz")
    html = owner_client.post(address(track), headers=HTMX).content.decode()
    assert "Waiting for a free worker…" in html
    url = asks(html)
    assert url is not None
    unchanged = owner_client.get(url, headers=HTMX)
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    Explanation.objects.update(status="running")
    html = owner_client.get(url, headers=HTMX).content.decode()
    assert "Covering one band and moment after another" in html
    Explanation.objects.update(status="queued")
    explain(explanation_id=Explanation.objects.get().pk)

    html = owner_client.get(asks(html) or "", headers=HTMX).content.decode()
    done = Explanation.objects.get()
    said = words(in_words(done.summary, "jazz"))
    assert said in words(html)
    assert asks(html) is None
    assert re.search(rf'id="why-map"[^>]*hx-swap-oob="true"><img src="{done.picture.url}" alt="', html)
    assert re.search(r'id="track-news" hx-swap-oob="innerHTML">(.*?)</p>', html, re.S)
    # From then on it is on the page.
    html = page(owner_client, track)
    assert said in words(html)
    assert done.picture.url in html
    assert "hx-post" not in html[html.index('id="why"') : html.index('id="axis-help"')]


def test_a_double_click_asks_once(owner_client: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner)
    for _ in range(2):
        assert owner_client.post(address(track), headers=HTMX).status_code == 200
    assert Explanation.objects.count() == 1


def test_a_page_opened_meanwhile_goes_on_by_itself(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    owner_client.post(address(track), headers=HTMX)
    url = asks(page(owner_client, track))
    assert url is not None
    assert owner_client.get(url, headers=HTMX).status_code == 204


def test_a_failure_says_why_and_offers_another_try(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    owner_client.post(address(track), headers=HTMX)
    explain(explanation_id=Explanation.objects.get().pk)
    html = page(owner_client, track)
    assert sentence("version_gone") in html
    assert "Try again" in words(html)
    assert asks(html) is None
    assert "Waiting for a free worker…" in owner_client.post(address(track), headers=HTMX).content.decode()
    assert Explanation.objects.get().status == "queued"


def test_who_waits_long_with_no_worker_alive_is_told(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    url = asks(owner_client.post(address(track), headers=HTMX).content.decode())
    Explanation.objects.update(queued_at=timezone.now() - timedelta(minutes=1))
    assert "No analysis worker is running" in owner_client.get(url or "", headers=HTMX).content.decode()


def test_a_private_track_answers_to_its_owner_alone(
    client: Client, matrix: Matrix, done_track: Make, genres: dict[str, Genre]
) -> None:
    track = done_track(matrix.owner)
    for person in (None, *matrix.strangers):
        if person:
            client.force_login(person)
        assert client.get(address(track), headers=HTMX).status_code == 404
        assert client.post(address(track), headers=HTMX).status_code == 404
    assert not Explanation.objects.exists()


def test_strangers_read_what_was_asked_about_the_catalogue_and_sign_in_to_ask(
    client: Client, other: User, done_track: Make, genres: dict[str, Genre]
) -> None:
    track = done_track(None)
    html = page(client, track)
    assert "Sign in to find out" in words(html)
    assert "Why this genre?" not in words(html)
    refused = client.post(address(track), headers=HTMX)
    assert refused.status_code == 302
    assert "/login/" in refused["Location"]
    assert not Explanation.objects.exists()
    explained(track, bands_for=[(250, 1000)])
    html = page(client, track)
    assert "What spoke most for blues: the lower middle" in words(html)
    assert "Why this genre?" in words(html)


def test_without_a_script_the_way_leads_back_to_the_page(
    owner_client: Client, owner: User, done_track: Make
) -> None:
    track = done_track(owner)
    assert owner_client.post(address(track)).status_code == 302
    assert Explanation.objects.count() == 1


@pytest.mark.parametrize("done", [False, True])
def test_the_page_costs_no_query_more(
    owner_client: Client,
    owner: User,
    done_track: Make,
    django_assert_num_queries: DjangoAssertNumQueries,
    done: bool,
) -> None:
    track = done_track(owner)
    if done:
        explained(track, bands_for=[(250, 1000)])
    page(owner_client, track)
    # The session, the person, the track with its explanation, the genres, the neighbours (six, and the
    # thumbs on them) and former verdicts; whether the person curates, their news, and what they said of
    # the track.
    with django_assert_num_queries(16):
        page(owner_client, track)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {
                "bands_for": [(250, 1000)],
                "moments_for": [(20, 22), (12, 14)],
                "bands_against": [(8000, 11025)],
            },
            "What spoke most for blues: the lower middle (250 Hz–1 kHz), most of all around 0:13 and 0:21. "
            "Against it: the treble (above 8 kHz).",
        ),
        (
            {"bands_for": [(1000, 1500), (0, 250)], "moments_against": [(60, 75)]},
            "What spoke most for blues: the middle (1–1.5 kHz) and the bass (under 250 Hz), throughout. "
            "Against it: around 1:00–1:15.",
        ),
        (
            {
                "moments_for": [(0, 2), (4, 8), (10, 12)],
                "bands_against": [(500, 1500)],
                "moments_against": [(2, 4)],
            },
            "What spoke most for blues: the sound as a whole, most of all around 0:01, 0:04–0:08 and 0:11. "
            "Against it: the middle (500 Hz–1.5 kHz), and around 0:03.",
        ),
        (
            {},
            "No band and no moment stands out: what spoke for blues is spread over the whole sound. "
            "Nothing in particular spoke against it.",
        ),
    ],
)
def test_the_map_in_words(parts: dict[str, list[tuple[float, float]]], said: str) -> None:
    assert in_words(summary(**parts), "blues").replace("\u202f", " ") == said

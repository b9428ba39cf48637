"""The pages of review: who may see them, what they show, what a click changes."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import Matrix
from training.models import Clip, ClipDecision, LabelCheck
from training.services import review
from training.services.clips import withdraw
from training.tests.clips import make_clip
from training.views.review_cards import ACTION_KEYS, picks

Genres = dict[str, Genre]
JSON: dict[str, Any] = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def desk(curator: User, client: Client) -> Client:
    client.force_login(curator)
    return client


def pages(clip: Clip) -> list[tuple[str, str]]:
    return [
        ("get", "/review/"),
        ("get", "/review/next/"),
        ("get", "/review/list/"),
        ("get", "/review/health/"),
        ("get", f"/review/{clip.pk}/mel.jpeg"),
        ("post", f"/review/{clip.pk}/decide/"),
        ("post", f"/review/{clip.pk}/undo/"),
        ("post", "/review/bulk/"),
        ("post", "/review/bulk/undo/"),
        ("post", "/review/health/check/"),
    ]


@pytest.mark.slow
def test_who_may(matrix: Matrix, client: Client, genres: Genres) -> None:
    clip = make_clip(matrix.owner, genres["blues"], title="Secret")
    for person in (None, matrix.owner, matrix.other, matrix.curator, matrix.staff):
        client.logout()
        if person is not None:
            client.force_login(person)
        may = person in (matrix.curator, matrix.staff)
        for method, address in pages(clip):
            answer = getattr(client, method)(address, {"decision": "nothing"})
            if may:
                assert answer.status_code in (200, 302), (person, address)
                assert "/accounts/login/" not in answer.get("Location", "")
            elif person is None:
                assert answer.status_code == 302
                assert "/accounts/login/" in answer["Location"]
            else:
                assert answer.status_code == 404, (person, address)
                assert b"Secret" not in answer.content
    assert not ClipDecision.objects.exists()


def test_a_get_decides_nothing(desk: Client, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    for address in (f"/review/{clip.pk}/decide/", f"/review/{clip.pk}/undo/", "/review/bulk/"):
        assert desk.get(address, {"decision": "approve"}).status_code == 302
    assert not ClipDecision.objects.exists()


def test_the_card_shows_what_speaks_for_and_against(
    desk: Client, owner: User, genres: Genres, version: ModelVersion
) -> None:
    near = make_clip(owner, genres["rock"], version=version, angle=5, title="Near", status="approved")
    make_clip(owner, genres["jazz"], version=version, angle=80, title="Far", status="approved")
    make_clip(owner, genres["pop"], version=version, angle=0, title="Unseen", status="rejected")
    clip = make_clip(
        owner,
        genres["blues"],
        version=version,
        opinion={"rock": 0.71, "blues": 0.2, "jazz": 0.09},
        angle=0,
        title="<b>Take</b>",
        comment="Live\nin Oslo",
        leaks=True,
        duplicate_of=near,
    )
    html = desk.get("/review/").content.decode()
    assert "&lt;b&gt;Take&lt;/b&gt;" in html
    assert "1 waiting" in html
    assert "the classifier hears Rock, 71" in html
    assert "frozen test set" in html
    assert "Sounds the same as" in html
    assert "Live\nin Oslo" in html
    assert html.index('review-near-title">Near') < html.index('review-near-title">Far')
    assert "Unseen" not in html
    assert f'value="{clip.status}.blues"' in html
    assert html.count("data-pick-key") == 10 + 6


def test_no_key_of_a_decision_picks_a_genre(genres: Genres) -> None:
    more = [Genre(slug=f"more-{place}", name=f"More {place}") for place in range(30)]
    keys = [key for key, _genre in picks([*genres.values(), *more])]
    assert keys[:10] == list("1234567890")
    assert len(set(filter(None, keys))) == 10 + 26 - len(ACTION_KEYS)
    assert not set(keys) & set(ACTION_KEYS)


def test_the_most_disputed_comes_first_and_others_are_ready(
    desk: Client, owner: User, genres: Genres
) -> None:
    for place in range(5):
        make_clip(owner, genres["blues"], title=f"clip {place}", disputed=place / 10)
    response = desk.get("/review/")
    assert response.context["card"].title == "clip 4"
    assert [card.title for card in response.context["ahead"]] == ["clip 3", "clip 2"]
    first = response.context["card"].clip.pk
    skipped = desk.get("/review/", {"skip": [str(first), "nonsense"]})
    assert skipped.context["card"].title == "clip 3"
    wanted = Clip.objects.get(title="clip 0")
    assert desk.get(f"/review/?clip={wanted.pk}").context["card"].title == "clip 0"


def test_nothing_waits(desk: Client, owner: User, genres: Genres) -> None:
    make_clip(owner, genres["blues"], status="checking")
    html = desk.get("/review/").content.decode()
    assert "Nothing waits" in html
    assert "0 waiting" in html


def test_deciding_by_script(desk: Client, owner: User, curator: User, genres: Genres) -> None:
    clips = [make_clip(owner, genres["blues"], title=f"clip {n}", disputed=1 - n / 10) for n in range(4)]
    answer = desk.post(
        f"/review/{clips[0].pk}/decide/",
        {"decision": "relabel:rock", "seen": "pending.blues", "have": [str(clips[1].pk)]},
        **JSON,
    ).json()
    assert answer["waiting"] == 3
    assert [f'data-card="{clip.pk}"' in html for clip, html in zip(clips[2:], answer["cards"], strict=True)]
    assert "clip 0" in answer["standing"]
    assert "Undo" in answer["standing"]
    clips[0].refresh_from_db()
    assert (clips[0].status, clips[0].genre.slug, clips[0].reviewed_by) == ("approved", "rock", curator)
    back = desk.post(f"/review/{clips[0].pk}/undo/", {}, **JSON).json()
    assert f'data-card="{clips[0].pk}"' in back["back"][0]
    clips[0].refresh_from_db()
    assert (clips[0].status, clips[0].genre.slug) == ("pending", "blues")
    again = desk.post(f"/review/{clips[0].pk}/undo/", {}, **JSON)
    assert (again.status_code, again.json()["error"]["code"]) == (400, "nothing_to_undo")


def test_what_goes_wrong_is_said(desk: Client, owner: User, staff: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    address = f"/review/{clip.pk}/decide/"
    expected = [
        ({"decision": "delete"}, 400, "unknown_decision"),
        ({"decision": "relabel:polka"}, 400, "unknown_genre"),
        ({"decision": "relabel:\0"}, 400, "unknown_genre"),
        ({"decision": "reject"}, 400, "reason_missing"),
        ({"decision": "approve", "seen": "pending.rock"}, 409, "changed_meanwhile"),
    ]
    for sent, status, code in expected:
        answer = desk.post(address, sent, **JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    review.reject(clip_id=clip.pk, by=staff, reason="no")
    late = desk.post(address, {"decision": "approve", "seen": "pending.blues"}, **JSON)
    assert (late.status_code, late.json()["settled"]) == (409, True)
    assert "staff@example.org" in late.json()["error"]["message"]
    gone = desk.post(f"/review/{uuid.uuid4()}/decide/", {"decision": "approve"}, **JSON)
    assert gone.json()["error"]["code"] == "clip_gone"
    assert ClipDecision.objects.count() == 1


def test_a_decision_about_a_withdrawn_clip_is_not_taken_back(
    desk: Client, curator: User, owner: User, genres: Genres
) -> None:
    clip = make_clip(owner, genres["blues"])
    review.approve(clip_id=clip.pk, by=curator)
    address = f"/review/{clip.pk}/undo/"
    assert address in desk.get("/review/").content.decode()
    withdraw(clip=clip)
    assert address not in desk.get("/review/").content.decode()
    assert "it was withdrawn or deleted" in desk.post(address, **JSON).json()["error"]["message"]
    assert "it was withdrawn or deleted" in desk.post(address, follow=True).content.decode()
    assert ClipDecision.objects.get().by == curator


def test_without_a_script(desk: Client, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    answer = desk.post(f"/review/{clip.pk}/decide/", {"decision": "reject", "reason": "hiss"}, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/review/")
    assert "Rejected: Clip." in answer.content.decode()
    desk.post(f"/review/{clip.pk}/undo/", follow=True)
    clip.refresh_from_db()
    assert clip.status == "pending"


def test_the_picture(desk: Client, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    first = desk.get(f"/review/{clip.pk}/mel.jpeg")
    assert first["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(first.content)).size == (1600, 256)
    assert "private" in first["Cache-Control"]
    again = desk.get(f"/review/{clip.pk}/mel.jpeg", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    clip.features.storage.delete(str(clip.features))
    assert desk.get(f"/review/{clip.pk}/mel.jpeg").status_code == 404
    assert "features of this clip are gone" in desk.get("/review/").content.decode()


@pytest.mark.slow
def test_the_list_and_its_filters(desk: Client, owner: User, other: User, genres: Genres) -> None:
    blue = make_clip(owner, genres["blues"], title="Blue", artist="Joni")
    make_clip(other, genres["rock"], title="Twin", duplicate_of=blue)
    make_clip(None, genres["jazz"], title="Bulk", leaks=True, sound=False)
    make_clip(owner, genres["blues"], title="Done", status="approved")
    made = Clip.objects.get(title="Bulk").dataset
    assert made is not None
    expected = {
        "": {"Blue", "Twin", "Bulk"},
        "?status=approved": {"Done"},
        "?status=all": {"Blue", "Twin", "Bulk", "Done"},
        "?genre=rock": {"Twin"},
        f"?contributor={owner.pk}": {"Blue"},
        f"?dataset={made.pk}": {"Bulk"},
        "?mark=leaks": {"Bulk"},
        "?mark=duplicates": {"Blue", "Twin"},
        "?q=joni": {"Blue"},
        "?q=%00": {"Blue", "Twin", "Bulk"},
        "?genre=polka&contributor=x": {"Blue", "Twin", "Bulk"},
        "?genre=jazz&q=joni": set(),
    }
    found = {}
    for query in expected:
        response = desk.get(f"/review/list/{query}")
        assert response.status_code == 200, query
        found[query] = {clip.title for clip in response.context["page"]}
    assert found == expected


@pytest.mark.parametrize(
    ("query", "words", "other"),
    [
        ("", "Nothing waits", "No clip"),
        ("?status=approved", "No clip is approved yet", "Nothing waits"),
        ("?status=rejected", "No clip was rejected", "Nothing waits"),
        ("?status=all", "There are no clips yet.", "Nothing waits"),
        ("?status=rejected&q=joni", "Nothing fits", "No clip was rejected"),
    ],
)
def test_an_empty_list_says_what_it_is_a_list_of(desk: Client, query: str, words: str, other: str) -> None:
    page = desk.get(f"/review/list/{query}").content.decode()
    assert words in page
    assert other not in page


def test_the_price_of_the_list_does_not_grow(
    desk: Client, owner: User, genres: Genres, version: ModelVersion
) -> None:
    prices = []
    for count in (1, 8):
        for _ in range(count):
            make_clip(owner, genres["blues"], version=version, opinion={"rock": 1.0}, sound=False)
        desk.get("/review/list/")
        with CaptureQueriesContext(connection) as queries:
            desk.get("/review/list/")
        prices.append(len(queries))
    assert prices[0] == prices[1]


def test_bulk(desk: Client, owner: User, staff: User, genres: Genres) -> None:
    clips = [make_clip(owner, genres["blues"]) for _ in range(3)]
    chosen = [f"{clip.pk}.pending.blues" for clip in clips] + ["nonsense"]
    htmx: dict[str, Any] = {"HTTP_HX_REQUEST": "true"}
    for sent in (
        {"action": "approve"},
        {"action": "relabel", "clip": chosen},
        {"action": "reject", "clip": chosen, "reason": " "},
        {"action": "burn", "clip": chosen},
    ):
        answer = desk.post("/review/bulk/", sent, **htmx)
        assert (answer.status_code, "toast" in json.loads(answer["HX-Trigger"])) == (204, True)
    assert not ClipDecision.objects.exists()
    review.approve(clip_id=clips[2].pk, by=staff)
    answer = desk.post("/review/bulk/", {"action": "reject", "clip": chosen, "reason": "hiss"}, **htmx)
    done = json.loads(answer["HX-Trigger"])["review-done"]
    assert "2 clips are rejected." in done["text"]
    assert "staff@example.org" in done["text"]
    assert set(done["clips"]) == {str(clip.pk) for clip in clips[:2]}
    desk.post(done["url"], {"clip": done["clips"]}, **htmx)
    states = [Clip.objects.get(pk=clip.pk).status for clip in clips]
    assert states == ["pending", "pending", "approved"]
    desk.post("/review/bulk/", {"action": "relabel", "clip": chosen[:1], "genre": "jazz"}, **htmx)
    assert Clip.objects.get(pk=clips[0].pk).genre.slug == "jazz"
    desk.post("/review/bulk/", {"action": "reopen", "clip": chosen[:1]}, follow=True)
    assert Clip.objects.get(pk=clips[0].pk).status == "pending"


def test_label_health(desk: Client, owner: User, genres: Genres) -> None:
    assert "have not been checked yet" in desk.get("/review/health/").content.decode()
    for title, suspicion in (("mild", 0.6), ("bad", 0.95), ("fine", 0.2)):
        make_clip(
            owner,
            genres["blues"],
            title=title,
            status="approved",
            suspicion=suspicion,
            doubted_genre="blues",
            suspected_genre="rock",
        )
    response = desk.get("/review/health/")
    assert [clip.title for clip in response.context["page"]] == ["bad", "mild"]
    card = desk.get("/review/?of=doubts")
    assert card.context["card"].title == "bad"
    assert "calls it Rock" in card.content.decode()
    bad = card.context["card"].clip
    desk.post(f"/review/{bad.pk}/decide/", {"of": "doubts", "decision": "approve", "seen": "approved.blues"})
    assert [clip.title for clip in desk.get("/review/health/").context["page"]] == ["mild"]


def test_a_check_is_asked_for_once(desk: Client, curator: User) -> None:
    for _ in range(2):
        answer = desk.post("/review/health/check/", HTTP_HX_REQUEST="true")
        assert answer.status_code == 204
    check = LabelCheck.objects.get()
    assert (check.status, check.requested_by) == ("queued", curator)
    html = desk.get("/review/health/").content.decode()
    assert "Waiting for a free worker" in html
    seen = desk.get("/review/health/?seen=queued", HTTP_HX_TARGET="results")
    assert seen.status_code == 204
    LabelCheck.objects.update(status="failed", error_code="no_classifier")
    assert "No classifier is in service" in desk.get("/review/health/").content.decode()

"""Clips and what came of them in the administration."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import Matrix
from training.models import Clip, ClipDecision, Promotion, Receipt, TrainingEpoch, TrainingRun
from training.services import review
from training.services.clips import withdraw
from training.tests.clips import make_clip

Genres = dict[str, Genre]
LIST = "/admin/training/clip/"


@pytest.fixture
def desk(staff: User, client: Client) -> Client:
    client.force_login(staff)
    return client


def act(desk: Client, action: str, clips: list[Clip], **more: str) -> tuple[Any, list[str]]:
    sent = {"action": action, "_selected_action": [str(clip.pk) for clip in clips], **more}
    response = desk.post(LIST, sent)
    return response, [str(message) for message in get_messages(response.wsgi_request)]


@pytest.mark.slow
def test_list_search_and_filters(desk: Client, owner: User, genres: Genres) -> None:
    make_clip(owner, genres["blues"], title="Blue", artist="Joni", disputed=0.75)
    make_clip(None, genres["rock"], title="Bulk", status="approved", leaks=True, sound=False)
    assert "75%" in desk.get(LIST).content.decode()
    expected = {
        "": {"Blue", "Bulk"},
        "?q=joni": {"Blue"},
        "?q=owner@example": {"Blue"},
        "?status__exact=approved": {"Bulk"},
        "?leaks__exact=1": {"Bulk"},
        f"?genre__id__exact={genres['rock'].pk}": {"Bulk"},
    }
    found = {
        query: {clip.title for clip in desk.get(f"{LIST}{query}").context["cl"].result_list}
        for query in expected
    }
    assert found == expected


def test_decisions_go_through_the_services(desk: Client, owner: User, staff: User, genres: Genres) -> None:
    clips = [make_clip(owner, genres["blues"], title=f"clip {n}") for n in range(3)]
    checking = make_clip(owner, genres["blues"], status="checking")
    _answer, said = act(desk, "approve", [clips[0], checking])
    assert said[0] == "1 clip is decided about."
    assert "still being checked" in said[1]
    asked, said = act(desk, "reject", [clips[1]])
    assert "clip 1" in asked.content.decode()
    assert ClipDecision.objects.count() == 1
    asked, said = act(desk, "reject", [clips[1]], decided="yes", reason=" ")
    assert (asked.status_code, said, ClipDecision.objects.count()) == (200, [], 1)
    act(desk, "reject", [clips[1]], decided="yes", reason="hiss")
    act(desk, "relabel", [clips[2]], decided="yes", genre=str(genres["jazz"].pk))
    rows = [Clip.objects.get(pk=clip.pk) for clip in clips]
    assert [(row.status, row.genre.slug, row.reason) for row in rows] == [
        ("approved", "blues", ""),
        ("rejected", "blues", "hiss"),
        ("approved", "jazz", ""),
    ]
    _answer, said = act(desk, "reopen", [clips[1], checking])
    assert said[-2] == "1 clip is decided about."
    assert "still being checked" in said[-1]
    assert Clip.objects.get(pk=clips[1].pk).status == "pending"
    kept = ClipDecision.objects.order_by("pk").values_list("clip", "by", "action", "reason")
    assert list(kept) == [
        (clips[0].pk, staff.pk, "approve", ""),
        (clips[1].pk, staff.pk, "reject", "hiss"),
        (clips[2].pk, staff.pk, "relabel", ""),
        (clips[1].pk, staff.pk, "reopen", ""),
    ]


def test_the_page_of_a_clip(desk: Client, owner: User, staff: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], opinion={"rock": 0.9, "blues": 0.1})
    review.reject(clip_id=clip.pk, by=staff, reason="hiss")
    html = desk.get(f"{LIST}{clip.pk}/change/").content.decode()
    assert "Rock 90%" in html
    assert f"/review/{clip.pk}/mel.jpeg" in html
    assert "hiss" in html
    inline = {"decisions-TOTAL_FORMS": "0", "decisions-INITIAL_FORMS": "0"}
    sent = {"title": "New", "artist": "", "comment": "", "status": "approved", **inline}
    assert desk.post(f"{LIST}{clip.pk}/change/", sent).status_code == 302
    clip.refresh_from_db()
    assert (clip.title, clip.status) == ("New", "rejected")
    assert desk.get(f"{LIST}add/").status_code == 403
    assert desk.get(f"{LIST}{clip.pk}/delete/").status_code == 403


@pytest.mark.slow
def test_what_others_depend_on_is_only_looked_at(
    desk: Client, owner: User, staff: User, genres: Genres, version: ModelVersion
) -> None:
    clip = make_clip(owner, genres["blues"])
    review.approve(clip_id=clip.pk, by=staff)
    run = TrainingRun.objects.create(kind="quick", architecture="residual-cnn", epochs=1)
    TrainingEpoch.objects.create(run=run, number=1, loss=1.0, seconds=1.0)
    rows = {
        "clipdecision": ClipDecision.objects.get().pk,
        "trainingrun": run.pk,
        "promotion": Promotion.objects.create(action="promote", version=version, reason="better").pk,
        "receipt": Receipt.objects.create(user=owner, version=version, clips=1).pk,
    }
    for name, pk in rows.items():
        base = f"/admin/training/{name}/"
        assert desk.get(base).status_code == 200, name
        assert desk.get(f"{base}{pk}/change/").status_code == 200, name
        assert desk.post(f"{base}{pk}/change/", {"reason": "forged"}).status_code == 403, name
        assert desk.post(f"{base}{pk}/delete/", {"post": "yes"}).status_code == 403, name
        assert desk.get(f"{base}add/").status_code == 403, name
    dataset = make_clip(None, genres["rock"]).dataset
    assert dataset is not None
    assert desk.get("/admin/training/dataset/").status_code == 200
    assert desk.post(f"/admin/training/dataset/{dataset.pk}/delete/", {"post": "yes"}).status_code == 403


def test_decisions_about_withdrawn_clips_are_shown(
    desk: Client, owner: User, staff: User, genres: Genres
) -> None:
    clip, kept = (make_clip(owner, genres["blues"], title=title) for title in ("Gone", "Kept"))
    for each in (clip, kept):
        review.reject(clip_id=each.pk, by=staff, reason="hiss")
    key = clip.pk
    withdraw(clip=clip)
    base = "/admin/training/clipdecision/"
    html = desk.get(base).content.decode()
    assert html.count("A clip that was withdrawn") == 1
    assert f'<a href="{LIST}{kept.pk}/change/">Kept</a>' in html
    assert "Gone" not in html
    decision = ClipDecision.objects.get(clip_key=key)
    assert list(desk.get(f"{base}?q={key}").context["cl"].result_list) == [decision]
    page = desk.get(f"{base}{decision.pk}/change/").content.decode()
    for shown in ("A clip that was withdrawn", str(key), "staff@example.org", "hiss"):
        assert shown in page


def test_only_staff_come_in(matrix: Matrix, client: Client, genres: Genres) -> None:
    clip = make_clip(matrix.owner, genres["blues"], title="Secret")
    for person in (None, matrix.owner, matrix.other, matrix.curator):
        client.logout()
        if person is not None:
            client.force_login(person)
        answer = client.post(LIST, {"action": "approve", "_selected_action": [str(clip.pk)]})
        assert answer.status_code in (302, 403)
        assert b"Secret" not in client.get(LIST).content
    assert not ClipDecision.objects.exists()


def test_a_genre_that_clips_have_is_not_deleted(desk: Client, owner: User, genres: Genres) -> None:
    polka = Genre.objects.create(slug="polka", name="Polka", colour="#123456")
    clip = make_clip(owner, polka, title="Oom-pah")
    page = desk.get(f"/admin/classifier/genre/{polka.pk}/delete/").content.decode()
    assert "Oom-pah" in page
    assert "permission" not in page
    desk.post(f"/admin/classifier/genre/{polka.pk}/delete/", {"post": "yes"})
    clip.refresh_from_db()
    assert clip.genre == polka

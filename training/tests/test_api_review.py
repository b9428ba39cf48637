"""Reviewing clips through the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from classifier.models import Genre
from genreweb.accounts.models import User
from library.tests.conftest import Api, Matrix
from training.models import Clip, ClipDecision
from training.tests.clips import make_clip

Genres = dict[str, Genre]
MANY = "/api/v1/clips/review/"


def one(clip: Clip) -> str:
    return f"/api/v1/clips/{clip.pk}/review/"


def test_who_may(matrix: Matrix, api: Api, genres: Genres) -> None:
    clip = make_clip(matrix.owner, genres["blues"])
    expected: list[tuple[User | AnonymousUser, int]] = [
        (matrix.anonymous, 401),
        (matrix.owner, 404),
        (matrix.other, 404),
        (matrix.curator, 200),
        (matrix.staff, 409),
    ]
    for person, status in expected:
        answer = api(person).post(one(clip), {"decision": "approve"})
        assert answer.status_code == status, person
        assert ("error" in answer.json()) == (status != 200)
        many = api(person).post(MANY, [{"id": str(clip.pk), "decision": "approve"}])
        assert many.status_code == (status if status in (401, 404) else 200), person
    assert ClipDecision.objects.count() == 1
    assert api(matrix.owner).get(one(clip)).status_code in (404, 405)


def test_the_three_decisions(owner: User, curator: User, api: Api, genres: Genres) -> None:
    program = api(curator)
    expected: list[tuple[dict[str, str], str, str]] = [
        ({"decision": "approve"}, "approved", "blues"),
        ({"decision": "relabel", "genre": "rock", "reason": "loud"}, "approved", "rock"),
        ({"decision": "reject", "reason": "speech"}, "rejected", "blues"),
    ]
    for sent, status, genre in expected:
        clip = make_clip(owner, genres["blues"])
        answer = program.post(one(clip), sent)
        assert answer.status_code == 200
        assert answer.json() == {
            "id": str(clip.pk),
            "status": status,
            "genre": genre,
            "contributed_genre": "blues",
            "reason": sent.get("reason", ""),
            "reviewed_at": answer.json()["reviewed_at"],
            "leaks": False,
        }
        clip.refresh_from_db()
        assert (clip.status, clip.genre.slug, clip.reviewed_by) == (status, genre, curator)


NONSENSE: list[tuple[Any, str]] = [
    ({}, "invalid"),
    ({"decision": "delete"}, "invalid"),
    ({"decision": "relabel"}, "invalid"),
    ({"decision": "relabel", "genre": "polka"}, "unknown_genre"),
    ({"decision": "relabel", "genre": ["rock"]}, "invalid"),
    ({"decision": "reject"}, "invalid"),
    ({"decision": "reject", "reason": "   "}, "invalid"),
    ({"decision": "reject", "reason": "x" * 501}, "invalid"),
    ({"decision": "reject", "reason": "a\0b"}, "invalid"),
    ({"decision": "approve", "seen": "checking"}, "invalid"),
    ("approve", "invalid"),
    ([], "invalid"),
]


def test_what_makes_no_sense(owner: User, curator: User, api: Api, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    program = api(curator)
    for sent, code in NONSENSE:
        answer = program.post(one(clip), sent)
        assert answer.status_code == 400, sent
        assert answer.json()["error"]["code"] == code, sent
    clip.refresh_from_db()
    assert (clip.status, clip.decisions.count()) == ("pending", 0)


def test_what_is_gone_taken_or_not_ready(
    owner: User, curator: User, staff: User, api: Api, genres: Genres
) -> None:
    checking = make_clip(owner, genres["blues"], status="checking")
    taken = make_clip(owner, genres["blues"], title="Mine")
    api(staff).post(one(taken), {"decision": "relabel", "genre": "rock"})
    program = api(curator)
    gone = program.post(f"/api/v1/clips/{uuid.uuid4()}/review/", {"decision": "approve"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "clip_gone")
    early = program.post(one(checking), {"decision": "approve"})
    assert (early.status_code, early.json()["error"]["code"]) == (409, "not_reviewable")
    late = program.post(one(taken), {"decision": "approve"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "already_reviewed")
    assert "staff@example.org" in late.json()["error"]["message"]
    on_purpose = program.post(one(taken), {"decision": "reject", "reason": "no", "seen": "used"})
    assert (on_purpose.status_code, on_purpose.json()["status"]) == (200, "rejected")
    assert program.post("/api/v1/clips/no-id/review/", {"decision": "approve"}).status_code == 404


def test_a_decision_is_taken_back(owner: User, curator: User, staff: User, api: Api, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    api(staff).post(one(clip), {"decision": "relabel", "genre": "rock"})
    for _ in range(2):
        answer = api(curator).delete(one(clip))
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    clip.refresh_from_db()
    assert (clip.status, clip.genre.slug) == ("pending", "blues")
    assert [decision.action for decision in clip.decisions.all()] == ["reopen", "relabel"]
    assert api(curator).post(one(clip), {"decision": "approve"}).status_code == 200


def test_who_may_take_a_decision_back(matrix: Matrix, api: Api, genres: Genres) -> None:
    clip = make_clip(matrix.owner, genres["blues"])
    checking = make_clip(matrix.owner, genres["blues"], status="checking")
    api(matrix.curator).post(one(clip), {"decision": "approve"})
    for person, status in ((matrix.anonymous, 401), (matrix.owner, 404), (matrix.other, 404)):
        assert api(person).delete(one(clip)).status_code == status
    clip.refresh_from_db()
    assert clip.status == "approved"
    assert api(matrix.curator).delete(one(checking)).status_code == 409
    assert api(matrix.curator).delete(f"/api/v1/clips/{uuid.uuid4()}/review/").status_code == 404


def test_a_list(owner: User, curator: User, staff: User, api: Api, genres: Genres) -> None:
    clips = [make_clip(owner, genres["blues"]) for _ in range(4)]
    api(staff).post(one(clips[3]), {"decision": "approve"})
    answer = api(curator).post(
        MANY,
        [
            {"id": str(clips[0].pk), "decision": "approve"},
            {"id": str(clips[1].pk), "decision": "reject"},
            {"id": "nonsense", "decision": "approve"},
            {"id": str(clips[2].pk), "decision": "relabel", "genre": "polka"},
            {"id": str(clips[3].pk), "decision": "approve"},
            "approve",
            {"id": str(clips[2].pk), "decision": "relabel", "genre": "jazz"},
        ],
    )
    assert answer.status_code == 200
    outcomes = answer.json()
    codes = [outcome["error"]["code"] if outcome["error"] else None for outcome in outcomes]
    assert codes == [None, "invalid", "invalid", "unknown_genre", "already_reviewed", "invalid", None]
    assert [outcome["clip"] is None for outcome in outcomes] == [code is not None for code in codes]
    assert outcomes[0]["clip"]["status"] == "approved"
    assert outcomes[6]["clip"]["genre"] == "jazz"
    assert outcomes[2]["id"] == "nonsense"
    states = [Clip.objects.get(pk=clip.pk).status for clip in clips]
    assert states == ["approved", "pending", "approved", "approved"]


@pytest.mark.parametrize("sent", [{}, [], {"id": "x"}, "approve", [{"decision": "approve"}] * 201])
def test_what_is_no_list_or_too_long(curator: User, api: Api, sent: Any) -> None:
    answer = api(curator).post(MANY, sent)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]

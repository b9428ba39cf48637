"""What curators decide, and what is left of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from classifier.models import Genre
from genreweb.accounts.models import User
from training.errors import TrainingError
from training.models import Clip, ClipDecision
from training.services import review
from training.services.clips import withdraw
from training.services.review import DecisionRequest, Seen
from training.tests.clips import make_clip

Genres = dict[str, Genre]


def history(clip: Clip) -> list[tuple[str, str, str, str, str]]:
    """Give action, status before, genres before and after, and reason of each decision, the oldest first."""
    return [
        (
            decision.action,
            decision.status_before,
            decision.genre_before.slug,
            decision.genre_after.slug,
            decision.reason,
        )
        for decision in clip.decisions.order_by("pk")
    ]


def fails(code: str, call: Callable[..., Any], **arguments: Any) -> TrainingError:
    with pytest.raises(TrainingError) as caught:
        call(**arguments)
    assert caught.value.code == code
    return caught.value


def test_approval(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    review.approve(clip_id=clip.pk, by=curator)
    clip.refresh_from_db()
    assert (clip.status, clip.genre, clip.reviewed_by) == ("approved", genres["blues"], curator)
    assert clip.reviewed_at is not None
    assert history(clip) == [("approve", "pending", "blues", "blues", "")]
    assert clip in Clip.objects.usable()


def test_relabelling_keeps_what_the_contributor_said(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    review.relabel(clip_id=clip.pk, by=curator, genre=genres["rock"], reason=" too\n loud ")
    clip.refresh_from_db()
    assert (clip.status, clip.genre.slug, clip.contributed_genre.slug) == ("approved", "rock", "blues")
    assert history(clip) == [("relabel", "pending", "blues", "rock", "too loud")]


def test_relabelling_to_its_own_label_approves(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    review.relabel(clip_id=clip.pk, by=curator, genre=genres["blues"])
    assert history(clip) == [("approve", "pending", "blues", "blues", "")]


def test_rejection_needs_a_reason(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    for nothing in ("", "  \n", "\u200b\0"):
        fails("reason_missing", review.reject, clip_id=clip.pk, by=curator, reason=nothing)
    clip.refresh_from_db()
    assert (clip.status, history(clip)) == ("pending", [])
    review.reject(clip_id=clip.pk, by=curator, reason="Speech" + "!" * 900)
    clip.refresh_from_db()
    assert clip.status == "rejected"
    assert clip.reason.startswith("Speech!")
    assert len(clip.reason) == 500
    assert clip not in Clip.objects.usable()


def test_a_clip_of_the_test_set_stays_marked(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], leaks=True, leaks_into="blues.00001")
    review.approve(clip_id=clip.pk, by=curator)
    clip.refresh_from_db()
    assert (clip.status, clip.leaks, clip.leaks_into) == ("approved", True, "blues.00001")
    assert not Clip.objects.usable().exists()


@pytest.mark.parametrize("status", ["checking", "failed"])
def test_what_is_not_checked_is_not_reviewed(owner: User, curator: User, genres: Genres, status: str) -> None:
    clip = make_clip(owner, genres["blues"], status=status)
    decisions: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (review.approve, {}),
        (review.approve, {"seen": Seen(status)}),
        (review.reject, {"reason": "no"}),
        (review.relabel, {"genre": genres["rock"]}),
        (review.reopen, {}),
        (review.undo, {}),
    ]
    for call, more in decisions:
        fails("not_reviewable", call, clip_id=clip.pk, by=curator, **more)
    clip.refresh_from_db()
    assert (clip.status, history(clip)) == (status, [])


def test_a_withdrawn_clip_is_gone(curator: User) -> None:
    fails("clip_gone", review.approve, clip_id=uuid.uuid4(), by=curator)
    fails("clip_gone", review.undo, clip_id=uuid.uuid4(), by=curator)


def test_decisions_outlive_their_clip(owner: User, curator: User, staff: User, genres: Genres) -> None:
    kept, clip = make_clip(owner, genres["pop"]), make_clip(owner, genres["blues"], title="Secret")
    review.approve(clip_id=kept.pk, by=curator)
    review.reject(clip_id=clip.pk, by=staff, reason="hiss")
    review.relabel(clip_id=clip.pk, by=curator, genre=genres["rock"], seen=Seen("rejected"))
    key, before = clip.pk, history(clip)
    rows = ClipDecision.objects.filter(clip_key=key).order_by("pk")
    when = [row.at for row in rows]
    withdraw(clip=clip)
    assert [(row.clip, row.by, row.at) for row in rows.all()] == [
        (None, staff, when[0]),
        (None, curator, when[1]),
    ]
    left = [
        (row.action, row.status_before, row.genre_before.slug, row.genre_after.slug, row.reason)
        for row in rows.all()
    ]
    assert left == before
    told = [str(value) for row in rows.values() for value in row.values()]
    assert not {"Secret", owner.email} & set(told)
    # It cannot be taken back any more; the one before it can.
    fails("clip_gone", review.undo, clip_id=key, by=curator)
    last = review.last_decision(by=curator)
    assert last is not None
    assert last.clip == kept


def test_the_second_curator_is_told(owner: User, curator: User, staff: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], title="Take {5}")
    review.relabel(clip_id=clip.pk, by=staff, genre=genres["rock"])
    error = fails("already_reviewed", review.approve, clip_id=clip.pk, by=curator)
    assert "Take {5}" in error.message
    assert "staff@example.org" in error.message
    assert "Rock" in error.message
    fails("already_reviewed", review.reject, clip_id=clip.pk, by=curator, reason="no")
    # On purpose, it can be overruled.
    review.reject(clip_id=clip.pk, by=curator, reason="no", seen=Seen("approved", "rock"))
    assert [entry[:2] for entry in history(clip)] == [("relabel", "pending"), ("reject", "approved")]


def test_a_label_changed_meanwhile_is_not_kept_unknowingly(
    owner: User, curator: User, staff: User, genres: Genres
) -> None:
    clip = make_clip(owner, genres["blues"], status="approved")
    review.relabel(clip_id=clip.pk, by=staff, genre=genres["rock"], seen=Seen("approved", "blues"))
    fails("already_reviewed", review.approve, clip_id=clip.pk, by=curator, seen=Seen("approved", "blues"))
    assert len(history(clip)) == 1


def test_a_double_click_is_taken_once(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    for _ in range(2):
        review.approve(clip_id=clip.pk, by=curator)
    fails("already_reviewed", review.reject, clip_id=clip.pk, by=curator, reason="no")
    for _ in range(2):
        review.reject(clip_id=clip.pk, by=curator, reason="no", seen=Seen("approved"))
    for _ in range(2):
        review.relabel(clip_id=clip.pk, by=curator, genre=genres["rock"], seen=Seen("rejected"))
    assert [entry[0] for entry in history(clip)] == ["approve", "reject", "relabel"]


def test_undo(owner: User, curator: User, staff: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    fails("nothing_to_undo", review.undo, clip_id=clip.pk, by=curator)
    review.relabel(clip_id=clip.pk, by=curator, genre=genres["rock"])
    fails("already_reviewed", review.undo, clip_id=clip.pk, by=staff)
    review.undo(clip_id=clip.pk, by=curator)
    clip.refresh_from_db()
    assert (clip.status, clip.genre.slug, clip.reviewed_by, clip.reason) == ("pending", "blues", None, "")
    fails("nothing_to_undo", review.undo, clip_id=clip.pk, by=curator)
    assert history(clip)[-1] == ("undo", "approved", "rock", "blues", "")


def test_undoing_a_second_look_gives_the_first_decision_back(
    owner: User, curator: User, staff: User, genres: Genres
) -> None:
    clip = make_clip(owner, genres["blues"])
    review.approve(clip_id=clip.pk, by=staff, reason="clear")
    review.reject(clip_id=clip.pk, by=curator, reason="hiss", seen=Seen("approved"))
    review.undo(clip_id=clip.pk, by=curator)
    clip.refresh_from_db()
    assert (clip.status, clip.reviewed_by, clip.reason) == ("approved", staff, "clear")


def test_reopening(owner: User, curator: User, staff: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"])
    review.relabel(clip_id=clip.pk, by=staff, genre=genres["rock"])
    for _ in range(2):
        review.reopen(clip_id=clip.pk, by=curator)
    clip.refresh_from_db()
    assert (clip.status, clip.genre.slug, clip.reviewed_by) == ("pending", "blues", None)
    assert [entry[0] for entry in history(clip)] == ["relabel", "reopen"]


def test_many_at_once(owner: User, curator: User, staff: User, genres: Genres) -> None:
    clips = [make_clip(owner, genres["blues"]) for _ in range(4)]
    review.reject(clip_id=clips[1].pk, by=staff, reason="no")
    requests = [
        DecisionRequest(clip_id=clips[0].pk, decision="approve"),
        DecisionRequest(clip_id=clips[1].pk, decision="approve"),
        DecisionRequest(clip_id=clips[2].pk, decision="reject"),
        DecisionRequest(clip_id=clips[3].pk, decision="relabel", genre=genres["jazz"]),
        DecisionRequest(clip_id=uuid.uuid4(), decision="approve"),
        DecisionRequest(clip_id=clips[2].pk, decision="relabel"),
    ]
    outcomes = review.decide_many(requests=requests, by=curator)
    codes = [outcome.error.code if outcome.error else None for outcome in outcomes]
    assert codes == [None, "already_reviewed", "reason_missing", None, "clip_gone", "unknown_genre"]
    states = [Clip.objects.get(pk=clip.pk).status for clip in clips]
    assert states == ["approved", "rejected", "pending", "approved"]
    undone = review.undo_many(clip_ids=[clips[0].pk, clips[1].pk, clips[3].pk], by=curator)
    assert [outcome.error.code if outcome.error else None for outcome in undone] == [
        None,
        "already_reviewed",
        None,
    ]
    error = fails("too_many_decisions", review.decide_many, requests=requests * 40, by=curator)
    assert "200" in error.message


def test_the_last_decision_is_offered_to_be_taken_back(
    owner: User, curator: User, staff: User, genres: Genres
) -> None:
    assert review.last_decision(by=curator) is None
    first, second, third = (make_clip(owner, genres["blues"]) for _ in range(3))
    for clip in (first, second, third):
        review.approve(clip_id=clip.pk, by=curator)
    review.reject(clip_id=third.pk, by=staff, reason="no", seen=Seen("approved"))
    offered = []
    while last := review.last_decision(by=curator):
        offered.append(last.clip_id)
        review.undo(clip_id=last.clip_key, by=curator)
    assert offered == [second.pk, first.pk]
    review.approve(clip_id=first.pk, by=curator)
    ClipDecision.objects.update(at="2020-01-01T00:00Z")
    assert review.last_decision(by=curator) is None


def test_keeping_a_label_settles_the_doubt(owner: User, curator: User, genres: Genres) -> None:
    clip = make_clip(
        owner,
        genres["blues"],
        status="approved",
        suspicion=0.9,
        doubted_genre="blues",
        suspected_genre="rock",
    )
    assert clip in Clip.objects.suspicious()
    for _ in range(2):
        review.approve(clip_id=clip.pk, by=curator, seen=Seen("approved", "blues"))
    assert not Clip.objects.suspicious().exists()
    assert len(history(clip)) == 1
    review.undo(clip_id=clip.pk, by=curator)
    assert clip in Clip.objects.suspicious()
    review.relabel(clip_id=clip.pk, by=curator, genre=genres["jazz"], seen=Seen("approved", "blues"))
    assert not Clip.objects.suspicious().exists()
    # The next check may doubt the new label.
    Clip.objects.update(doubted_genre="jazz")
    assert clip in Clip.objects.suspicious()


def test_the_queue_begins_with_the_most_disputed(owner: User, genres: Genres) -> None:
    mild = make_clip(owner, genres["blues"], disputed=0.3)
    unasked = make_clip(owner, genres["blues"], disputed=None)
    hot = make_clip(owner, genres["blues"], disputed=0.9)
    make_clip(owner, genres["blues"], disputed=1.0, status="approved")
    assert list(Clip.objects.to_review()) == [hot, mild, unasked]


@pytest.mark.django_db(transaction=True)
def test_two_curators_at_the_same_moment(genres: Genres) -> None:
    people = [User.objects.create_user(f"{name}@example.org") for name in ("ann", "bob", "eve")]
    clip = make_clip(people[0], genres["blues"])
    start, outcomes = threading.Barrier(3), []

    def decide(person: User) -> None:
        start.wait()
        try:
            review.approve(clip_id=clip.pk, by=person)
            outcomes.append("done")
        except TrainingError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_reviewed", "already_reviewed", "done"]
    assert len(history(clip)) == 1

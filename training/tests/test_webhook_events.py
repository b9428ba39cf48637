"""What training tells webhooks: runs to curators, decisions to who gave the clip."""

from __future__ import annotations

import json

import pytest

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User, WebhookDelivery
from genreweb.accounts.webhook_models import WebhookEvent
from genreweb.accounts.webhooks import service
from training.models import TrainingRun
from training.services import claims, review, runs
from training.tests.clips import make_clip

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _hooks(owner: User, curator: User) -> None:
    for user in (owner, curator):
        service.create(user=user, address="https://example.org/", events=WebhookEvent.values)


def told() -> list[tuple[str, str, str]]:
    """Who was told of what, and the status in it."""
    rows = WebhookDelivery.objects.select_related("webhook__user").order_by("created", "pk")
    found = []
    for row in rows:
        message = json.loads(row.body)
        [thing] = message["data"].values()
        found.append((row.webhook.user.email, message["type"], thing["status"]))
    return found


def queued() -> TrainingRun:
    return TrainingRun.objects.create(kind="quick", architecture="head", epochs=1)


def test_a_run_is_told_to_curators_when_it_ends(owner: User, curator: User, version: ModelVersion) -> None:
    run = queued()
    runs.cancel_run(run=run)
    assert told() == [(curator.email, "run.finished", "cancelled")]
    lost = queued()
    claimed = claims.claim(lost.pk)
    assert claimed is not None
    claims.JOBS.fail(claimed, claims.Failure("run_internal"))
    assert told()[1:] == [(curator.email, "run.finished", "failed")]


def test_a_decision_is_told_to_who_gave_the_clip(
    owner: User, curator: User, genres: dict[str, Genre]
) -> None:
    clip = make_clip(owner, genres["blues"], sound=False)
    review.reject(clip_id=clip.pk, by=curator, reason="Only noise")
    assert told() == [(owner.email, "clip.decided", "rejected")]
    review.reopen(clip_id=clip.pk, by=curator)
    assert len(told()) == 1

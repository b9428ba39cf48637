"""Events for pages of training: runs and checks to curators, clips to who gave them."""

from __future__ import annotations

import pytest
from django.test import TestCase

from classifier.models import Genre, ModelVersion
from genreweb import event_stream, heartbeat
from genreweb.accounts.models import User
from genreweb.jobs import Failure
from training.models import LabelCheck, TrainingRun
from training.services import claims, health, review, runs
from training.tests.clips import make_clip

pytestmark = pytest.mark.django_db


def test_runs_checks_and_clips_are_published(
    owner: User, other: User, curator: User, genres: dict[str, Genre], version: ModelVersion
) -> None:
    everybody = [event_stream.topic_of(user.pk) for user in (owner, other, curator)]
    with heartbeat.connect() as client:
        start = event_stream.last(client, [*everybody, event_stream.CURATORS])
        with TestCase.captureOnCommitCallbacks(execute=True):
            run = TrainingRun.objects.create(kind="quick", architecture="head", epochs=1)
            claimed = claims.claim(run.pk)
            assert claimed is not None
            claimed.step(TrainingRun.Step.FEATURES, 0.1)
            claims.JOBS.fail(claimed, Failure("run_internal"))
            cancelled = TrainingRun.objects.create(
                kind="quick", architecture="head", epochs=1, requested_by=other
            )
            runs.cancel_run(run=cancelled)
            check = LabelCheck.objects.create(requested_by=curator)
            health.check_labels(check_id=check.pk)
            clip = make_clip(owner, genres["blues"], sound=False)
            review.reject(clip_id=clip.pk, by=curator, reason="Only noise")
        received = {
            topic: [
                event.text.split("\n", 1)[1].strip() for event in event_stream.since(client, [topic], start)
            ]
            for topic in (*everybody, event_stream.CURATORS)
        }

    def event(kind: str, pk: object, status: str) -> str:
        number = f'"{pk}"' if kind != "check" else pk
        return f'event: {kind}\ndata: {{"id": {number}, "status": "{status}"}}'

    assert received == {
        everybody[0]: [event("clip", clip.pk, "rejected")],
        everybody[1]: [event("run", cancelled.pk, "cancelled")],
        everybody[2]: [],
        event_stream.CURATORS: [
            event("run", run.pk, "running"),
            event("run", run.pk, "failed"),
            event("run", cancelled.pk, "cancelled"),
            event("check", check.pk, "running"),
            event("check", check.pk, "done"),
        ],
    }

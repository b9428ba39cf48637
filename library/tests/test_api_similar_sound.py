"""POST /api/v1/similar/ with a sound: found like a stored track, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from celery.contrib.testing.worker import start_worker
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings
from rest_framework.test import APIClient

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from genreweb.celery import app as celery_app
from library.models import Track
from library.services import classify
from library.services.lens_queries import query_of
from library.services.similar import similar
from library.services.waiting import Places
from library.tests.conftest import Matrix
from library.tests.sounds import chords, wav

SIMILAR = "/api/v1/similar/"


def send(client: APIClient, data: bytes, **more: Any) -> Any:
    return client.post(SIMILAR, {"file": SimpleUploadedFile("song.wav", data), **more}, format="multipart")


@pytest.fixture
def worker(transactional_db: None, classifier_in_service: ModelVersion) -> Iterator[None]:
    """Run a real worker in a thread of this process, which shares the files in memory."""
    with start_worker(celery_app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield


@pytest.fixture
def tracks(
    transactional_db: None, finished_track: Callable[..., Track], owner: User, other: User
) -> list[Track]:
    """One of the other's, then two of the owner's. No worker may run yet: it would analyse them as well."""
    return [finished_track(person, seed=seed) for seed, person in enumerate((other, owner, owner))]


@pytest.mark.slow
def test_a_sound_is_answered_as_the_same_sound_stored_and_is_not_kept(
    api: Callable[..., APIClient], owner: User, tracks: list[Track],
    stored: Callable[[], list[str]], request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    asked, *near = tracks
    assert asked.owner is not None
    request.getfixturevalue("worker")
    before = (Track.objects.count(), stored())
    response = send(api(owner), wav(chords(seed=0)), k=5, by="timbre")
    assert response.status_code == 200, response.json()
    rows = response.json()
    assert {row["track"]["id"] for row in rows} == {str(track.pk) for track in near}
    # The same as for the stored one, whose owner also sees nothing of the others' tracks.
    Track.objects.filter(owner=owner).update(visibility="catalogue")
    expected = similar(viewer=asked.owner, query=query_of([asked]), by="timbre", k=5)
    assert [row["track"]["id"] for row in rows] == [str(each.track.pk) for each in expected.neighbours]
    assert np.allclose(
        [row["distance"] for row in rows], [each.distance for each in expected.neighbours], atol=2e-3
    )
    # A copy of what is sent is left out, and what others keep to themselves is not found by it.
    assert send(api(owner), wav(chords(seed=1)), k=5, by="timbre").json()[0]["track"]["id"] == str(near[1].pk)
    assert str(asked.pk) not in send(api(owner), wav(chords(seed=0)), k=50).content.decode()
    assert (Track.objects.count(), stored()) == before


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [(b"", "empty", 400), (b"only words " * 1000, "not_audio", 400), (wav(chords(0.4)), "too_short", 400)],
)
def test_bad_files_are_refused_and_not_kept(
    owner_api: APIClient, stored: Callable[[], list[str]], data: bytes, code: str, status: int
) -> None:
    response = send(owner_api, data)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert stored() == []


@pytest.mark.django_db
def test_it_waits_in_the_same_places_and_under_the_same_limits_as_classify(
    api: Callable[..., APIClient],
    matrix: Matrix,
    settings: Settings,
    stored: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = matrix.owner
    monkeypatch.setattr(classify, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(classify, "_places", places := Places(3, per_caller=1))
    stranger, sound = api(matrix.anonymous), wav(chords(6))
    with places.place("address 127.0.0.1"):
        busy = send(stranger, b"only words")
        assert (busy.status_code, busy.json()["error"]["code"]) == (503, "busy")
    settings.AUDIO_ANONYMOUS_MAX_SECONDS = 3
    assert send(stranger, sound).json()["error"]["code"] == "too_long"
    waited = send(api(owner), sound)
    assert (waited.status_code, waited.json()["error"]["code"]) == (503, "busy")
    assert send(api(owner), sound, by="taste").status_code == 400
    assert send(api(owner), sound, k=0).json()["error"]["fields"]
    settings.API_ANONYMOUS_CLASSIFY = False
    assert send(stranger, sound).status_code == 401
    assert stored() == []

"""Server-sent events: told in order and to their owner, few at once, and short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from django.test import Client, TestCase
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from genreweb import event_answers, event_stream
from genreweb.accounts.models import User
from genreweb.event_hub import Hub, Subscription
from library.services import analysis
from library.services.tracks import add_track
from library.tests.conftest import Api
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db
URL = "/api/v1/events/"


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Let streams end soon, and begin with none."""
    monkeypatch.setattr(event_answers, "THREAD_SECONDS", 0.3)
    places = Hub(total=2, per_caller=1)
    monkeypatch.setattr(event_answers, "_in_threads", places)
    yield places
    # Whatever became of a request, its place is free again.
    for caller in "ab":
        assert places.reserve(Subscription(topics=[], caller=caller, after="0-0", heartbeat=b"", until=0.0))


def listen(client: Any, after: str = "", *, url: str = URL) -> list[dict[str, str]]:
    response = client.get(url, headers={"Last-Event-ID": after, "Accept": "text/event-stream"})
    assert response.status_code == 200, response.content
    assert isinstance(response, StreamingHttpResponse)
    assert response["Content-Type"] == "text/event-stream"
    text = response.getvalue().decode()
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [dict(line.partition(": ")[::2] for line in block) for block in blocks]


def leave(response: Any) -> None:
    """Hang up; Django would also end the connection to the database, which holds the test's transaction."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def test_what_happened_since_the_last_event_is_told_to_its_owner(api: Api, owner: User, other: User) -> None:
    client = api(owner)
    [first] = [block for block in listen(client) if "retry" in block]
    event_stream.publish(user_id=owner.pk, event="track", data={"id": 1})
    event_stream.publish(user_id=other.pk, event="track", data={"id": 2})
    event_stream.publish(user_id=owner.pk, event="track", data={"id": 3})
    told = [block for block in listen(client, first["id"]) if "event" in block]
    assert [block["data"] for block in told] == ['{"id": 1}', '{"id": 3}']
    assert [block["data"] for block in listen(client, told[0]["id"]) if "event" in block] == ['{"id": 3}']
    # Who begins hears what comes, not what was; and what is no id of ours is none.
    for after in ("", "nonsense", "0-0\n\nevent: x"):
        assert [block for block in listen(client, after) if "event" in block] == []


@pytest.mark.usefixtures("classifier_in_service")
def test_an_analysis_tells_its_steps_and_its_end(
    api: Api, owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client = api(owner)
    start = listen(client)[0]["id"]
    file = SimpleUploadedFile("song.wav", wav(chords(3, seed=1)))
    with django_capture_on_commit_callbacks(execute=True):
        track = add_track(owner=owner, name="song.wav", file=file).track
        analysis.analyse_track(track_id=track.pk)
    told = [block["data"] for block in listen(client, start) if block.get("event") == "track"]
    assert len(told) > 2
    assert all(str(track.pk) in data for data in told)
    assert '"status": "done"' in told[-1]
    assert '"status": "running"' in told[0]


def test_few_listen_at_once_and_others_are_told_to_come_back(
    api: Api, owner: User, other: User, curator: User
) -> None:
    held: list[Any] = [api(owner).get(URL)]
    refused = api(owner).get(URL)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused["Retry-After"]) > 0
    held.append(api(other).get(URL))
    assert api(curator).get(URL).status_code == 503
    # A reader that left before the first byte gives its place back.
    leave(held[0])
    held.append(api(curator).get(URL))
    assert held[-1].status_code == 200
    assert b"retry" in next(iter(held[-1].streaming_content))
    for response in held:
        leave(response)


def test_strangers_and_a_site_without_redis(
    api: Api, owner: User, settings: Settings, anonymous: Any
) -> None:
    assert APIClient().get(URL).status_code == 401
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    refused = api(owner).get(URL)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    # Nobody is held up by what cannot be told.
    event_stream.publish(user_id=owner.pk, event="track", data={})


def test_pages_are_told_what_their_person_may_know(owner: User, other: User, curator: User) -> None:
    url = "/events/"
    pages = {}
    for user in (owner, other, curator):
        pages[user] = Client()
        pages[user].force_login(user)
    start = listen(pages[owner], url=url)[0]["id"]
    event_stream.publish(user_id=owner.pk, event="track", data={"id": "mine"})
    with TestCase.captureOnCommitCallbacks(execute=True):
        event_stream.publish_to_curators_on_commit(event="run", data={"id": "run"})
    told = {
        user: [(one["event"], one["data"]) for one in listen(page, start, url=url) if one.get("data")]
        for user, page in pages.items()
    }
    assert told == {owner: [("track", '{"id": "mine"}')], other: [], curator: [("run", '{"id": "run"}')]}
    # A script does not see comments: a page's sign of life is an event.
    assert {"event": "heartbeat", "data:": ""} in listen(pages[other], url=url)
    # 204 ends a browser's attempts for good.
    assert Client().get(url).status_code == 204
    assert pages[owner].post(url).status_code == 405
    held = pages[owner].get(url)
    assert pages[owner].get(url).status_code == 503
    leave(held)

"""OpenSubsonic: copies that are sent while a worker still encodes them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from pytest_django import Settings
from redis import RedisError

from classifier import decoding
from classifier.core.audio import AudioError, decode
from classifier.tests.sounds import encode, tune
from genreweb import heartbeat
from genreweb.accounts.models import User
from library.models import EncodedCopy, Track
from library.services import copies, copy_stream, queue
from library.services.copy_stream import BrokenOffError
from library.services.tracks import add_track
from library.services.waiting import Places
from library.tests.subsonic import Player

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SECONDS = 20.0
WAV = encode(tune(SECONDS))
WAIT = 30.0


@dataclass
class Worker:
    """A worker in a thread of its own that stops in the middle of a copy until it is let go on."""

    middle: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None
    threads: list[threading.Thread] = field(default_factory=list)

    def send(self, pk: int) -> None:
        def work() -> None:
            try:
                copies.encode(copy_id=pk)
            finally:
                connection.close()

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def join(self) -> None:
        self.go_on.set()
        for thread in self.threads:
            thread.join(WAIT)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    made = Worker()
    encode_copy = decoding.shared.encode_copy

    def halting(file: Any, *, sink: Callable[[bytes], None], **given: Any) -> bytes:
        parts: list[bytes] = []
        whole = encode_copy(file, sink=parts.append, **given)
        live = b"".join(parts)
        sink(live[: len(live) // 2])
        made.middle.set()
        assert made.go_on.wait(WAIT)
        if made.fault:
            raise made.fault
        sink(live[len(live) // 2 :])
        return whole

    monkeypatch.setattr(decoding.shared, "encode_copy", halting)
    monkeypatch.setattr(queue, "has_worker", lambda: True)
    monkeypatch.setattr(queue, "send_copy_on_commit", made.send)
    monkeypatch.setattr(copies, "_places", Places(1, per_caller=1))
    yield made
    made.join()
    with heartbeat.connect() as redis:
        redis.delete(*redis.keys("genreweb:copy:*"), "none")


@pytest.fixture
def track(owner: User) -> Track:
    return add_track(owner=owner, file=ContentFile(WAV, name="song.wav"), name="song.wav").track


def begun(player: Player, track: Track, wanted: str = "mp3", **headers: str) -> tuple[Any, Iterator[bytes]]:
    response: Any = player.raw("stream", id=track.pk, format=wanted, headers=headers or None)
    assert (response.status_code, response.streaming) == (200, True)
    assert "Content-Length" not in response.headers
    assert response.headers["Accept-Ranges"] == "none"
    return response, iter(response.streaming_content)


def stored_copy() -> bytes:
    copy = EncodedCopy.objects.get()
    assert copy.status == "done"
    with default_storage.open(str(copy.file.name)) as file:
        content = bytes(file.read())
    assert copy.size == len(content)
    return content


@pytest.mark.parametrize(("wanted", "kind"), [("mp3", "mpeg"), ("opus", "ogg"), ("aac", "aac")])
def test_the_beginning_is_sent_before_the_end_is_encoded(
    player: Player, track: Track, worker: Worker, wanted: str, kind: str
) -> None:
    response, parts = begun(player, track, wanted, Range="bytes=0-")
    assert response.headers["Content-Type"] == f"audio/{kind}"
    first = next(parts)
    assert EncodedCopy.objects.get().status == "running"
    worker.join()
    content = first + b"".join(parts)
    assert len(first) == len(content) // 2
    found = decode(io.BytesIO(content))
    assert found.info.codec == wanted
    assert found.info.duration == pytest.approx(SECONDS, abs=0.1)
    # What is kept is the same behind its header, which says how long it is, and is sent from now on.
    kept = stored_copy()
    assert len(kept) == len(content)
    assert kept[2_000:] == content[2_000:]
    again: Any = player.raw("stream", id=track.pk, format=wanted)
    assert again.headers["Content-Length"] == str(len(kept))
    assert again.headers["Accept-Ranges"] == "bytes"
    assert b"".join(again.streaming_content) == kept


def test_who_goes_away_leaves_a_whole_copy_and_a_free_place(
    player: Player, track: Track, worker: Worker
) -> None:
    response, parts = begun(player, track)
    next(parts)
    # While somebody listens the place is taken.
    other = player.raw("stream", id=track.pk, format="opus")
    assert (other.status_code, other.headers["Retry-After"]) == (503, "10")
    response.close()
    with copies._places.place("another") as free:
        assert free
    worker.join()
    assert decode(io.BytesIO(stored_copy())).info.duration == pytest.approx(SECONDS, abs=0.1)


def test_a_fault_after_the_beginning_ends_the_connection(
    player: Player, track: Track, worker: Worker, stored: Callable[[], list[str]]
) -> None:
    worker.fault = AudioError("undecodable")
    response, parts = begun(player, track)
    next(parts)
    worker.go_on.set()
    with pytest.raises(BrokenOffError):
        b"".join(parts)
    response.close()
    copy = EncodedCopy.objects.get()
    assert (copy.status, copy.error_code, copy.file.name) == ("failed", "undecodable", "")
    assert [name for name in stored() if name.startswith("encoded/")] == []
    with copies._places.place("another") as free:
        assert free


@pytest.mark.parametrize("becomes", ["deleted", "another attempt"])
def test_what_another_worker_encodes_is_not_put_behind_the_beginning(
    player: Player, track: Track, worker: Worker, becomes: str
) -> None:
    response, parts = begun(player, track)
    next(parts)
    if becomes == "deleted":
        EncodedCopy.objects.all().delete()
    else:
        EncodedCopy.objects.update(status="queued", attempt=2)
    with pytest.raises(BrokenOffError):
        next(parts)
    response.close()


def test_of_a_long_copy_the_rest_is_read_from_the_file(
    player: Player, track: Track, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.go_on.set()
    begin: Any = player.raw("stream", id=track.pk, format="mp3", estimateContentLength="true")
    kept = b"".join(begin.streaming_content)
    EncodedCopy.objects.all().delete()
    worker.go_on.clear()
    monkeypatch.setattr(copy_stream, "MOST_BYTES", len(kept) * 3 // 4)
    _response, parts = begun(player, track)
    first = next(parts)
    worker.join()
    content = first + b"".join(parts)
    assert len(content) == len(kept)
    assert content[2_000:] == kept[2_000:]
    with heartbeat.connect() as redis:
        key = f"genreweb:copy:{EncodedCopy.objects.get().pk}:1"
        assert redis.llen(key) == 1
        assert 0 < redis.ttl(key) <= 10


def test_what_redis_loses_is_read_from_the_file(player: Player, track: Track, worker: Worker) -> None:
    _response, parts = begun(player, track)
    first = next(parts)
    with heartbeat.connect() as redis:
        redis.delete(f"genreweb:copy:{EncodedCopy.objects.get().pk}:1")
    worker.join()
    content = first + b"".join(parts)
    assert content[2_000:] == stored_copy()[2_000:]
    assert len(content) == EncodedCopy.objects.get().size


def test_who_listens_gets_all_of_what_cannot_be_stored(
    player: Player, track: Track, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "has_room", lambda _size: False)
    _response, parts = begun(player, track)
    first = next(parts)
    worker.join()
    assert decode(io.BytesIO(first + b"".join(parts))).info.duration == pytest.approx(SECONDS, abs=0.1)
    assert EncodedCopy.objects.get().error_code == "storage_full"


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ({"estimateContentLength": "true"}, {}),
        ({}, {"Range": "bytes=100-199"}),
        ({"timeOffset": 5}, {}),
    ],
)
def test_what_needs_the_whole_waits_for_it(
    player: Player, track: Track, worker: Worker, asked: dict[str, Any], headers: dict[str, str]
) -> None:
    def go_on() -> None:
        worker.middle.wait(WAIT)
        worker.go_on.set()

    threading.Thread(target=go_on).start()
    response: Any = player.raw("stream", id=track.pk, format="mp3", headers=headers, **asked)
    assert EncodedCopy.objects.get().status == "done"
    assert int(response.headers["Content-Length"]) > 0
    assert response.status_code == (206 if headers else 200)


def test_without_redis_the_whole_is_waited_for(
    player: Player, track: Track, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_given: Any) -> Any:
        raise RedisError

    monkeypatch.setattr(copy_stream, "heartbeat", SimpleNamespace(connect=away))
    worker.go_on.set()
    response: Any = player.raw("stream", id=track.pk, format="mp3")
    assert b"".join(response.streaming_content) == stored_copy()
    assert response.headers["Content-Length"] == str(EncodedCopy.objects.get().size)


def test_a_listener_to_whom_nothing_comes_is_sent_away(
    player: Player, track: Track, worker: Worker, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(copy_stream, "SILENT_SECONDS", 0.1)
    response, parts = begun(player, track)
    next(parts)
    with pytest.raises(BrokenOffError, match="no more comes"):
        next(parts)
    response.close()

"""OpenSubsonic: sounds in other formats and at lower bit rates, encoded once and kept while they are used."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpResponseBase
from django.utils import timezone
from pytest_django import Settings

from classifier import decoding
from classifier.core.audio import Audio, AudioLimits, decode
from classifier.core.encoding import TARGETS
from classifier.tests.sounds import encode, tune
from genreweb import heartbeat
from genreweb.accounts.models import User
from genreweb.backups.contents import stored_files
from library.errors import TrackError
from library.models import EncodedCopy, Track
from library.services import copies, queue, tidying
from library.services.tracks import add_track, delete_tracks, examine, replace_sound
from library.services.waiting import Places
from library.tests.subsonic import Player

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SECONDS = 4.0
TUNE = tune(SECONDS)
WAV = encode(TUNE)
Stored = Callable[[], list[str]]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have a worker that encodes at once; returns the rows that it was sent."""
    sent: list[int] = []

    def send(pk: int) -> None:
        sent.append(pk)
        copies.encode(copy_id=pk)

    monkeypatch.setattr(queue, "has_worker", lambda: True)
    monkeypatch.setattr(queue, "send_copy_on_commit", send)
    return sent


@pytest.fixture
def track(owner: User) -> Track:
    return added(owner, WAV, "song.wav")


def added(owner: User, content: bytes, name: str) -> Track:
    return add_track(owner=owner, file=ContentFile(content, name=name), name=name).track


def body(response: HttpResponseBase) -> bytes:
    if not response.streaming:
        return bytes(response.content)  # type: ignore[attr-defined]
    chunks: Any = response
    return b"".join(chunks.streaming_content)


def sound_in(response: HttpResponseBase) -> Audio:
    assert response.status_code == 200
    return decode(io.BytesIO(body(response)))


def likeness(heard: Audio, seconds: float = 0.0) -> tuple[float, float]:
    """The highest correlation with the tune from `seconds` on, and how much later that lies, in seconds."""
    part = heard.samples[2_000:30_000]
    begin = round(seconds * 22_050) + 2_000
    found = {
        late: float(np.corrcoef(TUNE[begin + late : begin + late + part.size], part)[0, 1])
        for late in range(-1_900, 1_900, 2)
    }
    best = max(found, key=found.__getitem__)
    return found[best], best / 22_050


ENCODED = [
    ("mp3", 128, "mp3", 128),
    ("mp3", 130, "mp3", 128),
    ("opus", 96, "opus", 96),
    ("ogg", 64, "opus", 64),
    ("aac", 128, "aac", 128),
    ("mp3", 0, "mp3", 192),
    ("mp3", 8, "mp3", 32),
    ("", 128, "mp3", 128),
    ("flv", 128, "mp3", 128),
]
MEDIA_TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac"}


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("case", ENCODED)
def test_a_wav_is_encoded(player: Player, track: Track, case: tuple[str, int, str, int]) -> None:
    wanted, limit, codec, bit_rate = case
    asked: dict[str, Any] = {"format": wanted, "maxBitRate": limit, "estimateContentLength": "true"}
    response = player.raw("stream", id=track.pk, **asked)
    assert (response.status_code, response.headers["Content-Type"]) == (200, MEDIA_TYPES[codec])
    content = body(response)
    assert response.headers["Content-Length"] == str(len(content))
    heard = decode(io.BytesIO(content))
    assert heard.info.codec == codec
    assert heard.info.duration == pytest.approx(SECONDS, abs=0.06)
    assert len(content) * 8 / 1000 / SECONDS <= 1.05 * bit_rate
    if bit_rate >= 64:
        assert len(content) * 8 / 1000 / SECONDS >= 0.8 * bit_rate
        assert likeness(heard)[0] > 0.95
    copy = EncodedCopy.objects.get()
    assert (copy.target, copy.bit_rate, copy.size) == (codec, bit_rate, len(content))


def test_what_fits_is_sent_as_it_is(player: Player, owner: User, worker: list[int]) -> None:
    for kind, name, own in (
        ("mp3", "a.mp3", "mp3"),
        ("opus", "a.opus", "opus"),
        ("vorbis", "a.ogg", "ogg"),
        ("m4a", "a.m4a", "aac"),
        ("flac", "a.flac", "flac"),
    ):
        content = encode(TUNE, kind)
        track = added(owner, content, name)
        for asked in ({"format": own}, {}, {"format": own, "maxBitRate": 1000}, {"maxBitRate": 1000}):
            assert body(player.raw("stream", id=track.pk, **asked)) == content, (name, asked)
        assert body(player.raw("stream", id=track.pk, format="raw", maxBitRate=32)) == content
    exact = added(owner, encode(tune(8.0), "mp3"), "128.mp3")
    whole = default_storage.size(str(exact.sound.name))
    # Its header makes it a little larger than 128 kbit/s.
    assert whole * 8 / 8.0 > 128_000
    assert len(body(player.raw("stream", id=exact.pk, format="mp3", maxBitRate=128))) == whole
    assert worker == []


def test_what_does_not_fit_keeps_its_format_and_is_never_blown_up(
    player: Player, owner: User, worker: list[int]
) -> None:
    opus = added(owner, encode(TUNE, "opus"), "a.opus")
    assert sound_in(player.raw("stream", id=opus.pk, maxBitRate=64)).info.codec == "opus"
    small = sound_in(player.raw("stream", id=opus.pk, format="mp3", maxBitRate=320))
    assert small.info.codec == "mp3"
    # 128 kbit/s of Opus hold no 320 kbit/s of anything.
    made = EncodedCopy.objects.values_list("target", "bit_rate")
    assert set(made) <= {("opus", 64), ("mp3", 128), ("mp3", 160), ("mp3", 112)}
    assert ("opus", 64) in set(made)


def test_a_copy_is_made_once_and_sent_by_range(player: Player, track: Track, worker: list[int]) -> None:
    asked: dict[str, Any] = {"id": track.pk, "format": "mp3", "maxBitRate": 128}
    whole = body(player.raw("stream", **asked))
    part = player.raw("stream.view", headers={"Range": "bytes=1000-1999"}, **asked)
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 1000-1999/{len(whole)}")
    assert body(part) == whole[1000:2000]
    head = player.client.head("/rest/stream", player.parameters(**asked))
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(whole)))
    assert len(worker) == 1
    assert EncodedCopy.objects.get().attempt == 1


@pytest.mark.parametrize("wanted", ["mp3", "opus", "aac"])
def test_a_player_begins_later(player: Player, track: Track, worker: list[int], wanted: str) -> None:
    names = [one["name"] for one in player("getOpenSubsonicExtensions")["openSubsonicExtensions"]]
    assert "transcodeOffset" in names
    response = player.raw("stream", id=track.pk, format=wanted, timeOffset=2)
    assert response.headers["Content-Length"] == str(len(body(response)))
    rest = sound_in(response)
    assert rest.info.codec == wanted
    assert rest.info.duration == pytest.approx(SECONDS - 2, abs=0.1)
    like, late = likeness(rest, 2.0)
    assert like > 0.9
    assert abs(late) < 0.06
    last = body(player.raw("stream", id=track.pk, format=wanted, timeOffset=1000))
    end = decode(io.BytesIO(last), limits=AudioLimits(min_duration=0.1))
    assert end.info.duration == pytest.approx(1.0, abs=0.1)
    assert len(worker) == 1


def test_others_cannot_have_it(track: Track, other: User, player: Player, worker: list[int]) -> None:
    stranger = Player(other)
    assert stranger.error("stream", id=track.pk, format="mp3", maxBitRate=128) == 70
    assert worker == []
    assert player.raw("stream", id=track.pk, format="mp3", maxBitRate=128).status_code == 200
    assert stranger.error("stream", id=track.pk, format="mp3", maxBitRate=128) == 70
    Track.objects.filter(pk=track.pk).update(visibility=Track.Visibility.CATALOGUE)
    assert stranger.raw("stream", id=track.pk, format="mp3", maxBitRate=128).status_code == 200
    assert len(worker) == 1


def test_a_broken_sound(player: Player, track: Track, worker: list[int]) -> None:
    with default_storage.open(str(track.sound.name), "wb") as file:
        file.write(b"RIFF" + bytes(1000))
    assert player.error("stream", id=track.pk, format="mp3") == 0
    copy = EncodedCopy.objects.get()
    assert (copy.status, copy.error_code, copy.file.name) == ("failed", "truncated", "")
    default_storage.delete(str(track.sound.name))
    assert player.error("stream", id=track.pk, format="mp3") == 70
    # Once it is whole again, it is encoded.
    default_storage.save(str(track.sound.name), ContentFile(WAV))
    assert sound_in(player.raw("stream", id=track.pk, format="mp3")).info.codec == "mp3"


def test_without_a_worker_or_a_place_players_are_told_to_come_back(
    player: Player, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "has_worker", lambda: False)
    away = player.raw("stream", id=track.pk, format="mp3")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
    monkeypatch.setattr(copies, "_places", Places(0, per_caller=0))
    full = player.raw("stream", id=track.pk, format="mp3")
    assert (full.status_code, full.headers["Retry-After"]) == (503, "10")
    assert not EncodedCopy.objects.exists()
    monkeypatch.undo()
    monkeypatch.setattr(queue, "has_worker", lambda: True)
    monkeypatch.setattr(queue, "send_copy", lambda _pk: True)
    monkeypatch.setattr(copies, "WAIT_SECONDS", 0.1)
    slow = player.raw("stream", id=track.pk, format="mp3")
    assert (slow.status_code, slow.headers["Retry-After"]) == (503, "10")
    assert EncodedCopy.objects.get().status == "queued"


def test_deleting_a_track_removes_its_copies(
    player: Player, track: Track, worker: list[int], stored: Stored, django_capture_on_commit_callbacks: Any
) -> None:
    for wanted in ("mp3", "opus"):
        body(player.raw("stream", id=track.pk, format=wanted))
    assert sum(name.startswith("encoded/") for name in stored()) == 2
    # Files of copies are no part of a backup; the sound is.
    assert [name for name in stored_files() if name.startswith("encoded/")] == []
    assert track.sound.name in set(stored_files())
    with django_capture_on_commit_callbacks(execute=True):
        delete_tracks(Track.objects.filter(pk=track.pk))
    assert stored() == []
    assert not EncodedCopy.objects.exists()


def test_another_sound_has_other_copies(
    player: Player, track: Track, worker: list[int], stored: Stored, django_capture_on_commit_callbacks: Any
) -> None:
    before = body(player.raw("stream", id=track.pk, format="mp3"))
    content = ContentFile(encode(tune(3.0, seed=5)), name="b.wav")
    info, sha256 = examine(content)
    with django_capture_on_commit_callbacks(execute=True):
        replace_sound(track=track, file=content, name="b.wav", info=info, sha256=sha256)
    assert [name for name in stored() if name.startswith("encoded/")] == []
    Track.objects.filter(pk=track.pk).update(duration=3.0)
    after = player.raw("stream", id=track.pk, format="mp3")
    sent = body(after)
    assert sent != before
    assert decode(io.BytesIO(sent)).info.duration == pytest.approx(3.0, abs=0.06)


def test_a_deletion_meanwhile_leaves_nothing(track: Track, stored: Stored) -> None:
    copy = EncodedCopy.objects.create(track=track, target="mp3", bit_rate=128)
    claim = copies.JOBS.claim(copy.pk)
    assert claim is not None
    EncodedCopy.objects.all().delete()
    with pytest.raises(Exception, match=str(copy.pk)):
        copies._encode(claim)
    assert [name for name in stored() if name.startswith("encoded/")] == []


def test_the_least_used_copies_go_first(
    player: Player, track: Track, worker: list[int], settings: Settings, stored: Stored
) -> None:
    sizes = {}
    for days, wanted in enumerate(("mp3", "opus", "aac")):
        sizes[wanted] = len(body(player.raw("stream", id=track.pk, format=wanted, maxBitRate=128)))
        used = timezone.now() - timedelta(days=3 - days)
        EncodedCopy.objects.filter(target=wanted).update(used_at=used)
    settings.ENCODED_COPIES_BYTES = sum(sizes.values())
    assert copies.forget_least_used() == 0
    # Used again, the oldest becomes the newest.
    body(player.raw("stream", id=track.pk, format="mp3", maxBitRate=128))
    settings.ENCODED_COPIES_BYTES = sizes["mp3"] + sizes["aac"] // 2
    assert copies.forget_least_used() == 2
    assert [copy.target for copy in EncodedCopy.objects.all()] == ["mp3"]
    assert sum(name.startswith("encoded/") for name in stored()) == 1
    failed = EncodedCopy.objects.create(track=track, target="opus", bit_rate=64, status="failed")
    EncodedCopy.objects.filter(pk=failed.pk).update(finished_at=timezone.now() - timedelta(days=2))
    copies.forget_least_used()
    assert not EncodedCopy.objects.filter(pk=failed.pk).exists()


def test_a_copy_whose_file_is_gone_is_made_again(
    player: Player, track: Track, worker: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a backup is restored, which holds no copies."""
    first = body(player.raw("stream", id=track.pk, format="mp3"))
    default_storage.delete(str(EncodedCopy.objects.get().file.name))
    assert body(player.raw("stream", id=track.pk, format="mp3")) == first
    assert len(worker) == 2
    copy = EncodedCopy.objects.get()
    stray = default_storage.save("encoded/ab/stray.mp3", ContentFile(b"stray"))
    monkeypatch.setattr(tidying, "GRACE", timedelta(0))
    tidying.tidy()
    assert default_storage.exists(str(copy.file.name))
    assert not default_storage.exists(stray)


def test_nothing_is_encoded_where_the_site_has_no_room_for_it(
    player: Player, track: Track, worker: list[int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "has_room", lambda _size: False)
    full = player.raw("stream", id=track.pk, format="mp3")
    assert (full.status_code, EncodedCopy.objects.get().error_code) == (503, "storage_full")
    settings.ENCODED_COPIES_BYTES = 0
    assert body(player.raw("stream", id=track.pk, format="mp3", maxBitRate=64, timeOffset=2)) == WAV
    names = [one["name"] for one in player("getOpenSubsonicExtensions")["openSubsonicExtensions"]]
    assert "transcodeOffset" not in names


@pytest.fixture
def slow_worker(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[threading.Event, list[str]]]:
    """Have a worker in a thread of its own that begins when it is let; returns that, and what it encoded."""
    begin, over = threading.Event(), threading.Event()
    encoded: list[str] = []
    encode_copy = decoding.shared.encode_copy

    def counted(file: Any, **given: Any) -> bytes:
        encoded.append(given["target"])
        return encode_copy(file, **given)

    monkeypatch.setattr(decoding.shared, "encode_copy", counted)
    monkeypatch.setattr(queue, "has_worker", lambda: True)

    def work() -> None:
        try:
            while not over.wait(0.05):
                if begin.is_set():
                    for pk in EncodedCopy.objects.filter(status="queued").values_list("pk", flat=True):
                        copies.encode(copy_id=pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield begin, encoded
    over.set()
    thread.join(60)
    with heartbeat.connect() as redis:
        redis.delete(queue.INTERACTIVE)


def test_two_that_ask_at_once_have_it_encoded_once(
    slow_worker: tuple[threading.Event, list[str]], owner: User, other: User
) -> None:
    begin, encoded = slow_worker
    track = added(owner, WAV, "song.wav")
    Track.objects.filter(pk=track.pk).update(visibility=Track.Visibility.CATALOGUE)
    given: list[bytes] = []

    def ask(person: User) -> None:
        try:
            given.append(body(Player(person).raw("stream", id=track.pk, format="mp3", maxBitRate=64)))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(person,)) for person in (owner, other)]
    for thread in threads:
        thread.start()
    begin.set()
    for thread in threads:
        thread.join(60)
    assert len(given) == 2
    assert given[0] == given[1]
    assert encoded == ["mp3"]
    assert EncodedCopy.objects.count() == 1
    assert sound_of(given[0]) == "mp3"


def sound_of(content: bytes) -> str:
    return decode(io.BytesIO(content)).info.codec


def test_a_part_of_what_is_gone() -> None:
    with pytest.raises(TrackError, match="file_missing"):
        copies.part_of(name="encoded/ab/none.mp3", target=TARGETS["mp3"], start=1.0)
    name = default_storage.save("encoded/ab/broken.mp3", ContentFile(b"no sound"))
    with pytest.raises(TrackError, match="undecodable"):
        copies.part_of(name=name, target=TARGETS["mp3"], start=1.0)

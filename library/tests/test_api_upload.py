"""POST /api/v1/tracks/: what is accepted, what is refused, and what is stored."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from genreweb.celery import app as celery_app
from library.models import Track
from library.services import queue
from library.services.analysis import analyse_track
from library.tests.conftest import Api
from library.tests.sounds import RATE, chords, encoded, silence, wav

TRACKS = "/api/v1/tracks/"
Stored = Callable[[], list[str]]


def upload(data: bytes, name: str = "song.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def test_a_sound_is_kept_and_queued(
    owner_api: APIClient,
    owner: User,
    stored: Stored,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    settings: Settings,
) -> None:
    data = wav()
    with django_capture_on_commit_callbacks(execute=True):
        response = owner_api.post(TRACKS, {"file": upload(data, "My_Song.wav")}, format="multipart")
    assert response.status_code == 202
    body = response.json()
    assert response["Location"] == f"http://testserver{TRACKS}{body['id']}/"
    assert "Preference-Applied" not in response
    assert body["status"] == "queued"
    assert body["title"] == "My Song"
    assert body["duration"] == pytest.approx(3.0)
    assert body["file_name"] == "My_Song.wav"
    assert body["duplicate"] is False
    assert body["mine"] is True
    assert body["error"] is body["analysis"] is None
    track = Track.objects.get()
    assert (track.owner, track.visibility, track.source) == (owner, "private", "upload")
    assert [track.sound.name] == stored()
    with track.sound.open() as file:
        assert file.read() == data
    with Redis.from_url(settings.REDIS_URL) as redis:
        assert str(track.pk).encode() in b"".join(redis.lrange(queue.INTERACTIVE, 0, -1))


def test_title_and_source_may_be_given(owner_api: APIClient) -> None:
    response = owner_api.post(
        TRACKS, {"file": upload(wav()), "title": " Blue\nnote ", "source": "recording"}, format="multipart"
    )
    assert response.status_code == 202
    track = Track.objects.get()
    assert (track.title, track.source) == ("Blue note", "recording")


@pytest.mark.parametrize(
    ("field", "value"), [("title", "x" * 201), ("title", "a\x00b"), ("source", "catalogue"), ("source", "?")]
)
def test_wrong_fields_are_named(owner_api: APIClient, stored: Stored, field: str, value: str) -> None:
    response = owner_api.post(TRACKS, {"file": upload(wav()), field: value}, format="multipart")
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "invalid"
    assert list(error["fields"]) == [field]
    assert error["fields"][field][0] in error["message"]
    assert not Track.objects.exists()
    assert stored() == []


@pytest.mark.parametrize("body", [{}, {"file": "not a file"}, {"sound": upload(b"x")}])
def test_a_missing_file_is_named(owner_api: APIClient, body: dict[str, object]) -> None:
    response = owner_api.post(TRACKS, body, format="multipart")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["file"]


@pytest.mark.parametrize(
    ("container", "codec", "suffix"),
    [
        ("mp3", "libmp3lame", "mp3"),
        ("flac", "flac", "flac"),
        ("ogg", "libopus", "opus"),
        ("webm", "libopus", "webm"),
        ("mp4", "aac", "m4a"),
        ("adts", "aac", "aac"),
        ("aiff", "pcm_s16be", "aiff"),
        ("au", "pcm_s16be", "au"),
        ("asf", "wmav2", "wma"),
    ],
)
def test_every_usual_format_is_taken(owner_api: APIClient, container: str, codec: str, suffix: str) -> None:
    rate = 48000 if codec == "libopus" else 44100
    data = encoded(container, codec, rate=rate)
    response = owner_api.post(TRACKS, {"file": upload(data, f"song.{suffix}")}, format="multipart")
    assert response.status_code == 202, response.json()
    assert str(Track.objects.get().sound.name).endswith(f".{suffix}")


def _claims_ten_hours() -> bytes:
    """A second of sound with a header that claims ten hours."""
    data = bytearray(wav(chords(1.5)))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 10 * 3600 * RATE * 2)
    return bytes(data)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
WRONG = {
    "empty": (b"", "song.wav", 400, {"empty"}),
    "text named mp3": (b"These are words, not music.\n" * 500, "song.mp3", 400, {"not_audio"}),
    "half a second": (wav(chords(0.5)), "song.wav", 400, {"too_short"}),
    "nothing but a header": (wav()[:30], "song.wav", 400, {"truncated", "not_audio", "empty"}),
    "cut before the first second": (
        encoded("mp3", "libmp3lame")[:3000],
        "song.mp3",
        400,
        {"truncated", "too_short", "not_audio"},
    ),
    "HLS playlist": (PLAYLIST, "song.mp3", 400, {"not_audio"}),
    "HLS playlist named m3u8": (PLAYLIST, "song.m3u8", 400, {"not_audio"}),
    "FFmpeg's concat list": (b"ffconcat version 1.0\nfile /etc/passwd\n", "song.wav", 400, {"not_audio"}),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "song.wav", 400, {"not_audio"}),
    "zeros": (bytes(100_000), "song.wav", 400, {"not_audio"}),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_files_are_refused_and_leave_nothing(owner_api: APIClient, stored: Stored, case: str) -> None:
    data, name, status, codes = WRONG[case]
    response = owner_api.post(TRACKS, {"file": upload(data, name)}, format="multipart")
    assert response.status_code == status, response.json()
    error = response.json()["error"]
    assert error["code"] in codes
    assert error["message"].endswith(".")
    assert "{" not in error["message"]
    assert not Track.objects.exists()
    assert stored() == []


def test_longer_than_the_site_accepts(owner_api: APIClient, stored: Stored, settings: Settings) -> None:
    settings.AUDIO_MAX_SECONDS = 2.0
    response = owner_api.post(TRACKS, {"file": upload(wav(chords(5)))}, format="multipart")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "too_long"
    assert (Track.objects.count(), stored()) == (0, [])


def test_larger_than_the_site_accepts(owner_api: APIClient, stored: Stored, settings: Settings) -> None:
    settings.AUDIO_MAX_BYTES = 100_000
    response = owner_api.post(TRACKS, {"file": upload(wav(chords(30)))}, format="multipart")
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert (Track.objects.count(), stored()) == (0, [])


def test_a_header_that_claims_ten_hours_is_not_believed(owner_api: APIClient) -> None:
    response = owner_api.post(TRACKS, {"file": upload(_claims_ten_hours())}, format="multipart")
    if response.status_code == 202:
        assert response.json()["duration"] is None or response.json()["duration"] < 5
    else:
        assert response.json()["error"]["code"] in {"too_long", "truncated"}


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.wav",
        "..\\..\\evil.wav",
        "/etc/passwd",
        "노래" * 150 + ".wav",
        "a\u202egpj.wav",
        "🎵" * 300,
        ".wav",
        "a" * 300 + ".mp3.exe",
    ],
)
def test_names_are_for_display_only(owner_api: APIClient, stored: Stored, name: str) -> None:
    response = owner_api.post(TRACKS, {"file": upload(wav(), name)}, format="multipart")
    assert response.status_code == 202, response.json()
    track = Track.objects.get()
    assert len(track.title) <= 200
    for shown in (track.title, track.original_name):
        assert not set(shown) & set("/\\\u202e\n")
    (key,) = stored()
    folder, shard, file = key.split("/")
    assert (folder, shard) == ("sounds", track.pk.hex[:2])
    UUID(file.removesuffix(".wav"))


@pytest.mark.parametrize("name", ["song.mp3", "song", "song.exe"])
def test_a_wrong_ending_is_put_right_for_browsers(owner_api: APIClient, client: Client, name: str) -> None:
    response = owner_api.post(TRACKS, {"file": upload(wav(), name)}, format="multipart")
    track = Track.objects.get(pk=response.json()["id"])
    assert track.original_name == name
    assert client.get(track.sound.url)["Content-Type"] == "audio/wav"


def test_names_are_read_as_browsers_write_them(owner_api: APIClient) -> None:
    owner_api.post(TRACKS, {"file": upload(wav(), "%22Blue%22%0D%0ATrain.wav")}, format="multipart")
    track = Track.objects.get()
    assert (track.title, track.original_name) == ('"Blue" Train', '"Blue" Train.wav')


def test_the_same_file_again_is_recognised(owner_api: APIClient, stored: Stored) -> None:
    data = wav()
    first = owner_api.post(TRACKS, {"file": upload(data, "one.wav")}, format="multipart")
    again = owner_api.post(TRACKS, {"file": upload(data, "two.wav")}, format="multipart")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {**first.json(), "duplicate": True}
    assert again["Location"] == first["Location"]
    assert (Track.objects.count(), len(stored())) == (1, 1)


def test_two_people_may_send_the_same_file(api: Api, owner: User, other: User, stored: Stored) -> None:
    data = wav()
    answers = [api(who).post(TRACKS, {"file": upload(data)}, format="multipart") for who in (owner, other)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert len(stored()) == 2


def test_without_an_account_nothing_is_taken(client: APIClient, db: None, stored: Stored) -> None:
    response = client.post(TRACKS, {"file": upload(wav())})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "not_authenticated"
    assert (Track.objects.count(), stored()) == (0, [])


def test_a_browser_must_show_that_it_means_it(owner: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(owner)
    refused = browser.post(TRACKS, {"file": upload(wav())}, format="multipart")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission_denied"
    assert not Track.objects.exists()
    browser.cookies["csrftoken"] = "x" * 32
    taken = browser.post(
        TRACKS, {"file": upload(wav())}, format="multipart", headers={"X-CSRFToken": "x" * 32}
    )
    assert taken.status_code == 202


def test_json_is_no_way_to_send_a_file(owner_api: APIClient) -> None:
    response = owner_api.post(TRACKS, {"file": "UklGRg=="}, format="json")
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"


def test_a_broken_multipart_body_is_told(owner_api: APIClient) -> None:
    response = owner_api.post(TRACKS, b"--x\r\nnothing", content_type="multipart/form-data")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "parse_error"


@pytest.fixture
def redis_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point broker, cache and rate limits at a socket that is not there."""
    monkeypatch.setattr(celery_app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")
    monkeypatch.setattr(celery_app.amqp, "_producer_pool", None)
    cache = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}
    settings.CACHES = {"default": cache}


@pytest.mark.usefixtures("redis_away")
def test_redis_away_loses_nothing(
    owner_api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with pytest.raises(RedisConnectionError, match="No such file"):
        Redis.from_url("unix:///nowhere/redis.sock").ping()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        response = owner_api.post(TRACKS, {"file": upload(wav())}, format="multipart")
    assert response.status_code == 202
    assert len(callbacks) == 1
    assert Track.objects.get().status == "queued"


# --- Prefer: wait ------------------------------------------------------------------------------------------
@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Keep a thread that analyses whatever waits, as a worker does."""

    def work(stop: threading.Event) -> None:
        try:
            while not stop.wait(0.02):
                for pk in Track.objects.filter(status="queued").values_list("pk", flat=True):
                    analyse_track(track_id=pk)
        finally:
            connection.close()

    stop = threading.Event()
    thread = threading.Thread(target=work, args=[stop])
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("classifier_in_service", "worker")
def test_who_waits_gets_the_finished_track(owner_api: APIClient) -> None:
    response = owner_api.post(
        TRACKS, {"file": upload(wav())}, format="multipart", headers={"Prefer": "wait=30"}
    )
    assert response.status_code == 200
    assert response["Preference-Applied"] == "wait=30"
    assert "Prefer" in response["Vary"]
    body = response.json()
    assert body["status"] == "done"
    assert body["duplicate"] is False
    assert sum(body["analysis"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.usefixtures("classifier_in_service", "worker")
def test_who_waits_for_silence_learns_that_it_is_none(owner_api: APIClient) -> None:
    response = owner_api.post(
        TRACKS, {"file": upload(silence())}, format="multipart", headers={"Prefer": "wait=30"}
    )
    assert response.status_code == 200
    analysis = response.json()["analysis"]
    assert (analysis["unsure"], analysis["music"], analysis["genre"]) == (True, False, None)


def test_who_waits_in_vain_gets_what_there_is(owner_api: APIClient) -> None:
    response = owner_api.post(
        TRACKS, {"file": upload(wav())}, format="multipart", headers={"Prefer": "wait=0"}
    )
    assert response.status_code == 202
    assert response["Preference-Applied"] == "wait=0"
    assert response.json()["status"] == "queued"

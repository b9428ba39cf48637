"""Clips for programs: who may send, see and withdraw them, and what is answered to nonsense."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from library.tests.sounds import chords, wav
from training.models import Clip, DatasetSnapshot, Promotion, SnapshotClip, TrainingRun
from training.tests.clips import make_clip

CLIPS = "/api/v1/clips/"
Stored = Callable[[], list[str]]
Api = Callable[[Any], APIClient]


@pytest.fixture(autouse=True)
def _no_messages() -> Iterator[None]:
    with mock.patch("celery.Celery.send_task"):
        yield


def send(client: APIClient, sound: bytes | None = None, **fields: Any) -> Any:
    file = SimpleUploadedFile("song.wav", wav() if sound is None else sound)
    data = {"file": file, "genre": "blues", "rights": "true", **fields}
    kept = {name: value for name, value in data.items() if value is not None}
    return client.post(CLIPS, kept, format="multipart")


def use(clip: Clip, version: ModelVersion, *, split: str = "train", promoted: bool = True) -> None:
    """Make a version that was trained on a clip."""
    snapshot = DatasetSnapshot.objects.create(digest=uuid.uuid4().hex)
    SnapshotClip.objects.create(
        snapshot=snapshot, clip=clip, clip_key=clip.pk, features_sha256="0", genre="blues", split=split
    )
    TrainingRun.objects.create(
        kind="quick",
        architecture="residual-cnn",
        epochs=1,
        status="done",
        snapshot=snapshot,
        candidate=version,
    )
    if promoted:
        Promotion.objects.create(action="promote", version=version, reason="better")


def test_a_clip_is_taken_and_answered_at_once(
    owner_api: APIClient, owner: User, genres: dict[str, Genre]
) -> None:
    answer = send(owner_api, title="Song", artist="Me", comment="live", start="0", end="3")
    assert answer.status_code == 202
    clip = Clip.objects.get()
    body = answer.json()
    assert answer["Location"].endswith(f"{CLIPS}{clip.pk}/")
    assert (body["id"], body["status"], body["genre"]) == (str(clip.pk), "checking", "blues")
    assert (body["title"], body["artist"], body["comment"]) == ("Song", "Me", "live")
    assert (body["start"], body["end"], body["mine"], body["duplicate"]) == (0.0, 3.0, True, False)
    assert (clip.contributor, clip.genre.slug) == (owner, "blues")
    again = send(owner_api, start="0", end="3", genre="rock")
    assert (again.status_code, again.json()["id"], again.json()["duplicate"]) == (200, str(clip.pk), True)


def test_a_clip_is_cut_from_a_track_of_ones_own(  # noqa: PLR0917  fixtures
    owner_api: APIClient,
    api: Api,
    other: User,
    staff: User,
    owner: User,
    genres: dict[str, Genre],
    queued_track: Callable[..., Track],
) -> None:
    track = queued_track(owner)
    public = queued_track(None)
    for client, pk in ((api(other), track.pk), (api(staff), track.pk), (owner_api, public.pk)):
        answer = send(client, file=None, track=str(pk))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert Clip.objects.count() == 0
    answer = send(owner_api, file=None, track=str(track.pk))
    assert (answer.status_code, answer.json()["track"]) == (202, str(track.pk))


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"rights": "false"}, "rights_missing", None),
        ({"rights": None}, "rights_missing", None),
        ({"rights": "perhaps"}, "invalid", "rights"),
        ({"genre": "polka"}, "invalid", "genre"),
        ({"genre": "blues\x00"}, "invalid", "genre"),
        ({"genre": None}, "invalid", "genre"),
        ({"file": None}, "invalid", "file"),
        ({"track": str(uuid.uuid4())}, "invalid", "file"),
        ({"file": None, "track": "../../etc"}, "invalid", "track"),
        ({"file": "no file"}, "invalid", "file"),
        ({"start": "nan"}, "invalid", "start"),
        ({"start": "-1"}, "piece_invalid", None),
        ({"start": "1e999"}, "invalid", "start"),
        ({"start": "1e300"}, "piece_invalid", None),
        ({"start": "soon"}, "invalid", "start"),
        ({"start": "0", "end": "40"}, "piece_too_long", None),
        ({"title": "x" * 201}, "invalid", "title"),
        ({"comment": "x" * 1001}, "invalid", "comment"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(  # noqa: PLR0917  fixtures
    owner_api: APIClient,
    genres: dict[str, Genre],
    stored: Stored,
    fields: dict[str, Any],
    code: str,
    field: str | None,
) -> None:
    answer = send(owner_api, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["message"]
    assert list(error.get("fields", {})) == ([field] if field else [])
    assert (Clip.objects.count(), stored()) == (0, [])


@pytest.mark.parametrize(
    ("sound", "code"), [(b"", "empty"), (b"x" * 5000, "not_audio"), (wav(chords(1.5)), "too_short")]
)
def test_a_bad_file_is_refused(
    owner_api: APIClient, genres: dict[str, Genre], stored: Stored, sound: bytes, code: str
) -> None:
    answer = send(owner_api, sound)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert (Clip.objects.count(), stored()) == (0, [])


def test_nobody_sends_without_an_account(api: Api, anonymous: Any, genres: dict[str, Genre]) -> None:
    client = api(anonymous)
    assert send(client).status_code == 401
    assert client.get(CLIPS).status_code == 401
    assert Clip.objects.count() == 0


def test_sending_is_throttled(owner_api: APIClient, genres: dict[str, Genre]) -> None:
    from rest_framework.throttling import ScopedRateThrottle

    with mock.patch.object(ScopedRateThrottle, "THROTTLE_RATES", {"upload": "2/min"}):
        codes = [send(owner_api).status_code for _ in range(3)]
        assert owner_api.get(CLIPS).status_code == 200
    assert codes == [202, 200, 429]


@pytest.mark.slow
def test_everybody_sees_what_is_theirs_to_see(matrix: Any, api: Api, genres: dict[str, Genre]) -> None:
    mine, theirs = make_clip(matrix.owner, genres["blues"]), make_clip(matrix.other, genres["rock"])
    imported = make_clip(None, genres["pop"])
    expected = {
        matrix.owner: {mine},
        matrix.other: {theirs},
        matrix.curator: {mine, theirs, imported},
        matrix.staff: {mine, theirs, imported},
    }
    for person, clips in expected.items():
        client = api(person)
        listed = client.get(CLIPS).json()
        assert {entry["id"] for entry in listed["results"]} == {str(clip.pk) for clip in clips}
        assert listed["count"] == len(clips)
        for clip in (mine, theirs, imported):
            answer = client.get(f"{CLIPS}{clip.pk}/")
            assert answer.status_code == (200 if clip in clips else 404)
    assert api(matrix.anonymous).get(f"{CLIPS}{mine.pk}/").status_code == 401
    shown = api(matrix.curator).get(f"{CLIPS}{mine.pk}/").json()
    assert shown["mine"] is False
    assert "example.org" not in str({**shown, "sound": ""})


def test_only_the_contributor_withdraws(  # noqa: PLR0917  fixtures
    matrix: Any,
    api: Api,
    genres: dict[str, Genre],
    stored: Stored,
    version: ModelVersion,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    clip = make_clip(matrix.owner, genres["blues"], status="approved")
    imported = make_clip(None, genres["blues"])
    use(clip, version)
    assert api(matrix.anonymous).delete(f"{CLIPS}{clip.pk}/").status_code == 401
    for person in matrix.strangers:
        assert api(person).delete(f"{CLIPS}{clip.pk}/").status_code == 404
        assert api(person).delete(f"{CLIPS}{imported.pk}/").status_code == 404
    assert Clip.objects.count() == 2
    with django_capture_on_commit_callbacks(execute=True):
        assert api(matrix.owner).delete(f"{CLIPS}{clip.pk}/").status_code == 204
    assert api(matrix.owner).delete(f"{CLIPS}{clip.pk}/").status_code == 404
    assert list(Clip.objects.all()) == [imported]
    assert stored() == sorted(map(str, [imported.sound, imported.features]))
    entry = SnapshotClip.objects.get()
    assert (entry.clip, entry.clip_key) == (None, clip.pk)


@pytest.mark.slow
def test_a_clip_is_used_once_a_version_with_it_was_promoted(
    owner_api: APIClient, owner: User, genres: dict[str, Genre], version: ModelVersion
) -> None:
    used = make_clip(owner, genres["blues"], status="approved")
    waits = make_clip(owner, genres["blues"], status="approved")
    use(used, version)
    shelved = ModelVersion.objects.create(
        name="shelved", source="trained", location="x", sha256="1" * 64, labels=[], feature_version="1"
    )
    use(waits, shelved, promoted=False)

    def listed(status: str) -> list[tuple[str, str, list[str]]]:
        results = owner_api.get(CLIPS, {"status": status}).json()["results"]
        return [(entry["id"], entry["status"], entry["versions"]) for entry in results]

    assert listed("used") == [(str(used.pk), "used", ["test"])]
    assert {entry[:2] for entry in listed("approved")} == {
        (str(used.pk), "used"),
        (str(waits.pk), "approved"),
    }
    Clip.objects.filter(pk=used.pk).update(leaks=True)
    assert listed("used") == []


@pytest.mark.slow
def test_clips_are_filtered(api: Api, curator: User, owner: User, genres: dict[str, Genre]) -> None:
    make_clip(owner, genres["blues"])
    make_clip(owner, genres["rock"], status="rejected", reason="noise")
    own = make_clip(curator, genres["rock"])
    client = api(curator)

    def count(**query: Any) -> int:
        answer = client.get(CLIPS, query)
        assert answer.status_code == 200, answer.content
        return int(answer.json()["count"])

    assert (count(), count(genre="rock"), count(genre=["rock", "blues"])) == (3, 2, 3)
    assert (count(status="rejected"), count(status=["rejected", "pending"])) == (1, 3)
    assert (count(mine="true"), count(mine="false"), count(mine="true", genre="blues")) == (1, 2, 0)
    assert client.get(CLIPS, {"mine": "true"}).json()["results"][0]["id"] == str(own.pk)
    assert len(client.get(CLIPS, {"page_size": 2}).json()["results"]) == 2


@pytest.mark.parametrize("query", ["status=good", "genre=polka", "status=pending&status=x", "genre=%00"])
def test_unknown_filters_are_refused(owner_api: APIClient, genres: dict[str, Genre], query: str) -> None:
    answer = owner_api.get(f"{CLIPS}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


def test_what_happened_to_a_clip_is_said(
    owner_api: APIClient, owner: User, other: User, genres: dict[str, Genre]
) -> None:
    theirs = make_clip(other, genres["blues"])
    first = make_clip(owner, genres["blues"], duplicate_of=theirs, leaks=True, leaks_into="blues.00042")
    second = make_clip(owner, genres["blues"], duplicate_of=first, status="rejected", reason="speech")
    failed = Clip.objects.create(
        contributor=owner,
        genre=genres["pop"],
        contributed_genre=genres["pop"],
        sha256="2" * 64,
        status="failed",
        error_code="piece_too_short",
        error_params={"minimum": 3.0},
    )

    def get(clip: Clip) -> dict[str, Any]:
        return dict(owner_api.get(f"{CLIPS}{clip.pk}/").json())

    assert (get(first)["same_as"], get(first)["is_duplicate"]) == (None, True)
    assert (get(first)["leaks"], get(first)["leaks_into"]) == (True, "blues.00042")
    assert (get(second)["same_as"], get(second)["reason"]) == (str(first.pk), "speech")
    assert get(second)["sound"].startswith("http://testserver/")
    assert get(failed)["error"]["code"] == "piece_too_short"
    assert "3 s" in get(failed)["error"]["message"]
    assert get(failed)["sound"] is None


def test_a_long_list_costs_no_more_queries(
    owner_api: APIClient,
    owner: User,
    genres: dict[str, Genre],
    version: ModelVersion,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    from django.db import connection

    make_clip(owner, genres["blues"])
    with CaptureQueriesContext(connection) as few:
        owner_api.get(CLIPS)
    for place in range(8):
        clip = make_clip(owner, genres["rock"], status="approved")
        if place < 1:
            use(clip, version)
    with django_assert_max_num_queries(len(few) + 2):
        assert owner_api.get(CLIPS).json()["count"] == 9

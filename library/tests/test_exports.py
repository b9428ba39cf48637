"""Lists of tracks as files: what they hold, for whom, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
import json
import wave
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from celery.contrib.testing.worker import start_worker
from django.core.files.base import ContentFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from classifier.core.summary import COLUMNS
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.celery import app as celery_app
from genreweb.table_stream import csv_lines, plain_cell
from library.exports import columns
from library.models import Track, TrackFeatures
from library.services import features, queue
from library.services.tracks import add_track
from library.tests.conftest import LABELS, Api
from library.tests.sounds import chords, wav

API = "/api/v1/tracks/export"
FORMULA = '=HYPERLINK("http://evil.example.org")'


def content(response: Any) -> str:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content).decode()


def table(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(response).removeprefix("\ufeff"))))


def test_cells_are_plain() -> None:
    for hostile in ("=1", "+1", "-1", "@a", "\ta", "\ra", "\n=1", "＝1"):
        assert plain_cell(hostile) == f"'{hostile}"
    assert [plain_cell(cell) for cell in (-1.5, 0, None, True, "a=1", "\0=1")] == [
        *(-1.5, 0, "", "true", "a=1", "'=1")
    ]
    assert "".join(csv_lines(["=a"], [["b", -2]], for_spreadsheets=True)) == "\ufeff'=a\r\nb,-2\r\n"


@pytest.fixture
def shelf(owner: User, other: User, genres: dict[str, Genre], done_track: Callable[..., Track]) -> None:
    mood = {"happy": 0.95}
    done_track(owner, title=FORMULA, genre="jazz", tags=mood, original_name="+name.wav", album="한국")
    done_track(owner, title="Second", genre="blues", confidence=0.4, unsure=True)
    done_track(other, title="Secret")
    done_track(None, title="Public", labelled_genre=genres["rock"], original_name="place.wav")


@pytest.mark.usefixtures("shelf")
def test_a_list_as_csv_holds_what_the_filters_show(
    owner_api: APIClient, api: Api, other: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(8):
        rows = table(owner_api.get(f"{API}/csv/?ordering=created", headers={"Accept": "text/csv"}))
    assert [row["title"] for row in rows] == [f"'{FORMULA}", "Second"]
    first, second = rows
    # Names of tag groups and of genres are columns too.
    assert len(set(columns(LABELS))) == len(columns(LABELS)) == len(first)
    assert (first["genre"], first["unsure"], first["mood"], first["album"]) == (
        "jazz",
        "false",
        "happy",
        "한국",
    )
    assert (first["file_name"], len(first["sha256"])) == ("'+name.wav", 64)
    assert float(second["confidence"]) == 0.4
    assert sum(float(second[f"probability_{label}"]) for label in LABELS) == pytest.approx(1)
    assert [row["title"] for row in table(owner_api.get(f"{API}/csv/?genre=blues"))] == ["Second"]
    (public,) = table(owner_api.get(f"{API}/csv/?scope=catalogue"))
    assert (public["title"], public["labelled_genre"], public["genre"]) == ("Public", "rock", "rock")
    assert (public["file_name"], public["sha256"]) == ("", "")
    wanted = ",".join(
        str(pk) for pk in Track.objects.filter(title__in=["Second", "Secret"]).values_list("pk", flat=True)
    )
    assert [row["title"] for row in table(owner_api.get(f"{API}/csv/?id={wanted}&scope=all"))] == ["Second"]
    assert [row["title"] for row in table(api(other).get(f"{API}/csv/"))] == ["Secret"]


@pytest.mark.usefixtures("shelf")
def test_a_list_as_json_is_the_list_of_the_api(owner_api: APIClient, client: Client) -> None:
    listed = owner_api.get("/api/v1/tracks/").json()["results"]
    exported = json.loads(content(owner_api.get(f"{API}/json/")))
    for track in (*listed, *exported):
        track["cover"] = None
    assert exported == listed
    assert json.loads(content(owner_api.get(f"{API}/json/?search=nothing-of-the-kind"))) == []
    for place in ("csv", "json", "features"):
        assert client.get(f"{API}/{place}/").status_code == 401
        assert owner_api.get(f"{API}/{place}/?genre=polka").status_code == 400
        assert owner_api.get(f"{API}/{place}/?id=no-id").status_code == 400
        assert owner_api.get(f"{API}/{place}/?gnere=jazz").json()["error"]["code"] == "unknown_parameter"


@pytest.mark.usefixtures("shelf")
def test_pages_send_their_list_and_what_was_chosen(client: Client, owner: User) -> None:
    assert [row["title"] for row in table(client.get("/catalogue/export.csv?q=publ"))] == ["Public"]
    assert json.loads(content(client.get("/catalogue/export.json?genre=jazz"))) == []
    assert client.get("/tracks/export.csv").status_code == 302
    client.force_login(owner)
    page = client.get("/tracks/?genre=jazz").content.decode()
    assert 'href="/tracks/export.csv?genre=jazz"' in page
    assert 'href="/catalogue/export.json"' in client.get("/catalogue/").content.decode()
    response = client.get("/tracks/export.csv?genre=jazz")
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert [row["title"] for row in table(response)] == [f"'{FORMULA}"]
    chosen = Track.objects.filter(title__in=["Second", "Secret"]).values_list("pk", flat=True)
    sent = client.post("/tracks/export.csv", {"track": [*chosen, "no id"]})
    assert [row["title"] for row in table(sent)] == ["Second"]
    assert table(client.post("/tracks/export.csv", {})) == []


# --- features --------------------------------------------------------------------------------------------
@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    with start_worker(celery_app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield


@pytest.mark.slow
def test_features_are_those_of_the_table_and_computed_once(
    worker: None, owner: User, owner_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "has_worker", lambda name="": True)
    sound = wav(chords(4))
    track = add_track(owner=owner, file=ContentFile(sound, name="a.wav"), name="a.wav").track
    broken = add_track(owner=owner, file=ContentFile(wav(chords(3)), name="b.wav"), name="b.wav").track
    with broken.sound.storage.open(str(broken.sound.name)) as file:
        assert file.read(4) == b"RIFF"
    broken.sound.storage.delete(str(broken.sound.name))
    rows = table(owner_api.get(f"{API}/features/?ordering=created"))
    assert list(rows[0]) == ["filename", "length", *COLUMNS, "label"]
    assert [row["filename"] for row in rows] == ["a.wav", "b.wav"]
    from classifier.core.summary import summarise

    with wave.open(io.BytesIO(sound)) as file:
        assert int(rows[0]["length"]) == file.getnframes()
    kept = TrackFeatures.objects.get()
    assert kept.track == track
    assert float(rows[0]["tempo"]) == kept.values[COLUMNS.index("tempo")] > 0
    samples = ((chords(4) * 32767).astype("<i2") / np.float32(32768)).astype(np.float32)
    assert kept.values == pytest.approx(summarise(samples).tolist(), rel=1e-4, abs=1e-4)
    assert {rows[1][name] for name in ("length", *COLUMNS)} == {""}
    # Another sound of the same track makes them old.
    Track.objects.filter(pk=track.pk).update(sha256="0" * 64)
    monkeypatch.setattr(queue, "has_worker", lambda name="": False)
    assert owner_api.get(f"{API}/features/").status_code == 503


def test_features_of_too_many_are_refused(
    owner: User,
    client: Client,
    owner_api: APIClient,
    done_track: Callable[..., Track],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "MOST", 1)
    track = done_track(owner)
    TrackFeatures.objects.create(track=track, sha256=track.sha256, length=1, values=[0.5] * len(COLUMNS))
    (row,) = table(owner_api.get(f"{API}/features/"))
    assert (row["mfcc20_var"], row["label"]) == ("0.5", "blues")
    done_track(owner)
    refused = owner_api.get(f"{API}/features/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_features")
    client.force_login(owner)
    assert "at most 1 tracks" in client.get("/tracks/features.csv", follow=True).content.decode()
    chosen = client.post("/tracks/features.csv", {"track": [track.pk]})
    assert table(chosen)[0]["rms_mean"] == "0.5"

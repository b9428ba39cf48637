"""The approved clips as files: what they hold, for whom, and that they come in again as they went out."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.test import Client

from classifier.models import Genre
from genreweb.accounts.models import User
from library.services.importing import Listing
from training.models import Clip, Dataset
from training.services import clip_exports, imports, layouts
from training.tests.clips import make_clip


@pytest.fixture
def clips(owner: User, genres: dict[str, Genre]) -> list[Clip]:
    dataset = Dataset.objects.create(name="=Set", licence="CC BY 4.0")
    approved: dict[str, Any] = {"status": Clip.Status.APPROVED}
    return [
        make_clip(
            owner,
            genres["jazz"],
            title="Hana's band",
            artist="Hana Kim",
            comment="call me",
            seed=1,
            **approved,
        ),
        make_clip(
            None,
            genres["rock"],
            dataset=dataset,
            dataset_key="rock/1.wav",
            artist="Band",
            part="test",
            **approved,
        ),
        make_clip(
            None,
            genres["rock"],
            dataset=dataset,
            dataset_key="row 2",
            artist="hana kim ",
            sound=False,
            **approved,
        ),
        make_clip(owner, genres["pop"], title="Waits"),
        make_clip(owner, genres["pop"], leaks=True, **approved),
    ]


def content(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def test_the_table_says_nothing_about_people(clips: list[Clip], curator: User, client: Client) -> None:
    client.force_login(curator)
    text = content(client.get("/api/v1/clips/export/csv/", headers={"Accept": "text/csv"})).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["id"], row["genre"], row["artist"], row["part"], row["licence"]) for row in rows] == [
        (str(clips[0].pk), "jazz", "artist 1", "", ""),
        (str(clips[1].pk), "rock", "artist 2", "test", "CC BY 4.0"),
        (str(clips[2].pk), "rock", "artist 1", "", "CC BY 4.0"),
    ]
    assert (rows[0]["source"], rows[1]["dataset"], rows[2]["path"]) == ("contributed", "'=Set", "")
    assert [row["sha256"] for row in rows] == [clip.sha256 for clip in clips[:3]]
    as_json = json.loads(content(client.get("/api/v1/clips/export/json/")))
    assert [row["features_sha256"] for row in as_json] == [clip.features_sha256 for clip in clips[:3]]
    everything = (text + json.dumps(as_json, ensure_ascii=False)).casefold()
    assert not any(word in everything for word in ("hana", "call me", "owner", "waits"))
    page = client.get("/training/data/").content.decode()
    for suffix in ("csv", "json", "zip"):
        assert f'href="/training/data/clips.{suffix}"' in page
        assert content(client.get(f"/training/data/clips.{suffix}"))


@pytest.mark.parametrize("place", ["/training/data/clips.{}", "/api/v1/clips/export/{}/"])
def test_only_curators(
    place: str, owner: User, client: Client, api: Callable[[User | AnonymousUser], Any]
) -> None:
    in_api = place.startswith("/api")
    for form in ("csv", "json", "archive" if in_api else "zip"):
        assert client.get(place.format(form)).status_code == (401 if in_api else 302)
    client.force_login(owner)
    for form in ("csv", "json", "archive" if in_api else "zip"):
        assert client.get(place.format(form)).status_code == 404


def test_the_archive_comes_in_again(clips: list[Clip], curator: User, client: Client, tmp_path: Path) -> None:
    client.force_login(curator)
    default_storage.delete(str(clips[1].sound.name))
    archive = zipfile.ZipFile(io.BytesIO(content(client.get("/api/v1/clips/export/archive/"))))
    assert archive.namelist() == [f"jazz/{clips[0].pk}.wav", "clips.csv", "missing.txt"]
    with default_storage.open(str(clips[0].sound.name)) as file:
        assert archive.read(f"jazz/{clips[0].pk}.wav") == file.read()
    archive.extractall(tmp_path)
    found = layouts.entries(tmp_path)
    kept = Listing([entry for entry in found.entries if entry.path.is_file() and not entry.problem])
    into = imports.open_dataset(name="Again", source="", licence="", trusted=True)
    report = imports.import_entries(kept, into=into)
    assert report.counts["added"] == 1
    again = Clip.objects.get(dataset=into)
    assert (again.genre.slug, again.artist) == ("jazz", "artist 1")
    assert list(clip_exports.COLUMNS) == list(
        csv.DictReader(io.StringIO(archive.read("clips.csv").decode())).fieldnames or []
    )

"""Folders and tables of music are imported into the catalogue once; unreadable files are listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from library.models import Track
from library.services import catalogue
from library.tests.sounds import chords, wav
from training.services.releases import sync_release

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sync_release()
    for n, place in enumerate(["blues/One Song.wav", "hip-hop/two.wav", "polka/three.wav", "four.wav"]):
        path = tmp_path / "music" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(chords(2, seed=n)))
    return tmp_path / "music"


def test_a_folder_of_genres_becomes_tracks_that_everybody_sees(folder: Path) -> None:
    report = catalogue.import_entries(catalogue.entries(folder))
    assert (report.added, report.known, report.refused) == (4, 0, [])
    tracks = {track.title: track for track in Track.objects.in_catalogue()}
    assert sorted(tracks) == ["One Song", "four", "three", "two"]
    assert tracks["One Song"].labelled_genre is not None
    assert tracks["One Song"].labelled_genre.slug == "blues"
    assert tracks["two"].labelled_genre is not None
    assert tracks["two"].labelled_genre.slug == "hiphop"
    # An unknown genre is not added to the site.
    assert tracks["three"].labelled_genre is None
    assert tracks["four"].labelled_genre is None
    assert all(track.status == Track.Status.QUEUED and track.owner is None for track in tracks.values())
    assert all(default_storage.exists(str(track.sound.name)) for track in tracks.values())


def test_a_second_run_adds_only_what_is_new(folder: Path) -> None:
    catalogue.import_entries(catalogue.entries(folder))
    (folder / "rock").mkdir()
    (folder / "rock" / "new.wav").write_bytes(wav(chords(2, seed=50)))
    report = catalogue.import_entries(catalogue.entries(folder))
    assert (report.added, report.known) == (1, 4)
    assert Track.objects.count() == 5


def test_an_interrupted_run_goes_on_where_it_stopped(folder: Path) -> None:
    def stop(entry: catalogue.Entry, outcome: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.import_entries(catalogue.entries(folder), on_entry=stop)
    assert Track.objects.count() == 1
    report = catalogue.import_entries(catalogue.entries(folder))
    assert (report.added, report.known) == (3, 1)


def test_a_file_that_changed_takes_the_place_of_the_old_one(
    folder: Path, django_capture_on_commit_callbacks: object
) -> None:
    catalogue.import_entries(catalogue.entries(folder))
    old = Track.objects.get(title="four")
    (folder / "four.wav").write_bytes(wav(chords(3, seed=60)))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
        report = catalogue.import_entries(catalogue.entries(folder))
    assert report.replaced == 1
    new = Track.objects.get(title="four")
    assert (new.pk, new.status) == (old.pk, Track.Status.QUEUED)
    assert new.sha256 != old.sha256
    assert default_storage.exists(str(new.sound.name))
    assert not default_storage.exists(str(old.sound.name))


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "blues" / "a broken one.mp3").write_text("no music in here")
    (folder / "blues" / "empty.wav").write_bytes(b"")
    (folder / "blues" / "cover.jpg").write_bytes(b"a picture beside the music")
    report = catalogue.import_entries(catalogue.entries(folder))
    assert report.added == 4
    assert sorted(Path(path).name for path, _ in report.refused) == ["a broken one.mp3", "empty.wav"]
    assert Track.objects.count() == 4


def test_a_table_gives_titles_artists_and_licences(folder: Path) -> None:
    table = folder / "list.csv"
    table.write_text(
        "path,title,artist,genre,licence\n"
        "blues/One Song.wav,Über allem,The Artist,Blues,CC BY 4.0\n"
        "missing.wav,Gone,,rock,\n",
        encoding="utf-8-sig",
    )
    report = catalogue.import_entries(catalogue.entries(table))
    assert report.added == 1
    assert [Path(path).name for path, _ in report.refused] == ["missing.wav"]
    track = Track.objects.get()
    assert (track.title, track.artist, track.licence) == ("Über allem", "The Artist", "CC BY 4.0")
    assert track.labelled_genre is not None
    assert track.labelled_genre.slug == "blues"


def test_a_folder_without_music_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no music"):
        call_command("import_catalogue", str(tmp_path), "--no-wait")
    with pytest.raises(CommandError, match="does not exist"):
        call_command("import_catalogue", str(tmp_path / "nowhere"), "--no-wait")


def test_a_table_without_a_path_column_is_an_error(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("file,genre\na.wav,rock\n")
    with pytest.raises(CommandError, match="path"):
        call_command("import_catalogue", str(table), "--no-wait")
    table.write_bytes(b"path\n\xff\xfe\x00\n")
    with pytest.raises(CommandError, match="UTF-8"):
        call_command("import_catalogue", str(table), "--no-wait")

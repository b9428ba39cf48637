"""Folders and tables of music are imported into the catalogue once; unreadable files are listed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from classifier import registry
from classifier.models import Genre
from library.models import Track
from library.services import catalogue
from library.services.genres import UNKNOWN_GENRE
from library.services.importing import OUTCOMES, Report
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db


def counted(report: Report) -> tuple[int, ...]:
    """Numbers of files: added, changed, same, refused."""
    return tuple(report.counts[outcome] for outcome in OUTCOMES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    registry.sync_genres()
    for n, place in enumerate(["blues/One Song.wav", "hip-hop/two.wav", "polka/three.wav", "four.wav"]):
        path = tmp_path / "music" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(chords(2, seed=n)))
    return tmp_path / "music"


def test_a_folder_of_genres_becomes_tracks_that_everybody_sees(folder: Path) -> None:
    report = catalogue.import_entries(catalogue.entries(folder))
    assert (counted(report), report.refused) == ((4, 0, 0, 0), [])
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
    assert counted(report) == (1, 0, 4, 0)
    assert Track.objects.count() == 5


def test_an_interrupted_run_goes_on_where_it_stopped(folder: Path) -> None:
    def stop(entry: catalogue.Entry, outcome: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.import_entries(catalogue.entries(folder), on_entry=stop)
    assert Track.objects.count() == 1
    report = catalogue.import_entries(catalogue.entries(folder))
    assert counted(report) == (3, 0, 1, 0)


def test_a_file_that_changed_takes_the_place_of_the_old_one(
    folder: Path, django_capture_on_commit_callbacks: object
) -> None:
    catalogue.import_entries(catalogue.entries(folder))
    old = Track.objects.get(title="four")
    (folder / "four.wav").write_bytes(wav(chords(3, seed=60)))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
        report = catalogue.import_entries(catalogue.entries(folder))
    assert counted(report) == (0, 1, 3, 0)
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
    assert counted(report) == (4, 0, 0, 2)
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
    assert counted(report) == (1, 0, 0, 1)
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


def test_a_file_of_the_same_size_is_noticed_by_its_time_or_by_a_check(folder: Path) -> None:
    path = folder / "four.wav"
    catalogue.import_entries(catalogue.entries(folder))
    before, stat = path.read_bytes(), path.stat()
    path.write_bytes(wav(chords(2, seed=70)))
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (0, 1, 3, 0)
    # The same content with another time is the same file.
    os.utime(path)
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (0, 0, 4, 0)
    stat = path.stat()
    path.write_bytes(before)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (0, 0, 4, 0)
    assert counted(catalogue.import_entries(catalogue.entries(folder), check=True)) == (0, 1, 3, 0)
    assert Track.objects.get(title="four").sha256 == hashlib.sha256(before).hexdigest()


def test_a_catalogue_of_an_older_version_is_compared_once(folder: Path) -> None:
    catalogue.import_entries(catalogue.entries(folder))
    Track.objects.update(file_stamp="")
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (0, 0, 4, 0)
    assert not Track.objects.filter(file_stamp="").exists()


def test_corrected_words_in_a_table_are_taken_over(folder: Path) -> None:
    table = folder / "list.csv"

    def write(row: str) -> Report:
        table.write_text(f"Path, Title,ARTIST,genre,License\nfour.wav,{row}\n", encoding="utf-8")
        return catalogue.import_entries(catalogue.entries(table))

    def words() -> tuple[str, str, str, str | None]:
        track = Track.objects.select_related("labelled_genre").get()
        genre = track.labelled_genre.slug if track.labelled_genre else None
        return track.title, track.artist, track.licence, genre

    assert counted(write("Tittle,Artist,rock,CC0")) == (1, 0, 0, 0)
    status = dict(Track.objects.values_list("pk", "attempt"))
    assert counted(write("Title,Artist,Blues,CC BY")) == (0, 1, 0, 0)
    assert words() == ("Title", "Artist", "CC BY", "blues")
    assert counted(write("Title,Artist,Blues,CC BY")) == (0, 0, 1, 0)
    assert counted(write(",,,")) == (0, 1, 0, 0)
    assert words() == ("Title", "", "", None)
    # Words alone are no reason to analyse the sound again.
    assert dict(Track.objects.values_list("pk", "attempt")) == status


def test_columns_that_a_table_lacks_keep_what_was_edited(folder: Path) -> None:
    table = folder / "list.csv"
    table.write_text("path,title\nfour.wav,Four\n")
    catalogue.import_entries(catalogue.entries(table))
    Track.objects.update(artist="Edited", labelled_genre=Genre.objects.get(slug="jazz"))
    assert counted(catalogue.import_entries(catalogue.entries(table))) == (0, 0, 1, 0)
    assert Track.objects.get().artist == "Edited"


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp949", "봄날"), ("cp932", "さくら"), ("cp1251", "Кино"), ("latin-1", "Größe")]
)
def test_names_of_old_discs_are_read(folder: Path, encoding: str, name: str) -> None:
    path = folder / os.fsdecode("록".encode("cp949")) / os.fsdecode(f"{name}.wav".encode(encoding))
    path.parent.mkdir()
    path.write_bytes(wav(chords(2, seed=80)))
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (5, 0, 0, 0)
    track = Track.objects.get(title=name)
    assert track.original_name == f"{name}.wav"
    assert counted(catalogue.import_entries(catalogue.entries(folder))) == (0, 0, 5, 0)
    path.write_bytes(b"no music")
    report = catalogue.import_entries(catalogue.entries(folder))
    assert counted(report) == (0, 0, 4, 1)
    assert report.refused[0][0].endswith(f"록/{name}.wav")


def test_unknown_genres_are_listed_and_made_where_asked(folder: Path) -> None:
    report = catalogue.import_entries(catalogue.entries(folder))
    assert report.unknown_genres == {"polka": (1, UNKNOWN_GENRE)}
    again = catalogue.import_entries(catalogue.entries(folder), new_genres=True)
    assert (counted(again), again.unknown_genres) == ((0, 1, 3, 0), {})
    polka = Track.objects.select_related("labelled_genre").get(title="three").labelled_genre
    assert polka is not None
    assert polka.slug == "polka"


def test_genres_are_those_that_they_mean_or_are_listed(folder: Path) -> None:
    names = ["🎷", "Jazz!", "Hip‐Hop", "CIÊNCIA", "Ciencia", "R & B", "r and b", "演歌", "x" * 70, "x" * 71]
    table = folder / "list.csv"
    for number in range(len(names)):
        (folder / f"{number}.wav").write_bytes(wav(chords(2, seed=90 + number)))
    rows = "".join(f"{number}.wav,{name}\n" for number, name in enumerate(names))
    table.write_text("path,genre\n" + rows, encoding="utf-8")
    report = catalogue.import_entries(catalogue.entries(table), new_genres=True)
    assert counted(report) == (len(names), 0, 0, 0)
    assert sorted(report.unknown_genres) == ["x" * 71, "🎷"]
    genres = dict(Track.objects.values_list("original_name", "labelled_genre__name"))
    made = [genres[f"{number}.wav"] for number in range(len(names))]
    assert made == [
        *(None, "Jazz", "Hip-hop", "CIÊNCIA", "CIÊNCIA", "R & B", "R & B", "演歌", "x" * 60, None),
    ]


def test_the_outermost_folder_that_is_a_genre_counts(folder: Path) -> None:
    for place in ("rock/CD1/song.wav", "Mixed/jazz/tune.wav"):
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_bytes(wav(chords(2, seed=len(place))))
    catalogue.import_entries(catalogue.entries(folder))
    genres = dict(Track.objects.values_list("title", "labelled_genre__slug"))
    assert (genres["song"], genres["tune"]) == ("rock", "jazz")


def test_the_command_ends_with_a_table_and_a_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder / "list.csv"
    table.write_text("path,Genere\nfour.wav,rock\nfour.wav,rock\nmissing.wav,rock\n,rock\n")
    with pytest.raises(CommandError, match="2 files were refused") as refused:
        call_command("import_catalogue", str(table), "--no-wait")
    assert refused.value.returncode == 3
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[lines.index("added    1") :] == [
        *("added    1", "changed  0", "same     0", "refused  2", "Refused:"),
        f"  {folder / 'four.wav'}: is listed twice",
        f"  {folder / 'missing.wav'}: No such file or directory",
    ]
    assert "“Genere” (is it “genre”?)" in said.err
    table.write_text("path\nfour.wav\n")
    call_command("import_catalogue", str(table), "--no-wait")
    assert "same     1" in capsys.readouterr().out


def test_a_failed_analysis_is_in_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.import_entries(catalogue.entries(folder))
    Track.objects.update(status=Track.Status.FAILED, error_code="truncated")
    with pytest.raises(CommandError, match="4 files were refused or failed"):
        call_command("import_catalogue", str(folder))
    assert "failed   4" in capsys.readouterr().out

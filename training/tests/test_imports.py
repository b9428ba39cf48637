"""Training material comes in bulk: once each, under the right genre, and what cannot be read is named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from classifier import testset
from classifier.core import fingerprint
from classifier.models import Genre, ModelVersion
from library.services.genres import UNKNOWN_GENRE, GenreWords
from library.services.importing import OUTCOMES, Report
from library.tests.sounds import chords, wav
from training.models import Clip, Dataset
from training.services import imports, layouts, snapshots
from training.services.checking import check_clip
from training.services.features import ClipFeatures, read_features

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, genres: dict[str, Genre]) -> Path:
    for n, place in enumerate(["blues/one.wav", "hip-hop/two.wav", "polka/three.wav"]):
        path = tmp_path / "music" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(chords(4, seed=n)))
    (tmp_path / "music/blues/broken.wav").write_bytes(b"RIFF nothing")
    return tmp_path / "music"


@pytest.fixture
def logmels(tmp_path: Path, genres: dict[str, Genre]) -> Path:
    """Write a log-mel file as the shared one is written, with two clips."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "logmel_2.npz",
        idx=rng.integers(0, 256, (2, 128, 100), dtype=np.uint8),
        name=np.array(["blues.1", "rock.1"]),
        genre=np.array(["blues", "rock"]),
        vmin_db=np.array([-80.0, -60.0], dtype=np.float32),
    )
    (tmp_path / "logmel_2.npz").rename(tmp_path / "logmel_999.npz")
    (tmp_path / "tracks.csv").write_text(
        "name,genre,artist,title,filtered_split,repetition_group\nblues.1,blues,A,T,train,\nrock.1,rock,B,,test,g\n",
        encoding="utf-8",
    )
    return tmp_path


def bring(source: Path, **options: object) -> Report:
    into = imports.open_dataset(name="Set", source="somewhere", licence="CC BY", trusted=True)
    found = layouts.entries(source, is_genre=GenreWords().knows)
    return imports.import_entries(found, into=into, **options)  # type: ignore[arg-type]


def counted(report: Report) -> tuple[int, ...]:
    """Numbers of clips: added, changed, same, refused."""
    return tuple(report.counts[outcome] for outcome in OUTCOMES)


def test_sounds_wait_for_their_checks_and_are_approved_by_them(
    folder: Path, classifier_in_service: ModelVersion
) -> None:
    report = bring(folder)
    assert (counted(report), report.unknown_genres) == ((2, 0, 0, 2), {"polka": (1, UNKNOWN_GENRE)})
    ((refused, reason),) = report.refused
    assert refused.endswith("broken.wav")
    assert reason
    clips = {clip.dataset_key: clip for clip in Clip.objects.all()}
    assert {key: (clip.genre.slug, clip.status) for key, clip in clips.items()} == {
        "blues/one.wav": ("blues", "checking"),
        "hip-hop/two.wav": ("hiphop", "checking"),
    }
    assert check_clip(clip_id=clips["blues/one.wav"].pk)
    clip = Clip.objects.get(dataset_key="blues/one.wav")
    assert clip.status == Clip.Status.APPROVED
    assert default_storage.exists(str(clip.sound.name))
    assert read_features(clip).sha256 == clip.features_sha256


def test_of_an_untrusted_set_every_clip_waits_for_review(
    folder: Path, classifier_in_service: ModelVersion
) -> None:
    into = imports.open_dataset(name="Rough", source="", licence="", trusted=False)
    imports.import_entries(layouts.entries(folder), into=into)
    clip = Clip.objects.filter(dataset=into).first()
    assert clip is not None
    assert check_clip(clip_id=clip.pk)
    clip.refresh_from_db()
    assert clip.status == Clip.Status.PENDING


def test_a_second_import_adds_nothing_and_new_genres_are_made_where_asked(folder: Path) -> None:
    bring(folder)
    again = bring(folder, new_genres=True)
    assert counted(again) == (1, 0, 2, 1)
    assert Clip.objects.get(genre__slug="polka").dataset == Dataset.objects.get()
    assert Dataset.objects.get().licence == "CC BY"


def test_log_mels_are_taken_as_they_are(logmels: Path, classifier_in_service: ModelVersion) -> None:
    report = bring(logmels)
    assert counted(report) == (2, 0, 0, 0)
    blues, rock = (Clip.objects.get(dataset_key=key) for key in ("blues.1", "rock.1"))
    assert (blues.status, blues.part, blues.artist, blues.title) == ("approved", "train", "A", "T")
    assert (rock.part, rock.repetition_group, rock.title) == ("test", "g", "rock.1")
    with np.load(logmels / "logmel_999.npz") as archive:
        assert np.array_equal(read_features(rock).levels, archive["idx"][1])
    assert read_features(rock).floor_db == -60.0


def test_a_log_mel_of_the_test_set_is_marked_before_anybody_trains_on_it(logmels: Path) -> None:
    with np.load(logmels / "logmel_999.npz") as archive:
        held = ClipFeatures(archive["idx"][0], -80.0)
    prints = testset.FingerprintIndex.of(("blues.00042",), [fingerprint.from_columns(held.db).stored])
    with mock.patch.object(testset, "shipped", return_value=prints):
        bring(logmels)
    marked = dict(Clip.objects.values_list("dataset_key", "leaks_into"))
    assert marked == {"blues.1": "blues.00042", "rock.1": ""}
    assert {entry.pk for entry in snapshots.plan().entries} == {Clip.objects.get(dataset_key="rock.1").pk}


def test_an_import_that_was_interrupted_goes_on(folder: Path) -> None:
    def stop(entry: layouts.Entry, outcome: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(folder, on_entry=stop)
    # The first entry is the broken one.
    with pytest.raises(KeyboardInterrupt):
        bring(folder, on_entry=lambda entry, outcome: stop(entry, outcome) if outcome == "added" else None)
    assert Clip.objects.count() == 1
    assert counted(bring(folder)) == (1, 0, 1, 2)


def test_the_command_names_what_it_left_out_and_predicts_the_rest(
    logmels: Path,
    classifier_in_service: ModelVersion,
    capsys: pytest.CaptureFixture[str],
    stored: Callable[[], list[str]],
) -> None:
    (logmels / "tracks.csv").write_text(
        (logmels / "tracks.csv").read_text(encoding="utf-8").replace("rock.1,rock", "rock.1,polka"),
        encoding="utf-8",
    )
    with np.load(logmels / "logmel_999.npz") as archive:
        arrays = dict(archive)
    np.savez(logmels / "logmel_999.npz", **{**arrays, "genre": np.array(["blues", "polka"])})
    with pytest.raises(CommandError, match="1 clips were refused") as refused:
        call_command("import_dataset", str(logmels), "--name", "Mels")
    assert refused.value.returncode == 3
    said = capsys.readouterr()
    assert said.out.splitlines()[-4:] == ["added    1", "changed  0", "same     0", "refused  1"]
    assert "1 of “polka” left out: no such genre here" in said.err
    clip = Clip.objects.get()
    assert clip.opinion_version == classifier_in_service
    assert clip.embedding is not None
    assert clip.disputed == pytest.approx(1 - clip.opinion["blues"], abs=1e-4)
    assert len(stored()) == 1


def test_the_command_says_what_is_wrong_with_a_source(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        call_command("import_dataset", str(tmp_path / "nowhere"))
    assert not Dataset.objects.exists()


@pytest.mark.slow
def test_another_recording_in_the_place_of_a_clip_is_a_new_clip(
    folder: Path, classifier_in_service: ModelVersion, stored: Callable[[], list[str]]
) -> None:
    bring(folder)
    for clip in Clip.objects.all():
        assert check_clip(clip_id=clip.pk)
    old = Clip.objects.get(dataset_key="blues/one.wav")
    path = folder / "blues/one.wav"
    stat = path.stat()
    path.write_bytes(wav(chords(4, seed=77)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # The checks have replaced the file by a shorter one, but what was imported is known.
    assert counted(bring(folder)) == (0, 0, 2, 2)
    assert counted(bring(folder, check=True)) == (0, 1, 1, 2)
    new = Clip.objects.get(dataset_key="blues/one.wav")
    assert (new.status, new.pk == old.pk) == ("checking", False)
    assert new.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert check_clip(clip_id=new.pk)
    assert counted(bring(folder, check=True)) == (0, 0, 2, 2)


def test_log_mels_that_were_computed_anew_are_noticed(
    logmels: Path, classifier_in_service: ModelVersion
) -> None:
    bring(logmels)
    assert counted(bring(logmels)) == (0, 0, 2, 0)
    with np.load(logmels / "logmel_999.npz") as archive:
        arrays = dict(archive)
    arrays["idx"][1] += 1
    np.savez(logmels / "logmel_999.npz", **arrays)
    assert counted(bring(logmels)) == (0, 1, 1, 0)
    assert np.array_equal(read_features(Clip.objects.get(dataset_key="rock.1")).levels, arrays["idx"][1])


def test_corrected_words_and_labels_are_taken_over_but_a_curators_label_stays(
    folder: Path, classifier_in_service: ModelVersion
) -> None:
    table = folder / "list.csv"
    table.write_text("Path,Genre,Artist,Part\nblues/one.wav,rock,A,train\nhip-hop/two.wav,jazz,B,\n")
    assert counted(bring(table)) == (2, 0, 0, 0)
    one = Clip.objects.get(artist="A")
    assert check_clip(clip_id=one.pk)
    metal = Genre.objects.get(slug="metal")
    Clip.objects.filter(artist="B").update(genre=metal)
    table.write_text("Path,Genre,Artist,Part\nblues/one.wav,blues,AA,test\nhip-hop/two.wav,hip hop,B,\n")
    assert counted(bring(table)) == (0, 2, 0, 0)
    assert counted(bring(table)) == (0, 0, 2, 0)
    one = Clip.objects.select_related("genre").get(pk=one.pk)
    assert (one.genre.slug, one.artist, one.part, one.status) == ("blues", "AA", "test", "approved")
    assert one.disputed == pytest.approx(1 - one.opinion["blues"], abs=1e-4)
    two = Clip.objects.select_related("genre", "contributed_genre").get(artist="B")
    assert (two.genre.slug, two.contributed_genre.slug) == ("metal", "hiphop")


def test_a_clip_that_leaves_the_test_part_is_compared_with_the_test_set(logmels: Path) -> None:
    bring(logmels)
    clip = Clip.objects.get(dataset_key="rock.1")
    prints = testset.FingerprintIndex.of(
        ("rock.00042",), [fingerprint.from_columns(read_features(clip).db).stored]
    )
    table = logmels / "tracks.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",test,", ",train,"), encoding="utf-8")
    with mock.patch.object(testset, "shipped", return_value=prints):
        assert counted(bring(logmels)) == (0, 1, 1, 0)
    clip.refresh_from_db()
    assert (clip.part, clip.leaks_into) == ("train", "rock.00042")


def test_names_of_old_discs_links_and_deep_folders(folder: Path, tmp_path: Path) -> None:
    far = tmp_path / "far/CD1" / os.fsdecode("봄날.wav".encode("cp949"))
    far.parent.mkdir(parents=True)
    far.write_bytes(wav(chords(4, seed=9)))
    (folder / "rock").symlink_to(tmp_path / "far")
    (folder / "rock/loop").symlink_to(folder)
    (folder / "stray.wav").write_bytes(b"x")
    report = bring(folder)
    assert counted(report) == (3, 0, 0, 3)
    clip = Clip.objects.select_related("genre").get(title="봄날")
    assert clip.genre.slug == "rock"
    assert (str(folder / "stray.wav"), "lies in no genre's folder") in report.refused


def test_genres_that_vanish_or_clash_do_not_end_an_import(folder: Path) -> None:
    for name in ("🎷", "Jazz!", "Hip‐Hop"):
        (folder / name).mkdir()
        (folder / name / "song.wav").write_bytes(wav(chords(4, seed=len(name) + 20)))
    report = bring(folder, new_genres=True)
    assert list(report.unknown_genres) == ["🎷"]
    assert sorted(Clip.objects.values_list("genre__slug", flat=True)) == [
        *("blues", "hiphop", "hiphop", "jazz", "polka"),
    ]

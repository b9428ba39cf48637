"""Training material comes in bulk: once each, under the right genre, and what cannot be read is named."""

from __future__ import annotations

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


def bring(source: Path, **options: object) -> imports.Report:
    into = imports.open_dataset(name="Set", source="somewhere", licence="CC BY", trusted=True)
    return imports.import_entries(layouts.entries(source), into=into, **options)  # type: ignore[arg-type]


def test_sounds_wait_for_their_checks_and_are_approved_by_them(
    folder: Path, classifier_in_service: ModelVersion
) -> None:
    report = bring(folder)
    assert (report.added, report.known, report.unknown) == (2, 0, {"polka": 1})
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
    assert (again.added, again.known) == (1, 2)
    assert Clip.objects.get(genre__slug="polka").dataset == Dataset.objects.get()
    assert Dataset.objects.get().licence == "CC BY"


def test_log_mels_are_taken_as_they_are(logmels: Path, classifier_in_service: ModelVersion) -> None:
    report = bring(logmels)
    assert (report.added, report.refused) == (2, [])
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
    assert bring(folder).added == 1


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
    call_command("import_dataset", str(logmels), "--name", "Mels")
    said = capsys.readouterr()
    assert "1 added" in said.out
    assert "1 clips of “polka” left out" in said.err
    clip = Clip.objects.get()
    assert clip.opinion_version == classifier_in_service
    assert clip.embedding is not None
    assert clip.disputed == pytest.approx(1 - clip.opinion["blues"], abs=1e-4)
    assert len(stored()) == 1


def test_the_command_says_what_is_wrong_with_a_source(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        call_command("import_dataset", str(tmp_path / "nowhere"))
    assert not Dataset.objects.exists()

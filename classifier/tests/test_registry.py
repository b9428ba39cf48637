"""Which classifier answers: what is shipped is registered, and a damaged version never takes its place."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from classifier import registry, version_files
from classifier.core.inference import ReleaseError
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import TRAINING_FILES, current_release
from genreweb import health, heartbeat
from genreweb.embedded.paths import REPOSITORY
from genreweb.storage import SignedFileSystemStorage
from training.services.releases import sync_release

pytestmark = pytest.mark.django_db


def keep_files_in(folder: Path, settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.storage.SignedFileSystemStorage",
            "OPTIONS": {"location": folder},
        },
    }


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    """Start each test as a process that has loaded nothing yet, with a storage of its own."""
    keep_files_in(tmp_path / "media", settings)
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.setattr(registry, "_failed", None)


def stored_version(name: str) -> ModelVersion:
    """Keep a copy of the shipped network as one that was trained here."""
    return registry.add_version(current_release(), name=name, source=ModelVersion.Source.TRAINED)


def put_into_service(version: ModelVersion) -> None:
    ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=True, served_at=timezone.now())


def damage(version: ModelVersion, name: str = "model.tflite") -> None:
    stored = f"{version.location}/{name}"
    with default_storage.open(stored) as file:
        content = file.read()
    default_storage.delete(stored)
    default_storage.save(stored, ContentFile(content[:-1] + bytes([content[-1] ^ 1])))


def lie_around() -> list[str]:
    try:
        return default_storage.listdir(version_files.PREFIX)[0]
    except FileNotFoundError:
        return []


def test_what_is_shipped_is_registered_and_put_into_service() -> None:
    version = sync_release()
    assert version.is_in_service
    assert version.served_at is not None
    assert sorted(version.labels) == sorted(genre.slug for genre in SHIPPED_GENRES)
    assert list(Genre.objects.values_list("slug", flat=True)) == [genre.slug for genre in SHIPPED_GENRES]
    assert registry.in_service().classifier.labels == tuple(version.labels)


def test_a_second_start_changes_nothing_that_a_curator_changed() -> None:
    first = sync_release()
    Genre.objects.filter(slug="blues").update(description="Ours.")
    chosen = stored_version("ours")
    put_into_service(chosen)
    assert sync_release().pk == first.pk
    assert ModelVersion.objects.get(is_in_service=True) == chosen
    assert Genre.objects.get(slug="blues").description == "Ours."
    assert ModelVersion.objects.count() == 2


def test_a_row_that_is_older_than_the_files_follows_them() -> None:
    version = sync_release()
    ModelVersion.objects.filter(pk=version.pk).update(sha256="0" * 64)
    assert sync_release().sha256 == version.sha256


def test_a_version_is_kept_with_all_its_files() -> None:
    version = stored_version("ours")
    shipped = current_release()
    files = {path.name: path for path in shipped.rglob("*") if path.is_file()}
    assert set(version.files) == set(files)
    with version_files.folder(version) as copy:
        assert all((copy / name).read_bytes() == path.read_bytes() for name, path in files.items())
    assert not copy.exists()
    with version_files.folder(version, whole=False) as copy:
        assert not TRAINING_FILES & {path.name for path in copy.iterdir()}
    assert registry.load(version).labels == tuple(version.labels)


def test_two_versions_never_share_a_name() -> None:
    long = "n" * 100
    assert [stored_version(long).name for _ in range(2)] == ["n" * 80, "n" * 76 + " (2)"]


def test_what_cannot_be_loaded_is_not_kept(tmp_path: Path) -> None:
    before = lie_around()
    shutil.copytree(current_release(), tmp_path / "bad")
    (tmp_path / "bad" / "model.tflite").write_bytes(b"no network")
    with pytest.raises(ReleaseError, match="hash"):
        registry.add_version(tmp_path / "bad", name="bad", source=ModelVersion.Source.TRAINED)
    assert not ModelVersion.objects.exists()
    assert lie_around() == before


def test_a_row_that_cannot_be_written_takes_its_files_along() -> None:
    def refuse(version: ModelVersion) -> None:
        assert ModelVersion.objects.filter(pk=version.pk).exists()
        raise RuntimeError("overtaken")

    with pytest.raises(RuntimeError, match="overtaken"):
        registry.add_version(current_release(), name="ours", source=ModelVersion.Source.TRAINED, then=refuse)
    assert not ModelVersion.objects.exists()
    assert all(not default_storage.listdir(f"{version_files.PREFIX}/{name}")[1] for name in lie_around())


def test_a_process_follows_when_another_version_is_put_into_service(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shipped = sync_release()
    before = registry.in_service()
    with django_assert_num_queries(1):
        assert registry.in_service() is before
    put_into_service(stored_version("copy"))
    after = registry.in_service()
    assert (before.version, after.version.name) == (shipped, "copy")


def test_a_network_that_is_let_go_is_freed() -> None:
    sync_release()
    old = weakref.ref(registry.in_service().classifier.network)
    put_into_service(stored_version("copy"))
    registry.in_service()
    gc.collect()
    assert old() is None


@pytest.mark.parametrize("how", ["damaged", "missing", "metadata"])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_in_service(
    how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shipped = sync_release()
    registry.in_service()
    version = stored_version("bad")
    if how == "missing":
        default_storage.delete(f"{version.location}/model.tflite")
    else:
        damage(version, "model.tflite" if how == "damaged" else "metadata.json")
    put_into_service(version)
    assert registry.in_service().version == shipped
    assert "bad cannot be loaded; 2" in caplog.text
    version.refresh_from_db()
    assert "bad is missing" in version.fault if how == "missing" else "bad is damaged" in version.fault

    # It is not tried again with every track, and answers once its file is back.
    monkeypatch.setattr(registry, "load", lambda _version: pytest.fail("tried again at once"))
    assert registry.in_service().version == shipped
    monkeypatch.undo()
    monkeypatch.setattr(registry, "TRY_AGAIN_SECONDS", 0.0)
    name = "metadata.json" if how == "metadata" else "model.tflite"
    default_storage.delete(f"{version.location}/{name}")
    default_storage.save(f"{version.location}/{name}", ContentFile((current_release() / name).read_bytes()))
    assert registry.in_service().version == version
    version.refresh_from_db()
    assert version.fault == ""


def test_a_process_that_starts_beside_a_damaged_version_takes_the_one_before() -> None:
    shipped = sync_release()
    version, never_served = stored_version("bad"), stored_version("candidate")
    damage(version)
    put_into_service(version)
    assert registry.in_service().version == shipped
    assert never_served.served_at is None


def test_without_any_version_the_reason_is_given() -> None:
    with pytest.raises(registry.NoClassifierError, match="sync_release"):
        registry.in_service()
    gone = stored_version("gone")
    damage(gone)
    put_into_service(gone)
    with pytest.raises(registry.NoClassifierError, match="gone"):
        registry.in_service()


def test_files_that_no_row_knows_are_tidied_once_they_are_old() -> None:
    kept, lost = stored_version("kept"), stored_version("lost")
    ModelVersion.objects.filter(pk=lost.pk).delete()
    assert version_files.tidy(grace=timedelta(hours=1)) == 0
    assert version_files.tidy(grace=timedelta(0)) == len(lost.files)
    assert registry.load(kept)
    assert not default_storage.exists(f"{lost.location}/model.tflite")


FOLLOWER = """
import sys, django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from classifier import registry
for _line in sys.stdin:
    print(registry.in_service().version.name, flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_whoever_watches_over_the_site_is_told_of_a_damaged_version(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    sync_release()
    registry.in_service()
    with heartbeat.connect() as redis:
        heartbeat.beat(redis, queues=["analysis"], worker="analysis@here")
        before = client.get("/healthz")
        bad = stored_version("bad")
        damage(bad)
        put_into_service(bad)
        registry.in_service()
        for probe in health._concerns:
            probe.forget()
        after = client.get("/healthz")
        heartbeat.leave(redis, queues=["analysis"], worker="analysis@here")
    assert (before.status_code, "concerns" in before.json()) == (200, False)
    assert (after.status_code, after.json()["status"]) == (200, "ok")
    assert "bad is in service but cannot be loaded" in after.json()["concerns"]["classifier"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_another_process_follows_at_once(settings: Settings) -> None:
    keep_files_in(settings.MEDIA_ROOT, settings)
    name = sync_release().name
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, connection.settings_dict["NAME"]],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "genreweb.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def asked() -> str:
            questions.write("?\n")
            questions.flush()
            return str(answers.readline()).strip()

        assert asked() == name
        put_into_service(stored_version("copy"))
        assert asked() == "copy"
        bad = stored_version("bad")
        damage(bad)
        put_into_service(bad)
        assert asked() == "copy"
        bad.refresh_from_db()
        assert "damaged" in bad.fault
        questions.close()


# --- the release that ships ----------------------------------------------------------------------------
def release_named(name: str, folder: Path) -> Path:
    """Copy the release under another name, with another card, as the next one might be."""
    shutil.copytree(current_release(), folder / name)
    metadata = json.loads((folder / name / "metadata.json").read_text())
    (folder / name / "metadata.json").write_text(json.dumps({**metadata, "name": name}))
    return folder / name


def test_a_release_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    version = registry.store_release(current_release())
    assert (version.source, version.name) == (ModelVersion.Source.RELEASE, current_release().name)
    assert version.location.startswith(f"{version_files.PREFIX}/")
    assert sorted(default_storage.listdir(version.location)[1]) == sorted(version.files)
    assert set(version.files) >= TRAINING_FILES
    monkeypatch.setattr(version_files, "store", lambda _folder: pytest.fail("stored again"))
    assert registry.store_release(current_release()) == version
    assert len(lie_around()) == 1


def test_a_release_whose_files_changed_is_stored_anew_for_its_row(tmp_path: Path) -> None:
    folder = release_named("2000.1", tmp_path)
    first = registry.store_release(folder)
    (folder / "EVALUATION.md").write_text("Measured again.")
    second = registry.store_release(folder)
    assert (second.pk, second.created) == (first.pk, first.created)
    assert second.location != first.location
    assert version_files.read(version_files.file_of(second, "EVALUATION.md")) == b"Measured again."
    assert version_files.tidy(grace=timedelta(0)) == len(first.files)
    assert registry.load(second)


def test_a_release_that_was_imported_before_it_shipped_keeps_its_row(tmp_path: Path) -> None:
    folder = release_named("2000.1", tmp_path)
    imported = registry.add_version(folder, name="2000.1", source=ModelVersion.Source.IMPORTED)
    other = registry.add_version(current_release(), name="2000.2", source=ModelVersion.Source.TRAINED)
    assert registry.store_release(folder) == imported
    imported.refresh_from_db()
    assert imported.source == ModelVersion.Source.RELEASE
    # A version of another network that has a release's name is somebody's own.
    ModelVersion.objects.filter(pk=other.pk).update(sha256="0" * 64)
    assert registry.store_release(release_named("2000.2", tmp_path)).name == "2000.2 (2)"


def test_a_release_that_cannot_be_loaded_or_stored_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = release_named("2000.1", tmp_path)
    (folder / "model.tflite").write_bytes(b"no network")
    with pytest.raises(ReleaseError, match="hash"):
        registry.store_release(folder)

    def full(self: SignedFileSystemStorage, name: str, content: File[bytes]) -> str:
        if name.endswith("replay.npz"):
            raise OSError(28, "No space left on device")
        return original(self, name, content)

    original = SignedFileSystemStorage._save
    monkeypatch.setattr(SignedFileSystemStorage, "_save", full)
    with pytest.raises(OSError, match="No space"):
        registry.store_release(current_release())
    assert not ModelVersion.objects.exists()
    assert all(not default_storage.listdir(f"{version_files.PREFIX}/{name}")[1] for name in lie_around())


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_processes_that_start_at_once_one_stores_the_release() -> None:
    barrier, found, errors = threading.Barrier(3), [], []

    def start() -> None:
        barrier.wait()
        try:
            found.append(sync_release().pk)
        except Exception as error:  # noqa: BLE001  # told below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    version = ModelVersion.objects.get()
    assert found == [version.pk] * 3
    assert version.is_in_service
    assert registry.load(version)
    with_files = [
        name for name in lie_around() if default_storage.listdir(f"{version_files.PREFIX}/{name}")[1]
    ]
    assert with_files == [version.location.rpartition("/")[2]]

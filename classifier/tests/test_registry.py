"""Which classifier answers: what is shipped is registered, and a damaged version never takes its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from classifier import registry
from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test as a process that has loaded nothing yet."""
    monkeypatch.setattr(registry, "_loaded", None)


def other_version(name: str, location: str, sha256: str = "f" * 64) -> ModelVersion:
    return ModelVersion.objects.create(
        name=name, source="trained", location=location, sha256=sha256, labels=["a"], feature_version="1"
    )


def put_into_service(version: ModelVersion) -> None:
    ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=True)


def test_what_is_shipped_is_registered_and_put_into_service() -> None:
    version = registry.sync_release()
    assert version.is_in_service
    assert sorted(version.labels) == sorted(genre.slug for genre in SHIPPED_GENRES)
    assert list(Genre.objects.values_list("slug", flat=True)) == [genre.slug for genre in SHIPPED_GENRES]
    assert registry.in_service().classifier.labels == tuple(version.labels)


def test_a_second_start_changes_nothing_that_a_curator_changed() -> None:
    first = registry.sync_release()
    Genre.objects.filter(slug="blues").update(description="Ours.")
    chosen = other_version("ours", "nowhere")
    put_into_service(chosen)
    assert registry.sync_release().pk == first.pk
    assert ModelVersion.objects.get(is_in_service=True) == chosen
    assert Genre.objects.get(slug="blues").description == "Ours."
    assert ModelVersion.objects.count() == 2


def test_a_row_that_is_older_than_the_files_follows_them() -> None:
    version = registry.sync_release()
    ModelVersion.objects.filter(pk=version.pk).update(sha256="0" * 64)
    assert registry.sync_release().sha256 == version.sha256


def test_a_process_follows_when_another_version_is_put_into_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = registry.sync_release()
    before = registry.in_service()
    assert registry.in_service() is before
    shutil.copytree(current_release(), tmp_path / "copy")
    monkeypatch.setattr(registry, "RELEASES", tmp_path)
    put_into_service(other_version("copy", "copy"))
    after = registry.in_service()
    assert (before.version, after.version.name) == (shipped, "copy")


def test_a_damaged_version_leaves_the_old_one_in_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = registry.sync_release()
    registry.in_service()
    shutil.copytree(current_release(), tmp_path / "damaged")
    network = tmp_path / "damaged" / "model.tflite"
    network.write_bytes(network.read_bytes()[:-1])
    monkeypatch.setattr(registry, "RELEASES", tmp_path)
    put_into_service(other_version("damaged", "damaged"))
    assert registry.in_service().version == shipped


def test_without_any_version_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(registry.NoClassifierError, match="sync_release"):
        registry.in_service()
    monkeypatch.setattr(registry, "RELEASES", tmp_path)
    put_into_service(other_version("gone", "gone"))
    with pytest.raises(registry.NoClassifierError, match="gone"):
        registry.in_service()

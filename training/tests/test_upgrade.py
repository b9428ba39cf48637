"""A site begun with an older Genreweb: its releases are stored, its roll-backs stay what they were."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps as django_apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier import registry, version_files
from classifier.models import ModelVersion
from classifier.releases import TRAINING_FILES, current_release, history
from genreweb.accounts.models import User
from library.tests.test_s3 import bucket, server
from training.errors import TrainingError
from training.models import Promotion
from training.models.versions import FIRST_REASON, LOST_REASON, NEWER_REASON
from training.services import releases
from training.services.bundles import import_bundle, write_bundle
from training.services.promotion import promote, rollback, version_before
from training.services.releases import sync_release

__all__ = ["bucket", "server"]

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

BEFORE = [("classifier", "0002_version_files"), ("training", "0005_decisions_outlive_clips")]
AT = [("classifier", "0003_store_releases"), ("training", "0006_promotions_of_releases")]
"""The migrations that are tested here; neither changes a table."""
OLD, RETIRED, CURRENT = "2000.1", "2000.2", "2000.3"


def migrate() -> None:
    """Migrate as far as it goes."""
    executor = MigrationExecutor(connection)
    due = [key for key in AT if key not in executor.loader.applied_migrations]
    executor.migrate([*due, *executor.loader.graph.leaf_nodes()])


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.setattr(registry, "_failed", None)


@pytest.fixture
def old_apps(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Let the database be what it was before releases were stored; give the models of then.

    The tables are those of now, with the migrations still to be done, unless the test asks for those of then:
    to go back to them and on again takes ten seconds.
    """
    executor = MigrationExecutor(connection)
    if hasattr(request, "param"):
        executor.migrate(BEFORE)
        connection.close()
        yield executor.loader.project_state(BEFORE).apps
        # Statements that were prepared on the tables of then end with it.
        connection.close()
    else:
        for key in AT:
            executor.recorder.record_unapplied(*key)
        yield django_apps
    Promotion.objects.all().delete()
    ModelVersion.objects.all().delete()
    migrate()


def write_release(folder: Path, name: str, *, inner: bool) -> Path:
    """Write a release: with a folder for training, or all side by side, as releases were before."""
    target = folder / history.FOLDER / name
    target.mkdir(parents=True)
    for path in current_release().rglob("*"):
        if path.is_file():
            place = target / (path.relative_to(current_release()) if inner else path.name)
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)
    metadata = json.loads((target / "metadata.json").read_text())
    (target / "metadata.json").write_text(json.dumps({**metadata, "name": name}))
    return target


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a program with two releases, neither of them in a repository."""
    root = tmp_path / "program"
    write_release(root, RETIRED, inner=False)
    current = write_release(root, CURRENT, inner=True)
    monkeypatch.setattr(history, "ROOT", root)
    # Its network is another one than the rows', so nothing is rebuilt from it.
    other = tmp_path / "other"
    other.mkdir()
    metadata = json.loads((current / "metadata.json").read_text()) | {"sha256": "1" * 64}
    (other / "metadata.json").write_text(json.dumps(metadata))
    monkeypatch.setattr(history, "current_release", lambda: other)
    monkeypatch.setattr(releases, "current_release", lambda: current)
    return root


def commit(root: Path, words: str) -> None:
    for call in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", words)):
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        subprocess.run(["git", *who, *call], cwd=root, check=True)


def retire(root: Path, *, in_history: bool) -> None:
    """Remove a release from the work tree, as the project does when another one ships."""
    if in_history:
        commit(root, "Ship")
    shutil.rmtree(root / history.FOLDER / RETIRED)
    if in_history:
        commit(root, "Retire")


Rows = Callable[..., Any]


@pytest.fixture
def release_row(old_apps: Any) -> Rows:
    """Make rows of releases as the program before made them: their files lie with the program."""
    metadata = json.loads((current_release() / "metadata.json").read_text())
    began = timezone.now() - timedelta(days=10)

    def make(name: str, *, day: int, **fields: Any) -> Any:
        versions = old_apps.get_model("classifier", "ModelVersion").objects
        row = versions.create(
            name=name,
            source="release",
            location=name,
            sha256=metadata["sha256"],
            labels=metadata["labels"],
            feature_version=metadata["feature_version"],
            metadata={**metadata, "name": name},
            served_at=began + timedelta(days=day),
            **fields,
        )
        versions.filter(pk=row.pk).update(created=began + timedelta(days=day))
        return row

    return make


@pytest.mark.parametrize("old_apps", ["tables of then"], indirect=True)
def test_a_retired_release_comes_from_the_history(program: Path, release_row: Rows, staff: User) -> None:
    release_row(RETIRED, day=0)
    release_row(CURRENT, day=1, is_in_service=True)
    retire(program, in_history=True)
    migrate()
    retired, current = (ModelVersion.objects.get(name=name) for name in (RETIRED, CURRENT))
    for version in (retired, current):
        assert version.fault == ""
        assert version.location.startswith("versions/")
        assert set(version.files) > TRAINING_FILES
        assert registry.load(version).name == version.name
    assert not (program / history.FOLDER / RETIRED).exists()

    # Nothing is to be done at the start after it, and a roll-back goes where it went before.
    assert sync_release() == current
    assert ModelVersion.objects.get(is_in_service=True) == current
    rows = [(row.version.name, row.former and row.former.name, row.reason) for row in Promotion.objects.all()]
    assert rows == [(CURRENT, RETIRED, NEWER_REASON), (RETIRED, None, FIRST_REASON)]
    assert Promotion.objects.filter(by=None).count() == 2
    assert rollback(by=staff, reason="The old one, please.").version == retired
    assert registry.in_service().version == retired
    assert version_before() is None
    # A start does not undo what a curator did.
    sync_release()
    assert ModelVersion.objects.get(is_in_service=True) == retired


def test_a_site_on_an_older_release_follows_the_one_that_ships(program: Path, release_row: Rows) -> None:
    release_row(RETIRED, day=0, is_in_service=True)
    migrate()
    current = sync_release()
    assert current.is_in_service
    latest = Promotion.objects.all()[0]
    assert (latest.version, latest.former, latest.by) == (current, version_before(), None)
    assert latest.former is not None
    assert (latest.former.name, latest.reason) == (RETIRED, NEWER_REASON)
    assert sync_release() == current
    assert Promotion.objects.count() == 2


@pytest.mark.parametrize("git", [True, False])
def test_a_release_that_is_nowhere_says_so_and_gives_way(
    git: bool, program: Path, release_row: Rows, curator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_row(OLD, day=0)
    release_row(RETIRED, day=1, is_in_service=True)
    kept = write_release(program, OLD, inner=False)
    if git:
        # A repository that never held it, as a shallow clone of today.
        shutil.rmtree(program / history.FOLDER / RETIRED)
        commit(program, "Begin")
    else:
        retire(program, in_history=True)
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    migrate()
    old, lost = (ModelVersion.objects.get(name=name) for name in (OLD, RETIRED))
    assert old.fault == ""
    assert "import its bundle" in lost.fault
    assert (lost.location, lost.files) == (RETIRED, {})

    current = sync_release()
    assert current.is_in_service
    latest = Promotion.objects.all()[0]
    assert (latest.version, latest.former, latest.by, latest.reason) == (current, lost, None, LOST_REASON)
    assert registry.in_service().version == current
    with pytest.raises(TrainingError, match="version_damaged") as refused:
        promote(version=lost, by=curator, reason="Back.", override=True)
    assert lost.fault in refused.value.message
    assert version_before() == old

    # A site that still has it gives its bundle.
    shutil.copytree(kept, program / "copy")
    metadata = json.loads((program / "copy" / "metadata.json").read_text()) | {"name": RETIRED}
    (program / "copy" / "metadata.json").write_text(json.dumps(metadata))
    with monkeypatch.context() as there:
        there.setattr(registry, "load", lambda _version: None)
        there.setattr(version_files, "folder", lambda _version: folder_itself(program / "copy"))
        content = b"".join(write_bundle(lost))
    ModelVersion.objects.exclude(pk=lost.pk).update(sha256="0" * 64)
    brought, new = import_bundle(ContentFile(content, name="bundle.zip"), by=curator)
    assert (brought.pk, new) == (lost.pk, True)
    lost.refresh_from_db()
    assert (lost.fault, lost.source) == ("", "release")
    assert registry.load(lost)


class folder_itself:  # noqa: N801  # in the place of a function
    """Give a folder as it lies there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_error: object) -> None:
        pass


def test_a_release_with_the_network_of_the_current_one_is_rebuilt_from_it(
    program: Path, release_row: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = release_row(OLD, day=0, is_in_service=True)
    # As 2026.11.5, whose network 2026.12 joins with the tagger.
    alone = {key: value for key, value in row.metadata.items() if key != "ensemble"}
    type(row).objects.filter(pk=row.pk).update(metadata=alone)
    monkeypatch.setattr(history, "current_release", lambda: program / history.FOLDER / CURRENT)
    migrate()
    old = ModelVersion.objects.get(pk=row.pk)
    assert old.fault == ""
    assert registry.load(old).name == OLD
    assert set(old.files) > TRAINING_FILES


def test_a_folder_that_holds_another_network_is_not_taken(program: Path, release_row: Rows) -> None:
    release_row(RETIRED, day=0)
    (program / history.FOLDER / RETIRED / "model.tflite").write_bytes(b"another")
    release_row("../../etc", day=1)
    migrate()
    assert all("import its bundle" in version.fault for version in ModelVersion.objects.all())
    assert not default_storage.exists("versions") or default_storage.listdir("versions") == ([], [])


def test_an_upgrade_that_the_storage_broke_goes_on(
    program: Path, release_row: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_row(RETIRED, day=0)
    release_row(CURRENT, day=1, is_in_service=True)
    stored: list[str] = []

    def break_down(folder: Path) -> tuple[str, version_files.Files]:
        if stored:
            raise OSError(28, "No space left on device")
        stored.append(folder.name)
        return store(folder)

    store = version_files.store
    monkeypatch.setattr(version_files, "store", break_down)
    with pytest.raises(OSError, match="No space"):
        migrate()
    retired = ModelVersion.objects.get(name=RETIRED)
    assert registry.load(retired)
    monkeypatch.setattr(version_files, "store", store)
    migrate()
    assert ModelVersion.objects.get(name=RETIRED).location == retired.location
    assert registry.load(ModelVersion.objects.get(name=CURRENT))
    assert version_before() == retired


@pytest.mark.usefixtures("bucket")
def test_releases_are_stored_in_a_bucket(program: Path, release_row: Rows) -> None:
    release_row(RETIRED, day=0)
    release_row(CURRENT, day=1, is_in_service=True)
    retire(program, in_history=True)
    migrate()
    for version in ModelVersion.objects.all():
        assert registry.load(version).labels == tuple(version.labels)
    assert sync_release().is_in_service


def test_versions_that_a_curator_promoted_keep_their_promotions(
    program: Path, release_row: Rows, old_apps: Any, client: Client, curator: User
) -> None:
    shipped = release_row(CURRENT, day=0)
    chosen = release_row("ours", day=1, is_in_service=True)
    old_apps.get_model("classifier", "ModelVersion").objects.filter(pk=chosen.pk).update(
        source="trained", location="versions/ours", files={"model.tflite": {"sha256": "0" * 64, "size": 1}}
    )
    old_apps.get_model("training", "Promotion").objects.create(
        action="promote", version_id=chosen.pk, former_id=shipped.pk, by_id=curator.pk, reason="Better."
    )
    migrate()
    rows = [(row.version.name, row.reason, row.by) for row in Promotion.objects.order_by("at")]
    assert rows == [(CURRENT, FIRST_REASON, None), ("ours", "Better.", curator)]
    before = version_before()
    assert before is not None
    assert before.pk == shipped.pk
    client.force_login(curator)
    page = client.get(reverse("training:versions"), headers={"accept-language": "en"}).content.decode()
    assert "Genreweb itself" in page
    assert "No version was in service." in page

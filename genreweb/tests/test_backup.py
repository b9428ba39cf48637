"""Backup and restore, on a real database and real files."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from pytest_django import Settings

from classifier import version_files
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from genreweb.backups import contents, create, database
from genreweb.backups.archive import verify
from genreweb.embedded import paths
from genreweb.embedded.locks import FileLock
from genreweb.tests.site import environment, free_port, run_command
from library.models import Track

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _own_files(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.storage.SignedFileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


def _track(owner: User, title: str, sound: bytes) -> Track:
    track = Track(owner=owner, title=title, sha256=f"{title:0<64}", size=len(sound), status="failed")
    track.sound.save("song.wav", ContentFile(sound), save=False)
    track.save()
    return track


@pytest.fixture
def track() -> Track:
    """One person with one track; a version of the classifier with one file."""
    folder, files = "versions/one", {"weights.bin": {"sha256": "0" * 64, "size": 7}}
    default_storage.save(f"{folder}/weights.bin", ContentFile(b"weights"))
    ModelVersion.objects.create(
        name="one", source="trained", location=folder, sha256="0" * 64, labels=["jazz"], files=files
    )
    return _track(User.objects.create_user("ada@example.org", "melodies"), "song", b"a sound" * 1000)


@pytest.fixture
def backup(track: Track, tmp_path: Path) -> Path:
    path = tmp_path / "site.tar"
    call_command("backup", path, stdout=StringIO())
    return path


def _restore(path: Path, *words: str) -> str:
    said = StringIO()
    call_command("restore", path, *words, stdout=said, stderr=said)
    return said.getvalue()


def _content(name: str) -> bytes:
    with default_storage.open(name) as file:
        return bytes(file.read())


def test_rows_and_files_come_back(backup: Path, track: Track) -> None:
    assert backup.stat().st_mode & 0o077 == 0, "others may not read what people keep private"
    sound = str(track.sound)
    later = _track(User.objects.get(), "later", b"another sound")
    Track.objects.filter(pk=track.pk).update(title="changed")
    default_storage.delete(sound)
    weights = Path(default_storage.path("versions/one/weights.bin"))
    weights.write_bytes(b"damaged")

    said = _restore(backup, "--force")

    track.refresh_from_db()
    assert (track.title, _content(sound)) == ("song", b"a sound" * 1000)
    assert not Track.objects.filter(pk=later.pk).exists()
    assert User.objects.get().check_password("melodies")
    assert weights.read_bytes() == b"weights"
    assert "Files: 1 written, 0 there already, 1 replaced." in said
    # Sequences go on where they were.
    assert User.objects.create_user("bo@example.org").pk > User.objects.get(email="ada@example.org").pk


def test_site_in_use_is_not_overwritten_unasked(backup: Path, track: Track) -> None:
    Track.objects.filter(pk=track.pk).update(title="changed")

    with pytest.raises(CommandError, match=r"not empty \(1 × user, 1 × track\)"):
        _restore(backup)

    track.refresh_from_db()
    assert track.title == "changed"


def test_running_site_is_not_restored(backup: Path) -> None:
    with FileLock(paths.site_lock()) as running:
        assert running.try_take()
        with pytest.raises(CommandError, match="stop it first"):
            _restore(backup, "--force")


def _flip(path: Path, *, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["file", "database", "manifest", "cut", "other"])
def test_damaged_archive_changes_nothing(backup: Path, track: Track, damage: str) -> None:
    with tarfile.open(backup) as tar:
        at = {name.partition("/")[0]: tar.getmember(name).offset_data for name in tar.getnames()}
    whole = len(backup.read_bytes())
    if damage == "cut":
        backup.write_bytes(backup.read_bytes()[: at["manifest.json"] + 3])
    elif damage == "other":
        backup.write_bytes(b"no archive")
    else:
        _flip(backup, at=at[{"file": "files"}.get(damage) or next(k for k in at if k.startswith(damage))] + 2)
        assert len(backup.read_bytes()) == whole
    default_storage.delete(str(track.sound))
    Track.objects.filter(pk=track.pk).update(title="changed")

    with pytest.raises(CommandError, match=r"damaged|no whole backup|no backup"):
        _restore(backup, "--force")

    track.refresh_from_db()
    assert track.title == "changed"
    assert not default_storage.exists(str(track.sound))


def _rewritten(source: Path, target: Path, change: Callable[[dict[str, object]], None]) -> Path:
    """Copy an archive with another manifest."""
    with tarfile.open(source) as tar, tarfile.open(target, "w") as copy:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
                member.size = len(content)
            copy.addfile(member, BytesIO(content))
    return target


def test_failed_load_leaves_rows_and_files(
    backup: Path, track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses in the middle of the script: the first tables were loaded by then."""
    default_storage.delete(str(track.sound))
    Track.objects.filter(pk=track.pk).update(title="changed")
    whole = database.portable
    monkeypatch.setattr(
        database,
        "portable",
        lambda *a, **k: (b.replace(b"ADD CONSTRAINT", b"ADD NONSENSE") for b in whole(*a, **k)),
    )

    with pytest.raises(CommandError, match=r"(?s)as it was: .*NONSENSE"):
        _restore(backup, "--force")

    track.refresh_from_db()
    assert track.title == "changed"
    assert not default_storage.exists(str(track.sound)), "what was written is removed again"


def test_archive_of_a_newer_release_is_refused(backup: Path, tmp_path: Path) -> None:
    def add_migration(manifest: dict[str, object]) -> None:
        manifest["migrations"] = ["library.9999_from_the_future"]

    def add_format(manifest: dict[str, object]) -> None:
        manifest["format"] = 2

    for change, said in ((add_migration, "9999_from_the_future"), (add_format, "newer release")):
        with pytest.raises(CommandError, match=said):
            _restore(_rewritten(backup, tmp_path / f"{said}.tar", change), "--force")


def test_file_deleted_during_the_copy_is_told(
    track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(track.sound)
    listed = contents.stored_files

    def deleting() -> list[str]:
        names = list(listed())
        default_storage.delete(name)
        return names

    monkeypatch.setattr(contents, "stored_files", deleting)
    said = StringIO()

    call_command("backup", tmp_path, stdout=StringIO(), stderr=said)

    assert "1 files that rows named were not in the storage" in said.getvalue()
    (path,) = tmp_path.glob("genreweb-*.tar")
    manifest = verify(path)
    assert manifest.missing == [name]
    assert list(manifest.files) == ["versions/one/weights.bin"]


def test_what_comes_after_the_snapshot_is_not_in_it(
    track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person uploads, from another connection, between the snapshot and the dump."""
    from threading import Thread

    from genreweb.tests.job_rows import with_own_connection

    whole = database.dump

    def upload_first(*words: object, **options: object) -> None:
        other = Thread(target=with_own_connection(lambda: _track(User.objects.get(), "later", b"more")))
        other.start()
        other.join()
        whole(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "dump", upload_first)
    path, manifest = create.back_up(target=tmp_path / "site.tar")

    assert Track.objects.count() == 2
    assert manifest.counts["track"] == 1
    assert set(manifest.files) == {str(track.sound), "versions/one/weights.bin"}
    _restore(path, "--force")
    assert Track.objects.get().title == "song"


def test_backup_overwrites_nothing_and_leaves_nothing_half(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", backup)

    def full(*_words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genreweb.backups.archive.Writer.finish", full)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup", tmp_path / "another.tar")
    assert not [path for path in tmp_path.iterdir() if "another" in path.name]


def test_versions_name_their_files(track: Track) -> None:
    assert list(version_files.stored_names()) == ["versions/one/weights.bin"]
    assert set(contents.stored_files()) == {"versions/one/weights.bin", str(track.sound)}


def test_older_servers_get_no_setting_that_they_do_not_know() -> None:
    script = b"SET lock_timeout = 0;\nSET transaction_timeout = 0;\nCOPY t FROM stdin;\n"
    assert b"".join(database.portable(BytesIO(script), server=18)) == script
    assert b"transaction" not in b"".join(database.portable(BytesIO(script), server=16))


def test_empty_machine_becomes_the_site(backup: Path, track: Track, tmp_path: Path) -> None:
    """Another folder with engines of its own, which never had a table."""
    var = tmp_path / "var"
    env = environment(var, free_port())
    # The engines of this run are in its environment only by the folder.
    env.pop("SECRET_KEY", None)

    done = run_command("manage.py", "restore", str(backup), env=env)

    assert done.returncode == 0, done.stderr
    assert "1 × user, 1 × track" in done.stdout
    assert "secret key is another one" in done.stderr
    stored = var / "media" / str(track.sound)
    assert stored.read_bytes() == b"a sound" * 1000
    ask = (
        "from django.core.management import call_command; from library.models import Track; "
        "t = Track.objects.get(); print(t.title, t.owner.email); call_command('migrate', '--check')"
    )
    asked = run_command("manage.py", "shell", "--no-imports", "--command", ask, env=env)
    assert asked.stdout.strip() == "song ada@example.org", asked.stderr
    assert asked.returncode == 0, "nothing is left to migrate"

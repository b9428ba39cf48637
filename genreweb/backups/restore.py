"""Make a site from a backup. Until the rows are replaced, in one transaction, everything is as it was."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection
from redis.exceptions import RedisError

from genreweb import heartbeat
from genreweb.backups import archive, contents, database
from genreweb.backups.archive import BackupError, Entry, Manifest, Readable, spooled
from genreweb.backups.create import key_fingerprint
from genreweb.embedded import paths, release
from genreweb.embedded.locks import FileLock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    written: list[str] = field(default_factory=list)
    """Files that were not there."""
    kept: int = 0
    """Files that were there already, and the same."""
    replaced: list[str] = field(default_factory=list)
    """Files that were there with other contents."""
    same_key: bool = True
    """Whether sessions and links that were signed before the backup still hold."""


def restore(*, source: Path, force: bool = False) -> Restored:
    """Replace the rows of this site by those of a backup, and add its files.

    Parameters
    ----------
    force
        Whether the rows of a site that people have used may be replaced. Files that no row names any more
        are removed by the site's hourly tidying.

    Raises
    ------
    BackupError
        Rows and files are as they were, unless the text says otherwise.
    """
    manifest = check(source=source)
    with _stopped_site():
        found = {name: number for name, number in contents.counts().items() if number}
        if found and not force:
            held = ", ".join(f"{number} × {name}" for name, number in found.items())
            raise BackupError(f"This site is not empty ({held}). --force replaces all of its rows.")
        done = Restored(manifest, same_key=manifest.secret_key == key_fingerprint())
        try:
            _add_files(source, done)
            with archive.database(source) as dump:
                names = sorted({*manifest.tables, *database.tables()})
                database.load(dump, names=names, functions=manifest.functions)
        except OSError as error:
            _remove(done.written)
            raise BackupError(
                f"The files could not be written, and the site is as it was: {error}"
            ) from error
        except BaseException:
            _remove(done.written)
            raise
        if settings.EMBEDDED:
            # The next start migrates the rows before the site answers.
            release.forget_prepared()
        _replace_files(source, done)
    return done


def check(*, source: Path) -> Manifest:
    """Read a backup to its end; raise `BackupError` unless it is whole and this release can restore it."""
    if not source.is_file():
        raise BackupError(f"There is no file {source}.")
    try:
        manifest = archive.verify(source)
    except OSError as error:
        raise BackupError(f"{source} cannot be read: {error}") from error
    if unknown := database.unknown_migrations(manifest.migrations):
        raise BackupError(
            f"{source} was made by another release ({manifest.release}), whose migrations this one does not "
            f"have ({', '.join(unknown[:3])}): install that one, or a newer one, first."
        )
    return manifest


@contextlib.contextmanager
def _stopped_site() -> Iterator[None]:
    """Refuse while the site runs, and keep it from starting."""
    if not settings.EMBEDDED:
        if _others():
            raise BackupError(
                "Web servers or workers of this site are connected to its database: stop them first."
            )
        yield
        return
    with FileLock(paths.site_lock()) as lock:
        if not lock.try_take():
            raise BackupError(f"The site in {paths.var_dir()} runs: stop it first.")
        yield


def _others() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        if cursor.fetchone()[0]:
            return True
    with contextlib.suppress(RedisError, OSError), heartbeat.connect() as client:
        return any(heartbeat.live_workers(client, queue=name) for name in ("analysis", "bulk", "training"))
    return False


def _add_files(source: Path, done: Restored) -> None:
    for name, content in archive.files(source):
        entry = done.manifest.files[name]
        stored = _stored(name)
        if stored is None:
            _save(name, content, entry, done.written)
        elif stored == entry:
            done.kept += 1
        else:
            done.replaced.append(name)


def _replace_files(source: Path, done: Restored) -> None:
    """Write the files whose names were taken; only now do rows need them."""
    wanted = set(done.replaced)
    try:
        for name, content in archive.files(source) if wanted else ():
            if name in wanted:
                default_storage.delete(name)
                _save(name, content, done.manifest.files[name], [])
    except OSError as error:
        raise BackupError(
            f"The rows were restored, but not all of {len(wanted)} files that had to be replaced: {error}. "
            "Restore again with --force."
        ) from error


def _stored(name: str) -> Entry | None:
    try:
        with default_storage.open(name) as file:
            return archive.entry_of(file)
    except FileNotFoundError:
        return None


def _save(name: str, content: Readable, entry: Entry, written: list[str]) -> None:
    with spooled(content) as (copy, read):
        if read != entry:
            raise OSError(f"{name} was read as another file than before")
        saved = default_storage.save(name, File(copy))
    written.append(saved)
    if saved != name:
        raise OSError(f"{name} was stored as {saved}")


def _remove(names: list[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            # The site's tidying removes it later.
            log.exception("could not delete %s", name)

"""Back up a site while it runs: the rows of one moment, then the files that they name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.crypto import salted_hmac

from genreweb.backups import contents, database
from genreweb.backups.archive import BackupError, Manifest, Writer
from genreweb.version import VERSION


def back_up(*, target: Path) -> tuple[Path, Manifest]:
    """Write the rows and files of this site into an archive; give its path and what it holds.

    Files that appear after the snapshot are not in it, and nothing in it names them. Files that are deleted
    while others are copied are noted as missing.

    Parameters
    ----------
    target
        A file that does not exist yet, or a folder, in which the archive is named after the time.

    Raises
    ------
    BackupError
        No archive was written.
    """
    if target.is_dir():
        target = target / f"genreweb-{timezone.now():%Y%m%d-%H%M%S}.tar"
    if target.exists():
        raise BackupError(f"{target} exists already.")
    try:
        with _written_whole(target) as file:
            manifest = _write(file, folder=target.parent)
    except OSError as error:
        raise BackupError(f"The backup could not be written: {error}") from error
    return target, manifest


def key_fingerprint() -> str:
    """Tell one secret key from another without giving it away."""
    return salted_hmac("genreweb.backups", "key", algorithm="sha256").hexdigest()


@contextmanager
def _written_whole(target: Path) -> Iterator[IO[bytes]]:
    """Give a file, readable by its owner alone, that takes its name once it is whole and on the disk."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write(target: IO[bytes], *, folder: Path) -> Manifest:
    writer = Writer(target)
    # Both on the disk of the archive: the one of temporary files may be small.
    with tempfile.TemporaryFile(dir=folder) as dump, tempfile.TemporaryFile("w+", dir=folder) as names:
        with database.snapshot() as of:
            manifest = Manifest(
                release=VERSION,
                created=timezone.now().isoformat(timespec="seconds"),
                tables=database.tables(),
                functions=database.functions(),
                migrations=database.applied_migrations(),
                secret_key=key_fingerprint(),
                counts=contents.counts(),
            )
            database.dump(dump, of=of, names=manifest.tables)
            # Written down, so that the snapshot ends before the files are copied.
            names.writelines(f"{name}\n" for name in contents.stored_files())
        dump.seek(0)
        names.seek(0)
        writer.add_database(dump, manifest)
        for line in names:
            _add(line.rstrip("\n"), writer, manifest)
    writer.finish(manifest)
    return manifest


def _add(name: str, writer: Writer, manifest: Manifest) -> None:
    if name in manifest.files or name in manifest.missing:
        return
    try:
        with default_storage.open(name) as source:
            writer.add_file(name, source, manifest)
    except FileNotFoundError:
        manifest.missing.append(name)

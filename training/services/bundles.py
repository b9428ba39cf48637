"""A version as one file: export and import."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import re
import stat
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.files import File

from classifier import registry, version_files
from classifier.core.artifact import METADATA_FILE, ReleaseError, read_metadata
from classifier.models import ModelVersion
from classifier.version_files import FILE_NAME, Files, entries_in, entry_of
from genreweb.accounts import archive
from genreweb.accounts.models import User
from genreweb.accounts.personal_data import Content, as_json
from genreweb.shown_text import one_line
from training.errors import TrainingError
from training.services.bundle_metadata import check_metadata

log = logging.getLogger(__name__)

MANIFEST_FILE = "manifest.json"
BUNDLE_FORMAT = 1
MOST_BYTES = 64 * 2**20
"""Of a bundle that is imported."""
MOST_UNPACKED_BYTES = 192 * 2**20
MOST_FILES = 32
MOST_JSON_BYTES = 4 * 2**20
TRYOUT_SECONDS = 90
_CHUNK = 1 << 18
_ENCRYPTED = 0x1
_FULL = (errno.ENOSPC, errno.EDQUOT)


# --- export --------------------------------------------------------------------------------------------
def write_bundle(version: ModelVersion) -> Iterator[bytes]:
    """Give a version as a ZIP archive, piece by piece; its files are checked before the first piece.

    Raises
    ------
    TrainingError
        ``bundle_damaged`` where a file is missing or not the one that was stored.
    """
    opened = contextlib.ExitStack()
    try:
        registry.load(version)
        folder = opened.enter_context(version_files.folder(version))
        files = entries_in(folder)
    except (OSError, ValueError) as error:
        opened.close()
        log.warning("%s cannot be exported: %s", version.name, error)
        raise TrainingError("bundle_damaged", {"version": version.name, "why": str(error)}) from error
    stream = _stream(version, folder, files, opened)
    # Started here, because closing a generator that was never started does not run its clean-up.
    next(stream)
    return stream


def _stream(
    version: ModelVersion, folder: Path, files: Files, opened: contextlib.ExitStack
) -> Iterator[bytes]:
    manifest = {
        "format": BUNDLE_FORMAT,
        "name": version.name,
        "sha256": version.sha256,
        "files": files,
    }
    contents: list[tuple[str, Content]] = [(MANIFEST_FILE, as_json(manifest))]
    contents += [(name, _opener(folder / name)) for name in files]
    with opened:
        yield b""
        yield from archive.stream(contents)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def bundle_name(version: ModelVersion) -> str:
    """Name the file that a bundle is saved as."""
    plain = unicodedata.normalize("NFKD", version.name).encode("ascii", "ignore").decode()
    return f"genreweb-{re.sub(r'[^A-Za-z0-9.]+', '-', plain).strip('-.') or version.pk}.zip"


# --- import --------------------------------------------------------------------------------------------
def import_bundle(file: File[bytes], *, by: User) -> tuple[ModelVersion, bool]:
    """Import a version that another site exported, or give the one that is here already.

    The file is not trusted: it is unpacked within limits, each part is compared with its hash, and the
    network classifies two sounds in a process of its own before anything is stored.

    Returns
    -------
    The version, and whether it is new here.

    Raises
    ------
    TrainingError
        ``bundle_…`` with what is wrong, or ``storage_full``, ``unavailable``; nothing is left behind.
    """
    if (file.size or 0) > MOST_BYTES:
        raise TrainingError("bundle_too_large", {"most": MOST_BYTES // 2**20})
    try:
        with tempfile.TemporaryDirectory(prefix="genreweb-bundle-") as scratch:
            folder = Path(scratch) / "version"
            folder.mkdir()
            name = _unpack(file, folder)
            metadata = _examine(folder)
            known = _same(metadata)
            if known is not None and known.files:
                return known, False
            if known is not None:
                # A release that an upgrade found no files of.
                registry.restore(known, folder)
                return known, True
            return _keep(folder, name=name, metadata=metadata, by=by)
    except OSError as error:
        log.exception("a bundle could not be kept")
        raise TrainingError("storage_full" if error.errno in _FULL else "unavailable") from error


def _unpack(file: File[bytes], folder: Path) -> str:
    """Unpack a bundle into a folder, each part checked against the manifest; give the version's name."""
    file.seek(0)
    try:
        with zipfile.ZipFile(cast(IO[bytes], file)) as bundle:
            members = _members(bundle)
            manifest = _manifest(bundle, members.pop(MANIFEST_FILE, None))
            files = cast("dict[str, Any]", manifest["files"])
            if members.keys() != files.keys():
                odd = sorted(members.keys() ^ files.keys())[0]
                raise TrainingError("bundle_contents", {"what": odd})
            left = MOST_UNPACKED_BYTES
            for name, member in members.items():
                left -= _extract(bundle, member, folder / name, most=left)
                if entry_of(folder / name)["sha256"] != _sha256_in(files[name]):
                    raise TrainingError("bundle_hash", {"name": name})
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        log.info("a bundle could not be unpacked: %s", error)
        raise TrainingError("bundle_not_zip") from error
    return str(manifest["name"])


def _members(bundle: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """List the members of a bundle, and refuse what no exported bundle holds."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in bundle.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        plain = (
            FILE_NAME.fullmatch(member.filename)
            and member.filename not in members
            and kind in (0, stat.S_IFREG)
            and not member.flag_bits & _ENCRYPTED
            and member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        )
        if not plain or len(members) == MOST_FILES:
            raise TrainingError("bundle_contents", {"what": ascii(member.filename)[1:-1][:60]})
        members[member.filename] = member
    if sum(member.file_size for member in members.values()) > MOST_UNPACKED_BYTES:
        raise TrainingError("bundle_too_large", {"most": MOST_BYTES // 2**20})
    return members


def _manifest(bundle: zipfile.ZipFile, member: zipfile.ZipInfo | None) -> dict[str, Any]:
    if member is None or member.file_size > MOST_JSON_BYTES:
        raise TrainingError("bundle_contents", {"what": MANIFEST_FILE})
    with bundle.open(member) as content:
        try:
            manifest = json.loads(content.read(MOST_JSON_BYTES + 1))
        except (ValueError, RecursionError) as error:
            raise TrainingError("bundle_contents", {"what": MANIFEST_FILE}) from error
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != BUNDLE_FORMAT
        or not isinstance(manifest.get("files"), dict)
        or not isinstance(manifest.get("name"), str)
        or not _clean(manifest["name"])
    ):
        raise TrainingError("bundle_contents", {"what": MANIFEST_FILE})
    return {"files": manifest["files"], "name": _clean(manifest["name"])}


def _clean(name: str) -> str:
    """Make a name fit to show: one line, no control or direction-changing characters."""
    return one_line(name)[:80]


def _sha256_in(entry: object) -> object:
    return entry.get("sha256") if isinstance(entry, dict) else None


def _extract(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, *, most: int) -> int:
    """Unpack one part, whatever size its header claims; give its size."""
    size = 0
    with bundle.open(member) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise TrainingError("bundle_too_large", {"most": MOST_BYTES // 2**20})
            file.write(chunk)
    return size


def _examine(folder: Path) -> dict[str, Any]:
    """Check the metadata of a bundle, and that its version runs."""
    metadata_file = folder / METADATA_FILE
    if not metadata_file.is_file() or metadata_file.stat().st_size > MOST_JSON_BYTES:
        raise TrainingError("bundle_contents", {"what": METADATA_FILE})
    try:
        metadata = read_metadata(folder)
    except ReleaseError as error:
        raise TrainingError("bundle_unusable", {"why": str(error)}) from error
    check_metadata(metadata)
    _verify(folder)
    return metadata


def _verify(folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # our own module, on a folder of ours
            [sys.executable, "-m", "classifier.core.verification", str(folder)],
            cwd=settings.BASE_DIR,
            capture_output=True,
            timeout=TRYOUT_SECONDS,
            check=False,
        )
        said = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except subprocess.TimeoutExpired as error:
        raise TrainingError("bundle_does_not_run") from error
    except (ValueError, IndexError):
        said = None
    if not isinstance(said, dict):
        log.warning("a bundle's network ended the process that tried it (%s)", done.returncode)
        raise TrainingError("bundle_does_not_run")
    if "error" in said:
        raise TrainingError("bundle_unusable", {"why": said["error"]})


def _same(metadata: dict[str, Any]) -> ModelVersion | None:
    """Find the version that answers as this one does."""
    for version in ModelVersion.objects.filter(sha256=metadata["sha256"]).order_by("pk"):
        alike = ("labels", "calibration", "patches", "architecture", "ensemble")
        if all(version.metadata.get(key) == metadata.get(key) for key in alike):
            return version
    return None


class _KnownError(Exception):
    """The same version came in twice at once; the other one was first."""


def _keep(folder: Path, *, name: str, metadata: dict[str, Any], by: User) -> tuple[ModelVersion, bool]:
    def unless_known(version: ModelVersion) -> None:
        first = _same(metadata)
        if first is not None and first.pk != version.pk:
            raise _KnownError

    try:
        source = ModelVersion.Source.IMPORTED
        version = registry.add_version(folder, name=name, source=source, by=by, then=unless_known)
    except ReleaseError as error:
        raise TrainingError("bundle_unusable", {"why": str(error)}) from error
    except _KnownError:
        known = _same(metadata)
        if known is None:
            raise TrainingError("unavailable") from None
        return known, False
    log.info("%s was imported by %s", version.name, by.pk)
    return version, True

"""Keep a person's tracks in step with a folder: files that appear, change, move and go.

The folder is looked through at intervals. A file is taken once it was the same in two looks, as nobody knows
when a copy ends; a track goes once its file was missing in two. Nothing in the folder is ever changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.core.legacy_text import guess_escaped, storable
from genreweb.accounts.models import User
from library.errors import TrackError
from library.folders import walk
from library.models import Track, WatchedFile
from library.services import quotas
from library.services.bin import bin_tracks
from library.services.file_tags import without_file_tags
from library.services.importing import reason_of
from library.services.tracks import (
    add_track,
    clean_name,
    examine,
    limits,
    replace_sound,
    title_from,
)

log = logging.getLogger(__name__)

MOST_TAKEN = 50
"""Files taken in one look, so that it ends; the others are taken in the next one."""
MOST_SECONDS = 120.0
_CHUNK = 1 << 20
_LOCK = 0x77617463
# Names that programs give to what they have not finished.
_HALF_WRITTEN = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp")
# What may be otherwise in a while; the first few end a look, as every other file would fail too.
_NO_ROOM = ("storage_full", "quota_tracks", "quota_bytes", "quota_minutes")
_PASSING = (*_NO_ROOM, "busy", "unavailable")

State = WatchedFile.State


def scan_configured() -> Counter[str]:
    """Look through the folder that the settings name, for the person they name."""
    if settings.WATCH_DIR is None:
        return Counter()
    owner = User.objects.filter(email__iexact=settings.WATCH_USER, is_active=True).first()
    if owner is None:
        log.error("GENREWEB_WATCH_USER names nobody: %r", settings.WATCH_USER)
        return Counter()
    return scan(folder=settings.WATCH_DIR, owner=owner)


def scan(*, folder: Path, owner: User) -> Counter[str]:
    """Look through a folder once; return how many files were taken, changed, refused, and tracks removed.

    Does nothing while another look goes on, and where the folder cannot be read.
    """
    with _alone() as alone:
        if not alone:
            return Counter()
        look = _Look(folder, owner)
        look.run()
    if look.counts:
        log.info(
            "watch folder: %s", ", ".join(f"{count} {what}" for what, count in sorted(look.counts.items()))
        )
    return look.counts


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Hold a lock of the database for the time of a block; gives False where another process has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (free,) = cursor.fetchone()
    try:
        yield bool(free)
    finally:
        if free:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def place_of(relative: Path) -> str:
    """Key of a path, whatever bytes it is made of."""
    return hashlib.sha256(os.fsencode(relative.as_posix())).hexdigest()


class _Look:
    """One look through the folder."""

    def __init__(self, folder: Path, owner: User) -> None:
        self.counts: Counter[str] = Counter()
        self._folder = folder
        self._owner = owner
        self._rows = {
            row.place: row for row in WatchedFile.objects.filter(owner=owner).select_related("track")
        }
        self._now: datetime = timezone.now()
        self._settled = self._now - timedelta(seconds=settings.WATCH_SETTLE_SECONDS)
        self._until = time.monotonic() + MOST_SECONDS

    def run(self) -> None:
        present = self._present()
        if present is None:
            return
        files, unreadable, empty = present
        waiting = self._compare(files)
        self._take_all(waiting)
        # An empty folder is rather one that is not mounted than one from which everything was deleted.
        if not empty:
            self._remove_missing(files, unreadable)

    def _present(self) -> tuple[dict[str, tuple[Path, str]], list[str], bool] | None:
        """List files by place, with stamps, and what cannot be read; None where the folder cannot."""
        try:
            root = self._folder.resolve(strict=True)
            empty = next(root.iterdir(), None) is None
        except OSError as error:
            log.warning("the watch folder %s cannot be read: %s", self._folder, reason_of(error))
            return None
        files: dict[str, tuple[Path, str]] = {}
        unreadable: list[str] = []
        for path in walk(root):
            relative = path.relative_to(root)
            try:
                found = path.stat()
                inside = path.resolve().is_relative_to(root)
            except (OSError, RuntimeError):
                unreadable.append(storable(relative.as_posix()))
                continue
            if stat.S_ISDIR(found.st_mode):
                unreadable.append(storable(relative.as_posix()))
            # What a link outside leads to belongs to somebody else.
            elif stat.S_ISREG(found.st_mode) and inside and path.suffix.lower() not in _HALF_WRITTEN:
                files[place_of(relative)] = (path, _stamp(found))
        return files, unreadable, empty

    def _compare(self, files: dict[str, tuple[Path, str]]) -> list[tuple[WatchedFile, Path]]:
        """Note what is new or has changed; give what was the same in two looks and is not taken yet."""
        root = self._folder.resolve()
        new: list[WatchedFile] = []
        waiting: list[tuple[WatchedFile, Path]] = []
        for place, (path, stamp) in files.items():
            row = self._rows.get(place)
            if row is None:
                name = storable(path.relative_to(root).as_posix())
                new.append(
                    WatchedFile(owner=self._owner, place=place, name=name, stamp=stamp, since=self._now)
                )
            elif row.stamp != stamp:
                self._update(row, stamp=stamp, since=self._now, state=State.WAITING, missing_since=None)
            else:
                if row.missing_since is not None:
                    self._update(row, missing_since=None)
                if row.state == State.WAITING and row.since <= self._settled:
                    waiting.append((row, path))
        WatchedFile.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
        self._unsettled = {row.stamp for row in new} | {
            row.stamp for row in self._rows.values() if row.state == State.WAITING and row.place in files
        }
        return waiting

    # --- what appears or changes ------------------------------------------------------------------------
    def _take_all(self, waiting: list[tuple[WatchedFile, Path]]) -> None:
        tried = 0
        closed: list[str] = []
        for row, path in waiting:
            if tried >= MOST_TAKEN or time.monotonic() > self._until:
                break
            tried += 1
            try:
                self._take(row, path)
            except TrackError as error:
                if error.code in _NO_ROOM:
                    log.warning("the watch folder waits: %s", error.message)
                    break
                if error.code not in _PASSING:
                    self._refuse(row, error.code, dict(error.params))
            except SoftTimeLimitExceeded:
                raise
            except (OSError, ValueError) as error:
                # It is asked for in every look: a folder of such files must not keep the others waiting.
                tried -= 1
                closed.append(f"{row.name} ({reason_of(error)})")
        if closed:
            log.warning("%d files in the watch folder cannot be read, such as %s", len(closed), closed[0])

    def _refuse(self, row: WatchedFile, code: str, params: dict[str, object]) -> None:
        self.counts["refused"] += 1
        self._update(row, state=State.REFUSED, error_code=code, error_params=params)

    def _take(self, row: WatchedFile, path: Path) -> None:
        with tempfile.TemporaryFile() as copy:
            # A copy, so that what is stored is what was examined, whatever is written meanwhile.
            if not _copied(path, copy, stamp=row.stamp):
                return
            file: File[bytes] = File(copy, name=path.name)
            info, sha256 = examine(file)
            # What its owner has put into the bin here is not changed there.
            track = row.track if row.track is None or row.track.binned_at is None else None
            if row.sha256 == sha256:
                # Touched, or deleted here by its owner: nothing is new.
                self._update(row, state=State.TAKEN)
                return
            if track is not None and row.made_track and track.sha256 == row.sha256:
                size = max(0, file.size - track.size)
                quotas.check(user=self._owner, tracks=0, size=size, duration=info.duration)
                with contextlib.suppress(IntegrityError):
                    with transaction.atomic():
                        replace_sound(
                            track=track,
                            file=file,
                            name=path.name,
                            info=info,
                            sha256=sha256,
                            **without_file_tags(track),
                        )
                    self._taken(row, track, sha256, made=True)
                    self.counts["changed"] += 1
                    return
            former = (row.track, row.made_track, row.sha256)
            # In one transaction: a killed worker leaves no track whose origin nobody knows.
            with transaction.atomic():
                added = add_track(owner=self._owner, file=file, name=guess_escaped(path.name))
                made = not added.duplicate or added.restored or _came_from_here(added.track)
                self._taken(row, added.track, sha256, made=made)
        self.counts["taken"] += 1
        if former[0] is not None and former[1]:
            self._remove_track(former[0], former[2])

    def _taken(self, row: WatchedFile, track: Track, sha256: str, *, made: bool) -> None:
        self._update(
            row,
            state=State.TAKEN,
            track=track,
            sha256=sha256,
            made_track=made,
            error_code="",
            error_params={},
        )

    # --- what goes --------------------------------------------------------------------------------------
    def _remove_missing(self, files: dict[str, tuple[Path, str]], unreadable: list[str]) -> None:
        for place, row in self._rows.items():
            if place in files or any(
                row.name == name or row.name.startswith(f"{name}/") for name in unreadable
            ):
                continue
            if row.missing_since is None:
                self._update(row, missing_since=self._now)
            # A file that was moved keeps its size and time: it is taken under its new name first.
            elif row.missing_since <= self._settled and row.stamp not in self._unsettled:
                self._forget(row)

    def _forget(self, row: WatchedFile) -> None:
        with transaction.atomic():
            track = row.track
            row.delete()
            if track is None or not row.made_track:
                return
            moved = WatchedFile.objects.filter(track=track, owner=self._owner).first()
            if moved is not None:
                _follow(track, row, moved)
                self.counts["moved"] += 1
            else:
                self._remove_track(track, row.sha256)

    def _remove_track(self, track: Track, sha256: str) -> None:
        """Put into the bin a track that came from a file of this folder and still is what that file was."""
        if WatchedFile.objects.filter(track=track).exists():
            return
        self.counts["removed"] += bin_tracks(
            Track.objects.filter(pk=track.pk, owner=self._owner, sha256=sha256)
        )

    def _update(self, row: WatchedFile, **fields: object) -> None:
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields=list(fields))


def _came_from_here(track: Track) -> bool:
    return WatchedFile.objects.filter(track=track, made_track=True).exists()


def _follow(track: Track, old: WatchedFile, new: WatchedFile) -> None:
    """Name a track after its file's new name, where nobody has given it another title."""
    before, after = (clean_name(guess_escaped(Path(one.name).name)) for one in (old, new))
    if track.original_name != before:
        return
    fields = {"original_name": after}
    if track.title == title_from(before):
        fields["title"] = title_from(after)
    Track.objects.filter(pk=track.pk).update(**fields)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _copied(path: Path, copy: IO[bytes], *, stamp: str) -> bool:
    """Copy a file that is as it was when it was last looked at, before and after."""
    # Without waiting, in case a pipe stands there by now.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as source:
        before = os.fstat(source.fileno())
        if not stat.S_ISREG(before.st_mode) or _stamp(before) != stamp:
            return False
        most = limits().max_bytes
        if before.st_size > most:
            raise TrackError("too_large", {"maximum": most // 2**20})
        shutil.copyfileobj(source, copy, _CHUNK)
        return _stamp(os.fstat(source.fileno())) == stamp

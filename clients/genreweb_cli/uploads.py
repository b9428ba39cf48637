"""Send folders of music, and go on where a former run ended.

What was sent is known by the hash of its content, in a file of lines that grows by one with each track. So a
file that was renamed is not sent again, and one that was cut off is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from .http_client import ApiError, Client

_SUFFIXES = (
    ".aac .ac3 .aif .aifc .aiff .amr .ape .asf .au .caf .dsf .flac .m4a .m4b .mka .mp2 .mp3 .mp4 .mpc .oga "
    ".ogg .opus .snd .tta .voc .w64 .wav .wave .weba .webm .wma .wv"
)
SUFFIXES = frozenset(_SUFFIXES.split())
_CHUNK = 1 << 20
# Every further file would be refused for the same reason.
_ENDING = ("quota_tracks", "quota_bytes", "storage_full")

State = Literal["sent", "known", "refused"]


class BusyError(Exception):
    """Another run writes the same file of what was sent."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    path: Path
    state: State
    track: str = ""
    reason: str = ""


@dataclass
class Sent:
    """The tracks that were made of files, by the hash of their content, kept in a file of JSON lines.

    Raises
    ------
    BusyError
        On entering, if another run holds it.
    """

    place: Path
    _tracks: dict[str, str] = field(default_factory=dict)
    # Hash by path, size and time, so that a second run need not read everything again.
    _hashes: dict[str, str] = field(default_factory=dict)
    _file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self.place.open("a+", encoding="utf-8")
        try:
            _lock(self._file)
        except BusyError:
            self._file.close()
            raise
        self._file.seek(0)
        for line in self._file:
            # The last line of a run that was killed may be half a line.
            try:
                said = json.loads(line)
                if "track" in said:
                    self._tracks[said["sha256"]] = said["track"]
                else:
                    self._hashes[said["file"]] = said["sha256"]
            except (ValueError, KeyError, TypeError):
                continue
        # Half a line must not join the next one.
        self._file.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def track_of(self, sha256: str) -> str | None:
        return self._tracks.get(sha256)

    def digest(self, path: Path) -> str:
        """SHA-256 of a file, read only if it is new or has changed."""
        stat = path.stat()
        key = f"{os.fspath(path.resolve())}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in self._hashes:
            self._hashes[key] = _sha256(path)
            self._write({"file": key, "sha256": self._hashes[key]})
        return self._hashes[key]

    def add(self, sha256: str, track: str) -> None:
        self._tracks[sha256] = track
        self._write({"sha256": sha256, "track": track})

    def _write(self, said: dict[str, str]) -> None:
        if self._file is None:
            raise RuntimeError("not entered")
        # ASCII, so that names that are no text can be written too.
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()


def _lock(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BusyError(f"Another upload is running (it holds {file.name}).") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def music_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the given files, and those with a suffix of music in the given folders, in a stable order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for place, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                    yield Path(place) / name


def send_all(
    client: Client,
    files: list[Path],
    sent: Sent,
    *,
    again: bool = False,
    on_file: Callable[[int, Path, int], None] = lambda number, path, done: None,
) -> Iterator[Outcome]:
    """Send each file that was not sent before; yield what became of it.

    Parameters
    ----------
    again
        Send also what was sent before; the site recognises what it still has.
    on_file
        Is told the number of the file, its path and how many of its bytes are sent.

    Raises
    ------
    UnreachableError
    ApiError
        Where no further file would be taken: the token does not work, or there is no more room.
    """
    for number, path in enumerate(files, start=1):
        on_file(number, path, 0)
        try:
            sha256 = sent.digest(path)
            known = None if again else sent.track_of(sha256)
            if known:
                yield Outcome(path, "known", known)
                continue
            track = client.upload(path, on_bytes=lambda done, n=number, p=path: on_file(n, p, done))  # type: ignore[misc]
        except ApiError as error:
            if error.status in (401, 403) or error.code in _ENDING:
                raise
            yield Outcome(path, "refused", reason=error.message)
        except OSError as error:
            yield Outcome(path, "refused", reason=error.strerror or str(error))
        else:
            sent.add(sha256, track["id"])
            yield Outcome(path, "known" if track.get("duplicate") else "sent", track["id"])

"""Which file a player is sent: one that is there, or a copy that must be encoded for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile

from classifier.core.encoding import TARGETS, Target
from library.models import Track
from library.subsonic.errors import not_found

AS_IT_IS: Final = "raw"
_OTHER_NAMES: Final = {"ogg": "opus", "oga": "opus", "m4a": "aac", "mp4": "aac"}
"""Of formats that players ask for, by what they are encoded as."""
_OGG: Final = frozenset({"ogg", "oga", "opus"})
_MP4: Final = frozenset({"aac", "m4a", "mp4"})
SLACK: Final = 1.05
"""Tags and covers in a file make it a little larger than its sound; it is not encoded again for that."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A copy of a track's sound in a format at a bit rate (kbit/s)."""

    target: Target
    bit_rate: int


def chosen(track: Track, wanted: str, most: int, *, later: bool) -> FieldFile | Encoded:
    """Choose what is sent: the file as it is where it fits, else a copy.

    Parameters
    ----------
    wanted
        Format that the player asks for; empty, or one that is not known: any.
    most
        In kbit/s; 0: any.
    later
        Whether it is to begin later than the sound, which only a copy can.
    """
    files = [track.rendition, track.sound] if track.rendition else [track.sound]
    if not track.duration:
        return files[0]
    target = TARGETS.get(_OTHER_NAMES.get(wanted, wanted))
    fitting = [file for file in files if not wanted or _is(file, wanted, track)]
    if not fitting and target is None:
        fitting = files
    rates = {file: _bit_rate(file, track) for file in fitting}
    if not later:
        for file in fitting:
            if not most or rates[file] <= most * SLACK:
                return file
    target = target or _target_like(track)
    bit_rate = _rate_for(target, most, track)
    smallest = min(fitting, key=rates.__getitem__, default=None)
    if smallest is not None and not later and rates[smallest] <= bit_rate * SLACK:
        return smallest
    return Encoded(target, bit_rate)


def chosen_of_those_there(track: Track, wanted: str, most: int) -> FieldFile:
    """Choose a file of the wanted format and of at most so many kbit/s (0: any), as near as there is one."""
    if not track.rendition:
        return track.sound
    files = [track.rendition, track.sound]
    files = [file for file in files if suffix(file) == wanted] or files
    if len(files) == 1 or not most or not track.duration:
        return files[0]
    rates = {file: _bit_rate(file, track) for file in files}
    return next((file for file in files if rates[file] <= most), min(files, key=rates.__getitem__))


def _is(file: FieldFile, wanted: str, track: Track) -> bool:
    """Whether a file is of a format, by its suffix; what one suffix stands for, by its codec."""
    name = suffix(file)
    if file is track.rendition:
        return name == wanted
    if wanted == "opus":
        return name in _OGG and track.codec == "opus"
    if wanted in ("ogg", "oga"):
        return name in _OGG
    if wanted in _MP4:
        return name in _MP4 and track.codec == "aac"
    return name == wanted


def _target_like(track: Track) -> Target:
    """Give the format of a sound if copies are made in it, else the one that every player plays."""
    return TARGETS.get(track.codec) or TARGETS["mp3"]


def _rate_for(target: Target, most: int, track: Track) -> int:
    """Choose the highest bit rate up to the limit that is not above what the sound itself has."""
    limit = most or target.default
    allowed = [rate for rate in target.bit_rates if rate <= limit] or [target.bit_rates[0]]
    return rate_for(allowed, own=track.size * 8 / 1000 / (track.duration or 1.0))


def rate_for(allowed: Sequence[int], *, own: float) -> int:
    """Choose of ascending bit rates the highest that is not above what a sound itself has (0: not known)."""
    return next((rate for rate in allowed if own and rate * SLACK >= own), allowed[-1])


def _bit_rate(file: FieldFile, track: Track) -> float:
    """Kbit/s of a whole file: a stored size costs no look at what is in it."""
    size = track.size if file is track.sound else _size(file)
    return size * 8 / 1000 / (track.duration or 1.0)


def suffix(file: FieldFile) -> str:
    return PurePosixPath(str(file.name)).suffix.removeprefix(".").lower()


def _size(file: FieldFile) -> int:
    try:
        return int(default_storage.size(str(file.name)))
    except OSError as error:
        raise not_found() from error

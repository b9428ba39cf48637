"""Storage keys of files. They never contain text from users."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Protocol


class _Track(Protocol):
    """What the name of a file needs to know of a `Track`; the models import this module."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def container(self) -> str: ...


class _Copy(Protocol):
    @property
    def track_id(self) -> uuid.UUID: ...


class _Analysis(Protocol):
    @property
    def track_id(self) -> uuid.UUID: ...


class _Explanation(Protocol):
    @property
    def analysis(self) -> _Analysis: ...


def sound_key(track: _Track, filename: str) -> str:
    """Make the key of a sound; its suffix is that of its actual container.

    The suffix determines the media type, and some browsers do not play a file of the wrong type.
    """
    suffix = safe_suffix(filename)
    fitting = _SUFFIXES_OF.get(track.container.partition(",")[0], (suffix,))
    return f"sounds/{track.id.hex[:2]}/{uuid.uuid4()}{suffix if suffix in fitting else fitting[0]}"


def rendition_key(track: _Track, filename: str) -> str:
    return f"renditions/{track.id.hex[:2]}/{uuid.uuid4()}{safe_suffix(filename)}"


def encoded_key(copy: _Copy, filename: str) -> str:
    return f"encoded/{copy.track_id.hex[:2]}/{uuid.uuid4()}{safe_suffix(filename)}"


def cover_key(track: _Track, filename: str) -> str:
    return f"covers/{track.id.hex[:2]}/{uuid.uuid4()}{safe_suffix(filename)}"


def picture_key(analysis: _Analysis, filename: str) -> str:
    return f"pictures/{analysis.track_id.hex[:2]}/{uuid.uuid4()}{safe_suffix(filename)}"


def explanation_key(explanation: _Explanation, filename: str) -> str:
    return picture_key(explanation.analysis, filename)


def part_key(_part: object, filename: str) -> str:
    return f"resumable/{uuid.uuid4()}"


def archive_key(_batch: object, filename: str) -> str:
    return f"batches/{uuid.uuid4()}.zip"


# By the first of FFmpeg's names for a container; the most usual suffix first.
_SUFFIXES_OF = {
    "wav": (".wav",),
    "mp3": (".mp3",),
    "aac": (".aac",),
    "flac": (".flac",),
    "ogg": (".ogg", ".oga", ".opus"),
    "mov": (".m4a", ".mp4"),
    "matroska": (".webm", ".weba", ".mka"),
    "aiff": (".aiff", ".aif", ".aifc"),
    "au": (".au", ".snd"),
    "asf": (".wma", ".asf"),
    "caf": (".caf",),
}
_KNOWN_SUFFIXES = {
    *(".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".webm", ".weba", ".mka"),
    *(
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".snd",
        ".wma",
        ".asf",
        ".webp",
        ".png",
        ".jpeg",
        ".json",
        ".caf",
        ".wv",
        ".ape",
    ),
}


def safe_suffix(filename: str) -> str:
    """Return the suffix of a name if the site stores files of that type, else an empty string."""
    suffix = PurePosixPath(filename).suffix.lower()
    return suffix if suffix in _KNOWN_SUFFIXES else ""

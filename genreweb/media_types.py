"""Media types of stored files by the suffixes of their keys, the same on every machine."""

from __future__ import annotations

from pathlib import PurePosixPath

# Sounds, even in containers that may hold moving pictures too, and the pictures drawn of them.
_MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
    **dict.fromkeys((".m4a", ".mp4"), "audio/mp4"),
    ".aac": "audio/aac",
    **dict.fromkeys((".webm", ".weba"), "audio/webm"),
    ".mka": "audio/x-matroska",
    **dict.fromkeys((".aiff", ".aif", ".aifc"), "audio/aiff"),
    **dict.fromkeys((".au", ".snd"), "audio/basic"),
    **dict.fromkeys((".wma", ".asf"), "audio/x-ms-wma"),
    ".caf": "audio/x-caf",
    ".wv": "audio/x-wavpack",
    ".ape": "audio/x-ape",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpeg": "image/jpeg",
    ".json": "application/json",
}


def media_type(name: str) -> str:
    """Return the media type of a stored file; ``application/octet-stream`` for unknown suffixes."""
    return _MEDIA_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def is_shown(name: str) -> bool:
    """Whether a browser may show or play a stored file by itself; others are handed over as downloads."""
    return PurePosixPath(name).suffix.lower() in _MEDIA_TYPES

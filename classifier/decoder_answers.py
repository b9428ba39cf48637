"""What the confined process answers, made into values; nothing of it is believed that was not looked at."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, Final

from classifier.core.audio import AudioError, AudioInfo
from classifier.core.file_tags import MOST_CHARACTERS, FileTags
from classifier.core.loudness import Loudness

_MOST_COVER_BYTES: Final = 2**20
_MOST_HEAD_BYTES: Final = 2**14


def tags_in(answer: Any, cover: bytes) -> FileTags:
    """Take the words and the cover that an answer holds, where they are what they should be."""
    said = answer if isinstance(answer, dict) else {}
    words = {
        name: said[name][:MOST_CHARACTERS]
        for name in ("title", "artist", "album", "genre")
        if isinstance(said.get(name), str)
    }
    year = said.get("year")
    is_webp = cover[:4] == b"RIFF" and cover[8:12] == b"WEBP" and len(cover) <= _MOST_COVER_BYTES
    return FileTags(**words, year=year if isinstance(year, int) else None, cover=cover if is_webp else None)


def info_in(fields: Any) -> AudioInfo:
    try:
        return AudioInfo(**fields)
    except TypeError as error:
        raise AudioError("undecodable") from error


def loudness_in(fields: Any) -> Loudness | None:
    """Take the loudness that an answer holds, where it is finite numbers."""
    if not isinstance(fields, dict):
        return None
    numbers = [
        value if isinstance(value, int | float) and math.isfinite(value) else None
        for value in (fields.get("integrated"), fields.get("true_peak"))
    ]
    return Loudness(*numbers)


def head_in(fields: Any) -> bytes:
    """Take the head of a file that an answer holds."""
    said = fields.get("head") if isinstance(fields, dict) else None
    if not isinstance(said, str) or len(said) > _MOST_HEAD_BYTES:
        raise AudioError("undecodable")
    try:
        return base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AudioError("undecodable") from error

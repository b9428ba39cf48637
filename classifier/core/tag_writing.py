"""Write fields such as genre and mood into the tags of an audio file.

ID3v2.4 for MP3, WAV, AIFF and TTA; Vorbis comments for FLAC, Ogg and Opus; atoms of iTunes for MP4. Names of
fields are those of Picard's mapping of tags, which players and taggers share. All other tags stay.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import mutagen
from mutagen import id3
from mutagen._vorbis import VComment
from mutagen.mp3 import HeaderNotFoundError
from mutagen.mp4 import MP4FreeForm, MP4Tags
from mutagen.trueaudio import TrueAudio

FIELDS: Final = ("genre", "mood", "key", "title", "artist", "album", "year")
"""What can be read and written."""
MOST_VALUES: Final = 20
MOST_CHARACTERS: Final = 500

Values = dict[str, list[str]]

_ID3: Final = {
    "genre": "TCON",
    "mood": "TMOO",
    "key": "TKEY",
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "year": "TDRC",
}
_VORBIS: Final = {
    "genre": "genre",
    "mood": "mood",
    "key": "initialkey",
    "title": "title",
    "artist": "artist",
    "album": "album",
    "year": "date",
}
_MP4: Final = {
    "genre": "\xa9gen",
    "mood": "----:com.apple.iTunes:MOOD",
    "key": "----:com.apple.iTunes:initialkey",
    "title": "\xa9nam",
    "artist": "\xa9ART",
    "album": "\xa9alb",
    "year": "\xa9day",
}
_FREE_FORM: Final = "----:"
_ENCODINGS: Final = ("ascii", "latin-1", "utf-8", "utf-16", "utf-16-be", "utf-16-le")
"""Of texts in tags; Python imports an encoding on first use."""


class TagWritingError(Exception):
    """The tags of a file cannot be read or written.

    Attributes
    ----------
    code : str
        ``unsupported``: the format has none that are known here; ``unreadable``: the file is damaged.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file with its tags, which `mutagen` may have had to add."""

    audio: Any

    @property
    def tags(self) -> Any:
        return self.audio.tags


def read_fields(file: BinaryIO) -> Values:
    """Read the fields that a file has.

    Parameters
    ----------
    file : binary file object
        Seekable; read from its start and left open.

    Raises
    ------
    TagWritingError
    """
    tags = _open(file).tags
    found = {field: [text[:MOST_CHARACTERS] for text in _read(tags, field)][:MOST_VALUES] for field in FIELDS}
    return {field: texts for field, texts in found.items() if texts}


def write_fields(file: BinaryIO, values: Mapping[str, Sequence[str]]) -> None:
    """Write fields into a file, in place; fields that are not given stay, an empty list removes one.

    Parameters
    ----------
    file : binary file object
        Seekable, readable and writable; left open.
    values : mapping of str to sequence of str
        Texts by name of field, of `FIELDS`.

    Raises
    ------
    TagWritingError
        Then the file may have been changed in part.
    """
    opened = _open(file)
    for field, texts in values.items():
        _write(opened.tags, field, [text[:MOST_CHARACTERS] for text in texts][:MOST_VALUES])
    file.seek(0)
    options = {"v2_version": 4} if isinstance(opened.tags, id3.ID3) else {}
    try:
        opened.audio.save(file, **options)
    except (mutagen.MutagenError, ValueError, TypeError, KeyError, EOFError) as error:
        raise TagWritingError("unreadable") from error


def _open(file: BinaryIO) -> _Opened:
    file.seek(0)
    head = file.read(12)
    if head[:4] in {b"RIFF", b"RF64"} and head[:4] + head[8:] != b"RIFFWAVE":
        # AVI and large WAV files, which are taken for damaged WAV files.
        raise TagWritingError("unsupported")
    file.seek(0)
    try:
        audio = _loaded(file)
    except (mutagen.MutagenError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise TagWritingError("unreadable") from error
    if audio is None:
        raise TagWritingError("unsupported")
    if audio.tags is None:
        try:
            audio.add_tags()
        except (mutagen.MutagenError, NotImplementedError, AttributeError) as error:
            raise TagWritingError("unsupported") from error
    if not isinstance(audio.tags, id3.ID3 | VComment | MP4Tags):
        raise TagWritingError("unsupported")
    return _Opened(audio)


def _loaded(file: BinaryIO) -> Any:
    try:
        return mutagen.File(file)
    except HeaderNotFoundError:
        # Behind an ID3 tag, TTA is taken for MP3 where no name says otherwise.
        file.seek(0)
        return TrueAudio(file)


def _read(tags: Any, field: str) -> list[str]:
    if isinstance(tags, id3.ID3):
        frames = tags.getall(_ID3[field])
        # Numbers of ID3v1 become names.
        texts = [frame.genres if field == "genre" else frame.text for frame in frames]
        return [str(text) for one in texts for text in one if str(text).strip()]
    if isinstance(tags, MP4Tags):
        return [_text(value) for value in tags.get(_MP4[field], [])]
    return [str(text) for text in tags.get(_VORBIS[field], []) if str(text).strip()]


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _write(tags: Any, field: str, texts: list[str]) -> None:
    if isinstance(tags, id3.ID3):
        name = _ID3[field]
        tags.delall(name)
        if texts:
            tags.add(getattr(id3, name)(encoding=id3.Encoding.UTF8, text=texts))
        return
    name = _MP4[field] if isinstance(tags, MP4Tags) else _VORBIS[field]
    if not texts:
        if name in tags:
            del tags[name]
    elif name.startswith(_FREE_FORM):
        tags[name] = [MP4FreeForm(text.encode()) for text in texts]
    else:
        tags[name] = texts


def load_formats() -> None:
    """Import what `mutagen` imports on first use; a confined process cannot do it later."""
    mutagen.File(io.BytesIO(b"nothing"))
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)

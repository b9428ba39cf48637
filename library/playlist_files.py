"""Playlists as files that other players read: M3U8, XSPF and JSPF.

The addresses in them lead to the sounds without signing in, and expire as all links to sounds do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

_XSPF: Final = "http://xspf.org/ns/0/"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True, slots=True)
class Item:
    """A track as players are told of it; `duration` in seconds, `page` and `sound` whole addresses."""

    title: str
    artist: str
    album: str
    duration: float | None
    sound: str
    page: str


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how it is named, what it is served as, and what writes it."""

    name: str
    suffix: str
    media_type: str
    write: Callable[[str, Sequence[Item]], bytes]


def m3u8(title: str, items: Sequence[Item]) -> bytes:
    """Extended M3U in UTF-8."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(title)}"]
    for item in items:
        seconds = -1 if item.duration is None else round(item.duration)
        words = " - ".join(filter(None, (_line(item.artist), _line(item.title))))
        lines += [f"#EXTINF:{seconds},{words}", item.sound]
    return ("\n".join(lines) + "\n").encode()


def xspf(title: str, items: Sequence[Item]) -> bytes:
    """XML Shareable Playlist Format, version 1."""
    ElementTree.register_namespace("", _XSPF)
    playlist = ElementTree.Element(f"{{{_XSPF}}}playlist", version="1")
    _text(playlist, "title", title)
    tracks = ElementTree.SubElement(playlist, f"{{{_XSPF}}}trackList")
    for item in items:
        track = ElementTree.SubElement(tracks, f"{{{_XSPF}}}track")
        for name, value in _fields(item).items():
            _text(track, name, str(value))
    return bytes(ElementTree.tostring(playlist, encoding="utf-8", xml_declaration=True)) + b"\n"


def jspf(title: str, items: Sequence[Item]) -> bytes:
    """The JSON form of XSPF."""
    tracks = []
    for item in items:
        fields = _fields(item)
        tracks.append({**fields, "location": [fields["location"]]})
    playlist = {"playlist": {"title": _line(title), "track": tracks}}
    return (json.dumps(playlist, ensure_ascii=False, indent=2) + "\n").encode()


FORMATS: Final = {
    each.suffix: each
    for each in (
        Format("M3U8", "m3u8", "audio/x-mpegurl; charset=utf-8", m3u8),
        Format("XSPF", "xspf", "application/xspf+xml", xspf),
        Format("JSON", "json", "application/json", jspf),
    )
}
"""Every format by its suffix."""


def _fields(item: Item) -> dict[str, Any]:
    """The elements of an XSPF track, in the order of its schema."""
    fields: dict[str, Any] = {
        "location": item.sound,
        "title": _line(item.title),
        "creator": _line(item.artist),
        "info": item.page,
        "album": _line(item.album),
        "duration": None if item.duration is None else round(1000 * item.duration),
    }
    return {name: value for name, value in fields.items() if value not in ("", None)}


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{_XSPF}}}{name}").text = _line(text)


def _line(text: str) -> str:
    """One line, without what XML does not allow."""
    return " ".join(_CONTROLS.sub(" ", text).split())

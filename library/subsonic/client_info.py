"""What a player says that it can play: the JSON object ``ClientInfo`` of OpenSubsonic's ``transcoding``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast, get_args

from library.subsonic.errors import invalid

NAME: Final = "ClientInfo"
_MOST_ENTRIES: Final = 200
"""Of each list."""
_MOST_NUMBER: Final = 2**40
_AUDIO_CODEC: Final = "AudioCodec"

Property = Literal["audioChannels", "audioBitrate", "audioProfile", "audioSamplerate", "audioBitdepth"]
Comparison = Literal["Equals", "NotEquals", "LessThanEqual", "GreaterThanEqual"]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Playable:
    """Files that are played as they are. Empty lists mean any; no `channels`: any number."""

    containers: tuple[str, ...]
    codecs: tuple[str, ...]
    protocols: tuple[str, ...]
    channels: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file may be encoded as."""

    container: str
    codec: str
    protocol: str
    channels: int


@dataclass(frozen=True, slots=True)
class Limitation:
    """What must be so of a stream of a codec."""

    property: Property
    comparison: Comparison
    values: tuple[str, ...]

    def is_met(self, value: float | str | None) -> bool:
        """Compare a value of a stream; what is not known meets nothing."""
        if value is None:
            return False
        if self.comparison in ("Equals", "NotEquals"):
            return (str(value).casefold() in self.values) == (self.comparison == "Equals")
        limit = float(self.values[0])
        return float(value) <= limit if self.comparison == "LessThanEqual" else float(value) >= limit


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """All of it. Bit rates are in bit/s, 0: any. `limitations` by codec are those that must be met."""

    most: int
    most_encoded: int
    playable: tuple[Playable, ...]
    wanted: tuple[Wanted, ...]
    limitations: Mapping[str, tuple[Limitation, ...]]


def read(body: bytes) -> ClientInfo:
    """Read the object.

    Raises
    ------
    SubsonicError
        It is none, or one of its fields is of another kind.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(NAME) from error
    if not isinstance(said, dict):
        raise invalid(NAME)
    limitations: dict[str, tuple[Limitation, ...]] = {}
    for codec, found in _entries(said, "codecProfiles", _codec_profile):
        limitations[codec] = limitations.get(codec, ()) + found
    return ClientInfo(
        most=_number(said, "maxAudioBitrate"),
        most_encoded=_number(said, "maxTranscodingAudioBitrate"),
        playable=_entries(said, "directPlayProfiles", _playable),
        wanted=_entries(said, "transcodingProfiles", _wanted),
        limitations=limitations,
    )


def _playable(said: Mapping[str, Any]) -> Playable:
    return Playable(
        containers=_words(said, "containers"),
        codecs=_words(said, "audioCodecs"),
        protocols=_words(said, "protocols"),
        channels=_number(said, "maxAudioChannels"),
    )


def _wanted(said: Mapping[str, Any]) -> Wanted:
    return Wanted(
        container=_word(said, "container"),
        codec=_word(said, "audioCodec"),
        protocol=_word(said, "protocol"),
        channels=_number(said, "maxAudioChannels"),
    )


def _codec_profile(said: Mapping[str, Any]) -> tuple[str, tuple[Limitation, ...]]:
    """Take the limitations that must be met; the others are wishes, which a file as it is need not meet."""
    found = _entries(said, "limitations", _limitation)
    is_known = said.get("type", _AUDIO_CODEC) == _AUDIO_CODEC
    return _word(said, "name"), tuple(one for one in found if one is not None and is_known)


def _limitation(said: Mapping[str, Any]) -> Limitation | None:
    name, comparison, values = said.get("name"), said.get("comparison"), _words(said, "values")
    if name not in get_args(Property) or comparison not in get_args(Comparison) or not values:
        raise invalid("limitations")
    if comparison not in ("Equals", "NotEquals"):
        try:
            if name == "audioProfile" or not 0 <= float(values[0]) <= _MOST_NUMBER:
                raise invalid("limitations")
        except ValueError as error:
            raise invalid("limitations") from error
    if said.get("required") is not True:
        return None
    return Limitation(cast(Property, name), cast(Comparison, comparison), values)


# --- fields ---------------------------------------------------------------------------------------------
def _entries(
    said: Mapping[str, Any], name: str, read_one: Callable[[Mapping[str, Any]], Found]
) -> tuple[Found, ...]:
    found = _given(said, name, [])
    if not isinstance(found, list) or len(found) > _MOST_ENTRIES:
        raise invalid(name)
    if not all(isinstance(one, dict) for one in found):
        raise invalid(name)
    return tuple(read_one(one) for one in found)


def _given(said: Mapping[str, Any], name: str, default: object) -> Any:
    """Give a field; null is as if it were not there."""
    value = said.get(name)
    return default if value is None else value


def _number(said: Mapping[str, Any], name: str) -> int:
    value = _given(said, name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_NUMBER:
        raise invalid(name)
    return value


def _word(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise invalid(name)
    return value.strip().casefold()


def _words(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _given(said, name, [])
    # One value may stand alone.
    values = [values] if isinstance(values, str) else values
    if not isinstance(values, list) or len(values) > _MOST_ENTRIES:
        raise invalid(name)
    if not all(isinstance(value, str) for value in values):
        raise invalid(name)
    return tuple(value.strip().casefold() for value in values)

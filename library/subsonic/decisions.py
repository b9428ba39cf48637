"""Whether a player can play a file as it is, and what it is encoded as if not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from classifier.core.encoding import TARGETS, Target
from library.subsonic.client_info import ClientInfo, Playable, Wanted
from library.subsonic.formats import SLACK, Encoded, rate_for

HTTP: Final = "http"
_ANY_PROTOCOL: Final = frozenset({HTTP, "*"})
_CONTAINERS: Final = (
    *({"mp3", "mpeg"}, {"mp4", "m4a", "m4b", "mov"}, {"aac", "adts"}, {"ogg", "oga", "opus"}),
    *({"wav", "wave"}, {"aiff", "aif"}, {"asf", "wma"}, {"mkv", "mka", "matroska"}),
)
"""Names of the same."""
_CONTAINER_OF: Final = {"mp3": "mp3", "opus": "ogg", "aac": "aac"}
"""Of what is encoded, by the name of its target."""
_KBIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Stream:
    """What is known of a file or of what it would be encoded as; bit rates are in bit/s."""

    container: str
    codec: str
    channels: int | None
    sample_rate: int | None
    bit_rate: int | None
    bit_depth: int | None = None

    def values(self) -> Mapping[str, int | str | None]:
        """Give what limitations are about."""
        return {
            "audioChannels": self.channels,
            "audioBitrate": self.bit_rate,
            "audioSamplerate": self.sample_rate,
            "audioBitdepth": self.bit_depth,
            "audioProfile": None,
        }

    def described(self) -> dict[str, Any]:
        """Describe it as OpenSubsonic's ``StreamDetails``."""
        known = {name: value for name, value in self.values().items() if value is not None}
        return {"protocol": HTTP, "container": self.container, "codec": self.codec, **known}


def refusals(source: Stream, info: ClientInfo) -> list[str]:
    """Say for each of the player's profiles why it cannot play the file; nothing where one can.

    A player that names no profiles plays nothing as it is.
    """
    found = [_refusal(source, profile, info) for profile in info.playable]
    return [] if "" in found else (found or ["NoDirectPlayProfile"])


def encoded(source: Stream, info: ClientInfo) -> tuple[Encoded, Stream] | None:
    """Choose the first format that the player wants and that can be made, at the best bit rate allowed."""
    for wanted in info.wanted:
        for target in TARGETS.values():
            if found := _encoded(source, wanted, target, info):
                return found
    return None


def _refusal(source: Stream, profile: Playable, info: ClientInfo) -> str:
    """Give why a profile does not fit a file, as a word; empty where it does."""
    if profile.protocols and not _ANY_PROTOCOL.intersection(profile.protocols):
        return "ProtocolNotSupported"
    if profile.containers and not _names(source.container).intersection(profile.containers):
        return "ContainerNotSupported"
    if profile.codecs and source.codec not in profile.codecs:
        return "AudioCodecNotSupported"
    if profile.channels and (source.channels or 0) > profile.channels:
        return "AudioChannelsNotSupported"
    if info.most and (source.bit_rate is None or source.bit_rate > info.most * SLACK):
        return "AudioBitrateNotSupported"
    return next(_unmet(source, info), "")


def _unmet(stream: Stream, info: ClientInfo) -> Iterator[str]:
    """Name what of a stream its codec's limitations do not allow."""
    values = stream.values()
    for limitation in info.limitations.get(stream.codec, ()):
        if not limitation.is_met(values[limitation.property]):
            name = limitation.property
            yield f"{name[0].upper()}{name[1:]}NotSupported"


def _encoded(
    source: Stream, wanted: Wanted, target: Target, info: ClientInfo
) -> tuple[Encoded, Stream] | None:
    container, channels = _CONTAINER_OF[target.name], min(2, source.channels or 2)
    if wanted.codec != target.name or (wanted.protocol and wanted.protocol not in _ANY_PROTOCOL):
        return None
    if wanted.container and wanted.container not in _names(container):
        return None
    if wanted.channels and channels > wanted.channels:
        return None
    sample_rate = target.rate_for(source.sample_rate or target.rates[0])
    most = min((rate for rate in (info.most, info.most_encoded) if rate), default=_KBIT * target.default)
    made = {
        rate: Stream(container, target.name, channels, sample_rate, rate * _KBIT)
        for rate in target.bit_rates
        if rate * _KBIT <= most
    }
    allowed = [rate for rate, stream in made.items() if not any(_unmet(stream, info))]
    if not allowed:
        return None
    rate = rate_for(allowed, own=(source.bit_rate or 0) / _KBIT)
    return Encoded(target, rate), made[rate]


def _names(container: str) -> frozenset[str]:
    return next((frozenset(names) for names in _CONTAINERS if container in names), frozenset({container}))

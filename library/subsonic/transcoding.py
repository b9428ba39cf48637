"""OpenSubsonic's extension ``transcoding``: a player says what it can play, and is told what to ask for."""

from __future__ import annotations

import re
from typing import Any, Final

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponseBase, UnreadablePostError
from django.utils.translation import gettext

from classifier.core.encoding import TARGETS
from library.models import Track
from library.services import copies
from library.subsonic import client_info, media
from library.subsonic.calls import Call
from library.subsonic.decisions import Stream, encoded, refusals
from library.subsonic.errors import GENERIC, SubsonicError, invalid, missing, not_found
from library.subsonic.formats import Encoded, suffix

_MOST_BYTES: Final = 2**16
_PCM_BITS = re.compile(r"pcm_[a-z]*(\d+)", re.ASCII)
_FLAC_BITS: Final = 24
"""What FLAC and ALAC hold at most in nearly all files; how much one of them does hold is not stored."""
_BITS: Final = {"flac": _FLAC_BITS, "alac": _FLAC_BITS}
_PARAMETERS = re.compile(r"([a-z0-9]{1,10})-(\d{1,3})", re.ASCII)


def get_transcode_decision(call: Call) -> dict[str, Any]:
    """Say whether a player can play a song's file, and if it is to be encoded, as what."""
    track = _song(call)
    if call.request.method != "POST":
        raise SubsonicError(GENERIC, gettext("What the player can play is to be sent by POST, as JSON."))
    info = client_info.read(_body(call))
    source = _stream_of(track)
    reasons = refusals(source, info)
    found = encoded(source, info) if copies.are_made() and track.duration else None
    decision: dict[str, Any] = {
        "canDirectPlay": not reasons,
        "canTranscode": found is not None,
        "transcodeReason": reasons,
        "sourceStream": source.described(),
    }
    if found:
        chosen, made = found
        decision["transcodeParams"] = f"{chosen.target.name}-{chosen.bit_rate}"
        decision["transcodeStream"] = made.described()
    elif reasons:
        decision["errorReason"] = gettext("This song cannot be had in any format that the player plays.")
    return {"transcodeDecision": decision}


def get_transcode_stream(call: Call) -> HttpResponseBase:
    """Send what a decision named, from its start or some seconds later. Fails with statuses of HTTP."""
    track = _song(call)
    offset = media.seconds_later(track, call.parameters.number("offset", 0, most=media.MOST_SECONDS))
    wanted = _PARAMETERS.fullmatch(call.parameters.required("transcodeParams"))
    target = TARGETS.get(wanted[1]) if wanted else None
    if wanted is None or target is None or int(wanted[2]) not in target.bit_rates:
        raise invalid("transcodeParams")
    if not copies.are_made() or not track.duration:
        raise SubsonicError(GENERIC, gettext("This song is not encoded in other formats."))
    return media.encoded(call, track, Encoded(target, int(wanted[2])), offset)


def _song(call: Call) -> Track:
    kind = call.parameters.required("mediaType")
    if kind == "podcast":
        # There are none.
        raise not_found()
    if kind != "song":
        raise invalid("mediaType")
    return call.track("mediaId")


def _body(call: Call) -> bytes:
    try:
        body = call.request.body
    except (SuspiciousOperation, UnreadablePostError) as error:
        raise invalid(client_info.NAME) from error
    if not body:
        raise missing(client_info.NAME)
    if len(body) > _MOST_BYTES:
        raise invalid(client_info.NAME)
    return body


def _stream_of(track: Track) -> Stream:
    """Describe the file that ``stream`` sends with ``format=raw``."""
    pcm = _PCM_BITS.match(track.codec)
    return Stream(
        container=suffix(track.sound),
        codec="pcm" if pcm else track.codec,
        channels=track.channels,
        sample_rate=track.sample_rate,
        bit_rate=round(track.size * 8 / track.duration) if track.duration else None,
        bit_depth=int(pcm[1]) if pcm else _BITS.get(track.codec),
    )

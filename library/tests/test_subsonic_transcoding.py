"""OpenSubsonic's ``transcoding``: what a player says that it plays, and what it is told to ask for."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from classifier.core.audio import decode
from classifier.tests.sounds import encode, tune
from genreweb.accounts.models import User
from library.models import EncodedCopy, Track
from library.services import copies, queue
from library.services.tracks import add_track
from library.subsonic.client_info import ClientInfo, read
from library.subsonic.decisions import Stream, encoded, refusals
from library.subsonic.errors import SubsonicError
from library.tests.subsonic import Player

MP3 = Stream("mp3", "mp3", 2, 44_100, 320_000)
FLAC = Stream("flac", "flac", 2, 96_000, 2_000_000, 24)
M4A = Stream("m4a", "aac", 2, 44_100, 256_000)


def plays(*containers: str, codecs: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"containers": list(containers), "audioCodecs": list(codecs), "protocols": ["http"], **more}


def wants(codec: str, container: str = "", **more: Any) -> dict[str, Any]:
    return {"container": container or codec, "audioCodec": codec, "protocol": "http", **more}


def limited(codec: str, name: str, comparison: str, *values: str, required: bool = True) -> dict[str, Any]:
    one = {"name": name, "comparison": comparison, "values": list(values), "required": required}
    return {"type": "AudioCodec", "name": codec, "limitations": [one]}


def said(**more: Any) -> ClientInfo:
    return read(json.dumps({"name": "n", "platform": "p", **more}).encode())


def direct(*profiles: Any, **more: Any) -> ClientInfo:
    return said(directPlayProfiles=list(profiles), **more)


# --- decisions -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "info", "reasons"),
    [
        (MP3, direct(plays("mp3")), []),
        (MP3, direct(plays("flac"), plays("mpeg", codecs=("MP3",))), []),
        (MP3, direct(plays()), []),
        (M4A, direct(plays("mp4", codecs=("aac", "alac"))), []),
        (M4A, direct(plays("mp4", codecs=("alac",))), ["AudioCodecNotSupported"]),
        (M4A, direct(plays("aac")), ["ContainerNotSupported"]),
        (MP3, direct({**plays("mp3"), "protocols": []}), []),
        (MP3, direct({**plays("mp3"), "protocols": ["hls"]}), ["ProtocolNotSupported"]),
        (MP3, direct(plays("mp3", maxAudioChannels=1)), ["AudioChannelsNotSupported"]),
        (MP3, direct(plays("mp3"), maxAudioBitrate=128_000), ["AudioBitrateNotSupported"]),
        (MP3, direct(plays("mp3"), maxAudioBitrate=310_000), []),
        (MP3, direct(plays("ogg"), plays("wav")), ["ContainerNotSupported"] * 2),
        (MP3, said(), ["NoDirectPlayProfile"]),
    ],
)
def test_what_is_played_as_it_is(source: Stream, info: ClientInfo, reasons: list[str]) -> None:
    assert refusals(source, info) == reasons


@pytest.mark.parametrize(
    ("limitation", "reason"),
    [
        (limited("flac", "audioSamplerate", "LessThanEqual", "48000"), "AudioSamplerateNotSupported"),
        (limited("flac", "audioSamplerate", "LessThanEqual", "48000", required=False), ""),
        (limited("flac", "audioSamplerate", "LessThanEqual", "96000"), ""),
        (limited("flac", "audioSamplerate", "Equals", "44100", "48000"), "AudioSamplerateNotSupported"),
        (limited("flac", "audioSamplerate", "Equals", "44100", "96000"), ""),
        (limited("flac", "audioSamplerate", "NotEquals", "96000"), "AudioSamplerateNotSupported"),
        (limited("flac", "audioBitdepth", "LessThanEqual", "16"), "AudioBitdepthNotSupported"),
        (limited("flac", "audioBitdepth", "GreaterThanEqual", "16"), ""),
        (limited("flac", "audioChannels", "LessThanEqual", "1"), "AudioChannelsNotSupported"),
        (limited("flac", "audioBitrate", "LessThanEqual", "320000"), "AudioBitrateNotSupported"),
        (limited("flac", "audioProfile", "Equals", "LC"), "AudioProfileNotSupported"),
        (limited("mp3", "audioBitrate", "LessThanEqual", "1"), ""),
        ({**limited("flac", "audioChannels", "LessThanEqual", "1"), "type": "VideoCodec"}, ""),
    ],
)
def test_limitations_of_a_codec(limitation: dict[str, Any], reason: str) -> None:
    info = direct(plays("flac"), codecProfiles=[limitation])
    assert refusals(FLAC, info) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("source", "info", "made"),
    [
        (FLAC, said(transcodingProfiles=[wants("mp3")]), ("mp3", 192, 48_000)),
        (FLAC, said(transcodingProfiles=[wants("flac"), wants("opus", "ogg")]), ("opus", 128, 48_000)),
        (FLAC, said(transcodingProfiles=[wants("aac"), wants("mp3")]), ("aac", 192, 48_000)),
        # ADTS is no MP4.
        (FLAC, said(transcodingProfiles=[wants("aac", "mp4")]), None),
        (FLAC, said(transcodingProfiles=[wants("mp3", protocol="hls")]), None),
        (FLAC, said(transcodingProfiles=[wants("mp3", maxAudioChannels=1)]), None),
        (FLAC, said(transcodingProfiles=[wants("vorbis", "ogg")]), None),
        (
            FLAC,
            said(transcodingProfiles=[wants("mp3")], maxTranscodingAudioBitrate=256_000),
            ("mp3", 256, 48_000),
        ),
        (
            FLAC,
            said(
                transcodingProfiles=[wants("mp3")],
                maxAudioBitrate=100_000,
                maxTranscodingAudioBitrate=256_000,
            ),
            ("mp3", 96, 48_000),
        ),
        (FLAC, said(transcodingProfiles=[wants("mp3")], maxTranscodingAudioBitrate=31_000), None),
        (
            FLAC,
            said(
                transcodingProfiles=[wants("mp3")],
                codecProfiles=[limited("mp3", "audioBitrate", "Equals", "64000", "80000")],
            ),
            ("mp3", 80, 48_000),
        ),
        (
            FLAC,
            said(
                transcodingProfiles=[wants("mp3"), wants("opus", "oga")],
                codecProfiles=[limited("mp3", "audioSamplerate", "LessThanEqual", "44100")],
            ),
            ("opus", 128, 48_000),
        ),
        # Nothing is encoded at more than it has.
        (
            Stream("ogg", "vorbis", 1, 44_100, 90_000),
            said(transcodingProfiles=[wants("mp3")]),
            ("mp3", 96, 44_100),
        ),
    ],
)
def test_what_it_is_encoded_as(source: Stream, info: ClientInfo, made: tuple[str, int, int] | None) -> None:
    found = encoded(source, info)
    if made is None:
        assert found is None
        return
    assert found is not None
    chosen, stream = found
    assert (chosen.target.name, chosen.bit_rate, stream.sample_rate) == made
    assert (stream.bit_rate, stream.channels) == (1000 * made[1], min(2, source.channels or 0))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"1", b'"a"', b"\xff", b"[" * 100_000),
        *(b'{"maxAudioBitrate": %s}' % value for value in (b'"1"', b"-1", b"1.5", b"true", b"1e400", b"[]")),
        *(b'{"directPlayProfiles": %s}' % value for value in (b"{}", b"[1]", b'[{"containers": 1}]')),
        b'{"directPlayProfiles": [{"containers": [1]}]}',
        json.dumps({"directPlayProfiles": [{}] * 201}).encode(),
        b'{"transcodingProfiles": [{}]}',
        b'{"transcodingProfiles": [{"container": "a", "audioCodec": [], "protocol": ""}]}',
        b'{"codecProfiles": [{"limitations": []}]}',
        *(
            json.dumps({"codecProfiles": [limited("mp3", *words)]}).encode()
            for words in (
                *(("audioBitrate", "LessThanEqual"), ("audioBitrate", "LessThanEqual", "x")),
                *(("audioBitrate", "LessThanEqual", "nan"), ("audioBitrate", "Like", "1")),
                *(("videoBitrate", "Equals", "1"), ("audioProfile", "LessThanEqual", "1")),
            )
        ),
    ],
)
def test_what_is_no_client_info(body: bytes) -> None:
    with pytest.raises(SubsonicError) as refused:
        read(body)
    assert refused.value.code == 0


# --- calls -----------------------------------------------------------------------------------------------
SECONDS = 6.0
WAV = encode(tune(SECONDS), "wav16")
INFO = {
    "name": "Play:1",
    "platform": "Sonos",
    "maxTranscodingAudioBitrate": 128_000,
    "directPlayProfiles": [plays("mp3"), plays("flac")],
    "transcodingProfiles": [wants("mp3")],
}


@pytest.fixture
def track(owner: User) -> Track:
    return add_track(owner=owner, file=ContentFile(WAV, name="song.wav"), name="song.wav").track


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "has_worker", lambda: True)
    monkeypatch.setattr(queue, "send_copy_on_commit", lambda pk: copies.encode(copy_id=pk))


def decided(player: Player, track: Track, info: Any = INFO, form: str = "json", **given: Any) -> Any:
    query = player.parameters(**{"mediaId": track.pk, "mediaType": "song", "f": form, **given})
    address = f"/rest/getTranscodeDecision.view?{urlencode(query)}"
    body = info if isinstance(info, bytes) else json.dumps(info).encode()
    sender: Any = player.client
    return sender.post(address, body, content_type="application/json")


@pytest.mark.django_db
@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_a_player_asks_and_gets_what_it_was_told(player: Player, track: Track) -> None:
    announced = player("getOpenSubsonicExtensions")["openSubsonicExtensions"]
    assert {"name": "transcoding", "versions": [1]} in announced
    decision = decided(player, track).json()["subsonic-response"]["transcodeDecision"]
    rate = round(len(WAV) * 8 / SECONDS)
    params = decision.pop("transcodeParams")
    source = {"container": "wav", "codec": "pcm", "audioSamplerate": 44_100, "audioBitdepth": 16}
    assert decision["sourceStream"] == {
        **source,
        "protocol": "http",
        "audioChannels": 1,
        "audioBitrate": rate,
    }
    made = {"container": "mp3", "codec": "mp3", "audioSamplerate": 44_100, "audioBitrate": 128_000}
    assert decision["transcodeStream"] == {**made, "protocol": "http", "audioChannels": 1}
    assert (decision["canDirectPlay"], decision["canTranscode"]) == (False, True)
    assert decision["transcodeReason"] == ["ContainerNotSupported", "ContainerNotSupported"]
    asked = {"mediaId": track.pk, "mediaType": "song", "transcodeParams": params}
    whole = player.raw("getTranscodeStream", **asked)
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "audio/mpeg")
    found = decode(file_of(whole))
    assert (found.info.codec, found.info.channels) == ("mp3", 1)
    assert found.info.duration == pytest.approx(SECONDS, abs=0.1)
    copy = EncodedCopy.objects.get()
    assert (copy.target, copy.bit_rate) == ("mp3", 128)
    later = decode(file_of(player.raw("getTranscodeStream", offset=4, **asked)))
    assert later.info.duration == pytest.approx(SECONDS - 4, abs=0.1)


def file_of(response: Any) -> Any:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return ContentFile(content)


@pytest.mark.django_db
def test_what_can_be_played_as_it_is_and_what_not_at_all(player: Player, track: Track) -> None:
    plain = decided(player, track, {"directPlayProfiles": [plays("wav", codecs=("pcm",))]})
    decision = plain.json()["subsonic-response"]["transcodeDecision"]
    assert (decision["canDirectPlay"], decision["canTranscode"]) == (True, False)
    assert decision["transcodeReason"] == []
    assert "errorReason" not in decision
    none = decided(player, track, {"transcodingProfiles": [wants("vorbis", "ogg")]})
    decision = none.json()["subsonic-response"]["transcodeDecision"]
    assert (decision["canDirectPlay"], decision["canTranscode"]) == (False, False)
    assert decision["errorReason"]
    assert "transcodeParams" not in decision
    xml = decided(player, track, form="xml").content.decode()
    assert "<transcodeReason>ContainerNotSupported</transcodeReason>" in xml
    assert 'transcodeParams="mp3-128"' in xml
    assert '<transcodeStream protocol="http" container="mp3"' in xml


@pytest.mark.django_db
def test_without_copies_nothing_is_encoded(player: Player, track: Track, settings: Settings) -> None:
    settings.ENCODED_COPIES_BYTES = 0
    announced = player("getOpenSubsonicExtensions")["openSubsonicExtensions"]
    assert "transcoding" not in {one["name"] for one in announced}
    decision = decided(player, track).json()["subsonic-response"]["transcodeDecision"]
    assert (decision["canDirectPlay"], decision["canTranscode"]) == (False, False)
    asked: dict[str, Any] = {"mediaId": track.pk, "mediaType": "song", "transcodeParams": "mp3-128"}
    assert player.raw("getTranscodeStream", **asked).status_code == 400
    assert not EncodedCopy.objects.exists()


def code_of(response: Any) -> int:
    return int(response.json()["subsonic-response"]["error"]["code"])


@pytest.mark.django_db
def test_decisions_that_cannot_be_made(player: Player, other: User, track: Track) -> None:
    assert player.error("getTranscodeDecision", mediaId=track.pk, mediaType="song") == 0
    assert code_of(decided(player, track, b"")) == 10
    assert code_of(decided(player, track, b"[]")) == 0
    assert code_of(decided(player, track, b" " * 70_000)) == 0
    assert code_of(decided(player, track, mediaType="video")) == 0
    assert code_of(decided(player, track, mediaType="podcast")) == 70
    assert code_of(decided(player, track, mediaType="")) == 10
    assert code_of(decided(Player(other), track)) == 70


@pytest.mark.django_db
def test_streams_fail_with_statuses_of_http(
    player: Player, other: User, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"mediaId": track.pk, "mediaType": "song", "transcodeParams": "mp3-128"}

    def status(person: Player, **given: Any) -> tuple[int, str]:
        response: Any = person.raw("getTranscodeStream.view", **{**asked, **given})
        return response.status_code, response.json()["subsonic-response"]["error"]["message"]

    assert status(Player(other))[0] == 404
    assert status(player, mediaId="x")[0] == 404
    assert status(player, mediaType="podcast")[0] == 404
    assert status(player, apiKey="gw_wrong")[0] == 401
    assert status(Player(other, scopes=["upload"]))[0] == 403
    for wrong in ("", "mp3", "mp3-129", "vorbis-128", "mp3-128-", "mp3-٣٢", "../x-1"):
        code, message = status(player, transcodeParams=wrong)
        assert code == 400
        assert "transcodeParams" in message
    monkeypatch.setattr(queue, "has_worker", lambda: False)
    response = player.raw("getTranscodeStream", **asked)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")
    assert not EncodedCopy.objects.exists()

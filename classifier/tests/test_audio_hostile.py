"""What must be refused, with the right reason, quickly, and without opening anything else."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest

from classifier.core.audio import AUDIO_ERROR_MESSAGES, DEFAULT_LIMITS, AudioError, AudioLimits, decode, probe
from classifier.tests import sounds

SONG = sounds.tune(3.0)
TEN_HOURS = 36000


def refusal(data: bytes, *, limits: AudioLimits = DEFAULT_LIMITS) -> str:
    """The code with which both ``probe`` and ``decode`` refuse ``data``."""
    with pytest.raises(AudioError) as from_probe:
        probe(io.BytesIO(data), limits=limits)
    with pytest.raises(AudioError) as from_decode:
        decode(io.BytesIO(data), limits=limits)
    assert from_probe.value.code == from_decode.value.code
    assert from_decode.value.message.endswith(".")
    return from_decode.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"These are words, not music.\n" * 50, "not_audio"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "not_audio"),
        (b"<html><audio src='song.mp3'></audio></html>", "not_audio"),
        (np.random.default_rng(1).bytes(100_000), "not_audio"),
        (bytes(100_000), "not_audio"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "truncated"),
        (sounds.encode(SONG, "flac")[:300], "truncated"),
        (sounds.encode(SONG, "opus")[:300], "truncated"),
        (sounds.encode(SONG, "webm")[:300], "truncated"),
        (sounds.encode(SONG, "m4a")[: len(sounds.encode(SONG, "m4a")) // 2], "truncated"),
        (sounds.encode(sounds.tune(0.5), "wav16"), "too_short"),
        (sounds.encode(sounds.tune(0.5), "mp3"), "too_short"),
        (sounds.encode(SONG, "m4a").replace(b"mp4a", b"drms", 1), "encrypted"),
        (sounds.encode(SONG, "m4a").replace(b"mp4a", b"enca", 1), "encrypted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_files(data: bytes, code: str) -> None:
    assert refusal(data) == code


@pytest.mark.parametrize("kind", ["wav16", "mp3", "flac"])
def test_a_second_is_long_enough(kind: str) -> None:
    # The lengths of frames, added up, may come to a little less.
    data = sounds.encode(sounds.tune(1.0), kind, rate=22050)
    limits = AudioLimits(min_duration=1.0)
    info = probe(io.BytesIO(data), limits=limits)
    assert info.duration == pytest.approx(1.0, abs=0.06)
    assert decode(io.BytesIO(data), limits=limits).samples.size >= 22050 - 22


def test_protected_wma() -> None:
    data = sounds.encode(SONG, "wma")
    protection = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<Q", 24)

    assert refusal(data[:30] + protection + data[30:]) == "encrypted"


def test_pictures_without_sound() -> None:
    output = io.BytesIO()
    with av.open(output, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert refusal(output.getvalue()) == "no_audio_stream"


def test_too_large() -> None:
    assert refusal(sounds.encode(SONG, "wav16"), limits=AudioLimits(max_bytes=1000)) == "too_large"


@pytest.mark.slow
def test_truncated_files_with_enough_sound_are_decoded() -> None:
    for kind in ("mp3", "flac", "opus", "vorbis", "webm", "wav16", "aiff", "wma"):
        data = sounds.encode(sounds.tune(10.0), kind)
        assert decode(io.BytesIO(data[: len(data) // 2])).info.duration == pytest.approx(5.0, abs=0.7), kind


@pytest.mark.slow
def test_damage_in_the_middle_is_skipped() -> None:
    for kind in ("mp3", "flac", "opus", "m4a", "wav16"):
        data = bytearray(sounds.encode(sounds.tune(10.0), kind))
        middle = len(data) // 2
        data[middle : middle + 1000] = np.random.default_rng(0).bytes(1000)
        assert decode(io.BytesIO(bytes(data))).info.duration > 8.5, kind


def lying_files() -> Iterator[tuple[str, bytes]]:
    wav = sounds.encode(SONG, "wav8")
    at = wav.index(b"data") + 4
    yield "wav", wav[:at] + struct.pack("<I", 8000 * TEN_HOURS) + wav[at + 4 :]
    mp3 = sounds.encode(SONG, "mp3")
    at = mp3.index(b"Info") + 8
    yield "mp3", mp3[:at] + struct.pack(">I", 44100 * TEN_HOURS // 1152) + mp3[at + 4 :]
    flac = sounds.encode(SONG, "flac")
    yield "flac", flac[:22] + struct.pack(">I", 22050 * TEN_HOURS) + flac[26:]
    m4a = sounds.encode(SONG, "m4a")
    at = m4a.index(b"stts") + 12
    yield "m4a", m4a[:at] + struct.pack(">I", 44100 * TEN_HOURS // 1024) + m4a[at + 4 :]


@pytest.mark.parametrize(("kind", "data"), [pytest.param(*case, id=case[0]) for case in lying_files()])
def test_a_file_that_claims_ten_hours_is_taken_for_what_it_holds(kind: str, data: bytes) -> None:
    tracemalloc.start()
    audio = decode(io.BytesIO(data))
    probed = probe(io.BytesIO(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert audio.info.duration == pytest.approx(3.0, abs=0.1)
    assert probed.duration < 4.0
    assert peak < 32 * 2**20


@pytest.mark.slow
def test_a_believable_claim_beyond_the_limit_is_refused_at_once() -> None:
    data = sounds.encode(np.tile(sounds.tune(10.0), 4), "mp3")
    with pytest.raises(AudioError) as caught:
        probe(io.BytesIO(data), limits=AudioLimits(max_duration=20.0))
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_that_was_streamed_says_nothing_true_of_its_size(size: int) -> None:
    wav = sounds.encode(SONG, "wav16")
    at = wav.index(b"data") + 4
    streamed = wav[:4] + struct.pack("<I", size) + wav[8:at] + struct.pack("<I", size) + wav[at + 4 :]

    assert probe(io.BytesIO(streamed)).duration == pytest.approx(3.0, abs=0.01)
    assert decode(io.BytesIO(streamed)).info.duration == pytest.approx(3.0, abs=0.01)


class _Recorder(BaseHTTPRequestHandler):
    hits: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hits.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sounds.encode(SONG, "mp3"))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the name is the base class's
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server and the paths that were requested from it."""
    _Recorder.hits = []
    http = HTTPServer(("127.0.0.1", 0), _Recorder)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", _Recorder.hits
    http.shutdown()
    http.server_close()
    thread.join()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:10,Song\n{url}\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "pls": "[playlist]\nFile1={url}\nNumberOfEntries=1\n",
    "address": "{url}",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_nothing(kind: str, server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, hits = server
    song = tmp_path / "song.mp3"
    song.write_bytes(sounds.encode(SONG, "mp3"))
    disguised = tmp_path / "disguised.mp3"
    for url in (f"{address}/song.mp3", str(song), song.as_uri(), "song.mp3"):
        text = PLAYLISTS[kind].format(url=url).encode()
        assert refusal(text) == "not_audio"
        # A name and a folder are what FFmpeg would take a hint and a relative path from.
        disguised.write_bytes(text)
        with disguised.open("rb") as file, pytest.raises(AudioError) as caught:
            decode(file)
        assert caught.value.code == "not_audio"
    assert hits == []


def test_errors_survive_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(AudioError("too_long", maximum=20.0)))

    assert (error.code, error.params) == ("too_long", {"maximum": 20.0})
    assert error.message == AUDIO_ERROR_MESSAGES["too_long"].format(maximum=20.0)


FUZZ = """
import io, sys
import numpy as np
from classifier.core.audio import AudioError, AudioLimits, decode, encode_playback, probe
from classifier.tests import sounds
rng = np.random.default_rng(int(sys.argv[1]))
whole = sounds.encode(sounds.tune(1.5), sys.argv[2])
outcomes = []
for _ in range(40):
    data = bytearray(whole)
    for _ in range(int(rng.integers(1, 30))):
        # Half of the damage goes where formats keep their headers.
        end = min(len(data), 600) if rng.random() < 0.5 else len(data)
        data[int(rng.integers(0, end))] = int(rng.integers(0, 256))
    if rng.random() < 0.3:
        data = data[: int(rng.integers(1, len(data)))]
    for call in (probe, decode):
        try:
            call(io.BytesIO(bytes(data)), limits=AudioLimits(max_duration=60.0))
            outcomes.append("heard")
        except AudioError as error:
            outcomes.append(error.code)
print(len(outcomes), len(set(outcomes)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", sounds.CODECS)
def test_random_damage_is_decoded_or_refused(kind: str) -> None:
    """In a process of its own, so that a crash in C would be seen."""
    seed = str(sorted(sounds.CODECS).index(kind))
    finished = subprocess.run(
        [sys.executable, "-c", FUZZ, seed, kind], capture_output=True, text=True, check=False, timeout=300
    )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[0] == "80"

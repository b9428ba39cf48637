"""The command `genreweb` against a site that answers over HTTP."""

from __future__ import annotations

import ast
import csv
import errno
import http.server
import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from clients.genreweb_cli import commands
from clients.genreweb_cli.__main__ import main
from clients.genreweb_cli.http_client import ApiError, Client, UnreachableError
from clients.genreweb_cli.session import folder
from clients.genreweb_cli.uploads import SUFFIXES, Sent
from clients.tests.conftest import EMAIL, PASSWORD
from genreweb.accounts.models import ApiToken, User
from genreweb.embedded.paths import REPOSITORY
from library.models import Track
from library.tests.conftest import done_track, queued_track, version
from library.tests.sounds import chords, wav
from library.views.upload import ACCEPT

__all__ = ["done_track", "queued_track", "version"]

Out = pytest.CaptureFixture[str]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with two songs, one of them twice, something broken and something else."""
    place = tmp_path / "music"
    (place / "재즈").mkdir(parents=True)
    (place / "one.wav").write_bytes(wav(chords(seed=1)))
    (place / "재즈" / "둘 “2”.wav").write_bytes(wav(chords(seed=2)))
    (place / "재즈" / "copy.wav").write_bytes(wav(chords(seed=1)))
    (place / "broken.mp3").write_bytes(b"only words " * 500)
    (place / "cover.jpg").write_bytes(b"no music")
    return place


# --- signing in ------------------------------------------------------------------------------------------
def test_signing_in_keeps_a_token_that_nobody_else_may_read(
    site: str, person: User, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: "wrong")
    assert main(["--site", site, "sign-in", "--email", EMAIL]) == 5
    assert not (folder() / "session.json").exists()
    assert main(["--site", site, "list"]) == 5
    monkeypatch.setattr("getpass.getpass", lambda prompt: PASSWORD)
    assert main(["--site", site, "sign-in", "--email", EMAIL]) == 0
    kept = folder() / "session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert ApiToken.objects.get().name.startswith("genreweb on ")
    assert PASSWORD not in kept.read_text() + "".join(capsys.readouterr())
    assert main(["list"]) == 0
    # Never to another site.
    assert main(["--site", "http://127.0.0.1:9", "list"]) == 5
    kept.chmod(0o644)
    assert main(["list"]) == 5
    assert "chmod 600" in capsys.readouterr().err
    kept.chmod(0o600)
    assert main(["sign-out"]) == 0
    assert (ApiToken.objects.count(), kept.exists()) == (0, False)


def test_a_token_comes_from_a_file_or_the_input(
    site: str, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    file.chmod(0o600)
    assert main(["--site", site, "--token-file", str(file), "list"]) == 0
    file.write_text("gw_wrong")
    assert main(["--site", site, "--token-file", str(file), "list"]) == 5
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert main(["--site", site, "sign-in", "--token-stdin"]) == 0
    assert main(["list"]) == 0


# --- uploads ---------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("signed_in")
def test_a_folder_is_sent_once_and_an_interrupted_run_goes_on(music: Path, capsys: Out) -> None:
    assert main(["upload", str(music), "--format", "json"]) == 3
    printed = capsys.readouterr()
    assert "2 sent, 1 there already, 1 refused." in printed.err
    assert "broken.mp3: " in printed.err
    tracks = {track.original_name: track for track in Track.objects.all()}
    assert set(tracks) == {"one.wav", "둘 “2”.wav"}
    assert {one["id"] for one in json.loads(printed.out)} == {str(track.pk) for track in tracks.values()}
    with default_storage.open(str(tracks["one.wav"].sound.name)) as file:
        assert file.read() == (music / "one.wav").read_bytes()
    # A run that was killed left half a line; a renamed file is not sent again, a new one is.
    (state,) = folder().glob("sent-*.jsonl")
    with state.open("a") as file:
        file.write('{"sha256": "abc", "tra')
    (music / "broken.mp3").unlink()
    (music / "one.wav").rename(music / "renamed.wav")
    (music / "three.wav").write_bytes(wav(chords(seed=3)))
    assert main(["upload", str(music), "--quiet"]) == 0
    assert "1 sent, 3 there already, 0 refused." in capsys.readouterr().err
    assert Track.objects.count() == 3
    assert main(["upload", str(music), str(music / "nothing.wav")]) == 3
    with Sent(state):
        assert main(["upload", str(music)]) == 1


def test_a_folder_without_music_is_said_to_be_one(
    signed_in: str, tmp_path: Path, music: Path, capsys: Out
) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "notes.txt").write_text("no music")
    assert main(["upload", str(tmp_path / "papers")]) == 0
    assert "There is no music" in capsys.readouterr().err
    assert main(["upload", str(music / "one.wav")]) == 0
    assert "There is no music" not in capsys.readouterr().err


def test_the_page_takes_from_folders_what_the_command_does() -> None:
    script = (REPOSITORY / "static" / "js" / "dropped.js").read_text()
    found = re.search(r"AUDIO =\s*/\\\.(\S+)/i;", script)
    assert found
    dropped = re.compile(rf"\.{found[1]}", re.IGNORECASE)
    assert [suffix for suffix in sorted(SUFFIXES) if not dropped.fullmatch(suffix)] == []
    assert not dropped.fullmatch(".cue")
    assert set(ACCEPT.split(",")) == {"audio/*", *SUFFIXES}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_whoever_reads_may_stop_reading(
    signed_in: str, person: User, done_track: Callable[..., Track], form: str
) -> None:
    done_track(person, title="Blue")
    command = [sys.executable, "-m", "clients.genreweb_cli", "list", "--format", form]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(command, cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")
    read = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    assert b"Blue" in read.stdout


def test_two_people_of_one_machine_send_the_same_song(
    signed_in: str, music: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    song = str(music / "one.wav")
    assert main(["upload", song]) == 0
    other = User.objects.create_user("other@example.org")
    # The second token may not ask who its owner is; the site says that it has the song.
    for scopes, said in ((["read", "upload"], "1 sent, 0"), (["upload"], "0 sent, 1")):
        _row, secret = ApiToken.objects.create(user=other, scopes=scopes)
        monkeypatch.setenv("GENREWEB_TOKEN", secret)
        capsys.readouterr()
        assert main(["upload", song]) == 0
        assert f"{said} there already" in capsys.readouterr().err
        assert main(["upload", song]) == 0
        assert "0 sent, 1 there already" in capsys.readouterr().err
    assert Track.objects.filter(owner=other).count() == 1


@pytest.mark.usefixtures("signed_in")
def test_waiting_ends_with_the_results(
    person: User, done_track: Callable[..., Track], queued_track: Callable[..., Track], capsys: Out
) -> None:
    done = done_track(person, title="=1+1", genre="jazz", confidence=0.7)
    broken = queued_track(person, status="failed", error_code="truncated", title="\x1b[31mred")
    waiting = queued_track(person)
    assert main(["wait", str(waiting.pk), "--wait-seconds", "0"]) == 3
    seen: list[float] = []

    def finish(seconds: float) -> None:
        seen.append(seconds)
        Track.objects.filter(pk=waiting.pk).delete()

    client = Client(*_session(), sleep=finish)
    tracks = commands.wait_for(client, [str(done.pk), str(waiting.pk)], most=60)
    assert ([track["id"] for track in tracks], len(seen)) == ([str(done.pk)], 1)
    capsys.readouterr()
    assert main(["wait", str(done.pk), str(broken.pk), "--format", "csv"]) == 3
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["title"], row["genre"], row["status"]) for row in rows] == [
        ("'=1+1", "jazz", "done"),
        ("\x1b[31mred", "", "failed: truncated"),
    ]
    assert main(["list", "--status", "failed"]) == 0
    table = capsys.readouterr().out
    assert "red" in table
    assert "\x1b" not in table


def _session() -> tuple[str, str]:
    import os

    return os.environ["GENREWEB_SITE"], os.environ["GENREWEB_TOKEN"]


@pytest.mark.slow
@pytest.mark.usefixtures("signed_in")
def test_results_are_saved(
    person: User, done_track: Callable[..., Track], tmp_path: Path, capsys: Out
) -> None:
    track = done_track(person, title="../a/b", original_name="song.wav")
    to = tmp_path / "results"
    assert main(["download", "--to", str(to)]) == 0
    (saved,) = to.iterdir()
    assert json.loads(saved.read_text())["id"] == str(track.pk)
    assert main(["download", str(track.pk), "00000000-0000-4000-8000-000000000000", "--to", str(to)]) == 3
    out = tmp_path / "tracks.csv"
    assert main(["export", "csv", "-o", str(out), "--search", "a/b"]) == 0
    assert [row["id"] for row in csv.DictReader(out.read_text().splitlines())] == [str(track.pk)]
    archive = tmp_path / "tagged.zip"
    assert main(["export", "tagged", "-o", str(archive)]) == 0
    assert zipfile.ZipFile(archive).namelist() == ["left out.txt"]
    assert main(["export", "csv", "--genre", "polka", "-o", str(tmp_path / "no.csv")]) == 1
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["tracks.csv"]


# --- a site that is away for a while ---------------------------------------------------------------------
class _Shaky(http.server.BaseHTTPRequestHandler):
    """In front of a site: the first requests of each kind of trouble fail, then all are passed on."""

    site = ""
    troubles: list[str] = []
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "cut":
            self.rfile.read(min(1000, int(self.headers.get("Content-Length", 0))))
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if trouble:
            status, _space, after = trouble.partition(" ")
            self.send_response(int(status))
            self.send_header("Retry-After", after)
            self.send_header("Location", "http://elsewhere.example.org/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = http.client.HTTPConnection(self.site.removeprefix("http://"))
        kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Connection")}
        connection.request(self.command, self.path, body, kept)
        response = connection.getresponse()
        content = response.read()
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = _answer  # noqa: N815  names of http.server

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shaky(site: str) -> Iterator[str]:
    _Shaky.site = site
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Shaky)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lost_connection_is_tried_again_and_retry_after_is_obeyed(
    shaky: str, token: str, music: Path
) -> None:
    pauses: list[float] = []
    client = Client(shaky, token, sleep=pauses.append)
    _Shaky.troubles = ["cut", "503 7", "429 Wed, 21 Oct 2015 07:28:00 GMT", "502 "]
    track = client.upload(music / "one.wav")
    assert Track.objects.get().pk.hex == track["id"].replace("-", "")
    assert len(pauses) == 4
    assert 0.7 < pauses[0] < 1.3
    assert pauses[1] == 7
    assert 2.9 < pauses[2] < 5.1
    # Somebody who asks to wait until tomorrow is not waited for.
    _Shaky.troubles = ["429 86400"]
    with pytest.raises(UnreachableError):
        client.get("/me/")
    _Shaky.troubles = ["302 "]
    with pytest.raises(ApiError, match=r"elsewhere\.example\.org"):
        client.get("/me/")
    _Shaky.troubles = ["cut"] * 3
    assert main(["--site", shaky, "--patience", "0", "list"]) == 5
    impatient = Client(shaky, token, patience=0.0, sleep=pauses.append)
    with pytest.raises(UnreachableError):
        impatient.get("/me/")


def test_a_site_that_is_not_there_has_a_status_of_its_own(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREWEB_TOKEN", token)
    assert main(["--site", "http://127.0.0.1:9", "--patience", "0", "list"]) == 4
    assert main(["--site", "ftp://example.org", "list"]) == 4


class _FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_here_is_not_taken_for_a_site_that_is_away(shaky: str, token: str) -> None:
    pauses: list[float] = []
    client = Client(shaky, token, sleep=pauses.append)
    _Shaky.troubles = []
    with pytest.raises(OSError, match="No space left on device"):
        client.download("/me/", _FullDisk())
    assert pauses == []
    # What is lost on the way is asked for again.
    _Shaky.troubles = ["cut"]
    whole = io.BytesIO()
    client.download("/me/", whole)
    assert json.loads(whole.getvalue())["email"] == EMAIL
    assert len(pauses) == 1


def test_signing_in_without_a_terminal_says_what_to_give(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    def nobody(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    monkeypatch.setattr("builtins.input", nobody)
    for words in (["--site", site, "sign-in", "--email", EMAIL], ["--site", site, "sign-in"], ["sign-in"]):
        assert main(words) == 5
        assert "give --site and a token by --token-stdin" in capsys.readouterr().err
    assert not (folder() / "session.json").exists()


# --- what it stands on -----------------------------------------------------------------------------------
def test_the_command_needs_the_standard_library_alone() -> None:
    for path in (REPOSITORY / "clients/genreweb_cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "__future__"}, (
                path
            )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(REPOSITORY / 'clients')!r}); "
            "from genreweb_cli.__main__ import main; main(['--help'])",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Exit status" in done.stdout) == (0, True), done.stderr

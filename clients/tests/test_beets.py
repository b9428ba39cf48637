"""The plugin for beets, in a beets of its own, against a site that answers over HTTP."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.embedded.paths import REPOSITORY
from library.models import Track
from library.tests.conftest import done_track, genres, queued_track, version
from library.tests.sounds import encoded

__all__ = ["done_track", "genres", "queued_track", "version"]

Beet = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number, seconds in enumerate((1.5, 1.6, 1.7)):
        (folder / f"{number}.mp3").write_bytes(encoded("mp3", "libmp3lame", seconds=seconds))
    return folder


@pytest.fixture
def beet(tmp_path: Path, music: Path, signed_in: str) -> Beet:
    """Give ``beet`` with the plugin, whose library holds the music."""
    config = tmp_path / "beets"
    config.mkdir()
    plugins = REPOSITORY / "clients/beets/beetsplug"
    (config / "config.yaml").write_text(
        f"directory: {music}\nlibrary: {config / 'library.db'}\npluginpath: {plugins}\nplugins: genreweb\n"
        "import: {copy: no, write: no, autotag: no}\ngenreweb: {patience: 0, wait: 0}\n"
    )

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "beets", *words],
            env={**os.environ, "BEETSDIR": str(config), "PYTHONPATH": str(REPOSITORY / "clients"), **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    done = run("import", "-A", "-q", str(music))
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def heard(person: User, music: Path, genres: dict[str, Genre], done_track: Callable[..., Track]) -> None:
    """Have the site know the files and what it heard in them, as if they had been sent and analysed."""

    def know(name: str, **said: object) -> None:
        content = (music / name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        done_track(person, sha256=sha256, size=len(content), original_name=name, **said)

    know("0.mp3", genre="hiphop", confidence=0.9, tags={"happy": 0.95, "sad": 0.5})
    know("1.mp3", genre="jazz", confidence=0.55)
    know("2.mp3", genre="rock", confidence=0.95, unsure=True)


def genres_of(music: Path) -> list[str | None]:
    found = [mutagen.File(path).tags for path in sorted(music.iterdir())]
    return [tags["TCON"].text[0] if tags and "TCON" in tags else None for tags in found]


@pytest.mark.slow
@pytest.mark.usefixtures("heard")
def test_genre_and_mood_are_set_from_a_confidence_on(beet: Beet, music: Path) -> None:
    shown = beet("genreweb", "--pretend")
    assert (shown.returncode, "genre=Hip-hop" in shown.stdout) == (0, True), shown.stderr
    # These files have no titles.
    assert "0.mp3: genre=Hip-hop" in shown.stdout
    assert "1.mp3: unsure" in shown.stdout + shown.stderr
    assert genres_of(music) == [None, None, None]
    assert beet("genreweb").returncode == 0
    assert genres_of(music) == ["Hip-hop", None, None]
    assert mutagen.File(music / "0.mp3").tags["TMOO"].text == ["happy"]
    listed = beet("list", "-f", "$genre|$mood|$genreweb_confidence", "genre:Hip-hop").stdout
    assert listed.strip() == "Hip-hop|happy|0.9"
    assert beet("genreweb", "--threshold", "0.5").returncode == 0
    assert genres_of(music) == ["Hip-hop", "Jazz", None]
    assert Track.objects.count() == 3
    # What has a genre is left alone, unless that is asked for.
    track = Track.objects.get(original_name="0.mp3")
    assert track.current is not None
    track.current.genre = "metal"
    track.current.save(update_fields=["genre"])
    beet("genreweb", "--threshold", "0.5")
    assert genres_of(music)[0] == "Hip-hop"
    assert beet("modify", "-y", "-M", "-W", "genre:Hip-hop", "title=Song").returncode == 0
    assert "Song: genre=Metal" in beet("genreweb", "--threshold", "0.5", "--force").stdout
    assert genres_of(music) == ["Metal", "Jazz", None]


@pytest.mark.slow
def test_what_goes_wrong_is_said(beet: Beet, music: Path, genres: dict[str, Genre]) -> None:
    refused = beet("genreweb", GENREWEB_TOKEN="gw_wrong")
    assert (refused.returncode, "no longer works" in refused.stderr) == (1, True)
    away = beet("genreweb", GENREWEB_SITE="http://127.0.0.1:9")
    assert (away.returncode, "127.0.0.1:9" in away.stderr) == (1, True)
    assert beet("genreweb", "--threshold", "60").returncode == 1
    for path in music.iterdir():
        path.write_bytes(b"only words " * 300)
    assert beet("genreweb").returncode == 0
    assert Track.objects.count() == 0

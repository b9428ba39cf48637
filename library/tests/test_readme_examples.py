"""The examples of the README's API part, run as they stand there against a live server with a worker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import ApiToken, IdempotencyKey, User
from genreweb.embedded.paths import REPOSITORY
from library.models import Track
from library.tests.live_worker import worker
from library.tests.sounds import chords, wav

__all__ = ["worker"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EMAIL, PASSWORD = "ada@example.org", "melodies at midnight"


def examples() -> list[tuple[str, str]]:
    """Give language and text of every example, in their order."""
    part = (REPOSITORY / "README.md").read_text().partition("## Use the API\n")[2].partition("\n## ")[0]
    return re.findall(r"```(bash|python)\n(.*?)```", part, re.DOTALL)


@pytest.mark.usefixtures("worker")
def test_every_example_does_what_it_says(live_server: LiveServer, tmp_path: Path) -> None:
    ensure_address(user=User.objects.create_user(EMAIL, PASSWORD))
    (tmp_path / "song.wav").write_bytes(wav(chords(seed=1)))
    (tmp_path / "songs").mkdir()
    for number in (1, 2):
        (tmp_path / "songs" / f"{number}.wav").write_bytes(wav(chords(seed=number)))
    (tmp_path / "songs" / "notes.txt").write_text("no sound")
    environment = {**os.environ, "SITE": live_server.url, "EMAIL": EMAIL, "PASSWORD": PASSWORD}

    def run(language: str, text: str) -> str:
        command = ["bash", "-ec", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    made, sent, raw, similar, folder = examples()
    environment["TOKEN"] = run(made[0], f"{made[1]}\necho $TOKEN").strip()
    assert ApiToken.objects.get().scopes == ["read", "upload"]

    track = json.loads(run(*sent))
    assert (track["status"], track["title"], track["duplicate"]) == ("done", "song", False)
    assert track["analysis"]["probabilities"]

    first, second = json.loads(run(*raw)), json.loads(run(*raw))
    assert first == second
    assert (first["id"], first["duplicate"]) == (track["id"], True)
    assert IdempotencyKey.objects.get().key == "song-1"

    assert run(*similar) == ""
    told = run(*folder)
    assert sorted(line.split()[:2] for line in told.splitlines()) == [
        ["1.wav", "duplicate"],
        ["2.wav", "added"],
        ["notes.txt", "refused"],
    ]
    assert set(Track.objects.values_list("status", flat=True)) == {"done"}
    # Now there is one that sounds like the newest.
    assert "song: " in run(*similar)

"""A site whose database has a standby: the server is lost, and the standby takes over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from genreweb.drills.standby import SECOND, Pair
from genreweb.trial import REPOSITORY, Site
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.slow


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as running:
        yield running


def test_nothing_that_was_answered_is_lost_with_a_server(pair: Pair, tmp_path: Path) -> None:
    assert pair.ask("SELECT pg_is_in_recovery()", port=SECOND) == "t"
    environment = {
        "DATABASE_URL": pair.address,
        "SECRET_KEY": "given from outside, and long enough for anybody",
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    with Site(**environment) as site:
        assert not site.processes("postgres")
        status, before = site.upload(wav(chords(4, seed=1)), name="before.wav")
        assert (status, before["status"]) == (200, "done")

        assert pair.lose()
        # A standby takes no writes, so that the site has no database: it says so and goes on trying.
        assert site.request("GET", "/healthz")[0] == 503
        assert site.request("GET", f"/api/v1/tracks/{before['id']}/")[0] == 503

        pair.promote()
        assert site.healthy(within=60)
        status, same = site.request("GET", f"/api/v1/tracks/{before['id']}/")
        assert (status, same["analysis"]) == (200, before["analysis"])
        status, after = site.upload(wav(chords(4, seed=2)), name="after.wav")
        assert (status, after["status"]) == (200, "done"), after
        assert pair.ask("SELECT count(*) FROM library_track", port=SECOND, database="genreweb") == "2"

        archive = tmp_path / "site.tar"
        done = subprocess.run(
            [sys.executable, "manage.py", "backup", str(archive)],
            cwd=REPOSITORY,
            env=site.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert archive.stat().st_size > 0

"""The whole platform, started as a newcomer starts it, used through the API, and hurt on purpose."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from genreweb.tests.site import copy_prepared
from genreweb.trial import REPOSITORY, Site
from library.tests.sounds import chords, wav

SHARED = Path(os.environ.get("GENREWEB_SHARED", REPOSITORY.parent / "shared"))
AUDIO = SHARED / "data" / "gtzan" / "audio"
GENRES = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
needs_music = pytest.mark.skipif(not AUDIO.is_dir(), reason=f"no real music at {AUDIO}")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(prepared: Path) -> Iterator[Site]:
    made = Site()
    copy_prepared(prepared, to=made.folder)
    with made as running:
        yield running


def sound(seconds: float, *, seed: int) -> bytes:
    """Make a file that holds another piece for every seed."""
    return wav(chords(seconds, seed=seed))


def finished(site: Site, track_id: str, *, within: float) -> dict[str, Any]:
    """Wait until a track is done or failed."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        status, track = site.request("GET", f"/api/v1/tracks/{track_id}/")
        if status == 200 and track["status"] in ("done", "failed"):
            assert isinstance(track, dict)
            return track
        time.sleep(0.2)
    raise AssertionError(f"not finished: {track}")


@needs_music
def test_real_clips_are_answered(site: Site) -> None:
    for genre in GENRES[::3]:
        clip = sorted((AUDIO / genre).iterdir())[0]
        status, track = site.upload(clip.read_bytes(), name=clip.name)
        assert status == 200, track
        assert track["status"] == "done", track
        probabilities = track["analysis"]["probabilities"]
        assert sorted(probabilities) == GENRES
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
        timeline = track["analysis"]["timeline"]
        assert timeline[0]["start"] == 0
        assert timeline[-1]["end"] == pytest.approx(track["duration"], abs=0.01)


def test_eight_uploads_at_once_are_answered_each_for_itself(site: Site) -> None:
    sounds = [sound(6 + 0.5 * n, seed=n) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(site.upload, sounds))
    assert [status for status, _ in answers] == [200] * 8
    # Each answer is about its own sound, whose length tells it apart.
    assert [track["duration"] for _, track in answers] == pytest.approx(
        [6 + 0.5 * n for n in range(8)], abs=0.1
    )
    assert len({track["id"] for _, track in answers}) == 8


@pytest.fixture(scope="module")
def interrupted(site: Site) -> str:
    """Kill the worker in the middle of a track; give the track's id.

    Half a minute goes by until it is taken up again, for which other tests need not wait.
    """
    status, track = site.upload(sound(300, seed=100), name="long.wav", wait=0)
    assert status == 202
    deadline = time.monotonic() + 20
    while site.request("GET", f"/api/v1/tracks/{track['id']}/")[1]["status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed = site.workers()
    for process in killed:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(killed, timeout=5)
    return str(track["id"])


@pytest.mark.usefixtures("interrupted")
def test_a_catalogue_is_imported_once_and_compared_with(site: Site, tmp_path: Path) -> None:
    for n in range(20):
        folder = tmp_path / GENRES[n % 10]
        folder.mkdir(exist_ok=True)
        (folder / f"{n}.wav").write_bytes(sound(4, seed=300 + n))
    (tmp_path / "blues" / "broken.mp3").write_text("not music at all")
    before = site.request("GET", "/api/v1/tracks/?scope=catalogue")[1]["count"]
    first = _import(site, tmp_path, status=3)
    assert "added    20" in first
    assert "broken.mp3" in first
    assert "same     20" in _import(site, tmp_path, status=3)
    _, page = site.request("GET", "/api/v1/tracks/?scope=catalogue&page_size=100")
    assert page["count"] == before + 20
    assert {track["status"] for track in page["results"]} == {"done"}
    _, track = site.upload(sound(4, seed=400))
    status, near = site.request("GET", f"/api/v1/tracks/{track['id']}/similar/?k=3")
    assert status == 200
    assert [other["rank"] for other in near] == [1, 2, 3]
    assert [other["distance"] for other in near] == sorted(other["distance"] for other in near)
    assert track["id"] not in {other["track"]["id"] for other in near}


def test_a_redis_that_hangs_loses_nothing_and_keeps_nobody_out(site: Site) -> None:
    (redis,) = [
        child
        for child in psutil.Process(site.process.pid if site.process else 0).children(recursive=True)
        if "redis-server" in child.name() or "valkey-server" in child.name() or "redis" in child.name()
    ]
    redis.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        status, track = site.upload(sound(5, seed=200), name="while-away.wav", wait=0)
        assert status == 202, track
        # The person is not made to wait for a broker that does not answer.
        assert time.monotonic() - started < 30
        who = {"email": site.email, "password": site.password}
        assert site.json("POST", "/api/v1/tokens/", who)[0] == 201
        status, answer = site.upload(sound(5, seed=201), to="/api/v1/classify/")
        assert (status, answer["error"]["code"]) == (503, "unavailable")
    finally:
        redis.send_signal(signal.SIGKILL)
    assert site.healthy(within=60)
    assert finished(site, track["id"], within=60)["status"] == "done"


def test_a_worker_killed_in_the_middle_loses_nothing(site: Site, interrupted: str) -> None:
    answer = finished(site, interrupted, within=90)
    assert answer["status"] == "done", answer
    assert answer["duration"] == pytest.approx(300, abs=0.1)


@needs_music
def test_many_imports_do_not_grow_the_workers(site: Site, tmp_path: Path) -> None:
    clips = [clip for genre in GENRES for clip in sorted((AUDIO / genre).iterdir())[:6]]

    def bring(part: list[Path], name: str) -> int:
        for clip in part:
            target = tmp_path / name / clip.parent.name / clip.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(clip)
        assert re.search(rf"added +{len(part)}\n", _import(site, tmp_path / name))
        return max(_memory(process) for process in site.workers())

    warm = bring(clips[:20], "warm")
    after = bring(clips[20:], "rest")
    assert after < 350 * 2**20
    # Each of two workers takes some twenty clips, of which one decoded is 2.6 MB and its spectrum 5 MB.
    assert after - warm < 40 * 2**20, f"{warm:,} to {after:,}"


def _memory(worker: psutil.Process) -> int:
    """Bytes of a process of the worker, with the processes that it has others do its work in."""
    found = worker.memory_info().rss
    for child in worker.children():
        # Short-lived: it may end in this moment.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "--queues" not in child.cmdline():
                found += child.memory_info().rss
    return int(found)


def _import(site: Site, folder: Path, *, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "import_catalogue", str(folder)],
        cwd=REPOSITORY,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr

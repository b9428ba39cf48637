"""``make dev``: DEBUG is on, all logs are in one place, and changed code is loaded."""

from __future__ import annotations

import functools
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.tests import processes
from genreweb.embedded.development import development_services
from genreweb.embedded.paths import REPOSITORY
from genreweb.embedded.preflight import Address
from genreweb.embedded.services import services
from genreweb.tests.site import WatchedSite, copy_prepared

WHERE = Address("127.0.0.1", 8000)


class DevelopmentSite(WatchedSite):
    command = (sys.executable, "-m", "genreweb.embedded", "run", "--dev")


@pytest.fixture
def site(prepared: Path, tmp_path: Path) -> Iterator[DevelopmentSite]:
    copy_prepared(prepared, to=tmp_path / "var")
    running = DevelopmentSite(tmp_path / "var")
    yield running
    running.close()


def test_the_same_processes_as_in_service() -> None:
    usual, reloading = services(WHERE), development_services(WHERE)
    assert [service.name for service in reloading] == [service.name for service in usual]
    for before, after in zip(usual, reloading, strict=True):
        assert after.environment == {**before.environment, "DEBUG": "true"}
        assert after.people_wait == before.people_wait


def youngest(site: WatchedSite, *words: str) -> float:
    """Give the moment at which the youngest of these processes was started."""
    return max((process.create_time() for process in site.named(*words)), default=0.0)


def is_newer(site: WatchedSite, moment: float, *words: str) -> bool:
    return youngest(site, *words) > moment


@pytest.mark.slow
def test_changed_code_is_loaded(site: DevelopmentSite) -> None:
    site.wait_until_ready()
    site.wait_until_healthy()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{site.address}/nowhere/")
    assert refused.value.code == 404
    assert "DEBUG = True" in refused.value.read().decode()
    source = REPOSITORY / "library" / "models" / "tracks.py"
    times = source.stat()
    before = {words: youngest(site, *words) for words in (("runserver",), ("celery", "analysis"))}
    assert all(before.values())
    try:
        os.utime(source, (times.st_atime, times.st_mtime + 1))
        for words, moment in before.items():
            site.wait_until(f"new {words}", functools.partial(is_newer, site, moment, *words), seconds=60)
        site.wait_until_healthy()
    finally:
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "analysis  | " in site.output()
    assert "web       | " in site.output()
    assert site.end() == 0
    assert [process for process in site.family() if processes.is_running(process)] == []

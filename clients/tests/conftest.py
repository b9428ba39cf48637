"""Fixtures of the clients' tests: a site that answers over HTTP, and a person there."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from genreweb.accounts.models import ApiToken, User

EMAIL, PASSWORD = "listener@example.org", "a long enough pass phrase"


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the site's files in memory, and what the command keeps in a folder of its own."""
    settings.STORAGES = {
        "default": {"BACKEND": "library.tests.storages.PathlessStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("GENREWEB_SITE", "GENREWEB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def person(transactional_db: None) -> User:
    return User.objects.create_user(EMAIL, password=PASSWORD)


@pytest.fixture
def token(person: User) -> str:
    _row, secret = ApiToken.objects.create(user=person)
    return str(secret)


@pytest.fixture
def site(live_server: LiveServer) -> str:
    return str(live_server.url)


@pytest.fixture
def signed_in(site: str, token: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GENREWEB_SITE", site)
    monkeypatch.setenv("GENREWEB_TOKEN", token)
    return site

"""What the tests of the accounts share: people who can sign in, and browsers that have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client
from pytest_django import Settings

from genreweb import counting
from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import User
from genreweb.accounts.tests import receiver as receivers
from genreweb.accounts.tests.receiver import Receiver

PASSWORD = "melodies at midnight"
LOCAL = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> None:
    """Take static files as they lie, hash passwords fast, forget who tried how often."""
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def letters(settings: Settings) -> None:
    """Let the site be one with a mail server; letters land in `mailoutbox`."""
    settings.MAIL_IS_REAL = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True


@pytest.fixture
def no_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody listen where Redis should be."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    default = {**settings.CACHES["default"], "LOCATION": settings.REDIS_URL}
    settings.CACHES = {"default": default}
    monkeypatch.setattr(counting, "_away_until", {})
    LocMemCache(f"away:{settings.REDIS_URL}", {}).clear()


@pytest.fixture
def person(db: None) -> User:
    """Somebody who signed up before the site had a mail server: nobody has confirmed their address."""
    user = User.objects.create_user("ada@example.org", PASSWORD)
    ensure_address(user=user)
    return user


@pytest.fixture
def other(db: None) -> User:
    user = User.objects.create_user("bo@example.org", PASSWORD)
    ensure_address(user=user)
    return user


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_superuser("root@example.org", PASSWORD)


def browser(user: User) -> Client:
    """Give a browser in which `user` is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def signed_in(person: User) -> Client:
    return browser(person)


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def receiver(_receiver: Receiver, settings: Settings) -> Receiver:
    settings.WEBHOOKS_ALLOWED_NETWORKS, settings.WEBHOOKS_ALLOW_HTTP = LOCAL, True
    _receiver.got.clear()
    _receiver.status, _receiver.location, _receiver.silent = 204, "", False
    return _receiver

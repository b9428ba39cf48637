"""``manage.py check`` says what a combination of settings may not be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import CheckMessage
from pytest_django.fixtures import Settings

from genreweb import checks
from genreweb.tests.site import environment, run_command


def ids(messages: list[CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


@pytest.fixture(autouse=True)
def no_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_ENDPOINT_URL", "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_DEFAULT_REGION", *checks.AMBIENT_CREDENTIALS):
        monkeypatch.delenv(name, raising=False)


def test_default_settings_are_fine() -> None:
    found = [*checks.site(), *checks.engines(), *checks.files(), *checks.limits()]
    assert found == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY", "", "genreweb.E001"),
        ("SITE_URL", "music.example.org", "genreweb.E003"),
        ("PORT", 0, "genreweb.E004"),
        ("PORT", 70000, "genreweb.E004"),
    ],
)
def test_site(settings: Settings, name: str, value: Any, expected: str) -> None:
    setattr(settings, name, value)
    assert ids(checks.site()) == [expected]


def test_hosts_are_asked_for_where_the_site_is_a_real_one(settings: Settings) -> None:
    settings.EMBEDDED, settings.ALLOWED_HOSTS = False, []
    assert ids(checks.site()) == ["genreweb.E002"]
    settings.ALLOWED_HOSTS = ["music.example.org"]
    assert checks.site() == []


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        ("", "", []),
        ("", "genreweb", ["genreweb.E050"]),
        ("https://id.example.org", "", ["genreweb.E051"]),
        ("http://id.example.org", "genreweb", ["genreweb.W052"]),
        ("https://id.example.org", "genreweb", []),
    ],
)
def test_single_sign_on(settings: Settings, server: str, client: str, expected: list[str]) -> None:
    settings.OIDC_SERVER_URL, settings.OIDC_CLIENT_ID = server, client
    assert ids(checks.single_sign_on()) == expected


def test_engines_are_of_one_kind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    settings.REDIS_URL = "memory://"
    assert ids(checks.engines()) == ["genreweb.E010", "genreweb.E011"]


@pytest.mark.parametrize(
    "url", ["redis://broker:6379/0", "rediss://broker:6380/1", "unix:///run/redis.sock?db=0"]
)
def test_every_way_to_a_redis_is_fine(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    assert checks.engines() == []


@pytest.mark.parametrize(
    ("bucket", "variables", "expected"),
    [
        ("", {"S3_ENDPOINT_URL": "https://s3.example.org"}, ["genreweb.E020"]),
        ("music", {}, ["genreweb.W022", "genreweb.E023"]),
        ("music", {"S3_REGION": "eu-central-1"}, ["genreweb.W022"]),
        ("music", {"S3_REGION": "eu-central-1", "S3_ACCESS_KEY_ID": "a"}, ["genreweb.E021"]),
        ("music", {"S3_REGION": "eu-central-1", "S3_SECRET_ACCESS_KEY": "b"}, ["genreweb.E021"]),
        ("music", {"S3_REGION": "eu-central-1", "AWS_PROFILE": "site"}, []),
        ("music", {"S3_ENDPOINT_URL": "http://s3", "S3_ACCESS_KEY_ID": "a", "S3_SECRET_ACCESS_KEY": "b"}, []),
    ],
)
def test_bucket(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    bucket: str,
    variables: dict[str, str],
    expected: list[str],
) -> None:
    settings.S3_BUCKET = bucket
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ids(checks.files()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"AUDIO_MIN_SECONDS": 0}, ["genreweb.E030"]),
        ({"AUDIO_MAX_SECONDS": -1}, ["genreweb.E030", "genreweb.E031"]),
        ({"AUDIO_MAX_SECONDS": float("nan")}, ["genreweb.E030"]),
        ({"AUDIO_MAX_BYTES": 0}, ["genreweb.E030"]),
        ({"MEDIA_URL_LIFETIME": timedelta(0)}, ["genreweb.E030"]),
        ({"CELERY_TASK_SOFT_TIME_LIMIT": 0}, ["genreweb.E030"]),
        ({"AUDIO_MIN_SECONDS": 60, "AUDIO_MAX_SECONDS": 30}, ["genreweb.E031"]),
    ],
)
def test_limits(settings: Settings, changes: dict[str, Any], expected: list[str]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert ids(checks.limits()) == expected


@pytest.mark.slow
def test_mistakes_are_said_without_a_traceback(tmp_path: Any) -> None:
    # What other variables may hold is tested where all of them are.
    env = {**environment(tmp_path, 1), "DATABASE_URL": "postgresql://nobody@192.0.2.1:1/none"}
    done = run_command("manage.py", "check", env=env)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "SECRET_KEY" in done.stderr

"""System checks of combinations of settings (``manage.py check``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

_OWN_KEYS = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
AMBIENT_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def _is_set(*names: str) -> bool:
    return any(os.environ.get(name) for name in names)


@register()
def environment(**kwargs: Any) -> list[CheckMessage]:
    """Each environment variable must hold what can be used."""
    return [
        Error(fault.sentence, hint=fault.hint, id="genreweb.E005") for fault in settings.ENVIRONMENT_FAULTS
    ]


@register()
def site(**kwargs: Any) -> list[CheckMessage]:
    """A site with an external database must set its secret key and its hosts."""
    return list(_site())


def _site() -> Iterator[CheckMessage]:
    try:
        has_key = bool(settings.SECRET_KEY)
    except ImproperlyConfigured:
        has_key = False
    if not has_key:
        yield Error(
            "DATABASE_URL is set, but SECRET_KEY is not.",
            hint="Set SECRET_KEY to at least 50 random characters, the same for every process of the site: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="genreweb.E001",
        )
    if not settings.EMBEDDED and not settings.ALLOWED_HOSTS:
        yield Error(
            "DATABASE_URL is set, but ALLOWED_HOSTS is empty: every request would be refused.",
            hint="Set it to the names the site is reached under, e.g. ALLOWED_HOSTS=music.example.org",
            id="genreweb.E002",
        )
    if settings.SITE_URL and not settings.SITE_URL.startswith(("http://", "https://")):
        yield Error(
            f"SITE_URL is {settings.SITE_URL!r}, which is no address.",
            hint="Write it with its scheme, e.g. SITE_URL=https://music.example.org",
            id="genreweb.E003",
        )
    if not 0 < settings.PORT < 65536:
        yield Error(f"PORT is {settings.PORT}.", hint="Choose one between 1 and 65535.", id="genreweb.E004")


@register()
def engines(**kwargs: Any) -> list[CheckMessage]:
    """Addresses of engines must name PostgreSQL and Redis."""
    return list(_engines())


def _engines() -> Iterator[CheckMessage]:
    engine = settings.DATABASES["default"].get("ENGINE", "")
    if engine != "django.db.backends.postgresql":
        yield Error(
            f"DATABASE_URL names {engine or 'no engine'}, and Genreweb needs PostgreSQL with pgvector.",
            hint="Write it as postgresql://user:password@host:5432/name, or leave it out.",
            id="genreweb.E010",
        )
    if not settings.REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
        yield Error(
            "REDIS_URL is no address of a Redis.",
            hint="Write it as redis://host:6379/0, rediss://… or unix:///path?db=0, or leave it out.",
            id="genreweb.E011",
        )
    if settings.QDRANT_API_KEY and not settings.QDRANT_URL:
        yield Error(
            "QDRANT_API_KEY is set, but QDRANT_URL is not.",
            hint="Set QDRANT_URL to the address of the engine for vectors, or unset both.",
            id="genreweb.E012",
        )


@register()
def files(**kwargs: Any) -> list[CheckMessage]:
    """The settings of a bucket must be complete, or all be absent."""
    return list(_files())


def _files() -> Iterator[CheckMessage]:
    if not settings.S3_BUCKET:
        stray = [name for name in ("S3_ENDPOINT_URL", "S3_REGION", *_OWN_KEYS) if _is_set(name)]
        if stray:
            yield Error(
                f"{', '.join(stray)} is set, but S3_BUCKET is not: files would go to this machine's disk.",
                hint="Set S3_BUCKET, or unset the others.",
                id="genreweb.E020",
            )
        return
    if len([name for name in _OWN_KEYS if _is_set(name)]) == 1:
        yield Error(
            "Only one of S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY is set.",
            hint="Set both, or neither where the machine's own role opens the bucket.",
            id="genreweb.E021",
        )
    elif not _is_set(*_OWN_KEYS, *AMBIENT_CREDENTIALS):
        yield checks.Warning(
            "S3_BUCKET is set without credentials.",
            hint="Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, unless the machine's role opens it.",
            id="genreweb.W022",
        )
    if not _is_set("S3_REGION", "S3_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        yield Error(
            "S3_BUCKET is set, but neither S3_REGION nor S3_ENDPOINT_URL: its links cannot be signed.",
            hint="Set S3_REGION (e.g. eu-central-1), or S3_ENDPOINT_URL for a service of your own.",
            id="genreweb.E023",
        )


@register()
def limits(**kwargs: Any) -> list[CheckMessage]:
    """Limits must accept some file."""
    return list(_limits())


def _limits() -> Iterator[CheckMessage]:
    positive = {
        "AUDIO_MIN_SECONDS": settings.AUDIO_MIN_SECONDS,
        "AUDIO_MAX_SECONDS": settings.AUDIO_MAX_SECONDS,
        "AUDIO_MAX_MB": settings.AUDIO_MAX_BYTES,
        "MEDIA_URL_HOURS": settings.MEDIA_URL_LIFETIME.total_seconds(),
        "ANALYSIS_TIME_LIMIT": settings.CELERY_TASK_SOFT_TIME_LIMIT,
    }
    for name, value in positive.items():
        # Written this way round, a NaN fails too.
        if not value > 0:
            yield Error(
                f"{name} must be greater than zero.", hint="Unset it for the default.", id="genreweb.E030"
            )
    if settings.AUDIO_MIN_SECONDS >= settings.AUDIO_MAX_SECONDS:
        yield Error(
            "AUDIO_MIN_SECONDS is not below AUDIO_MAX_SECONDS: no track would be let in.",
            hint="Unset one of them for the default.",
            id="genreweb.E031",
        )


@register()
def watch_folder(**kwargs: Any) -> list[CheckMessage]:
    """A watch folder needs a person whose tracks its files become."""
    if settings.WATCH_DIR is None:
        if not settings.WATCH_USER:
            return []
        return [
            Error(
                "GENREWEB_WATCH_USER is set, but GENREWEB_WATCH is not.",
                hint="Set GENREWEB_WATCH to the folder, or unset both.",
                id="genreweb.E040",
            )
        ]
    if "@" not in settings.WATCH_USER:
        return [
            Error(
                "GENREWEB_WATCH is set, but GENREWEB_WATCH_USER names nobody.",
                hint="Set it to the e-mail address of the person whose tracks the files become.",
                id="genreweb.E041",
            )
        ]
    if not settings.WATCH_DIR.is_dir():
        return [
            checks.Warning(
                f"The watch folder {settings.WATCH_DIR} is not there on this machine.",
                hint="The analysis workers must see it; other machines need not.",
                id="genreweb.W042",
            )
        ]
    return []


@register()
def single_sign_on(**kwargs: Any) -> list[CheckMessage]:
    """An OpenID Connect provider needs an address and a client."""
    return list(_single_sign_on())


def _single_sign_on() -> Iterator[CheckMessage]:
    if not settings.OIDC_SERVER_URL:
        if stray := [name for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET") if getattr(settings, name)]:
            yield Error(
                f"{', '.join(stray)} is set, but OIDC_SERVER_URL is not.",
                hint="Set OIDC_SERVER_URL to the address of the provider, or unset the others.",
                id="genreweb.E050",
            )
        if settings.OIDC_ONLY:
            yield Error(
                "OIDC_ONLY is set, but OIDC_SERVER_URL is not: nobody but superusers could sign in.",
                hint="Set OIDC_SERVER_URL and OIDC_CLIENT_ID, or unset OIDC_ONLY.",
                id="genreweb.E053",
            )
        return
    if not settings.OIDC_CLIENT_ID:
        yield Error(
            "OIDC_SERVER_URL is set, but OIDC_CLIENT_ID is not: nobody could sign in through it.",
            hint="Register this site at the provider, and set OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.",
            id="genreweb.E051",
        )
    if settings.OIDC_SERVER_URL.startswith("http://") and not settings.DEBUG:
        yield checks.Warning(
            "OIDC_SERVER_URL begins with http://: whoever sits in between can sign in as anybody.",
            hint="Use https, but for trying things out on one machine.",
            id="genreweb.W052",
        )

"""Environment variables, read once and typed; what is wrong with one is kept for ``manage.py check`` to say.

An empty variable is an unset one: that is how compose files pass on what nobody has set.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

import dj_database_url
import dj_email_url

T = TypeVar("T")
N = TypeVar("N", int, float)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRUE = {"1", "true", "yes", "on", "y", "t"}
_FALSE = {"0", "false", "no", "off", "n", "f"}
_MAIL = {
    "smtp+tls": ("submission", 587),
    "smtp+ssl": ("smtp", 465),
    "smtps": ("smtp", 465),
    "smtp": ("smtp", 25),
}
_DATABASE_TIMEOUTS = {
    "connect_timeout": 10,
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""Of libpq, for a database on another machine that vanishes without a word: the system's own take minutes to
hours, in which all threads of the web server wait. An address may set others, as ``?connect_timeout=30``."""
_WITHOUT_HOST = ("console", "file", "memory", "dummy")
_HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:,]+)(?::([0-9]+))?")
_RATE = re.compile(r"[1-9][0-9]*/(s|sec|second|m|min|minute|h|hour|d|day)")


@dataclass(frozen=True, slots=True)
class Fault:
    """A variable whose value cannot be used, why, and what to write instead."""

    name: str
    sentence: str
    hint: str


class _Reader:
    """Reads variables. One with a value that cannot be used has its default, and a fault."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.faults: dict[str, Fault] = {}

    def _read(self, name: str, default: T, convert: Callable[[str], T], *, hint: str) -> T:
        value = self._variables.get(name, "").strip()
        if not value:
            return default
        try:
            return convert(value)
        except ValueError as error:
            # A password must not appear in a log.
            shown = "holds a value" if _is_secret(name) else f"is {value[:200]!r},"
            self.faults[name] = Fault(name, f"{name} {shown} {error}.", f"{hint} Or leave it out.")
            return default

    # --- plain values -----------------------------------------------------------------------------------
    def text(self, name: str, default: str = "") -> str:
        return self._variables.get(name, "") or default

    def truth(self, name: str, default: bool) -> bool:
        return self._read(name, default, _truth, hint=f"Write {name}=true or {name}=false.")

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        def convert(value: str) -> int:
            # Unlike int(), which takes 1_000 and digits of every script.
            if not re.fullmatch(r"[+-]?[0-9]{1,15}", value):
                raise ValueError("which is no whole number")
            return _at_least(int(value), least)

        return self._read(name, default, convert, hint=f"Write a whole number, e.g. {name}={default}.")

    def number(self, name: str, default: float, *, least: float = 0.0) -> float:
        def convert(value: str) -> float:
            try:
                number = float(value)
            except ValueError:
                raise ValueError("which is no number") from None
            if not math.isfinite(number):
                raise ValueError("which is no number")
            return _at_least(number, least)

        return self._read(name, default, convert, hint=f"Write a number, e.g. {name}={default:g}.")

    def one_of(self, name: str, default: str, choices: Collection[str]) -> str:
        def convert(value: str) -> str:
            if value not in choices:
                raise ValueError("which is not known")
            return value

        return self._read(name, default, convert, hint=f"Write one of {', '.join(filter(None, choices))}.")

    def log_level(self, name: str, default: int) -> int:
        levels = logging.getLevelNamesMapping()

        def convert(value: str) -> int:
            if value.upper() not in levels:
                raise ValueError("which is no level")
            return levels[value.upper()]

        return self._read(name, default, convert, hint="Write DEBUG, INFO, WARNING or ERROR.")

    def time_zone(self, name: str, default: str) -> str:
        def convert(value: str) -> str:
            if value not in available_timezones():
                raise ValueError("which is no time zone")
            return value

        return self._read(name, default, convert, hint=f"Write a place, e.g. {name}=Europe/Berlin.")

    def rate(self, name: str, default: str) -> str:
        def convert(value: str) -> str:
            if not _RATE.fullmatch(value):
                raise ValueError("which is no rate")
            return value

        hint = f"Write a number and a time: s, min, hour or day, e.g. {name}={default}."
        return self._read(name, default, convert, hint=hint)

    def folder(self, name: str) -> Path | None:
        """Read the path of a folder, which need not be there; None where it is not set."""

        def convert(value: str) -> Path:
            if not Path(value).is_absolute():
                raise ValueError("which is no absolute path")
            return Path(value)

        return self._read(name, None, convert, hint=f"Write it from the root, e.g. {name}=/srv/music.")

    # --- addresses --------------------------------------------------------------------------------------
    def names(self, name: str, default: list[str]) -> list[str]:
        return [part.strip() for part in self.text(name).split(",") if part.strip()] or default

    def hosts(self, name: str) -> list[str]:
        """Read names of hosts; empty where there are none."""

        def convert(value: str) -> list[str]:
            parts = [part.strip() for part in value.split(",") if part.strip()]
            if not all(_HOST.fullmatch(part) for part in parts):
                raise ValueError("which is not a list of host names")
            return parts

        hint = (
            f"Write names without scheme and port, with commas between: {name}=music.example.org,localhost."
        )
        return self._read(name, [], convert, hint=hint)

    def networks(self, name: str) -> list[Network]:
        """Read networks of IP addresses; empty where there are none."""

        def convert(value: str) -> list[Network]:
            parts = [part.strip() for part in value.split(",") if part.strip()]
            try:
                return [ipaddress.ip_network(part) for part in parts]
            except ValueError:
                raise ValueError("which is not a list of networks") from None

        hint = f"Write networks with their length, with commas between: {name}=10.1.0.0/16,fd00::/8."
        return self._read(name, [], convert, hint=hint)

    def origin(self, name: str) -> str:
        """Read the address of a site or service, without a slash at its end; '' where it is not set."""
        hint = f"Write it with its scheme, e.g. {name}=https://music.example.org."
        return self._read(name, "", _origin, hint=hint)

    def origins(self, name: str, default: list[str]) -> list[str]:
        hint = f"Write addresses with their scheme, with commas between: {name}=https://media.example.org."
        return self._read(
            name, default, lambda value: [_origin(part) for part in value.split(",")], hint=hint
        )

    def redis(self, name: str) -> str:
        def convert(value: str) -> str:
            parts = urlsplit(value)
            if parts.scheme not in ("redis", "rediss", "unix"):
                raise ValueError("which is no address of a Redis")
            _port(parts)
            if parts.scheme != "unix" and not parts.hostname:
                raise ValueError("which names no host")
            return value

        hint = "Write redis://host:6379/0, rediss://host:6380/0 or unix:///path/to/socket?db=0."
        return self._read(name, "", convert, hint=hint)

    def database(self, name: str) -> dict[str, Any]:
        """Read the address of a PostgreSQL; where it cannot be used there is no database at all."""
        nothing: dict[str, Any] = {"ENGINE": "django.db.backends.dummy"}

        def convert(value: str) -> dict[str, Any]:
            try:
                address, servers = _servers_of(value)
                found: dict[str, Any] = {**dj_database_url.parse(address), **servers}
            except ValueError:
                raise ValueError("which is no address of a database") from None
            if found["ENGINE"] != "django.db.backends.postgresql" or not found["NAME"]:
                raise ValueError("which is no address of a PostgreSQL with the name of a database")
            # A folder of sockets is written as `?host=`; the programs of PostgreSQL are told HOST alone.
            options = found.get("OPTIONS", {})
            for option in ("host", "port"):
                if option in options:
                    found[option.upper()] = options.pop(option)
            # Of a server and its standbys the one that takes writes is meant.
            several = {"target_session_attrs": "read-write"} if "," in found["HOST"] else {}
            return {**found, "OPTIONS": {**_DATABASE_TIMEOUTS, **several, **options}}

        return self._read(name, nothing, convert, hint="Write postgresql://user:password@host:5432/name.")

    def mail(self, name: str) -> dict[str, Any]:
        """Read where mail is sent: Django's settings, by their names."""

        def convert(value: str) -> dict[str, Any]:
            parts = urlsplit(value)
            if parts.scheme in _WITHOUT_HOST:
                return {**dj_email_url.parse(value)}
            if parts.scheme not in (*_MAIL, "submission"):
                raise ValueError("whose scheme is not known")
            if not parts.hostname:
                raise ValueError("which names no host")
            scheme, port = _MAIL.get(parts.scheme, ("submission", 587))
            found: dict[str, Any] = {**dj_email_url.parse(parts._replace(scheme=scheme).geturl())}
            found["EMAIL_PORT"] = _port(parts) or port
            if parts.scheme in ("smtp+ssl", "smtps"):
                found |= {"EMAIL_USE_SSL": True, "EMAIL_USE_TLS": False}
            return found

        hint = "Write smtp+tls://user:password@host:587 or smtp+ssl://user:password@host:465."
        return self._read(name, {**dj_email_url.parse("console:")}, convert, hint=hint)

    def sender(self, name: str, default: str) -> str:
        def convert(value: str) -> str:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]) or "\n" in value:
                raise ValueError("which is no e-mail address")
            return value

        return self._read(name, default, convert, hint=f"Write {name}='Genreweb <music@example.org>'.")


class Environment(_Reader):
    """The same under the names of Python's types, as settings are usually read."""

    str = _Reader.text
    bool = _Reader.truth
    int = _Reader.whole
    float = _Reader.number
    list = _Reader.names


def _is_secret(name: str) -> bool:
    public = ("SITE_URL", "S3_ENDPOINT_URL", "OIDC_SERVER_URL")
    return name.endswith(("_URL", "_KEY", "_SECRET", "PASSWORD")) and name not in public


def _truth(value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ValueError("which is neither true nor false")


def _at_least(number: N, least: N) -> N:
    if number < least:
        raise ValueError(f"which is less than {least:g}")
    return number


def _port(parts: Any) -> int | None:
    try:
        port: int | None = parts.port
    except ValueError:
        raise ValueError("whose port is no number between 0 and 65535") from None
    return port


def _servers_of(address: str) -> tuple[str, dict[str, str]]:
    """Read the servers of an address that names several, as libpq's do; give the address with the first one.

    >>> _servers_of("postgresql://me@db1,db2:5433/site")
    ('postgresql://me@db1/site', {'HOST': 'db1,db2', 'PORT': '5432,5433'})
    """
    parts = urlsplit(address)
    account, at, named = parts.netloc.rpartition("@")
    if "," not in named:
        return address, {}
    servers = [_SERVER.fullmatch(each) for each in named.split(",")]
    if not all(servers):
        raise ValueError
    hosts, ports = zip(*(each.groups(default="5432") for each in servers if each), strict=True)
    one = parts._replace(netloc=f"{account}{at}{hosts[0]}").geturl()
    return one, {"HOST": ",".join(unquote(host.strip("[]")) for host in hosts), "PORT": ",".join(ports)}


def _origin(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("which is no address that begins with http:// or https://")
    _port(parts)
    return value.strip().rstrip("/")

"""Every environment variable: its examples work, and a bad value is told in a sentence with a hint."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.client import DatabaseClient

from genreweb.embedded.paths import REPOSITORY
from genreweb.environment import Environment
from genreweb.tests.site import environment, run_command

BAD = {
    "text": None,
    "truth": "perhaps",
    "whole": "many",
    "number": "nan",
    "names": None,
    "one_of": "neither",
    "log_level": "LOUD",
    "time_zone": "Mars/Olympus",
    "rate": "often",
    "hosts": "https://music.example.org",
    "origin": "music.example.org",
    "origins": "https://a.example.org,b.example.org",
    "redis": "memory://",
    "database": "sqlite:///music.db",
    "mail": "smtp+tls://user:secret-word@:587",
    "sender": "nobody",
    "folder": "music",
    "networks": "10.1.0.1/16",
}
"""By the way that a variable is read, a value that it cannot have."""
_NAMES = {"str": "text", "bool": "truth", "int": "whole", "float": "number", "list": "names"}
ELSEWHERE = {"GENREWEB_VAR"}
"""Variables that the settings do not read."""


def variables() -> dict[str, str]:
    """Every variable that the settings read, and how."""
    tree = ast.parse((REPOSITORY / "genreweb/settings.py").read_text())
    return {
        str(node.args[0].value): _NAMES.get(node.func.attr, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
    }


def readme() -> str:
    return (REPOSITORY / "README.md").read_text()


def examples() -> dict[str, list[str]]:
    """Every value that README.md and compose.yaml show for a variable."""
    found: dict[str, list[str]] = {}
    known = variables()
    compose = (REPOSITORY / "compose.yaml").read_text()
    for name, value in re.findall(r"\b([A-Z][A-Z0-9_]+)=(\S+)", f"{readme()}\n{compose}"):
        found.setdefault(name, []).append(value.rstrip("`,.;"))
    for row in re.findall(r"^\|(.+)\|$", readme(), re.MULTILINE):
        names, *rest = row.split("|")
        first = re.search(r"`([A-Z0-9_]+)`", names)
        if first:
            addresses = re.findall(r"`([a-z0-9+]+://[^`]+)`", " ".join(rest))
            found.setdefault(first.group(1), []).extend(addresses)
        defaults = re.findall(r"`([^`]+)`", rest[0]) if first else []
        if len(defaults) == len(re.findall(r"`", names)) // 2:
            for name, value in zip(re.findall(r"`([A-Z0-9_]+)`", names), defaults, strict=True):
                found.setdefault(name, []).append(value)
    # What is left out in an example is anybody's own.
    return {
        name: [value.replace("://…", "://host/genreweb").replace("…", "x" * 50) for value in values]
        for name, values in found.items()
        if name in known and values
    }


def checked(tmp_path: Path, **more: str) -> Any:
    return run_command("manage.py", "check", env={**environment(tmp_path, 8000), **more})


@pytest.mark.slow
def test_every_example_works(tmp_path: Path) -> None:
    shown = examples()
    assert shown["EMAIL_URL"] == ["smtp+tls://user:password@host:587"]
    assert {"DATABASE_URL", "REDIS_URL", "SITE_URL", "ALLOWED_HOSTS", "SECRET_KEY", "PORT"} <= shown.keys()
    for number in range(max(map(len, shown.values()))):
        chosen = {name: values[number % len(values)] for name, values in shown.items()}
        done = checked(tmp_path, **chosen)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_variable_with_a_bad_value_is_told_with_a_hint(tmp_path: Path) -> None:
    bad = {name: value for name, kind in variables().items() if (value := BAD[kind])}
    assert len(bad) > 25
    # A missing secret key is told alone: Django refuses all else without it.
    done = checked(tmp_path, SECRET_KEY="x" * 50, S3_BUCKET="music", **bad)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for name in bad:
        told = re.search(rf"\?: \(genreweb\.E005\) {name} .+\.\n\tHINT: .+\.\n", done.stderr)
        assert told, f"{name}: {done.stderr}"
    assert "secret-word" not in done.stderr


def test_every_variable_is_in_the_readme() -> None:
    own = [name for name in variables() if not name.startswith("AWS_")]
    assert [name for name in own if f"`{name}`" not in readme()] == []
    table = readme().partition("| variable |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M))))
    assert documented <= variables().keys() | ELSEWHERE


def test_compose_passes_on_variables_that_are_read() -> None:
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    assert compose["x-site"]["environment"].keys() <= variables().keys()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp+tls://user:p%40ss@mail.example.org:2587", ("mail.example.org", 2587, "p@ss", True, False)),
        ("smtp+tls://user:pass@mail.example.org", ("mail.example.org", 587, "pass", True, False)),
        ("smtp+ssl://user:pass@mail.example.org", ("mail.example.org", 465, "pass", False, True)),
        ("smtps://user:pass@mail.example.org:465", ("mail.example.org", 465, "pass", False, True)),
        ("smtp://mail.example.org", ("mail.example.org", 25, None, False, False)),
        ("submission://u:p@mail.example.org", ("mail.example.org", 587, "p", True, False)),
    ],
)
def test_every_way_to_a_mail_server(url: str, expected: tuple[Any, ...]) -> None:
    env = Environment({"EMAIL_URL": url})
    mail = env.mail("EMAIL_URL")
    names = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS", "EMAIL_USE_SSL")
    assert tuple(mail[name] for name in names) == expected
    assert mail["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert env.faults == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[("mail", value) for value in ("smtp+tls://", "imap://host", "host:587", "smtp://host:mail")],
        *[("whole", value) for value in ("-1", "1.5", "1_000", "٣", "9" * 20)],
        *[("number", value) for value in ("-1", "inf", "1e999", "one")],
        *[("redis", value) for value in ("redis://", "redis://host:99999/0", "host:6379")],
        *[("database", value) for value in ("postgresql://host", "postgresql://host:x/name", "mysql://h/n")],
        *[("rate", value) for value in ("60", "60/fortnight", "0/min")],
        *[("origin", value) for value in ("ftp://host", "https://", "https://host:port")],
        *[("hosts", value) for value in ("a.example.org:8000", "a b", "http://a")],
        ("sender", "Genreweb <>"),
    ],
)
def test_what_cannot_be_used_is_a_fault(kind: str, value: str) -> None:
    env = Environment({"NAME": value})
    defaults: dict[str, tuple[Any, ...]]
    defaults = {"whole": (7,), "number": (0.5,), "rate": ("1/s",), "sender": ("a@b",)}
    read = getattr(env, kind)("NAME", *defaults.get(kind, ()))
    assert env.faults["NAME"].sentence.startswith("NAME is ")
    if kind in defaults:
        assert read == defaults[kind][0]


def test_an_empty_variable_is_an_unset_one() -> None:
    env = Environment({"NAME": " "})
    assert (env.int("NAME", 3), env.bool("NAME", True)) == (3, True)
    assert (env.origin("NAME"), env.hosts("NAME")) == ("", [])
    assert env.faults == {}


@pytest.mark.slow
def test_a_database_that_does_not_answer_is_given_up() -> None:
    """It takes connections, as the kernel does for a server that hangs, and says nothing on them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://a@127.0.0.1:{silent.getsockname()[1]}/site"
        options = Environment({"DATABASE_URL": address}).database("DATABASE_URL")["OPTIONS"]
        # Both for new connections, and for those on which an answer is waited for.
        assert 0 < options["connect_timeout"] <= 10
        assert 0 < options["tcp_user_timeout"] <= 20_000
        own = Environment({"DATABASE_URL": f"{address}?connect_timeout=2&tcp_user_timeout=5"})
        read = own.database("DATABASE_URL")
        assert {**options, "connect_timeout": 2, "tcp_user_timeout": 5} == read["OPTIONS"]
        known = DatabaseWrapper({**connections["default"].settings_dict, **read}).get_connection_params()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(**known)


def test_a_folder_of_sockets_is_the_host_for_every_program() -> None:
    """psql and pg_dump, of `backup` and `restore`, are told the host alone."""
    address = "postgresql://genreweb@/site?host=/srv/run&port=5433&application_name=a"
    read = Environment({"DATABASE_URL": address}).database("DATABASE_URL")
    assert (read["HOST"], str(read["PORT"]), read["NAME"]) == ("/srv/run", "5433", "site")
    assert read["OPTIONS"]["application_name"] == "a"
    command, _environment = DatabaseClient.settings_to_cmd_args_env(read, [])
    assert command[:7] == ["psql", "-U", "genreweb", "-h", "/srv/run", "-p", "5433"]


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("postgresql://me:p%40@db1,db2:5433/site", "db1,db2", "5432,5433"),
        ("postgresql://me@[::1]:1,[2001:db8::2]/site", "::1,2001:db8::2", "1,5432"),
        ("postgresql://me@%2Fsrv%2Fa,%2Fsrv%2Fb/site", "/srv/a,/srv/b", "5432,5432"),
        ("postgresql://me@/site?host=/srv/a,/srv/b&port=1,2", "/srv/a,/srv/b", "1,2"),
    ],
)
def test_of_a_server_and_its_standbys_the_one_that_takes_writes_is_meant(
    address: str, host: str, port: str
) -> None:
    read = Environment({"DATABASE_URL": address}).database("DATABASE_URL")
    assert (read["HOST"], read["PORT"], read["NAME"], read["USER"]) == (host, port, "site", "me")
    assert read["OPTIONS"]["target_session_attrs"] == "read-write"
    known = DatabaseWrapper({**connections["default"].settings_dict, **read}).get_connection_params()
    assert psycopg.conninfo.make_conninfo(**{k: v for k, v in known.items() if k in ("host", "port")})
    own = Environment({"DATABASE_URL": f"{address}{'&' if '?' in address else '?'}target_session_attrs=any"})
    assert own.database("DATABASE_URL")["OPTIONS"]["target_session_attrs"] == "any"


def test_one_server_is_asked_for_no_more_than_an_answer() -> None:
    read = Environment({"DATABASE_URL": "postgresql://me@db/site"}).database("DATABASE_URL")
    assert "target_session_attrs" not in read["OPTIONS"]


@pytest.mark.parametrize("servers", ["a,", ",b", "a:x,b", "a,b:1:2", "[::1,b", "a,,b"])
def test_servers_that_are_none_are_a_fault(servers: str) -> None:
    env = Environment({"DATABASE_URL": f"postgresql://me@{servers}/site"})
    assert env.database("DATABASE_URL")["ENGINE"] == "django.db.backends.dummy"
    assert "no address of a database" in env.faults["DATABASE_URL"].sentence

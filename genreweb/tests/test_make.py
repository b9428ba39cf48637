"""What a newcomer and an administrator run: the make file, its scripts, the containers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.server import ThreadedMotoServer

from genreweb.embedded import services
from genreweb.embedded.paths import REPOSITORY
from genreweb.embedded.preflight import Address
from genreweb.version import VERSION


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what make needs to begin, and a space in its name."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for path in (*REPOSITORY.glob("requirements*.txt"), *REPOSITORY.glob("package*.json")):
        shutil.copy(path, folder)
    shutil.copy(REPOSITORY / "Makefile", folder)
    shutil.copytree(REPOSITORY / "tools", folder / "tools")
    return folder


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def sentences(said: str) -> list[str]:
    """Give what was said less make's own word about it."""
    return [line for line in said.splitlines() if not line.startswith(("make:", "make["))]


def fake(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_make_alone_says_what_can_be_made(clone: Path) -> None:
    done = make(clone)
    assert done.returncode == 0
    for target in ("run", "dev", "demo", "test", "test-fast", "lint", "e2e", "bench", "lock"):
        assert re.search(rf"^  make {target} +\S", done.stdout, re.MULTILINE), done.stdout
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("target", ["run", "test", "lint", "bench"])
def test_old_python_is_said(clone: Path, tmp_path: Path, target: str) -> None:
    fake(tmp_path / "old", "python3.9", 'case "$*" in *version_info\\[*) echo 3.9 ;; *) exit 1 ;; esac')
    done = make(clone, target, PYTHON=str(tmp_path / "old" / "python3.9"))
    assert done.returncode != 0
    assert len(sentences(done.stderr)) == 1
    assert "needs Python 3.11 or newer (found: 3.9)" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.slow
def test_newer_python_of_another_name_is_found(clone: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", "exit 1")
    fake(tmp_path / "bin", "python3.13", f'exec "{sys.executable}" "$@"')
    done = make(clone, ".venv/.made", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    code = "import sys; print([path for path in sys.path if path.endswith('a clone')])"
    found = subprocess.run(
        [clone / ".venv/bin/python", "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    assert str(clone) in found.stdout


def _venv_that_says(folder: Path, said: str, status: int) -> None:
    fake_bin = folder / ".venv" / "bin"
    fake_bin.mkdir(parents=True)
    fake(fake_bin, "python", f"cat <<'END'\n{said}\nEND\nexit {status}")
    (folder / ".venv" / ".made").touch()


def test_no_network_is_said(clone: Path) -> None:
    _venv_that_says(
        clone,
        "WARNING: Retrying after connection broken by 'NewConnectionError(... Name or service not known)'\n"
        "ERROR: Could not find a version that satisfies the requirement absl-py",
        1,
    )
    done = make(clone, "install")
    assert done.returncode != 0
    assert len(sentences(done.stderr)) == 1
    assert "cannot be reached: check the network" in done.stderr
    assert not (clone / ".venv" / ".runtime").exists()


def test_other_trouble_of_pip_is_said(clone: Path) -> None:
    _venv_that_says(clone, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", 1)
    done = make(clone, "install")
    assert done.returncode != 0
    assert len(sentences(done.stderr)) == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert ".venv/install.log" in done.stderr


def test_npm_without_network_is_said(clone: Path, tmp_path: Path) -> None:
    _venv_that_says(clone, "Successfully installed nothing-1", 0)
    fake(
        tmp_path / "bin",
        "npm",
        '[ "$1" = --version ] && echo 10 || { echo "npm error code EAI_AGAIN"; exit 1; }',
    )
    done = make(clone, "node_modules/.package-lock.json", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert done.returncode != 0
    assert sentences(done.stderr) == [
        "The npm registry cannot be reached: check the network, then try again."
    ]


def test_what_is_installed_is_not_installed_again(clone: Path) -> None:
    _venv_that_says(clone, "asked for nothing", 0)
    (clone / ".venv" / ".runtime").touch()
    (clone / ".venv" / ".tagger").touch()
    (clone / "node_modules").mkdir()
    (clone / "node_modules" / ".package-lock.json").touch()
    (clone / "docs" / "_build" / "help").mkdir(parents=True)
    (clone / "docs" / "_build" / "help" / "index.html").touch()
    done = make(clone, "install")
    assert done.returncode == 0
    assert "Installing" not in done.stdout
    assert "Fetching" not in done.stdout
    # A changed lock file is installed.
    newer = (clone / ".venv" / ".runtime").stat().st_mtime + 10
    os.utime(clone / "requirements.txt", (newer, newer))
    assert "Installing the Python packages" in make(clone, "install").stdout


def _venv_that_makes_the_tagger(
    folder: Path, *, tensorflow: int = 0, pip: int = 0, conversion: int = 0
) -> None:
    """An environment whose Python only gives these exit statuses, and says a word about each failure."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    script = (
        'case "$*" in\n'
        "--version) echo Python 3.14.0 ;;\n"
        f"*find_spec*) exit {tensorflow} ;;\n"
        f"*pip*) echo no such host; exit {pip} ;;\n"
        f"*classifier.fitting.tagger*) echo other arrays; exit {conversion} ;;\n"
        "esac"
    )
    fake(folder / ".venv" / "bin", "python", script)
    for marker in (".made", ".runtime"):
        (folder / ".venv" / marker).touch()


@pytest.mark.parametrize(
    ("statuses", "said", "made"),
    [
        ({}, "the tagger is ready", True),
        ({"tensorflow": 1}, "no TensorFlow for Python 3.14.0", True),
        ({"pip": 1}, "cannot be fetched now", False),
        ({"conversion": 1}, "could not be converted: other arrays", False),
    ],
)
def test_what_becomes_of_the_tagger_is_said_and_stops_nobody(
    clone: Path, statuses: dict[str, int], said: str, made: bool
) -> None:
    _venv_that_makes_the_tagger(clone, **statuses)

    done = make(clone, ".venv/.tagger")

    assert done.returncode == 0
    assert said in done.stdout + done.stderr
    assert ("The site works without it" in done.stdout + done.stderr) == bool(statuses)
    assert (clone / ".venv" / ".tagger").exists() == made, "what may be had later is tried again"
    assert not list((clone / ".venv").glob("tagger.??????")), "nothing of the wheel stays"


@pytest.mark.parametrize(
    "name",
    [
        "requirements",
        *(f"requirements-{part}" for part in ("dev", "docs", "node", "tagger", "audit", "fuzz")),
    ],
)
def test_locks_name_no_place_and_hash_everything(name: str) -> None:
    text = (REPOSITORY / f"{name}.txt").read_text()
    assert not re.search(r"\w+://|--\w*index|--find-links|@ ", text)
    pinned = re.findall(
        r"^[a-z0-9][^\s=]*==\S+(?: ;[^\\]*)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))


def test_npm_lock_names_no_place() -> None:
    assert "resolved" not in (REPOSITORY / "package-lock.json").read_text()


def test_workers_and_their_sessions_are_nice(tmp_path: Path) -> None:
    prefix = services.services(Address("127.0.0.1", 8000))[1].command[:4]
    assert prefix[3] == str(services.ANALYSIS_NICE)
    shown = subprocess.run(
        [*prefix, "sh", "-c", "nice; cat /proc/self/autogroup 2>/dev/null || true"],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    ).stdout.split("\n")
    assert shown[0] == str(services.ANALYSIS_NICE)
    if shown[1]:
        assert shown[1].endswith(f"nice {services.ANALYSIS_NICE}")


# --- containers -----------------------------------------------------------------------------------------
@pytest.fixture
def compose() -> dict[str, Any]:
    with (REPOSITORY / "compose.yaml").open() as file:
        loaded = yaml.safe_load(file)
    assert isinstance(loaded, dict)
    return loaded


def test_containers_run_what_make_run_runs(compose: dict[str, Any]) -> None:
    own = {service.name: service for service in services.services(Address("127.0.0.1", 8000))}
    assert set(own) | {"db", "redis", "proxy", "storage", "bucket", "qdrant"} == set(compose["services"])
    for name, by in (("analysis", services.ANALYSIS_NICE), ("training", services.TRAINING_NICE)):
        command = compose["services"][name]["command"].split()
        assert own[name].command[3] == str(by)
        assert command[:3] == ["nice", "-n", f"${{{name.upper()}_NICE:-{by}}}"]
        for flag in ("--queues", "--hostname"):
            expected = own[name].command[own[name].command.index(flag) + 1]
            assert command[command.index(flag) + 1] == expected
    memory = compose["services"]["analysis"]["command"].split("--max-memory-per-child ")[1].split()[0]
    assert memory == str(services.ANALYSIS_MEMORY_KIB)
    image = (REPOSITORY / "Dockerfile").read_text()
    worker = "--worker-class genreweb.web_worker.BufferingWorker"
    for flag in (worker, "--preload", "--timeout 120", "--no-control-socket"):
        assert flag in image
        assert flag in " ".join(own["web"].command)


def test_the_proxy_stands_before_the_web_server_where_it_is_wanted(compose: dict[str, Any]) -> None:
    proxy = compose["services"]["proxy"]
    assert proxy["profiles"] == ["proxy"]
    assert {port.split(":")[0] for port in proxy["ports"]} == {"80", "443"}
    (config,) = proxy["configs"]
    text = compose["configs"][config["source"]]["content"]
    inside = compose["services"]["web"]["ports"][0].rsplit(":", 1)[1]
    assert f"reverse_proxy web:{inside} {{" in text
    assert text.count("{\n") == len(re.findall(r"^ *}$", text, re.MULTILINE))
    # It serves the address that the site says it has.
    assert re.search(r"^\$\{SITE_URL:-[a-z]+} \{$", text, re.MULTILINE)
    volume = proxy["volumes"][0].partition(":")[0]
    assert volume in compose["volumes"]


def test_an_s3_server_is_there_where_it_is_wanted(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("storage", "bucket"):
        assert services[name]["profiles"] == ["storage"], "nobody gets it unasked"
    assert re.fullmatch(r"[a-z0-9./]+:v\d+\.\d+\.\d+", services["storage"]["image"]), (
        "its files outlive a pull"
    )
    volume, _, place = services["storage"]["volumes"][0].partition(":")
    assert volume in compose["volumes"]
    assert services["storage"]["command"][-2:] == ["posix", place]
    # The site and the server are told the same names.
    site, server = services["web"]["environment"], services["storage"]["environment"]
    for ours, theirs in (
        ("S3_ACCESS_KEY_ID", "ROOT_ACCESS_KEY"),
        ("S3_SECRET_ACCESS_KEY", "ROOT_SECRET_KEY"),
    ):
        assert site[ours] == server[theirs] == f"${{{ours}:-}}"
    # Browsers and the site reach it under one name, through the proxy.
    assert "reverse_proxy storage:7070" in compose["configs"]["caddyfile"]["content"]
    (alias,) = services["proxy"]["networks"]["default"]["aliases"]
    assert alias.startswith("${FILES_HOST:-")
    assert (REPOSITORY / services["bucket"]["command"].split()[1]).is_file()
    # Who does not want it, starts without it.
    assert services["web"]["depends_on"]["bucket"]["required"] is False


def _order(services: dict[str, Any], name: str) -> list[str]:
    """Give what must be there before a service; fails where services wait for each other."""
    found: list[str] = []

    def visit(one: str, above: tuple[str, ...]) -> None:
        assert one not in above, f"{' -> '.join([*above, one])} wait for each other"
        for needed in services[one].get("depends_on", {}):
            visit(needed, (*above, one))
        found.append(one)

    visit(name, ())
    return found


def test_no_containers_wait_for_each_other(compose: dict[str, Any]) -> None:
    for name in compose["services"]:
        assert set(_order(compose["services"], name)) <= set(compose["services"])
    order = _order(compose["services"], "analysis")
    assert order.index("storage") < order.index("bucket") < order.index("web")


@pytest.mark.slow
def test_the_bucket_is_made_once() -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        **os.environ,
        "S3_ENDPOINT_URL": f"http://{host}:{port}",
        "S3_BUCKET": "made-by-compose",
        "S3_REGION": "us-east-1",
        "S3_ADDRESSING_STYLE": "path",
        "S3_ACCESS_KEY_ID": "someone",
        "S3_SECRET_ACCESS_KEY": "something",
    }
    command = [sys.executable, str(REPOSITORY / "tools" / "make_bucket.py")]

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env={**env, **more}, capture_output=True, text=True, check=False)

    try:
        first, second = run(), run()
    finally:
        server.stop()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "is made" in first.stdout
    assert second.stdout == "", "it was there"
    away = run(S3_ENDPOINT_URL="http://127.0.0.1:1", SECONDS_TO_WAIT="0")
    assert (away.returncode, "cannot be made" in away.stderr) == (1, True)


def test_containers_get_their_secrets_from_the_environment(compose: dict[str, Any]) -> None:
    for name in ("web", "analysis", "training", "scheduler"):
        environment = compose["services"][name]["environment"]
        assert environment["SECRET_KEY"].startswith("${SECRET_KEY:?")
        assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
    text = (REPOSITORY / "compose.yaml").read_text()
    assert not re.search(r"PASSWORD: (?!\$\{)", text)


def test_containers_know_only_settings_that_exist(compose: dict[str, Any]) -> None:
    known = (REPOSITORY / "genreweb" / "settings.py").read_text() + (
        REPOSITORY / "genreweb" / "accounts" / "management" / "commands" / "ensure_admin.py"
    ).read_text()
    for name in compose["services"]["web"]["environment"]:
        assert f'"{name}"' in known, name


def test_image_is_run_by_nobody_in_particular() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    last_stage = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER genreweb" in last_stage
    assert any(line.startswith("HEALTHCHECK") for line in last_stage)


def _docker_composes() -> bool:
    words = ["docker", "compose", "version"]
    return bool(shutil.which("docker")) and subprocess.call(words, stdout=subprocess.DEVNULL) == 0


@pytest.mark.skipif(not _docker_composes(), reason="docker compose is not installed here")
def test_docker_reads_the_file() -> None:
    required = {"SECRET_KEY": "x", "POSTGRES_PASSWORD": "x", "ALLOWED_HOSTS": "x"}
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=REPOSITORY,
        env={**os.environ, **required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_one_version_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    changes = (REPOSITORY / "CHANGELOG.md").read_text()
    dated = re.findall(r"^## (\d+\.\d+\.\d+) — \d{4}-\d{2}-\d{2}$", changes, re.MULTILINE)
    assert dated[0] == VERSION

"""The pages of help: how they are served, and what they are made of."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from genreweb.embedded.paths import REPOSITORY

DOCS = REPOSITORY / "docs"


@pytest.fixture
def built(tmp_path: Path, settings: Settings) -> Path:
    folder = tmp_path / "help"
    (folder / "ko").mkdir(parents=True)
    (folder / "_static").mkdir()
    (folder / "index.html").write_text("<!doctype html><script>const one = 1;</script><p>Help</p>")
    (folder / "ko" / "index.html").write_text("<!doctype html><p>도움말</p>")
    (folder / "_static" / "help.css").write_text("p { color: red }")
    (tmp_path / "secret.txt").write_text("secret")
    settings.HELP_DIR = folder
    return folder


def test_pages_are_served_with_a_policy_and_asked_for_once(built: Path, client: Client) -> None:
    response = client.get("/help/")
    assert b"<p>Help</p>" in response.getvalue()
    assert response["Content-Type"] == "text/html"
    assert response["Content-Language"] == "en"
    # echo -n "const one = 1;" | openssl dgst -sha256 -binary | base64
    script = re.search(r"script-src ([^;]+)", response["Content-Security-Policy"])
    assert script
    assert script.group(1) == "'self' 'sha256-7ZtyBonCjkyvBquCIifwtf67nAOhwu7+KQKuN4bCftY='"
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "max-age=300" in response["Cache-Control"]
    again = client.get("/help/", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    # A page that was made anew is seen at once, with a policy of its own.
    (built / "index.html").write_text("<!doctype html><p>Anew</p>")
    anew = client.get("/help/", headers={"If-None-Match": response["ETag"]})
    assert b"Anew" in anew.getvalue()
    assert "sha256" not in anew["Content-Security-Policy"]


def test_the_rest_of_the_folder(built: Path, client: Client) -> None:
    assert client.get("/help/ko")["Location"] == "/help/ko/"
    korean = client.get("/help/ko/")
    assert "도움말".encode() in korean.getvalue()
    assert korean["Content-Language"] == "ko"
    sheet = client.get("/help/_static/help.css?v=1a2b")
    assert (sheet["Content-Type"], b"red" in sheet.getvalue()) == ("text/css", True)
    assert "max-age=2592000" in sheet["Cache-Control"]
    assert client.post("/help/").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    ["nothing.html", "../secret.txt", "%2e%2e/secret.txt", "/etc/passwd", "a%00b", "_static/", "x" * 300],
)
def test_what_is_not_there_is_not_found(built: Path, client: Client, path: str) -> None:
    response = client.get(f"/help/{path}")
    assert response.status_code == 404
    assert b"secret" not in response.content.replace(b"secret.txt", b"")


@pytest.mark.django_db
def test_what_to_do_is_said_where_they_were_not_made(
    settings: Settings, tmp_path: Path, client: Client
) -> None:
    settings.HELP_DIR = tmp_path
    response = client.get("/help/listener/")
    assert response.status_code == 404
    assert "make docs" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "address"), [("en", "/help/"), ("ko", "/help/ko/")])
def test_the_footer_leads_to_them(client: Client, language: str, address: str) -> None:
    html = client.get(reverse("account_login"), headers={"Accept-Language": language}).content.decode()
    assert f'href="{address}"' in html.partition("<footer")[2]


# --- what they are made of ------------------------------------------------------------------------------
@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    return importlib.import_module("repository_links")


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("[how](CONTRIBUTING.md#set-up)", REPOSITORY, "[how](/developer/contributing.md#set-up)"),
        ("[big](docs/large-sites.md)", REPOSITORY, "[big](/large-sites.md)"),
        ("[why](docs/decisions)", REPOSITORY, "[why](/developer/decisions.md)"),
        ("[licence](LICENSE)", REPOSITORY, "licence"),
        ("[한국어](ko/index.md)", DOCS, '<a href="ko/index.html">한국어</a>'),
        ("[gone](nowhere.md) [out](https://example.org/a.md)", DOCS, None),
    ],
)
def test_links_of_documents_lead_to_pages(
    extension: ModuleType, text: str, folder: Path, expected: str | None
) -> None:
    assert extension.rewrite(text, folder=folder, source=DOCS) == (expected or text)


def test_every_variable_of_the_settings_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx", reason="make docs installs Sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    table = importlib.import_module("variables").table
    readme = (REPOSITORY / "README.md").read_text()
    made, unexplained = table((REPOSITORY / "genreweb" / "settings.py").read_text(), readme)
    assert unexplained == set()
    assert "| `QUOTA_TRACKS` | whole number | `10000` |" in made
    assert "| `TRAINING_THREADS` | whole number | all cores but one |" in made
    _made, unexplained = table('A = env.int("BRAND_NEW", 3)', readme)
    assert unexplained == {"BRAND_NEW"}


@pytest.mark.slow
def test_a_broken_link_fails(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="make docs installs what makes the pages")
    (tmp_path / "index.md").write_text("# Help\n\n[there](#help) [gone](nowhere.md)\n")
    # The least of the configuration: the theme takes longer than the links.
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-b",
        "dummy",
        "-c",
        str(DOCS),
        "-d",
        "doctrees",
        ".",
        "out",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "'help'" not in done.stderr

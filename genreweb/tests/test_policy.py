"""The content security policy, and the settings of a public site."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from genreweb.embedded.paths import REPOSITORY
from genreweb.tests.site import environment, run_command

TEMPLATES = sorted((REPOSITORY / "templates").rglob("*.html"))


def test_no_template_needs_what_the_policy_forbids(settings: Settings) -> None:
    assert "unsafe" not in str(settings.CONTENT_SECURITY_POLICY)
    assert len(TEMPLATES) > 100
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"""(?<![\w-])style\s*=\s*["']|<style|\son\w+\s*=\s*["']""", text), path.name
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), path.name


@pytest.mark.slow
def test_the_settings_of_a_public_site_leave_no_warning(tmp_path: Path) -> None:
    block = (REPOSITORY / "README.md").read_text().partition("A public site")[2].partition("\n\n")[2]
    shown = dict(re.findall(r"^    ([A-Z_]+)=(\S+)$", block.partition("\n\n")[0], re.MULTILINE))
    assert "SITE_URL" in shown
    env = {**environment(tmp_path, 8000), **shown, "SECRET_KEY": secrets.token_urlsafe(50)}
    done = run_command("manage.py", "check", "--deploy", "--fail-level", "WARNING", env=env)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout + done.stderr


@pytest.mark.django_db
def test_plain_http_leads_to_tls_but_for_the_health_check(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    response = Client().get("/moods/")
    assert (response.status_code, response["Location"]) == (301, "https://testserver/moods/")
    assert Client().get("/moods/", headers={"X-Forwarded-Proto": "https"}).status_code == 200
    assert Client().get("/healthz").status_code in (200, 503)

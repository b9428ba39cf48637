"""The recorder's page. Its script is tested in e2e/."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from genreweb.accounts.models import User


def test_it_carries_the_sites_limits_and_sentences(client: Client, owner: User, settings: Settings) -> None:
    settings.AUDIO_MAX_SECONDS = 90.0
    settings.AUDIO_MIN_SECONDS = 2.0
    client.force_login(owner)
    page = client.get(reverse("library:record"))
    assert page.status_code == 200
    found = re.search(
        r'<script id="record-settings" type="application/json">(.*?)</script>', page.content.decode()
    )
    assert found is not None
    given = json.loads(found.group(1))
    assert given["url"] == reverse("library:upload")
    assert (given["minSeconds"], given["maxSeconds"]) == (2.0, 90.0)
    assert "1.5 minutes" in given["text"]["limit"]
    assert "at least 2 s" in given["text"]["too_short"]


def test_it_can_ask_while_recording_whether_the_music_is_clear(client: Client, owner: User) -> None:
    client.force_login(owner)
    page = client.get(reverse("library:record")).content.decode()
    found = re.search(r'<script id="record-settings" type="application/json">(.*?)</script>', page)
    assert found is not None
    given = json.loads(found.group(1))
    assert given["clarityUrl"] == reverse("api:classify")
    assert "hold the microphone nearer" in given["text"]["talk_and_noise"]
    assert "quiet" in given["text"]
    assert 'id="clarity"' in page
    assert 'id="clarity-on" checked' in page
    # Takes are said to stay in the browser: what leaves it before must be said too.
    assert "It keeps none of it." in page


@pytest.mark.django_db
def test_it_is_for_people_with_an_account(client: Client) -> None:
    page = client.get(reverse("library:record"))
    assert page.status_code == 302
    assert page.headers["Location"] == f"{reverse('account_login')}?next={reverse('library:record')}"


def test_it_has_no_inline_script(client: Client, owner: User) -> None:
    client.force_login(owner)
    page = client.get(reverse("library:record"))
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    html = page.content.decode()
    assert not re.search(r"<script(?![^>]*(src=|application/json))", html)
    assert not re.search(r"\sstyle=|<style", html)
    # What a library brings along is let in by the nonce of this answer.
    (nonce,) = re.findall(r'<link [^>]*nonce="([^"]+)"', html)
    assert f"'nonce-{nonce}'" in policy
    assert nonce not in client.get(reverse("library:record")).headers["Content-Security-Policy"]
    assert not re.search(r"\son[a-z]+=", html)

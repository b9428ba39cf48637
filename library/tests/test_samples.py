"""Pieces of the project: one click adds one as the person's own track, and it is heard as it is meant."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from genreweb.accounts.models import User
from library.models import Track
from library.services.analysis import analyse_track
from library.services.samples import SAMPLES
from library.tests.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_each_is_heard_as_what_it_is_meant_to_be(
    client: Client, owner: User, classifier_in_service: Any
) -> None:
    client.force_login(owner)
    for page in ("library:home", "library:history"):
        html = client.get(reverse(page)).content.decode()
        assert all(reverse("library:sample", args=[slug]) in html for slug in SAMPLES)
    heard = {}
    for slug in SAMPLES:
        answer = client.post(reverse("library:sample", args=[slug]))
        track = Track.objects.latest("created")
        assert answer.headers["Location"] == reverse("library:track", args=[track.pk])
        assert (track.owner, track.title, track.visibility) == (owner, str(SAMPLES[slug].title), "private")
        analyse_track(track_id=track.pk)
        current = Track.objects.with_verdict().get(pk=track.pk).current
        assert current is not None
        heard[slug] = current.genre
        # Once more leads to the same one.
        assert (
            client.post(reverse("library:sample", args=[slug])).headers["Location"]
            == answer.headers["Location"]
        )
    assert heard == {"chorale": "classical", "riff": "rock", "disco": "disco", "etude": "classical"}
    assert Track.objects.count() == len(SAMPLES)
    assert "Try it" not in client.get(reverse("library:home")).content.decode()


def test_strangers_unknown_pieces_and_full_accounts_get_none(
    client: Client, owner: User, api: Api, settings: Settings
) -> None:
    address = reverse("library:sample", args=["riff"])
    assert client.post(address).headers["Location"].startswith(reverse("account_login"))
    client.force_login(owner)
    assert client.post(reverse("library:sample", args=["polka"])).status_code == 404
    assert client.get(address)["Location"] == reverse("library:home")
    program = api(owner)
    assert program.post("/api/v1/samples/polka/").status_code == 404
    assert {row["slug"] for row in program.get("/api/v1/samples/").json()} == set(SAMPLES)
    added = program.post("/api/v1/samples/riff/")
    assert (added.status_code, added.json()["status"], added.json()["duplicate"]) == (202, "queued", False)
    assert program.post("/api/v1/samples/riff/").json()["id"] == added.json()["id"]
    Track.objects.all().delete()
    settings.AUDIO_MAX_SECONDS = 5.0
    answer = client.post(address, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("library:home")
    assert 'class="toast-card is-bad"' in answer.content.decode()
    assert not Track.objects.exists()

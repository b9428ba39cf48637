"""Rows of the catalogue, playlists and moods can be chosen, and what can be done with them all."""

from __future__ import annotations

import io
from collections.abc import Callable
from zipfile import ZipFile

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.services import playlists
from training.models import Clip

pytestmark = pytest.mark.django_db


def test_lists_offer_what_may_be_done(
    client: Client, owner: User, other: User, done_track: Callable[..., Track]
) -> None:
    public = done_track(None, title="Everybody's", tags={"mellow": 0.99})
    private = done_track(other, title="Secret", tags={"mellow": 0.99})
    playlist = playlists.create(owner=owner, title="List", tracks=[public])
    pages = [
        reverse("library:catalogue"),
        reverse("library:mood", args=["mellow"]),
        reverse("library:playlist", args=[playlist.pk]),
        f"{reverse('library:playlist-build')}?mood=mellow",
    ]
    box = f'name="track" value="{public.pk}" form="bulk"'
    assert box not in client.get(pages[0]).content.decode()
    client.force_login(owner)
    for page in pages:
        html = client.get(page).content.decode()
        assert box in html, page
        assert html.count('id="bulk"') == 1
        assert "Contribute…" not in html
        assert reverse("library:bulk") not in html
    # Whatever was sent, nobody gets what they may not see.
    chosen = {"track": [str(public.pk), str(private.pk)]}
    table = b"".join(client.post(reverse("library:history-csv"), chosen)).decode()
    assert "Everybody's" in table
    assert "Secret" not in table
    zipped = client.post(reverse("library:tagged-archive"), chosen).getvalue()
    assert "Secret" not in " ".join(ZipFile(io.BytesIO(zipped)).namelist())
    client.post(reverse("library:playlist-add"), {**chosen, "playlist": "", "title": "Made of a selection"})
    made = owner.playlists.get(title="Made of a selection")
    assert [entry.track_id for entry in made.entries.all()] == [public.pk]


def test_several_tracks_are_contributed_with_one_genre(
    client: Client, owner: User, other: User, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    client.force_login(owner)
    mine = [done_track(owner, duration=12.0), done_track(owner, duration=90.0)]
    short, theirs = done_track(owner, title="Blip", duration=1.0), done_track(other, duration=12.0)
    address = reverse("training:contribute-tracks")
    assert address in client.get(reverse("library:history")).content.decode()
    chosen = {"track": [str(track.pk) for track in (*mine, short, theirs)]}
    question = client.post(address, chosen, headers={"HX-Request": "true"}).content.decode()
    assert "Contribute 3 tracks" in question
    # Without the rights it is asked again.
    client.post(address, {**chosen, "genre": "jazz"})
    assert not Clip.objects.exists()
    answer = client.post(address, {**chosen, "genre": "jazz", "rights": "true"}, follow=True)
    assert set(Clip.objects.values_list("track", "genre__slug")) == {(track.pk, "jazz") for track in mine}
    html = answer.content.decode()
    assert "2 tracks are being checked" in html
    assert "Blip: " in html
    # Sent twice, they are given once.
    client.post(address, {**chosen, "genre": "jazz", "rights": "true"})
    assert Clip.objects.count() == 2

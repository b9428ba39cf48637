"""OpenSubsonic: hostile values for every parameter of every method are an error of the API, never a 500."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from rest_framework.throttling import SimpleRateThrottle

from genreweb.accounts.models import User
from library.models import Track
from library.services import playlists
from library.subsonic import ids, views
from library.subsonic.methods import METHODS, PUBLIC
from library.subsonic.parameters import Parameters
from library.tests.subsonic import Player

pytestmark = pytest.mark.django_db

COMMON = ("v", "c", "f", "apiKey", "u", "p", "t", "s")
VALUES = (
    *("", "\0", "a\0b", "%\\", "\U0001f3b7", "a" * 3000, "1" * 400, "-1", "1.5", "٣", "9223372036854775808"),
    *("ar-", "al-YQ", "ar-AA", "ar-_____", "enc:zz"),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the parameters that methods ask for."""
    found: set[str] = set()

    class Spied(Parameters):
        def text(self, name: str, default: str = "") -> str:
            found.add(name)
            return super().text(name, default)

        def many(self, name: str) -> list[str]:
            found.add(name)
            return super().many(name)

    monkeypatch.setattr(views, "Parameters", Spied)
    return found


def usual(track: Track, playlist: object) -> dict[str, Any]:
    return {
        "id": str(track.pk),
        "mediaId": str(track.pk),
        "mediaType": "song",
        "query": "song",
        "type": "byYear",
        "fromYear": 1,
        "toYear": 9999,
        "genre": "blues",
        "username": "owner@example.org",
        "playlistId": str(playlist),
        "startSongId": str(track.pk),
        "endSongId": str(track.pk),
        "songId": [str(track.pk)],
    }


@pytest.mark.slow
def test_no_value_of_any_parameter_is_a_fault_of_ours(
    owner: User, done_track: Callable[..., Track], asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = dict.fromkeys(SimpleRateThrottle.THROTTLE_RATES)
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    track = done_track(owner, artist="Ann", album="One")
    player = Player(owner)
    player.client.raise_request_exception = False
    playlist = playlists.create(owner=owner, title="List", tracks=[track]).pk
    given = usual(track, playlist)
    faults, answers, tried = [], Counter[Any](), set()
    for method in (*METHODS, PUBLIC):
        asked.clear()
        with transaction.atomic():
            player.raw(method, **given)
            transaction.set_rollback(True)
        names = asked - set(COMMON) if method != "ping" else set(COMMON)
        tried |= names
        for name in names:
            for value in VALUES:
                # Whatever it did is undone before the next.
                with transaction.atomic():
                    response: Any = player.raw(method, **{**given, name: value})
                    transaction.set_rollback(True)
                if response.status_code >= 500:
                    faults.append(f"{method} {name}={value[:40]!r}: {response.status_code}")
                elif response.headers["Content-Type"] == "application/json":
                    body = response.json()["subsonic-response"]
                    answers[body.get("error", {}).get("code", "ok")] += 1
    assert tried >= {
        "id",
        "mediaId",
        "mediaType",
        "transcodeParams",
        "count",
        "offset",
        "musicFolderId",
        "songIdToAdd",
        "songIndexToRemove",
        "fromYear",
    }
    assert faults == []
    # Values that are taken and values that are refused were both among them.
    assert answers.keys() <= {"ok", 0, 10, 20, 30, 40, 43, 44, 50, 70}
    assert min(answers[code] for code in ("ok", 0, 10, 43, 70)) > 20, answers


def test_ids_are_read_as_they_were_written() -> None:
    for artist, album in (("", ""), ("Ann", "One"), ("노래" * 100, "\U0001f3b7" * 200), ("a/b?c", "=&-_")):
        assert ids.artist_of(ids.artist_id(artist)) == artist
        assert ids.album_of(ids.album_id(artist, album)) == (artist, album)
    assert ids.artist_of(ids.album_id("a", "b")) is None
    for text in ("ar-A", "ar-AA", "ar-/w", "ar-\u0663", "ar-_w", "ar-" + "A" * 10_000, "al-YQ", "x"):
        assert ids.artist_of(text) is None
        assert ids.album_of(text) is None

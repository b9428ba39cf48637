"""What the player and the lists ask of several tracks at once, and what was measured of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.services.outlines import N_BARS, outline_of
from library.tests.conftest import LABELS, Matrix


def ask(client: Client, name: str, *tracks: object) -> Any:
    response = client.get(reverse(f"library:{name}"), {"track": [str(track) for track in tracks]})
    assert response.status_code == 200
    return response.json()


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_sounds_come_in_order_and_to_nobody_else(
    client: Client, matrix: Matrix, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    mine = done_track(matrix.owner, title="Mine", artist="Me")
    public = done_track(None, title="Public")
    asked = (public.pk, "nonsense", mine.pk, public.pk, mine.pk)
    client.force_login(matrix.owner)
    found = ask(client, "sounds", *asked)["sounds"]
    assert [row["title"] for row in found] == ["Public", "Mine"]
    assert found[1] == {
        "track": str(mine.pk),
        "url": mine.player_url,
        "title": "Mine",
        "artist": "Me",
        "href": reverse("library:track", args=[mine.pk]),
        "duration": 3.0,
        "cover": "",
    }
    assert client.get(found[1]["href"]).status_code == 200
    client.logout()
    assert [row["title"] for row in ask(client, "sounds", *asked)["sounds"]] == ["Public"]
    assert list(ask(client, "waves", *asked)) == [str(public.pk)]
    for person in matrix.strangers:
        client.force_login(person)
        assert [row["title"] for row in ask(client, "sounds", *asked)["sounds"]] == ["Public"]
        assert list(ask(client, "waves", *asked)) == [str(public.pk)]


def test_waves_have_the_colours_of_the_genres_and_are_read_once(
    *,
    client: Client,
    owner: User,
    done_track: Callable[..., Track],
    queued_track: Callable[..., Track],
    genres: dict[str, Genre],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(owner)
    tracks = [done_track(owner, genre="jazz"), done_track(owner, genre="rock")]
    waiting = queued_track(owner)
    found = ask(client, "waves", *(track.pk for track in tracks), waiting.pk)
    assert set(found) == {str(track.pk) for track in tracks}
    wave = found[str(tracks[0].pk)]
    assert wave["colours"] == [genres["jazz"].colour]
    assert wave["places"] == [0] * N_BARS
    assert wave["bars"] == [79] * (N_BARS // 2) + [100] * (N_BARS // 2)
    # The session, its person, the tracks and the genres: no analysis is read again.
    with django_assert_num_queries(4):
        assert ask(client, "waves", *(track.pk for track in tracks)) == found


def test_an_outline_follows_the_genre_over_time_and_knows_silence() -> None:
    level = dict.fromkeys(LABELS, 0.1)
    timeline = [
        {"start": 0.0, "end": 10.0, "probabilities": {**level, "jazz": 0.6}},
        {"start": 10.0, "end": 15.0, "probabilities": level},
        {"start": 15.0, "end": 20.0, "probabilities": {**level, "rock": 0.6}},
    ]
    outline = outline_of([-127, 64] * 1200, timeline)
    assert outline["bars"] == [100] * N_BARS
    assert outline["genres"] == ["jazz", "rock"]
    half, quarter = N_BARS // 2, N_BARS // 4
    assert outline["places"] == [0] * half + [-1] * quarter + [1] * quarter
    assert outline_of([], []) == {"bars": [], "genres": [], "places": []}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tempo": 120.4, "tempo_clarity": 0.6}, "Tempo 120 BPM steady beat"),
        ({"tempo": 84.0, "tempo_clarity": 0.05}, "Tempo 84 BPM doubtful"),
        ({"key": "Eb minor", "key_clarity": 0.2}, "Key E♭ minor fairly sure"),
        ({"key": "C major", "key_clarity": None}, "Key C major"),
        ({"loudness": -9.26, "true_peak": 0.31}, "Loudness −9.3 LUFS true peak 0.3 dBTP"),
        ({"loudness": -23.0, "true_peak": None}, "Loudness −23.0 LUFS measured"),
    ],
)
def test_what_was_measured_is_told_with_how_sure_it_is(
    client: Client, done_track: Callable[..., Track], fields: dict[str, Any], said: str
) -> None:
    track = done_track(None)
    Analysis.objects.filter(track=track).update(**fields)
    html = client.get(reverse("library:track", args=[track.pk])).content.decode()
    found = re.search(r'<dl class="measures">(.*?)</dl>', html, re.S)
    assert found
    assert words(found.group(1)) == said


def test_older_analyses_lack_what_was_not_measured(client: Client, done_track: Callable[..., Track]) -> None:
    html = client.get(reverse("library:track", args=[done_track(None).pk])).content.decode()
    assert "measures" not in html.split('id="main"')[1].split("data-sound ")[0]


def test_the_answer_comes_before_the_pictures_and_the_details_last(
    client: Client, done_track: Callable[..., Track]
) -> None:
    track = done_track(None)
    done_track(None, angle=5.0, title="Near", labelled_genre=None)
    html = client.get(reverse("library:track", args=[track.pk])).content.decode()
    parts = (
        'id="track-title"',
        'id="verdict-title"',
        "<meter",
        "data-sound ",
        'id="neighbours"',
        "details-title",
    )
    places = [html.index(part) for part in parts]
    assert places == sorted(places)
    assert 'data-play-all="#neighbour-list"' in html
    assert html.count("data-wave=") == 1, "the neighbour has a waveform"


def test_one_chip_where_label_and_verdict_agree(
    client: Client, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    done_track(None, genre="blues", labelled_genre=genres["blues"], title="Agrees")
    done_track(None, genre="blues", labelled_genre=genres["rock"], title="Differs")
    done_track(None, genre="blues", labelled_genre=genres["blues"], unsure=True, title="Unsure")
    html = client.get(reverse("library:catalogue")).content.decode()
    rows = {
        title: html.split(f">{title}</a>")[1].split("</li>")[0] for title in ("Agrees", "Differs", "Unsure")
    }
    assert rows["Agrees"].count("genre-chip") == 1
    assert "labelled and heard" in rows["Agrees"]
    for title in ("Differs", "Unsure"):
        assert rows[title].count('class="genre-chip') == 2
        assert "labelled and heard" not in rows[title]


def test_a_row_changes_when_its_track_was_analysed_again(
    client: Client, owner: User, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    client.force_login(owner)
    track = done_track(owner, genre="jazz")
    listed = client.get(reverse("library:history")).content.decode()
    found = re.search(r'data-row="([^"]+)"', listed)
    assert found
    rows = reverse("library:rows")
    assert client.get(rows, {"watch": found.group(1)}).content == b""
    current = track.current
    assert current is not None
    current.pk, current.genre = None, "rock"
    current.probabilities = dict.fromkeys(LABELS, 0.0) | {"rock": 0.9}
    current.save(force_insert=True)
    Track.objects.filter(pk=track.pk).update(current=current)
    changed = client.get(rows, {"watch": found.group(1)}).content.decode()
    assert f'id="history-{track.pk}" hx-swap-oob="true"' in changed
    assert "Rock" in changed

"""The page of a track: what it shows, and to whom."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.tests.conftest import LABELS, Api, Matrix
from library.tests.sounds import chords, wav


def page(client: Client, track: Track) -> str:
    response = client.get(reverse("library:track", args=[track.pk]))
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    """Return the text of a page without tags, with plain spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def sound_data(html: str) -> dict[str, Any]:
    match = re.search(r'<script id="sound-data" type="application/json">(.*?)</script>', html)
    assert match
    data: dict[str, Any] = json.loads(match.group(1))
    return data


def change_verdict(track: Track, **fields: Any) -> None:
    Analysis.objects.filter(track=track).update(**fields)


@pytest.fixture
def owner_client(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def test_a_verdict_in_words_with_its_description_and_all_ten_shares(
    owner_client: Client, owner: User, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    html = page(owner_client, done_track(owner, genre="jazz", confidence=0.72))
    assert "Jazz, 72 %" in words(html)
    assert genres["jazz"].description[:40] in words(html)
    rows = re.findall(
        r'<th scope="row" id="bar-([a-z]+)">.*?<meter .*?value="([\d.]+)".*?(\d+)&#8239;%</td>', html, re.S
    )
    assert rows[0][0] == "jazz"
    assert sorted(slug for slug, _share, _percent in rows) == sorted(LABELS)
    assert sum(int(percent) for _slug, _share, percent in rows) == 100
    assert sum(float(share) for _slug, share, _percent in rows) == pytest.approx(1, abs=1e-3)
    assert "--genre: #44aa99" in html


@pytest.mark.parametrize(
    ("damaged", "sentence"),
    [
        (False, "Only the first 2:10 of 4:00 could be read."),
        (True, "Only 2:10 of 4:00 could be read: damaged passages were left out."),
    ],
)
def test_how_much_of_a_file_could_be_read(
    *, owner_client: Client, owner: User, done_track: Callable[..., Track], damaged: bool, sentence: str
) -> None:
    track = done_track(owner)
    assert "could be read" not in words(page(owner_client, track))
    Track.objects.filter(pk=track.pk).update(duration=130.4)
    change_verdict(track, expected_duration=240.0, damaged=damaged)
    assert sentence in words(page(owner_client, track))


def test_the_time_axis_has_peaks_genres_and_the_links_of_four_pictures(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner)
    html = page(owner_client, track)
    data = sound_data(html)
    assert data["peaks"] == [-100, 100, -50, 127]
    assert data["bounds"] == [0.0, 1.5, 3.0]
    assert data["genres"][0]["slug"] == "blues"
    assert data["shares"][0] == [820, *[20] * 9]
    assert f'data-url="{track.player_url}"' in html
    assert 'role="slider"' in html
    analysis = track.current
    assert analysis is not None
    for name in Analysis.PICTURES:
        assert f'<img src="{getattr(analysis, name).url}"' in html
        assert re.search(rf'data-picture="{name}"[^>]*><span data-style="--at: 0.5000">1 kHz</span>', html)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"blues": 0.4, "country": 0.35}, "Unsure: blues or country"),
        ({"blues": 0.3, "country": 0.25, "rock": 0.2}, "Unsure: blues, country or rock"),
    ],
)
def test_an_unsure_verdict_names_the_two_or_three_likely_genres_and_says_why(
    owner_client: Client,
    owner: User,
    done_track: Callable[..., Track],
    shares: dict[str, float],
    said: str,
) -> None:
    track = done_track(owner, unsure=True)
    rest = (1 - sum(shares.values())) / (len(LABELS) - len(shares))
    change_verdict(track, probabilities={label: shares.get(label, rest) for label in LABELS})
    text = words(page(owner_client, track))
    assert said in text
    assert f"Together these have {round(100 * sum(shares.values()))} %" in text
    assert f"Blues, {round(100 * shares['blues'])}" not in text


def test_an_unsure_verdict_that_leans_to_one_genre_says_so(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, unsure=True)
    shares = {"blues": 0.64, "country": 0.2}
    change_verdict(track, probabilities={label: shares.get(label, 0.02) for label in LABELS})
    text = words(page(owner_client, track))
    assert "Unsure: blues or country" in text
    assert "Blues has 64 % of the probability, but little in the sound supports it." in text
    assert "stands out. Music" not in text


def test_where_no_music_was_found_no_genre_is_named(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, unsure=True)
    change_verdict(track, genre="", confidence=0.1, probabilities=dict.fromkeys(LABELS, 0.1))
    text = words(page(owner_client, track))
    assert "No music found" in text
    assert "Unsure" not in text


def test_the_catalogues_label_is_shown_beside_the_prediction(
    client: Client, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    agrees = done_track(None, genre="blues", labelled_genre=genres["blues"])
    differs = done_track(None, genre="blues", labelled_genre=genres["rock"])
    assert "The catalogue says Blues. The classifier agrees." in words(page(client, agrees))
    assert "The catalogue says Rock. The classifier hears it differently." in words(page(client, differs))


def test_a_private_track_is_there_for_its_owner_alone(
    client: Client, matrix: Matrix, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    track = done_track(matrix.owner)
    names = ("track", "track-result", "track-data", "track-timeline")
    urls = [reverse(f"library:{name}", args=[track.pk]) for name in names]
    for url in urls:
        assert client.get(url).status_code == 404
    for person in matrix.strangers:
        client.force_login(person)
        for url in urls:
            assert client.get(url).status_code == 404
    client.force_login(matrix.owner)
    for url in urls:
        assert client.get(url).status_code == 200


def test_a_catalogue_track_is_there_for_everybody_to_read_only(
    client: Client, matrix: Matrix, done_track: Callable[..., Track], genres: dict[str, Genre]
) -> None:
    track = done_track(None, licence="CC BY", original_name="/srv/music/secret.mp3")
    for person in (None, *matrix.strangers):
        if person:
            client.force_login(person)
        html = page(client, track)
        assert "CC BY" in html
        assert "secret.mp3" not in html
        for change in ("rename", "again", "delete"):
            assert reverse(f"library:{change}", args=[track.pk]) not in html


def test_an_owner_may_rename_analyse_again_and_delete(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, original_name="my song.wav")
    html = page(owner_client, track)
    assert "my song.wav" in html
    for change in ("rename", "again", "delete"):
        assert reverse(f"library:{change}", args=[track.pk]) in html


def test_there_is_no_page_of_an_unknown_track(client: Client, db: None) -> None:
    assert client.get(reverse("library:track", args=[uuid.uuid4()])).status_code == 404


def test_what_people_write_is_shown_and_not_run(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    evil = "</script><script>alert(1)</script>\"'&"
    html = page(owner_client, done_track(owner, title=evil, artist=evil, original_name=evil))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_verdict_of_another_version_is_marked_stale(
    owner_client: Client, owner: User, done_track: Callable[..., Track], version: ModelVersion
) -> None:
    track = done_track(owner)
    public = done_track(None)
    stale = "Another classifier is in service by now"
    assert stale not in words(page(owner_client, track))
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=False)
    version.pk, version.name = None, "newer"
    version.save(force_insert=True)
    html = page(owner_client, track)
    assert stale in words(html)
    assert html.count(reverse("library:again", args=[track.pk])) == 2
    html = page(owner_client, public)
    assert stale in words(html)
    assert reverse("library:again", args=[public.pk]) not in html


def test_the_number_of_queries_does_not_grow_with_neighbours_or_segments(
    owner_client: Client,
    owner: User,
    done_track: Callable[..., Track],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    track = done_track(owner)
    done_track(owner, angle=2.0)
    url = reverse("library:track", args=[track.pk])
    owner_client.get(url)
    # The session, its person, the track, the genres, the seven of the neighbours, what was learnt of
    # thumbs, and former verdicts; whether the person curates, their news, and what they said of the track.
    with django_assert_num_queries(17):
        owner_client.get(url)
    for angle in (5.0, 10.0, 15.0, 20.0):
        done_track(owner, angle=angle)
    share = dict.fromkeys(LABELS, 0.1)
    change_verdict(
        track,
        timeline=[
            {"start": n, "end": n + 1, "probabilities": {**share, LABELS[n % 10]: 0.2}} for n in range(600)
        ],
    )
    with django_assert_num_queries(17):
        owner_client.get(url)


def test_the_result_as_json_is_what_the_api_says(
    owner_client: Client, owner: User, done_track: Callable[..., Track], api: Api
) -> None:
    track = done_track(owner, title="Café / 1")
    response = owner_client.get(reverse("library:track-data", args=[track.pk]))
    assert response.json() == api(owner).get(f"/api/v1/tracks/{track.pk}/").json()
    assert "attachment" in response["Content-Disposition"]
    assert "Caf%C3%A9" in response["Content-Disposition"]


def test_the_genre_over_time_as_a_table(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, genre="metal", confidence=0.55)
    response = owner_client.get(reverse("library:track-timeline", args=[track.pk]))
    assert response["Content-Type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(response.content.decode()))
    assert head == ["start", "end", *LABELS]
    assert [row[:2] for row in rows] == [["0.0", "1.5"], ["1.5", "3.0"]]
    assert float(rows[0][head.index("metal")]) == 0.55


def test_there_is_nothing_to_download_before_the_first_verdict(
    owner_client: Client, owner: User, queued_track: Callable[..., Track]
) -> None:
    track = queued_track(owner)
    for name in ("track-data", "track-timeline"):
        assert owner_client.get(reverse(f"library:{name}", args=[track.pk])).status_code == 404
        assert reverse(f"library:{name}", args=[track.pk]) not in page(owner_client, track)


def test_renaming_in_place(owner_client: Client, owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner, title="Old")
    url = reverse("library:rename", args=[track.pk])
    field = owner_client.get(url, {"list": "track"}, headers={"HX-Request": "true"}).content.decode()
    assert 'id="track-name"' in field
    assert 'value="Old"' in field
    answer = owner_client.post(url, {"list": "track", "title": " New "}, headers={"HX-Request": "true"})
    assert '<h1 id="track-title" class="track-title">New</h1>' in answer.content.decode()
    track.refresh_from_db()
    assert track.title == "New"


def test_an_empty_title_is_refused_in_place(
    owner_client: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, title="Old")
    url = reverse("library:rename", args=[track.pk])
    answer = owner_client.post(url, {"list": "track", "title": "  "}, headers={"HX-Request": "true"})
    assert 'id="track-name"' in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()
    track.refresh_from_db()
    assert track.title == "Old"


@pytest.mark.slow
def test_a_real_analysis_fills_the_page(
    owner_client: Client,
    owner: User,
    finished_track: Callable[..., Track],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks():
        track = finished_track(owner, sound=wav(chords(12.0, seed=3)))
    assert track.status == Track.Status.DONE
    html = page(owner_client, track)
    percents = re.findall(r'class="bars-percent number">(\d+)&#8239;%<', html)
    assert len(percents) == 10
    assert sum(map(int, percents)) == 100
    data = sound_data(html)
    assert data["bounds"][0] == 0
    assert data["bounds"][-1] == pytest.approx(12.0, abs=0.01)
    assert all(sum(row) == pytest.approx(1000, abs=5) for row in data["shares"])
    assert max(abs(peak) for peak in data["peaks"]) == 127
    analysis = Analysis.objects.get(track=track)
    for name in Analysis.PICTURES:
        assert getattr(analysis, name).url in html
        assert default_storage.exists(getattr(analysis, name).name)

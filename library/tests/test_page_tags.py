"""Tags and "none of the ten" on a track's page, in lists, filters and downloads."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.models import Genre, ModelVersion
from genreweb.accounts import archive, personal_data
from genreweb.accounts.models import User
from library.models import Analysis, Track
from library.tests.conftest import Matrix

Make = Callable[..., Track]


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def html_of(client: Client, track: Track, **headers: str) -> str:
    response = client.get(reverse("library:track", args=[track.pk]), headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def chips(html: str) -> dict[str, str]:
    return {name: url for url, name in re.findall(r'<a class="tag" href="([^"]+)"[^>]*>([^<]+)</a>', html)}


def listed(client: Client, url: str) -> list[str]:
    html = client.get(url).content.decode()
    return re.findall(r'class="track-row-title"[^>]*><a [^>]*>(.*?)</a>', html)


def test_the_few_that_stand_out_are_chips_that_lead_on(
    page: Client, owner: User, done_track: Make, client: Client
) -> None:
    track = done_track(
        owner,
        visibility="catalogue",
        tags={"jazz": 0.95, "rock": 0.6, "mellow": 0.97, "60s": 0.92, "piano": 0.99},
    )
    html = html_of(page, track)
    assert chips(html) == {
        "Jazz": "/tracks/?tag=jazz",
        "Mellow": "/moods/mellow/",
        "1960s": "/tracks/?tag=60s",
        "Piano": "/tracks/?tag=piano",
    }
    assert 'aria-describedby="tag-mellow"' in html
    assert re.search(r'role="tooltip" id="tag-mellow">Soft, warm and unhurried\. [^<]*97\u202f%', html)
    assert "tags test-1" in html
    client.logout()
    assert chips(html_of(client, track))["Jazz"] == "/catalogue/?tag=jazz"


def test_none_of_the_ten_is_said_in_words_and_the_bars_stay(
    page: Client, owner: User, done_track: Make
) -> None:
    track = done_track(owner, genre="pop", confidence=0.4, style="electronic", tags={"electronic": 0.99})
    html = html_of(page, track)
    verdict = html.split('id="verdict-title"')[1].split("</section>")[0]
    assert verdict.split("</h2>")[0].rstrip().endswith("None of the ten: sounds electronic")
    assert "clearly outweigh" in verdict
    assert verdict.count("<meter") == 10
    assert 'class="likely"' not in verdict
    korean = html_of(page, track, **{"Accept-Language": "ko"})
    assert "열 장르 밖: 일렉트로닉처럼 들림" in korean


def test_lists_and_neighbours_say_it_too(page: Client, owner: User, done_track: Make, client: Client) -> None:
    track = done_track(owner, title="Mine", style="house", visibility="catalogue")
    near = done_track(owner, title="Near", angle=1.0)
    said = "None of the ten: sounds like house"
    for url in ("/tracks/", "/", "/catalogue/", reverse("library:track", args=[near.pk])):
        assert said in page.get(url).content.decode(), url
    assert listed(page, "/tracks/?genre=none-of-the-genres") == ["Mine"]
    assert listed(page, "/tracks/?genre=unsure") == []
    # It is listed under no genre, not under the nearest.
    assert listed(page, "/catalogue/?genre=blues") == []
    assert listed(page, "/catalogue/?genre=none") == ["Mine"]
    polled = client.get(reverse("library:track-result", args=[track.pk])).content.decode()
    assert said in polled


def test_a_site_with_other_genres_counts_them(page: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner, style="folk")
    analysis = track.current
    assert analysis is not None
    analysis.probabilities = {**analysis.probabilities, "techno": 0.0}
    analysis.save(update_fields=["probabilities"])
    assert "None of the 11 genres: sounds like folk" in html_of(page, track)


def test_without_tags_the_details_say_why(
    page: Client, owner: User, done_track: Make, version: ModelVersion
) -> None:
    track = done_track(owner)
    html = html_of(page, track)
    assert chips(html) == {}
    assert "made without tags and moods" in html
    ModelVersion.objects.filter(pk=version.pk).update(metadata={"ensemble": {}})
    assert "The second ear is not installed" in html_of(page, track)
    # An analysis by a former version says nothing about what is installed now.
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=False)
    assert "made without tags and moods" in html_of(page, track)


def test_no_chips_where_no_music_was_found(page: Client, owner: User, done_track: Make) -> None:
    assert chips(html_of(page, done_track(owner, genre="", unsure=True, tags={"sad": 0.99}))) == {}


def test_downloads(page: Client, matrix: Matrix, done_track: Make) -> None:
    track = done_track(matrix.owner, style="house", tags={"mellow": 0.8, "jazz": 0.3})
    url = reverse("library:track-tags", args=[track.pk])
    assert url in html_of(page, track)
    table = list(csv.reader(io.StringIO(page.get(url).content.decode())))
    assert table == [["group", "tag", "strength"], ["style", "jazz", "0.3"], ["mood", "mellow", "0.8"]]
    data = page.get(reverse("library:track-data", args=[track.pk])).json()["analysis"]
    assert (data["style"], data["tags"]["mood"], data["tag_version"]) == ("house", {"mellow": 0.8}, "test-1")
    without = done_track(matrix.owner)
    assert page.get(reverse("library:track-tags", args=[without.pk])).status_code == 404
    page.logout()
    assert page.get(url).status_code == 404
    for person in matrix.strangers:
        page.force_login(person)
        assert page.get(url).status_code == 404


@pytest.fixture
def shelf(owner: User, done_track: Make) -> None:
    for title, mellow in (("A", 0.75), ("B", 0.99), ("C", 0.9), ("D", 0.1)):
        done_track(owner, title=title, tags={"mellow": mellow}, visibility="catalogue")
    done_track(owner, title="old", visibility="catalogue")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("where", ["/tracks/", "/catalogue/"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?tag=mellow&sort=title", ["A", "B", "C"]),
        ("?tag=mellow&sort=tag", ["B", "C", "A"]),
        ("?tag=mellow&strength=strong&sort=tag", ["B", "C"]),
        ("?tag=mellow&strength=very-strong", ["B"]),
        ("?tag=mellow&strength=9&sort=tag", ["B", "C", "A"]),
        ("?tag=sad", []),
        ("?strength=strong&sort=title", ["A", "B", "C", "D", "old"]),
        ("?tag=mellow&q=b", ["B"]),
    ],
)
def test_lists_are_filtered_and_sorted_by_tag(
    page: Client, where: str, query: str, expected: list[str]
) -> None:
    assert listed(page, where + query) == expected


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("where", ["/tracks/", "/catalogue/"])
@pytest.mark.parametrize("nonsense", ["polka", "\0", "mellow'--", "<script>", "x" * 3000])
def test_strange_wishes_do_no_harm(page: Client, where: str, nonsense: str) -> None:
    response = page.get(where, {"tag": nonsense, "strength": nonsense, "sort": "tag"})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
    assert len(re.findall('class="track-row-title"', response.content.decode())) == 5


@pytest.mark.usefixtures("shelf")
def test_the_choice_is_kept(page: Client) -> None:
    html = page.get("/catalogue/?tag=mellow&strength=strong").content.decode()
    assert '<option value="mellow" selected>' in html
    assert "tag=mellow&amp;strength=strong" in re.search(r'id="chip-blues"[^>]*', html).group()  # type: ignore[union-attr]
    assert "Nothing fits" in page.get("/tracks/?tag=sad").content.decode()
    assert "Nothing fits" in page.get("/catalogue/?tag=sad").content.decode()


@pytest.mark.parametrize("url", ["/tracks/?tag=mellow&sort=tag", "/catalogue/?tag=mellow&sort=tag", "track"])
def test_the_number_of_queries_does_not_grow(page: Client, owner: User, done_track: Make, url: str) -> None:
    def add(title: str) -> Track:
        return done_track(
            owner, title=title, tags={"mellow": 0.95, "jazz": 0.95}, visibility="catalogue", style="house"
        )

    track = add("first")
    add("second")
    where = reverse("library:track", args=[track.pk]) if url == "track" else url

    def queries() -> int:
        page.get(where)
        with CaptureQueriesContext(connection) as captured:
            page.get(where)
        return len(captured)

    before = queries()
    for place in range(8):
        add(f"{place}")
    assert queries() == before


def test_exported_with_the_account(owner: User, done_track: Make) -> None:
    done_track(owner, style="house", tags={"sad": 0.9})
    archive_ = ZipFile(io.BytesIO(b"".join(archive.stream(personal_data.export(owner)))))
    [name] = [name for name in archive_.namelist() if name.endswith("track.json")]
    [analysis] = json.loads(archive_.read(name))["analyses"]
    assert (analysis["style"], analysis["tags"]) == ("house", {"mood": {"sad": 0.9}})
    assert (analysis["tag_version"], analysis["tag_embedding"]) == ("test-1", None)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Track.Source.UPLOAD, "The ribbon under the waveform shows where there is music"),
        (Track.Source.RECORDING, "hold the microphone nearer"),
    ],
)
def test_of_music_between_talk_it_is_said_what_helps(
    page: Client, owner: User, done_track: Make, source: str, words: str
) -> None:
    track = done_track(owner, genre="jazz", unsure=True, source=source)
    Analysis.objects.filter(track=track).update(reason="talk_and_noise")
    verdict = html_of(page, track).split('id="verdict-title"')[1].split("</section>")[0]
    assert words in verdict
    assert "Unsure: " in verdict
    Analysis.objects.filter(track=track).update(reason="")
    assert words not in html_of(page, track)

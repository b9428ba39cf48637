"""Giving clips in pages: with the page's script, with its plain form, and out of one's own tracks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Matrix
from library.tests.sounds import chords, wav
from training.models import Clip
from training.tests.clips import make_clip

URL = "/contribute/"
PIECE = {"part": "cut", "start": "0:01", "end": "4.5"}


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def file(seconds: float = 5.0, *, name: str = "My_song.wav", content: bytes | None = None) -> Any:
    return SimpleUploadedFile(name, wav(chords(seconds)) if content is None else content)


def by_script(client: Client, **fields: Any) -> Any:
    given = {"genre": "blues", "rights": "true", **fields}
    return client.post(URL, given, headers={"Accept": "application/json"})


def browser(person: User | AnonymousUser) -> Client:
    client = Client()
    if isinstance(person, User):
        client.force_login(person)
    return client


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- the page -------------------------------------------------------------------------------------------
def test_it_offers_every_genre_and_says_what_is_agreed_to(page: Client) -> None:
    answer = page.get(URL)
    html = answer.content.decode()
    assert answer.status_code == 200
    for slug in ("blues", "rock"):
        assert f'<option value="{slug}">' in html
    assert "train classifiers with them until I withdraw them" in html
    given = re.search(r'<script id="contribute-settings" type="application/json">(.*?)</script>', html)
    assert given is not None
    settings = json.loads(given.group(1))
    assert (settings["url"], settings["clipSeconds"], settings["minSeconds"]) == (URL, 30.0, 3.0)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", html)


def test_pages_are_for_people_with_an_account(matrix: Matrix, done_track: Callable[..., Track]) -> None:
    track = done_track(matrix.owner)
    for url in (URL, reverse("training:contribute-track", args=[track.pk])):
        answer = browser(matrix.anonymous).get(url)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={url}")
    for person in (matrix.owner, *matrix.strangers):
        assert browser(person).get(URL).status_code == 200


def test_a_signed_out_script_is_told_so(genres: dict[str, Genre], client: Client) -> None:
    answer = by_script(client, file=file())
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert not Clip.objects.exists()


# --- with the script -------------------------------------------------------------------------------------
def test_a_file_becomes_a_clip_that_is_checked(
    page: Client, owner: User, stored: Callable[[], list[str]]
) -> None:
    answer = by_script(page, file=file(), title=" Delta ", artist="Ma Rainey", comment="Live.", **PIECE)
    assert answer.status_code == 202
    clip = Clip.objects.get()
    assert (clip.contributor, clip.genre.slug, clip.status) == (owner, "blues", "checking")
    assert (clip.title, clip.artist, clip.comment) == ("Delta", "Ma Rainey", "Live.")
    assert (clip.start, clip.end) == (1.0, 4.5)
    assert clip.rights_confirmed_at is not None
    assert stored() == [clip.sound.name]
    sent = answer.json()
    assert (sent["id"], sent["duplicate"]) == (str(clip.pk), False)
    assert f'id="sent-{clip.pk}"' in sent["row"]
    assert f'data-watch="sent.{clip.pk}.checking.0"' in sent["row"]


def test_times_count_only_where_a_part_was_chosen(page: Client) -> None:
    assert by_script(page, file=file(), **{**PIECE, "part": "auto"}).status_code == 202
    clip = Clip.objects.get()
    assert (clip.start, clip.end) == (None, None)


def test_the_same_file_again_is_the_clip_that_is_there(page: Client) -> None:
    first = by_script(page, file=file()).json()
    answer = by_script(page, file=file(name="other.wav"))
    assert (answer.status_code, answer.json()["id"], answer.json()["duplicate"]) == (200, first["id"], True)
    assert "You have sent this one before." in answer.json()["row"]
    assert Clip.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"rights": ""}, 400, "Confirm that you may give"),
        ({"genre": ""}, 400, "Choose the genre"),
        ({"genre": "polka"}, 400, "no such genre"),
        ({"genre": "\0"}, 400, ""),
        ({"part": "cut"}, 400, "where the part starts"),
        ({"part": "cut", "start": "1", "end": "2"}, 400, "at least 3 seconds"),
        ({"part": "cut", "start": "0", "end": "45"}, 400, "at most 30 seconds"),
        ({"part": "cut", "start": "nan", "end": "inf"}, 400, "Write a time"),
        ({"part": "cut", "start": "-4", "end": "4"}, 400, "Write a time"),
        ({"part": "cut", "start": "1e3", "end": "4"}, 400, "Write a time"),
        ({"title": "x" * 201}, 400, "at most 200"),
        ({"title": "a\0b"}, 400, "Null characters"),
        ({"file": ("text.mp3", b"no music\n" * 99)}, 422, "not an audio file"),
        ({"file": ("short.wav", wav(chords(1.5)))}, 422, "at least 3 s"),
        ({"file": ("none.wav", b"")}, 422, "empty"),
    ],
)
def test_what_cannot_be_taken_is_said_and_leaves_nothing(
    page: Client, stored: Callable[[], list[str]], fields: dict[str, Any], status: int, words: str
) -> None:
    name, content = fields.pop("file", ("song.wav", None))
    answer = by_script(page, file=file(name=name, content=content), **fields)
    assert answer.status_code == status, answer.content
    assert words in answer.json()["error"]["message"]
    assert not Clip.objects.exists()
    assert stored() == []


def test_one_file_at_a_time(page: Client) -> None:
    assert by_script(page).json()["error"]["code"] == "one_file"
    assert by_script(page, file=[file(), file(name="b.wav")]).status_code == 400
    assert not Clip.objects.exists()


# --- without a script ------------------------------------------------------------------------------------
def test_the_plain_form_takes_a_file(page: Client) -> None:
    answer = page.post(URL, {"genre": "jazz", "rights": "true", "file": file()})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/contributions/")
    assert Clip.objects.get().genre.slug == "jazz"
    assert "Thank you." in page.get("/contributions/").content.decode()


def test_the_plain_form_says_what_is_missing_and_keeps_the_rest(page: Client) -> None:
    answer = page.post(URL, {"genre": "jazz", "title": "Kept", "file": file()})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Confirm that you may give" in html
    assert 'value="Kept"' in html
    assert '<option value="jazz" selected>' in html
    assert page.post(URL, {"genre": "jazz", "rights": "true"}).status_code == 422
    assert not Clip.objects.exists()


def test_the_plain_form_says_what_is_wrong_with_a_file(page: Client) -> None:
    answer = page.post(
        URL, {"genre": "jazz", "rights": "true", "file": file(name="bad.mp3", content=b"no")}, follow=True
    )
    assert "bad.mp3: " in answer.content.decode()
    assert not Clip.objects.exists()


# --- out of a track --------------------------------------------------------------------------------------
def give(client: Client, track: Track, **fields: Any) -> Any:
    url = reverse("training:contribute-track", args=[track.pk])
    return client.post(url, {"genre": "jazz", "rights": "true", **fields}, headers={"HX-Request": "true"})


def test_a_wrong_verdict_becomes_a_clip(
    page: Client, owner: User, done_track: Callable[..., Track], stored: Callable[[], list[str]]
) -> None:
    track = done_track(owner, title="Blue in Green", duration=20.0)
    before = stored()
    answer = give(page, track, comment="A trumpet.")
    assert answer.status_code == 204
    assert set(json.loads(answer.headers["HX-Trigger"])) == {"toast", "dialog-close", "clip-given"}
    clip = Clip.objects.get()
    assert (clip.track, clip.genre.slug, clip.title) == (track, "jazz", "Blue in Green")
    assert (clip.start, clip.end, clip.comment) == (None, None, "A trumpet.")
    assert stored() == before
    shown = page.get(reverse("library:track", args=[track.pk])).content.decode()
    assert "You said: Jazz." in shown
    assert "Being checked." in shown
    assert "This is wrong" not in shown


def test_of_a_long_track_a_part_can_be_given_and_another(
    page: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, duration=100.0)
    url = reverse("training:contribute-track", args=[track.pk])
    html = page.get(url).content.decode()
    assert 'id="cut-peaks"' in html
    assert 'data-duration="100.0"' in html
    assert give(page, track, part="cut", start="1:00", end="1:30").status_code == 204
    assert give(page, track, part="cut", start="10", end="20.5").status_code == 204
    assert sorted(Clip.objects.values_list("start", "end")) == [(10.0, 20.5), (60.0, 90.0)]
    shown = page.get(reverse("training:given", args=[track.pk])).content.decode()
    assert shown.count("You said: Jazz.") == 2
    assert "Give another part" in shown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rights": ""}, "Confirm that you may give"),
        ({"genre": ""}, "Choose the genre"),
        ({"genre": "polka"}, "no such genre"),
        ({"part": "cut", "start": "1:30", "end": "1:50"}, "beyond the end"),
    ],
)
def test_what_is_missing_is_said_in_the_dialog(
    page: Client, owner: User, done_track: Callable[..., Track], fields: dict[str, str], words: str
) -> None:
    track = done_track(owner, duration=100.0)
    answer = give(page, track, **fields)
    # htmx shows no answer that is an error.
    assert answer.status_code == 200
    assert words in answer.content.decode()
    url = reverse("training:contribute-track", args=[track.pk])
    assert page.post(url, {"genre": "jazz", "rights": "true", **fields}).status_code == 422
    assert not Clip.objects.exists()


def test_a_short_track_is_given_whole_and_without_a_script(
    page: Client, owner: User, done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, duration=12.0)
    url = reverse("training:contribute-track", args=[track.pk])
    assert "data-cut" not in page.get(url).content.decode()
    answer = page.post(url, {"genre": "jazz", "rights": "true"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tracks/{track.pk}/")
    assert Clip.objects.count() == 1


@pytest.mark.slow
def test_only_who_owns_a_track_may_give_it(
    matrix: Matrix, genres: dict[str, Genre], done_track: Callable[..., Track]
) -> None:
    private = done_track(matrix.owner, title="Private")
    public = done_track(None, title="Public")
    for track in (private, public):
        for person in matrix.strangers:
            client = browser(person)
            assert client.get(reverse("training:contribute-track", args=[track.pk])).status_code == 404
            assert give(client, track).status_code == 404
            assert client.get(reverse("training:given", args=[track.pk])).status_code == 404
        assert give(browser(matrix.anonymous), track).status_code == 302
    assert not Clip.objects.exists()
    for anyone in matrix.public:
        html = browser(anyone).get(reverse("library:track", args=[public.pk])).content.decode()
        assert "This is wrong" not in html
    own = browser(matrix.owner).get(reverse("library:track", args=[private.pk])).content.decode()
    assert "This is wrong" in own


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "checking"}, "Being checked."),
        ({"status": "pending"}, "Waiting for review."),
        ({"status": "approved"}, "Approved."),
        ({"status": "rejected", "reason": "Only talk."}, "Rejected: Only talk."),
        ({"status": "failed", "error_code": "truncated", "sound": False}, "damaged or incomplete"),
    ],
)
def test_the_track_says_what_became_of_it(
    page: Client, owner: User, done_track: Callable[..., Track], fields: dict[str, Any], words: str
) -> None:
    track = done_track(owner)
    make_clip(owner, Genre.objects.get(slug="jazz"), track=track, **fields)
    html = page.get(reverse("training:given", args=[track.pk])).content.decode()
    assert words in text_of(html)
    # It asks again only while something is still to come by itself.
    assert ('data-live="clip"' in html) is (fields["status"] == "checking")


def test_what_was_given_of_a_track_costs_the_same_however_much(
    page: Client,
    owner: User,
    genres: dict[str, Genre],
    done_track: Callable[..., Track],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    track = done_track(owner)
    make_clip(owner, genres["jazz"], track=track)
    url = reverse("training:given", args=[track.pk])
    # The session, its person, the track, its clips and the versions that used them.
    with django_assert_num_queries(6):
        page.get(url)
    for _ in range(5):
        make_clip(owner, genres["jazz"], track=track)
    with django_assert_num_queries(6):
        page.get(url)

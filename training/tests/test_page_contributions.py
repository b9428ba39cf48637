"""What has become of one's clips: states, filters, rows kept up to date, withdrawal."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import LABELS, Matrix
from training.models import Clip, DatasetSnapshot, Promotion, SnapshotClip, TrainingRun
from training.tests.clips import make_clip
from training.views import contributions

URL = "/contributions/"
ROWS = "/contributions/rows/"


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def listed(client: Client, query: str = "") -> list[str]:
    html = client.get(URL + query).content.decode()
    return re.findall(r'<div class="track-row-title">(.*?)</div>', html)


def put_into_version(clip: Clip, *, name: str, promoted: bool = True, split: str = "train") -> ModelVersion:
    """Make a version that was trained on a clip, and put it into service or not."""
    snapshot = DatasetSnapshot.objects.create(digest=uuid.uuid4().hex * 2)
    SnapshotClip.objects.create(
        snapshot=snapshot, clip=clip, clip_key=clip.pk, features_sha256="f" * 64, genre="blues", split=split
    )
    version = ModelVersion.objects.create(
        name=name, source="trained", location=name, sha256="1" * 64, labels=LABELS, feature_version="1"
    )
    TrainingRun.objects.create(
        kind="quick", architecture="x", epochs=1, status="done", snapshot=snapshot, candidate=version
    )
    if promoted:
        Promotion.objects.create(action="promote", version=version, reason="Better.")
    return version


@pytest.fixture
def clips(owner: User, genres: dict[str, Genre]) -> dict[str, Clip]:
    """Give a clip in every state, the last one the newest."""
    made = {
        "used": make_clip(owner, genres["blues"], title="used", status="approved"),
        "approved": make_clip(
            owner, genres["jazz"], title="approved", status="approved", contributed_genre=genres["rock"]
        ),
        "rejected": make_clip(owner, genres["pop"], title="rejected", status="rejected", reason="Only talk."),
        "failed": make_clip(
            owner, genres["pop"], title="failed", status="failed", error_code="truncated", sound=False
        ),
        "pending": make_clip(owner, genres["disco"], title="pending"),
        "checking": make_clip(owner, genres["metal"], title="checking", status="checking"),
    }
    put_into_version(made["used"], name="site-7")
    put_into_version(made["approved"], name="never-promoted", promoted=False)
    return made


@pytest.mark.usefixtures("clips")
def test_every_state_is_said_in_words(page: Client) -> None:
    html = page.get(URL).content.decode()
    text = text_of(html)
    for words in (
        "Used in version site-7",
        "Approved; you had said Rock",
        "Reason: Only talk.",
        "damaged or incomplete",
        "Waiting for review",
        "Waiting to be checked",
        "6 clips",
    ):
        assert words in text, words
    assert "never-promoted" not in text
    # What is not checked yet, or was thrown away, cannot be played.
    assert html.count('class="play-button" data-play=') == 4
    assert html.count("data-watch=") == 1


@pytest.mark.usefixtures("clips")
@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["checking", "pending", "failed", "rejected", "approved", "used"]),
        ("?state=checking", ["checking"]),
        ("?state=pending", ["pending"]),
        ("?state=approved", ["approved", "used"]),
        ("?state=used", ["used"]),
        ("?state=rejected", ["rejected"]),
        ("?state=failed", ["failed"]),
        ("?state=nonsense", ["checking", "pending", "failed", "rejected", "approved", "used"]),
        ("?state=%00&page=x", ["checking", "pending", "failed", "rejected", "approved", "used"]),
    ],
)
def test_it_is_filtered_by_state(page: Client, query: str, titles: list[str]) -> None:
    assert listed(page, query) == titles


def test_clips_of_the_test_set_and_the_same_recordings_are_marked(
    page: Client, owner: User, other: User, genres: dict[str, Genre]
) -> None:
    mine = make_clip(owner, genres["blues"], title="First take")
    theirs = make_clip(other, genres["blues"], title="Not for your eyes")
    leak = make_clip(owner, genres["blues"], title="Leak", status="approved", leaks=True)
    put_into_version(leak, name="site-8", split="test")
    make_clip(owner, genres["blues"], title="Twin", duplicate_of=mine)
    make_clip(owner, genres["blues"], title="Stranger", duplicate_of=theirs)
    text = text_of(page.get(URL).content.decode())
    assert "none will be trained on it" in text
    assert "site-8" not in text
    assert "the same as your clip “First take”" in text
    assert "the same as a clip that is here already" in text
    assert "Not for your eyes" not in text
    assert listed(page, "?state=used") == []


def test_an_empty_page_says_what_to_do(page: Client, owner: User, genres: dict[str, Genre]) -> None:
    assert "Nothing given yet" in page.get(URL).content.decode()
    make_clip(owner, genres["blues"])
    assert "None of your clips is in this state" in page.get(URL + "?state=failed").content.decode()


def test_everybody_sees_their_own_only(matrix: Matrix, genres: dict[str, Genre]) -> None:
    clip = make_clip(matrix.owner, genres["blues"], title="Mine")
    answer = Client().get(URL)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={URL}")
    withdraw = reverse("training:withdraw", args=[clip.pk])
    for person in matrix.strangers:
        client = Client()
        client.force_login(person)
        assert listed(client) == []
        assert client.get(withdraw).status_code == 404
        assert client.post(withdraw).status_code == 404
        gone = client.get(ROWS, {"watch": f"mine.{clip.pk}.checking.0"}).content.decode()
        assert gone == f'<li id="mine-{clip.pk}" hx-swap-oob="delete"></li>'
    assert Client().post(withdraw).status_code == 302
    assert Clip.objects.filter(pk=clip.pk).exists()


@pytest.mark.slow
def test_the_number_of_queries_does_not_grow(
    page: Client,
    owner: User,
    genres: dict[str, Genre],
    clips: dict[str, Clip],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    page.get(URL)
    # The session, its person, their groups and receipts (twice: header and tabs), the count, the clips, and
    # the versions that used them.
    with django_assert_num_queries(9):
        page.get(URL)
    for number in range(30):
        made = make_clip(owner, genres["jazz"], status="approved", duplicate_of=clips["pending"])
        if number < 5:
            put_into_version(made, name=f"v{number}")
    with django_assert_num_queries(9):
        html = page.get(URL).content.decode()
    assert html.count('class="track-row clip-row"') == contributions.PER_PAGE
    assert listed(page, "?page=2")[-1] == "used"


def test_only_the_list_is_given_to_who_asks_for_it(page: Client) -> None:
    html = page.get(URL, headers={"HX-Request": "true", "HX-Target": "results"}).content.decode()
    assert html.startswith('<div id="results"')
    assert "<html" not in html


# --- rows kept up to date --------------------------------------------------------------------------------
def watch(client: Client, *tokens: str) -> Any:
    return client.get(ROWS, {"watch": tokens})


def test_rows_that_changed_come_again(page: Client, clips: dict[str, Clip]) -> None:
    checking = clips["checking"]
    token = f"mine.{checking.pk}.checking.0"
    assert watch(page, token).content == b""
    Clip.objects.filter(pk=checking.pk).update(claimed=True)
    html = watch(page, token).content.decode()
    assert f'id="mine-{checking.pk}" hx-swap-oob="true"' in html
    assert "Being checked" in html
    assert f'data-watch="mine.{checking.pk}.checking.1"' in html
    Clip.objects.filter(pk=checking.pk).update(
        status="failed", claimed=False, error_code="not_audio", features=""
    )
    html = watch(page, token).content.decode()
    assert "not an audio file" in html
    assert "data-watch" not in html


def test_a_list_shows_the_pieces_that_a_long_sound_was_split_into(
    page: Client, owner: User, genres: dict[str, Genre]
) -> None:
    first = make_clip(owner, genres["blues"], title="Long", start=0.0, end=30.0)
    token = f"mine.{first.pk}.checking.1"
    assert "HX-Trigger" not in watch(page, token).headers
    for place in (1, 2):
        make_clip(
            owner, genres["blues"], title="Long", origin=first, start=30.0 * place, end=30.0 * place + 30
        )
    answer = watch(page, token)
    assert answer.headers["HX-Trigger"] == "clips-changed"
    assert "and 2 more clips of the same sound" in text_of(answer.content.decode())


@pytest.mark.parametrize("token", ["", "mine", "mine.x.pending", "elsewhere.{pk}.x", "mine.{pk}", "\0"])
def test_what_is_no_token_is_left_out(page: Client, clips: dict[str, Clip], token: str) -> None:
    answer = watch(page, token.format(pk=clips["pending"].pk))
    assert answer.status_code == 200


def test_rows_cost_the_same_for_many(
    page: Client,
    owner: User,
    genres: dict[str, Genre],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tokens = [f"mine.{make_clip(owner, genres['jazz']).pk}.checking.0" for _ in range(12)]
    with django_assert_num_queries(4):
        watch(page, tokens[0])
    with django_assert_num_queries(4):
        watch(page, *tokens)


# --- withdrawal ------------------------------------------------------------------------------------------
def test_a_clip_is_withdrawn_after_a_question(
    page: Client, clips: dict[str, Clip], stored: Callable[[], list[str]]
) -> None:
    clip = clips["used"]
    url = reverse("training:withdraw", args=[clip.pk])
    files = {clip.sound.name, clip.features.name}
    assert files <= set(stored())
    asked = page.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "Withdraw “used”?" in asked
    assert "Versions that have learnt from it stay as they are" in asked
    assert "<html" not in asked
    assert "<html" in page.get(url).content.decode()
    assert Clip.objects.filter(pk=clip.pk).exists()
    answer = page.post(url, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert set(json.loads(answer.headers["HX-Trigger"])) == {"toast", "dialog-close", "clips-changed"}
    assert not Clip.objects.filter(pk=clip.pk).exists()
    assert SnapshotClip.objects.get(clip_key=clip.pk).clip is None
    assert page.post(url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_withdrawn_files_are_gone_too(
    page: Client, owner: User, genres: dict[str, Genre], stored: Callable[[], list[str]]
) -> None:
    clip = make_clip(owner, genres["blues"])
    answer = page.post(reverse("training:withdraw", args=[clip.pk]))
    assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    assert stored() == []

"""Receipts for contributors of the clips that a version was trained on, and their notification."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.tests.conftest import LABELS, Matrix
from training.models import Receipt

URL = "/contributions/receipts/"


@pytest.fixture
def page(client: Client, owner: User, genres: dict[str, Genre]) -> Client:
    client.force_login(owner)
    return client


def receipt(user: User, name: str = "site-7", **fields: Any) -> Receipt:
    version = ModelVersion.objects.create(
        name=name, source="trained", location=name, sha256="1" * 64, labels=LABELS, feature_version="1"
    )
    given = {"clips": 12, "genres": {"blues": {"clips": 12, "before": 0.61, "after": 0.655}}, **fields}
    return Receipt.objects.create(user=user, version=version, **given)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_it_says_what_the_clips_gained(page: Client, owner: User) -> None:
    genres = {
        "blues": {"clips": 7, "before": 0.61, "after": 0.66},
        "chiptune": {"clips": 4, "before": None, "after": 0.8},
        "rock": {"clips": 1, "before": None, "after": None},
    }
    receipt(owner, genres=genres)
    text = text_of(page.get(URL).content.decode())
    assert "Your 12 clips are in version site-7." in text
    assert "Blues 7 clips recall 61 → 66 %" in text
    assert "Chiptune 4 clips can be named now: recall 80 %" in text
    assert "Rock 1 clip not measured" in text


def test_what_is_new_is_marked_until_it_was_opened(page: Client, owner: User) -> None:
    news = receipt(owner)
    start = page.get("/").content.decode()
    assert "has-news" in start
    assert "Your account, 1 new receipt" in start
    assert page.head(URL).status_code == 200
    news.refresh_from_db()
    assert news.seen_at is None
    assert "receipt is-new" in page.get(URL).content.decode()
    news.refresh_from_db()
    assert news.seen_at is not None
    first = news.seen_at
    assert "is-new" not in page.get(URL).content.decode()
    news.refresh_from_db()
    assert news.seen_at == first
    assert "has-news" not in page.get("/").content.decode()


def test_receipts_are_for_whom_they_are_for(matrix: Matrix) -> None:
    news = receipt(matrix.owner)
    answer = Client().get(URL)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={URL}")
    for person in matrix.strangers:
        client = Client()
        client.force_login(person)
        assert "No receipts yet" in client.get(URL).content.decode()
        assert "has-news" not in client.get("/").content.decode()
    news.refresh_from_db()
    assert news.seen_at is None


def test_the_number_of_queries_does_not_grow(
    page: Client, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    receipt(owner, seen_at=now)
    page.get(URL)
    # The session, its person, their groups, news (twice), the count, the receipts and the genres.
    with django_assert_num_queries(8):
        page.get(URL)
    for number in range(25):
        receipt(owner, f"v{number}", seen_at=now)
    with django_assert_num_queries(8):
        html = page.get(URL).content.decode()
    assert html.count("are in version") == 20
    assert "Your 12 clips are in version site-7." in text_of(page.get(URL + "?page=2").content.decode())

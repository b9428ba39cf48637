"""GET /api/v1/genres/."""

from __future__ import annotations

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from classifier.models import Genre
from library.tests.conftest import LABELS


def test_all_of_them_at_once_for_everybody(
    client: Client, genres: dict[str, Genre], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        response = client.get("/api/v1/genres/")
    assert response.status_code == 200
    body = response.json()
    assert [genre["slug"] for genre in body] == LABELS
    hiphop = body[LABELS.index("hiphop")]
    assert (hiphop["name"], hiphop["colour"]) == ("Hip-hop", genres["hiphop"].colour)
    assert hiphop["description"]


def test_they_are_not_anybodys_to_change(client: Client, genres: dict[str, Genre]) -> None:
    response = client.post("/api/v1/genres/", {"name": "Polka"})
    assert response.status_code == 401
    assert len(genres) == Genre.objects.count()

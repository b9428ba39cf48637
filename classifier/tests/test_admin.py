"""Genres and model versions in the administration."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User

pytestmark = pytest.mark.django_db

GENRES, VERSIONS = "/admin/classifier/genre/", "/admin/classifier/modelversion/"


@pytest.fixture
def desk(client: Client, settings: Settings) -> Client:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    client.force_login(User.objects.create_superuser("staff@example.org"))
    return client


@pytest.fixture
def jazz() -> Genre:
    return Genre.objects.create(slug="jazz", name="Jazz", colour="#44aa99", description="Swing. " * 30)


@pytest.fixture
def version() -> ModelVersion:
    return ModelVersion.objects.create(
        name="2026.11",
        source=ModelVersion.Source.RELEASE,
        location="2026.11",
        sha256="ab" * 32,
        labels=["blues", "jazz"],
        feature_version="1",
        metadata={"seed": 7, "test": {"accuracy": {"value": 0.612, "low": 0.55, "high": 0.66}}, "by": "<b>"},
        is_in_service=True,
    )


def fields(genre: Genre, **changes: str) -> dict[str, str]:
    return {"name": genre.name, "description": "", "colour": genre.colour, "position": "3", **changes}


def test_genres_show_their_colours(desk: Client, jazz: Genre) -> None:
    html = desk.get(f"{GENRES}?q=jazz").content.decode()
    assert 'fill="#44aa99"' in html
    assert "…" in html
    assert "Jazz" not in desk.get(f"{GENRES}?q=polka").content.decode()


def test_a_genre_changes_its_looks_but_not_its_label(desk: Client, jazz: Genre) -> None:
    page = desk.get(f"{GENRES}{jazz.pk}/change/").content.decode()
    assert 'type="color"' in page
    response = desk.post(f"{GENRES}{jazz.pk}/change/", fields(jazz, colour="#ABCDEF", slug="polka"))
    assert response.status_code == 302
    jazz.refresh_from_db()
    assert (jazz.slug, jazz.colour, jazz.position) == ("jazz", "#abcdef", 3)


def test_a_genre_gets_words_in_another_language(desk: Client, jazz: Genre) -> None:
    words = {"name_ko": "째즈", "description_ko": "즉흥."}
    assert desk.post(f"{GENRES}{jazz.pk}/change/", {**fields(jazz), **words}).status_code == 302
    jazz.refresh_from_db()
    assert jazz.translations == {"ko": {"name": "째즈", "description": "즉흥."}}
    assert 'value="째즈"' in desk.get(f"{GENRES}{jazz.pk}/change/").content.decode()


def test_a_colour_that_is_none(desk: Client, jazz: Genre) -> None:
    for colour in ("red", "#12", "url(//evil.example)"):
        response = desk.post(f"{GENRES}{jazz.pk}/change/", fields(jazz, colour=colour))
        assert response.status_code == 200
        assert "colour" in response.context["adminform"].form.errors
    jazz.refresh_from_db()
    assert jazz.colour == "#44aa99"


def test_a_new_genre_has_a_label(desk: Client) -> None:
    polka = Genre(name="Polka", colour="#123456")
    assert desk.post(f"{GENRES}add/", fields(polka, slug="polka")).status_code == 302
    assert Genre.objects.get().slug == "polka"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "rock!"), ("name", "R O C K"), ("name", "록"), ("name_ko", "Rock"), ("name", "\u202e ¿?")],
)
def test_a_genre_is_not_called_what_another_is(desk: Client, jazz: Genre, field: str, value: str) -> None:
    rock = Genre.objects.create(
        slug="rock", name="Rock", colour="#123456", translations={"ko": {"name": "록"}}
    )
    answer = desk.post(f"{GENRES}{jazz.pk}/change/", fields(jazz, **{field: value}))
    assert field in answer.context["adminform"].form.errors
    jazz.refresh_from_db()
    assert (jazz.name, jazz.translations) == ("Jazz", {})
    # Its own names in other spellings are its own to have.
    again = fields(rock, name=" ROCK \u202e‘n’ roll", name_ko="로큰롤")
    assert desk.post(f"{GENRES}{rock.pk}/change/", again).status_code == 302
    rock.refresh_from_db()
    assert (rock.name, rock.translations) == ("ROCK ‘n’ roll", {"ko": {"name": "로큰롤"}})


def test_a_new_genre_is_none_that_is_there(desk: Client, jazz: Genre) -> None:
    answer = desk.post(f"{GENRES}add/", fields(Genre(name="J-azz", colour="#123456"), slug="j_azz"))
    assert {"name", "slug"} <= answer.context["adminform"].form.errors.keys()
    assert Genre.objects.count() == 1


def test_a_genre_that_a_version_predicts_is_not_deleted(
    desk: Client, jazz: Genre, version: ModelVersion
) -> None:
    page = desk.get(f"{GENRES}{jazz.pk}/delete/").content.decode()
    assert "Version 2026.11 predicts it" in page
    desk.post(f"{GENRES}{jazz.pk}/delete/", {"post": "yes"})
    several = {"action": "delete_selected", "_selected_action": [jazz.pk], "post": "yes"}
    desk.post(GENRES, several)
    assert Genre.objects.filter(pk=jazz.pk).exists()
    # One that nobody has learnt is.
    polka = Genre.objects.create(slug="polka", name="Polka", colour="#44aa99")
    assert desk.post(f"{GENRES}{polka.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Genre.objects.filter(pk=polka.pk).exists()


def test_versions_are_there_to_look_at(desk: Client, version: ModelVersion) -> None:
    listed = desk.get(VERSIONS).content.decode()
    assert "61.2% (55.0% – 66.0%)" in listed
    assert 'alt="True"' in listed
    page = desk.get(f"{VERSIONS}{version.pk}/change/").content.decode()
    assert "&quot;seed&quot;: 7" in page
    assert "&lt;b&gt;" in page
    assert "blues, jazz" in page
    assert 'name="_save"' not in page


def test_versions_can_neither_be_made_changed_nor_deleted(desk: Client, version: ModelVersion) -> None:
    assert desk.get(f"{VERSIONS}add/").status_code == 403
    assert desk.post(f"{VERSIONS}{version.pk}/change/", {"name": "mine"}).status_code == 403
    assert desk.post(f"{VERSIONS}{version.pk}/delete/", {"post": "yes"}).status_code == 403
    version.refresh_from_db()
    assert version.name == "2026.11"


def test_a_version_without_figures(desk: Client, version: ModelVersion) -> None:
    ModelVersion.objects.update(metadata={})
    assert desk.get(VERSIONS).status_code == 200
    assert desk.get(f"{VERSIONS}{version.pk}/change/").status_code == 200


@pytest.mark.parametrize("page", [GENRES, VERSIONS])
def test_the_price_of_the_lists_does_not_grow(desk: Client, page: str) -> None:
    prices = []
    for count in (1, 5):
        for n in range(count):
            name = f"{count}-{n}"
            Genre.objects.create(slug=name, name=name, colour="#000000")
            ModelVersion.objects.create(name=name, source="trained", labels=[], metadata={})
        desk.get(page)
        with CaptureQueriesContext(connection) as queries:
            desk.get(page)
        prices.append(len(queries))
    assert prices[0] == prices[1]

"""The map: who sees which points, what moves them, when it is made anew, and its page."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from classifier import layouts
from classifier.core import layout
from classifier.core.lenses import SIZES, SOUND, VERSION
from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import MapProjection, Track, TrackLens
from library.services import sound_map as service
from library.services.bin import bin_tracks
from library.tests.conftest import Matrix

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
Places = dict[str, list[float]]
ADDRESS = "/api/v1/map/"


def make_layout() -> None:
    assert service.request()
    assert service.fit(projection_id=MapProjection.objects.get(status="queued").pk)


@pytest.fixture
def on_map(done_track: Make) -> Make:
    """Make a track that the lens *sound* knows, in a direction of so many degrees."""

    def make(owner: User | None, degrees: float, **fields: Any) -> Track:
        return done_track(owner, lenses={SOUND: degrees}, **fields)

    return make


def places(client: APIClient) -> Places:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200, answer.content
    return {row[4]: row[1:3] for row in answer.json()["points"]}


@pytest.mark.slow
def test_private_tracks_are_on_their_owners_map_alone_and_move_nothing(
    on_map: Make, matrix: Matrix, api: Callable[..., APIClient]
) -> None:
    for degrees in range(0, 360, 30):
        on_map(None, degrees, title=f"Public {degrees}")
    make_layout()
    before = MapProjection.objects.values_list("layout", flat=True).get()
    public = places(api(matrix.anonymous))
    assert set(public) == {f"Public {degrees}" for degrees in range(0, 360, 30)}
    on_map(matrix.owner, 31, title="Private")
    MapProjection.objects.all().delete()
    make_layout()
    # Made anew with the private track there, it is the same.
    assert MapProjection.objects.values_list("layout", flat=True).get() == before
    for person in matrix.public:
        assert places(api(person)) == public
    own = places(api(matrix.owner))
    place = own.pop("Private")
    assert own == public
    assert np.linalg.norm(np.subtract(place, public["Public 30"])) < 0.05


def test_what_is_in_the_bin_is_not_on_the_map(on_map: Make, owner: User, owner_api: APIClient) -> None:
    kept, binned = on_map(owner, 0, title="Kept"), on_map(owner, 90, title="Binned", visibility="catalogue")
    make_layout()
    assert set(places(owner_api)) == {"Kept", "Binned"}
    assert bin_tracks(Track.objects.filter(pk=binned.pk)) == 1
    answer = owner_api.get(ADDRESS).json()
    assert [row[0] for row in answer["points"]] == [str(kept.pk)]
    assert places(APIClient()) == {}


def test_points_name_their_genre_and_are_sent_once(
    on_map: Make, genres: dict[str, Genre], monkeypatch: pytest.MonkeyPatch, anonymous: object
) -> None:
    client = APIClient()
    assert client.get(ADDRESS).json() == {"ready": False, "points": [], "genres": [], "left_out": 0}
    on_map(None, 0, genre="blues", title="First")
    on_map(None, 40, genre="polka", title="Second")
    on_map(None, 80, style="ambient", title="Third")
    TrackLens.objects.filter(track=on_map(None, 120, title="Older"), lens=SOUND).update(version="0")
    make_layout()
    answer = client.get(ADDRESS)
    found = answer.json()
    assert found["ready"]
    assert [genre["slug"] for genre in found["genres"]] == ["blues", "polka"]
    assert found["genres"][0]["colour"] == genres["blues"].colour
    assert [(row[4], row[3]) for row in found["points"]] == [("Third", -1), ("Second", 1), ("First", 0)]
    assert all(0 <= value <= 1 for row in found["points"] for value in row[1:3])
    assert client.get(ADDRESS, HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    monkeypatch.setattr(service, "MOST_POINTS", 2)
    fewer = client.get(ADDRESS).json()
    assert [row[4] for row in fewer["points"]] == ["Third", "Second"]
    assert fewer["left_out"] == 1


@pytest.mark.slow
def test_it_is_made_anew_when_the_catalogue_changed_by_a_fifth_or_the_lenses_did(on_map: Make) -> None:
    assert service.is_due()
    for degrees in range(12):
        on_map(None, degrees * 25)
    make_layout()
    first = MapProjection.objects.get()
    assert (first.public_tracks, first.version, service.keep_up()) == (12, VERSION, False)
    for degrees in (5, 10):
        on_map(None, degrees)
    assert not service.is_due()
    on_map(None, 15)
    assert service.keep_up()
    # Asked again, or by two at once, it is under way once; meanwhile the former is in use.
    assert (service.keep_up(), service.request(), service.current()) == (False, False, first)
    waiting = MapProjection.objects.get(status="queued").pk
    assert service.fit(projection_id=waiting)
    assert not service.fit(projection_id=waiting)
    assert [row.pk for row in MapProjection.objects.all()] == [waiting]
    assert not service.is_due()
    MapProjection.objects.update(version="0")
    assert service.current() is None
    assert service.keep_up()


def test_a_layout_that_cannot_be_made_is_tried_again_and_keeps_the_former(
    on_map: Make, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ANALYSIS_ATTEMPTS = 1
    on_map(None, 0)
    make_layout()
    former = service.current()

    def fail(vectors: object) -> None:
        raise MemoryError

    monkeypatch.setattr(layouts, "fit_apart", fail)
    assert service.request()
    assert service.fit(projection_id=MapProjection.objects.get(status="queued").pk)
    assert MapProjection.objects.filter(status="failed", error_code="internal").exists()
    assert service.current() == former
    assert service.request()


def test_the_page_has_the_first_layout_made_and_is_linked_both_ways(
    client: Client, owner: User, on_map: Make
) -> None:
    page, catalogue = reverse("library:map"), reverse("library:catalogue")
    for _again in range(2):
        assert "is being prepared" in client.get(page).content.decode()
    assert MapProjection.objects.filter(status="queued").count() == 1
    assert service.fit(projection_id=MapProjection.objects.get().pk)
    visitor = client.get(page).content.decode()
    assert "is being prepared" not in visitor
    assert f'href="{catalogue}" aria-current="true"' in visitor
    assert 'name="title"' not in visitor
    assert f'href="{page}"' in client.get(catalogue).content.decode()
    client.force_login(owner)
    assert 'data-map="make"' in client.get(page).content.decode()


def test_a_layout_keeps_neighbours_and_places_others_between_them() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(3, SIZES[SOUND], dtype=np.float32)
    vectors = np.repeat(centres, 12, axis=0) + random.normal(0, 0.03, (36, SIZES[SOUND])).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = layout.Layout.from_json(layout.fit(vectors).to_json())
    placed = made.place(vectors)
    assert np.allclose(placed, made.places, atol=0.02)
    groups = np.arange(36) // 12
    distances = np.linalg.norm(placed[:, None] - placed[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.9
    new = made.place(centres)
    assert [groups[np.linalg.norm(placed - place, axis=1).argmin()] for place in new] == [0, 1, 2]
    # Of few there is a layout too, and of such as are all the same.
    assert np.ptp(layout.fit(vectors[:3]).place(vectors), axis=0).min() > 0.1
    same = layout.fit(np.repeat(centres[:1], 12, axis=0)).place(centres)
    assert np.isfinite(same).all()
    assert same.min() >= 0


def test_a_layout_made_in_another_process_is_the_same() -> None:
    vectors = np.random.default_rng(2).standard_normal((40, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    here, there = layout.fit(vectors), layouts.fit_apart(vectors)
    np.testing.assert_allclose(there.places, here.places, atol=1e-3)
    with pytest.raises(subprocess.CalledProcessError):
        layouts.fit_apart(np.full((40, 64), np.nan, np.float32))

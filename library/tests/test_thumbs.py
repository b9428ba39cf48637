"""Thumbs on neighbours: kept, changed, taken back; what they change and for whom, and what nobody is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from classifier.core.lenses import DEFAULT
from classifier.models import Genre
from genreweb.accounts.models import User
from library.models import LearnedWeights, Thumb, Track
from library.services import thumbs
from library.services.lens_queries import query_of
from library.services.similar import Similar, similar
from library.tests.conftest import Api, Matrix

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
HTMX = {"HX-Request": "true"}


def found(track: Track, user: Any, **asked: Any) -> Similar:
    return similar(viewer=user, query=query_of([track]), **asked)


def titles(result: Similar) -> list[str]:
    return [near.track.title for near in result.neighbours]


def address(track: Track, other: Track) -> str:
    return f"/api/v1/tracks/{track.pk}/similar/{other.pk}/thumb/"


@pytest.fixture
def tracks(done_track: Make, owner: User) -> dict[str, Track]:
    """One to ask about; "a" is nearest by the blend and far by timbre, "c" the other way round."""
    made = {"asked": done_track(owner, title="asked", lenses={"blend": 0, "timbre": 0})}
    for title, blend, timbre in (("a", 20, 60), ("b", 40, 40), ("c", 60, 20)):
        made[title] = done_track(None, title=title, lenses={"blend": blend, "timbre": timbre})
    return made


def teach(person: User, done_track: Make, *, pairs: int) -> None:
    """Have a person like what is near by timbre, and dislike what is far, whatever the blend says."""
    each = range(min(pairs, 5))
    near = [done_track(None, lenses={"blend": 170, "timbre": 100 + n}) for n in each]
    far = [done_track(None, lenses={"blend": 100, "timbre": 175}) for _ in each]
    for n in range(pairs):
        if n % 5 == 0:
            query = done_track(None, lenses={"blend": 90, "timbre": 90})
        thumbs.give(user=person, query=query, neighbour=near[n % 5], value=1, lens="blend")
        thumbs.give(user=person, query=query, neighbour=far[n % 5], value=-1, lens="blend")


# --- what they change -----------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_order_is_learnt_for_this_person_and_only_where_no_lens_is_asked_for(
    tracks: dict[str, Track], done_track: Make, owner: User, other: User
) -> None:
    asked = tracks["asked"]
    Track.objects.filter(pk=asked.pk).update(visibility="catalogue")
    before = found(asked, owner)
    assert (titles(before), before.personal) == (["a", "b", "c"], False)
    teach(owner, done_track, pairs=1)
    few = found(asked, owner)
    assert (titles(few), few.personal) == (["a", "b", "c"], True)
    teach(owner, done_track, pairs=40)
    weights = LearnedWeights.objects.get().weights
    assert weights["timbre"] > weights["blend"]
    assert min(weights.values()) >= 0
    assert titles(found(asked, owner)) == ["c", "b", "a"]
    assert [near.rank for near in found(asked, owner).neighbours] == [1, 2, 3]
    assert titles(found(asked, owner, by=DEFAULT)) == ["a", "b", "c"]
    assert titles(found(asked, other)) == ["a", "b", "c"]
    Thumb.objects.all().delete()
    thumbs.give(user=owner, query=asked, neighbour=tracks["a"], value=1, lens="blend")
    thumbs.take_back(user=owner, query=asked.pk, neighbour=tracks["a"].pk)
    assert not LearnedWeights.objects.exists()
    assert found(asked, owner) == before


@pytest.mark.slow
def test_what_does_not_fit_comes_last_for_this_track_and_stays_marked(
    tracks: dict[str, Track], owner: User
) -> None:
    asked = tracks["asked"]
    thumbs.give(user=owner, query=asked, neighbour=tracks["a"], value=-1, lens="blend")
    result = found(asked, owner)
    assert titles(result) == ["b", "c", "a"]
    assert [near.thumb for near in result.neighbours] == [0, 0, -1]
    assert [near.thumb for near in found(asked, owner, by="timbre").neighbours] == [0, 0, -1]
    thumbs.give(user=owner, query=asked, neighbour=tracks["a"], value=1, lens="blend")
    assert Thumb.objects.count() == 1
    assert titles(found(asked, owner))[0] == "a"


def test_weights_of_other_lenses_are_not_used(tracks: dict[str, Track], owner: User) -> None:
    thumbs.give(user=owner, query=tracks["asked"], neighbour=tracks["a"], value=-1, lens="blend")
    LearnedWeights.objects.update(version="0")
    assert titles(found(tracks["asked"], owner)) == ["a", "b", "c"]


# --- who may say what -----------------------------------------------------------------------------------
@pytest.mark.slow
def test_through_the_api(api: Api, matrix: Matrix, tracks: dict[str, Track]) -> None:
    asked, a = tracks["asked"], tracks["a"]
    client = api(matrix.owner)
    given = client.put(address(asked, a), {"value": "down", "by": "sound"}, format="json")
    assert given.status_code == 200
    assert given.json().items() >= {"neighbour": str(a.pk), "value": "down", "by": "sound"}.items()
    assert client.put(address(asked, a), {"value": "up"}, format="json").status_code == 200
    assert [(t.user, t.query, t.neighbour, t.value) for t in Thumb.objects.all()] == [
        (matrix.owner, asked, a, 1)
    ]
    near = client.get(f"/api/v1/tracks/{asked.pk}/similar/").json()
    assert [row["thumb"] for row in near if row["track"]["title"] == "a"] == ["up"]
    assert [row["track"] for row in client.get("/api/v1/thumbs/").json()["results"]] == [str(asked.pk)]
    for person in matrix.strangers:
        assert api(person).get("/api/v1/thumbs/").json()["results"] == []
        # The track asked about is not theirs to see.
        assert api(person).put(address(asked, a), {"value": "up"}, format="json").status_code == 404
        assert api(person).put(address(a, asked), {"value": "up"}, format="json").status_code == 404
        assert api(person).delete(address(asked, a)).status_code == 204
    assert Thumb.objects.count() == 1
    for _twice in range(2):
        assert client.delete(address(asked, a)).status_code == 204
    assert not Thumb.objects.exists()
    assert api(matrix.anonymous).put(address(asked, a), {"value": "up"}).status_code == 401


@pytest.mark.parametrize("body", [{}, {"value": "sideways"}, {"value": 1}, {"value": "up", "by": "taste"}])
def test_what_is_no_thumb(owner_api: APIClient, tracks: dict[str, Track], body: object) -> None:
    response = owner_api.put(address(tracks["asked"], tracks["a"]), body, format="json")
    assert response.status_code == 400
    assert response.json()["error"]["fields"]
    same = owner_api.put(address(tracks["a"], tracks["a"]), {"value": "up"}, format="json")
    assert same.status_code == 400
    assert not Thumb.objects.exists()


def test_a_thumb_on_what_was_hidden_since_is_not_listed_but_can_be_taken_back(
    owner_api: APIClient, client: Client, owner: User, other: User, tracks: dict[str, Track]
) -> None:
    asked, a = tracks["asked"], tracks["a"]
    thumbs.give(user=owner, query=asked, neighbour=a, value=1, lens="blend")
    Track.objects.filter(pk=a.pk).update(owner=other, visibility="private", title="a secret")
    assert owner_api.get("/api/v1/thumbs/").json()["count"] == 0
    client.force_login(owner)
    assert "a secret" not in client.get(reverse("library:thumbs")).content.decode()
    assert owner_api.delete(address(asked, a)).status_code == 204
    assert not Thumb.objects.exists()


# --- on the page ----------------------------------------------------------------------------------------
def test_on_the_page_of_a_track(
    client: Client, owner: User, other: User, tracks: dict[str, Track], genres: dict[str, Genre]
) -> None:
    asked, a = tracks["asked"], tracks["a"]
    page, thumb = reverse("library:track", args=[asked.pk]), reverse("library:thumb", args=[asked.pk, a.pk])
    client.force_login(owner)
    assert thumb in client.get(page).content.decode()
    part = client.post(thumb, {"value": "down", "by": "blend"}, headers=HTMX).content.decode()
    assert "<html" not in part
    assert (
        f'id="thumb-down-{a.pk}" class="icon-button thumb" name="value" value="none" aria-pressed="true"'
        in part
    )
    assert Thumb.objects.get().value == -1
    html = client.get(page).content.decode()
    assert html.count('aria-pressed="true" aria-label="Does not fit"') == 1
    assert "Your thumbs have a part in the order." in html
    korean = client.get(reverse("library:thumbs"), headers={"Accept-Language": "ko"}).content.decode()
    assert "어울리지 않음" in korean
    assert client.post(thumb, {"value": "none", "list": "1"}).headers["Location"] == reverse("library:thumbs")
    assert not Thumb.objects.exists()
    html = client.get(reverse("library:thumbs")).content.decode()
    assert "No thumbs yet" in html
    assert f'class="btn btn-secondary" href="{reverse("library:history")}"' in html
    client.force_login(other)
    assert client.post(thumb, {"value": "up"}, headers=HTMX).status_code == 404
    assert client.post(reverse("library:thumb", args=[a.pk, uuid4()]), {"value": "up"}).status_code == 404
    assert not Thumb.objects.exists()
    client.logout()
    assert client.post(thumb, {"value": "up"}).status_code == 302
    Track.objects.filter(pk=asked.pk).update(visibility="catalogue")
    assert thumb not in client.get(page).content.decode()

"""/api/v1/playlists/ and /api/v1/paths/, and playlists as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from genreweb.accounts.models import User
from library.models import Playlist, Track
from library.playlist_files import Item, jspf, m3u8, xspf
from library.services import playlists
from library.tests.conftest import Api, Matrix

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
URL = "/api/v1/playlists/"
XSPF = "{http://xspf.org/ns/0/}"


def ids(*tracks: Track) -> dict[str, list[str]]:
    return {"tracks": [str(track.pk) for track in tracks]}


def titles(client: APIClient, playlist: str) -> list[str]:
    return [row["title"] for row in client.get(f"{URL}{playlist}/tracks/").json()["results"]]


@pytest.mark.slow
def test_made_changed_ordered_and_deleted(owner_api: APIClient, owner: User, done_track: Make) -> None:
    a, b, c = (done_track(None, title=title) for title in "abc")
    made = owner_api.post(URL, {"title": "List", **ids(b, a)}, format="json")
    assert made.status_code == 201
    body = made.json()
    key = body["id"]
    assert (
        body.items() >= {"title": "List", "shared": False, "mine": True, "count": 2, "duration": 6.0}.items()
    )
    assert made.headers["Location"] == body["links"]["self"]
    assert owner_api.get(body["links"]["self"]).json() == body
    earlier = playlists.create(owner=owner, title="A list", tracks=[])
    assert [row["title"] for row in owner_api.get(URL).json()["results"]] == ["A list", "List"]
    earlier.delete()
    one = f"{URL}{key}/tracks/"
    assert owner_api.post(one, ids(c, a), format="json").json()["count"] == 3
    assert titles(owner_api, key) == ["b", "a", "c"]
    assert owner_api.put(one, ids(a, b, c), format="json").status_code == 200
    assert owner_api.put(f"{one}{c.pk}/", {"position": 1}, format="json").status_code == 200
    assert titles(owner_api, key) == ["c", "a", "b"]
    assert owner_api.put(f"{one}{c.pk}/", {}, format="json").status_code == 200
    assert titles(owner_api, key) == ["a", "b", "c"]
    refused = owner_api.put(one, ids(a, b), format="json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "order_other_tracks")
    assert owner_api.delete(f"{one}{b.pk}/").status_code == 204
    assert owner_api.delete(f"{one}{b.pk}/").status_code == 404
    assert titles(owner_api, key) == ["a", "c"]
    changed = owner_api.patch(f"{URL}{key}/", {"title": "Other", "shared": True}, format="json")
    assert (changed.json()["title"], changed.json()["shared"]) == ("Other", True)
    assert owner_api.delete(f"{URL}{key}/").status_code == 204
    assert not Playlist.objects.exists()
    assert Track.objects.count() == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "", {}),
        ("post", "", {"title": "x" * 201}),
        ("post", "", {"title": "a", "tracks": ["x"]}),
        ("post", "", {"title": "a", "tracks": "all"}),
        ("get", "?scope=theirs", None),
        ("post", "generate/", {}),
        ("post", "generate/", {"mood": "bored"}),
        ("post", "generate/", {"mood": "sad", "tracks": [str(uuid4())]}),
        ("post", "generate/", {"mood": "sad", "length": 51}),
        ("post", "generate/", {"mood": "sad", "seed": -1}),
        ("post", "../paths/", {"from": "x", "to": str(uuid4())}),
        ("post", "../paths/", {"from": str(uuid4()), "to": str(uuid4()), "length": 2}),
    ],
)
def test_what_is_refused(owner_api: APIClient, method: str, path: str, body: Any) -> None:
    address = "/api/v1/paths/" if path == "../paths/" else URL + path
    response = getattr(owner_api, method)(address, body, format="json")
    assert response.status_code == 400
    assert response.json()["error"]["fields"]
    assert not Playlist.objects.exists()


def test_a_double_click_makes_one_playlist(owner_api: APIClient) -> None:
    first, again = (
        owner_api.post(
            URL, {"title": "One", "tracks": []}, format="json", headers={"Idempotency-Key": "click"}
        )
        for _ in range(2)
    )
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Playlist.objects.count() == 1


def test_a_title_of_nothing_is_refused_in_the_readers_language(owner_api: APIClient) -> None:
    response = owner_api.post(URL, {"title": "\u200b"}, format="json", HTTP_ACCEPT_LANGUAGE="ko")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "playlist_unnamed")
    assert "재생목록" in response.json()["error"]["message"]


@pytest.mark.slow
def test_who_may_see_and_change_what(matrix: Matrix, api: Api, done_track: Make) -> None:
    secret, public = done_track(matrix.owner, title="secret", duration=50.0), done_track(None, title="public")
    playlist = playlists.create(owner=matrix.owner, title="List", tracks=[secret, public])
    one = f"{URL}{playlist.pk}/"
    changes: list[tuple[str, str, Any]] = [
        ("patch", one, {"title": "Mine"}),
        ("delete", one, None),
        ("post", f"{one}tracks/", ids(public)),
        ("put", f"{one}tracks/", ids(public)),
        ("put", f"{one}tracks/{public.pk}/", {}),
        ("delete", f"{one}tracks/{public.pk}/", None),
    ]
    reads = [one, f"{one}tracks/", *(f"{one}files/{kind}/" for kind in ("m3u8", "xspf", "json"))]
    for shared, status in ((False, 404), (True, 403)):
        playlists.edit(playlist=playlist, shared=shared)
        for person in matrix.public:
            client = api(person)
            nobody = person is matrix.anonymous
            for address in reads:
                assert client.get(address).status_code == (401 if nobody else 200 if shared else 404)
            for method, address, body in changes:
                answer = getattr(client, method)(address, body, format="json")
                assert answer.status_code == (401 if nobody else status)
    assert titles(api(matrix.owner), str(playlist.pk)) == ["secret", "public"]
    client = api(matrix.other)
    told = client.get(one).json()
    assert told.items() >= {"mine": False, "by": "", "count": 1, "created": None, "changed": None}.items()
    assert titles(client, str(playlist.pk)) == ["public"]
    for scope, found in (("mine", 0), ("shared", 1), ("", 1)):
        query = f"?scope={scope}" if scope else ""
        listed = client.get(URL + query).json()
        assert listed["count"] == found
    seen = "".join(client.get(address).content.decode() for address in reads)
    assert "secret" not in seen
    assert matrix.owner.email not in seen
    # Another's track is not there for a playlist either.
    for method, address, body in (
        ("post", URL, {"title": "Mine", **ids(secret)}),
        ("post", f"{URL}generate/", ids(secret)),
        ("post", "/api/v1/paths/", {"from": str(public.pk), "to": str(secret.pk)}),
    ):
        assert getattr(client, method)(address, body, format="json").status_code == 404
    assert not Playlist.objects.filter(owner=matrix.other).exists()


@pytest.mark.slow
def test_a_song_that_two_people_have_tells_neither_of_the_other(
    owner: User, other: User, api: Api, done_track: Make
) -> None:
    seed = done_track(None, title="seed", lenses={"blend": 0}, tags={"sad": 0.9})
    end = done_track(None, title="end", lenses={"blend": 80}, tags={"sad": 0.9})
    done_track(None, title="public", lenses={"blend": 40}, tags={"sad": 0.9})
    mine = done_track(owner, title="mine", lenses={"blend": 20}, tags={"sad": 0.9})
    shared = playlists.create(owner=owner, title="List", tracks=[mine, seed], shared=True)
    client = api(owner)

    def everything(client: APIClient) -> list[Any]:
        asked = [
            (f"{URL}generate/", ids(seed)),
            (f"{URL}generate/", {"mood": "sad"}),
            *((f"{URL}generate/", {"mood": "sad", "surprise": True, "seed": n}) for n in range(5)),
            ("/api/v1/paths/", {"from": str(seed.pk), "to": str(end.pk), "length": 4}),
            ("/api/v1/similar/", {**ids(seed), "k": 50}),
        ]
        found = [client.post(address, body, format="json").json() for address, body in asked]
        found += [client.get(URL).json(), client.get(f"{URL}{shared.pk}/tracks/").json()]
        return found

    before = everything(client)
    theirs = [
        done_track(other, title="theirs", lenses={"blend": 20}, tags={"sad": 0.99}, sha256=mine.sha256),
        done_track(other, title="theirs too", lenses={"blend": 60}, tags={"sad": 0.99}),
    ]
    playlists.create(owner=other, title="A secret list", tracks=theirs)
    assert everything(client) == before
    seen = json.dumps(everything(api(other)))
    assert "theirs" in seen
    assert "mine" not in [
        row["title"] for row in api(other).get(f"{URL}{shared.pk}/tracks/").json()["results"]
    ]
    assert str(mine.pk) not in seen


def test_tracks_are_found_for_it(
    owner_api: APIClient, done_track: Make, queued_track: Make, owner: User
) -> None:
    seed, away = (done_track(None, angle=a, lenses={"blend": a}) for a in (0, 40))
    for angle in (20, -25):
        done_track(None, title=f"{angle}", artist="A", lenses={"blend": angle}, tags={"sad": 0.9})
    generate = f"{URL}generate/"

    def found(body: dict[str, Any]) -> list[str]:
        response = owner_api.post(generate, body, format="json")
        assert response.status_code == 200, response.json()
        return [row["title"] for row in response.json()]

    assert found({**ids(seed), "length": 1}) == ["20"]
    assert found({**ids(seed), "unlike": [str(away.pk)], "length": 1}) == ["-25"]
    assert found({**ids(seed), "unlike": [str(away.pk)], "one_per_artist": True}) == ["-25"]
    assert sorted(found({"mood": "sad", "surprise": True, "seed": 7})) == ["-25", "20"]
    waiting = queued_track(owner)
    assert owner_api.post(generate, ids(waiting), format="json").status_code == 409
    path = {"from": str(seed.pk), "to": str(away.pk), "length": 3}
    steps = owner_api.post("/api/v1/paths/", path, format="json").json()
    assert steps["by"] == "blend"
    assert [row["track"]["title"] for row in steps["steps"]] == ["Song", "20", "Song"]
    assert steps["steps"][0]["distance"] is None
    same = owner_api.post("/api/v1/paths/", {**path, "to": path["from"]}, format="json")
    assert (same.status_code, same.json()["error"]["code"]) == (400, "path_same")
    assert owner_api.post("/api/v1/paths/", {**path, "to": str(waiting.pk)}, format="json").status_code == 409
    assert not Playlist.objects.exists()


@pytest.mark.parametrize("count", [1, 8])
def test_the_price_does_not_grow(
    api: Api, owner: User, done_track: Make, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    tracks = [done_track(None) for _each in range(count)]
    made = [playlists.create(owner=owner, title=str(n), tracks=tracks) for n in range(count)]
    client = api(owner)
    client.get(URL)
    # The token, the number of playlists, and the playlists with theirs.
    with django_assert_num_queries(3):
        assert len(client.get(URL).json()["results"]) == count
    # The token, the playlist, the number of tracks, and the tracks.
    with django_assert_num_queries(4):
        assert len(client.get(f"{URL}{made[0].pk}/tracks/").json()["results"]) == count


# --- as files -------------------------------------------------------------------------------------------
def test_a_download_leads_to_the_sounds(owner_api: APIClient, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="Nacht", artist="Müller", duration=61.4)
    playlist = playlists.create(owner=owner, title="Über/Nacht", tracks=[track])
    one = f"{URL}{playlist.pk}/files/"
    response = owner_api.get(f"{one}m3u8/")
    assert response.headers["Content-Type"] == "audio/x-mpegurl; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]
    head, name, words, sound = response.content.decode().splitlines()
    assert (head, name, words) == ("#EXTM3U", "#PLAYLIST:Über/Nacht", "#EXTINF:61,Müller - Nacht")
    assert sound.startswith("http://testserver/")
    root = ElementTree.fromstring(owner_api.get(f"{one}xspf/").content)  # our own
    assert root.findtext(f"{XSPF}trackList/{XSPF}track/{XSPF}title") == "Nacht"
    told = json.loads(owner_api.get(f"{one}json/").content)["playlist"]["track"][0]
    assert (told["duration"], told["creator"]) == (61400, "Müller")
    assert told["info"].endswith(f"/tracks/{track.pk}/")
    assert owner_api.get(f"{one}exe/").status_code == 404


def test_words_cannot_break_out_of_the_formats() -> None:
    hostile = Item(
        title="a\n#EXTINF:1,b\r\nhttp://evil.example/", artist="<&>\x00\ud800", album="", duration=None,
        sound="https://s.example/a?b=1&c=2", page="https://s.example/t",
    )  # fmt: skip
    lines = m3u8("x\ny", [hostile]).decode().splitlines()
    assert lines == [
        "#EXTM3U",
        "#PLAYLIST:x y",
        "#EXTINF:-1,<&> - a #EXTINF:1,b http://evil.example/",
        hostile.sound,
    ]
    root = ElementTree.fromstring(xspf("</title><evil/>", [hostile]))  # our own
    assert root.findtext(f"{XSPF}title") == "</title><evil/>"
    [track] = root.iter(f"{XSPF}track")
    assert [child.tag.removeprefix(XSPF) for child in track] == ["location", "title", "creator", "info"]
    assert track.findtext(f"{XSPF}location") == hostile.sound
    assert json.loads(jspf("x", [hostile]))["playlist"]["track"][0]["creator"] == "<&>"

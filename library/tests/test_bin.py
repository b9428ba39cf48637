"""The bin: deleted tracks are found nowhere, can be restored for some days, then are deleted for good."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

import library.api.urls
import library.urls
from genreweb import event_answers
from genreweb.accounts import personal_data
from genreweb.accounts.models import User
from library import personal_data as library_data
from library.models import Analysis, Playlist, Thumb, Track, TrackLens
from library.services import bin as service
from library.services import playlists, quotas, tidying
from library.services.analysis import analyse_track
from library.services.bulk import Action, act
from library.services.lens_queries import query_of
from library.services.similar import similar
from library.services.tracks import add_track
from library.tasks import purge_bin
from library.tests.sounds import wav
from training.models import Clip
from training.tests.clips import make_clip

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]
HTMX = {"HX-Request": "true"}
SONG = "Unmistakable"


def binned(track: Track) -> Track:
    assert service.bin_tracks(Track.objects.filter(pk=track.pk)) == 1
    track.refresh_from_db()
    return track


def long_ago(track: Track) -> None:
    Track.objects.filter(pk=track.pk).update(binned_at=timezone.now() - timedelta(days=30, minutes=1))


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


# --- nobody finds it -------------------------------------------------------------------------------------
def _addresses(track: Track, query: Track, playlist: Playlist) -> list[str]:
    """Every address of the library that can be read, of the track itself and of lists it could be in."""
    found = []
    words = {"mood": "mellow", "slug": "mellow", "kind": "m3u", "other": track.pk, "track": track.pk}
    patterns = [("library", each) for each in library.urls.urlpatterns]
    patterns += [("api", each) for each in library.api.urls.urlpatterns]
    for namespace, each in patterns:
        of = playlist if "playlist" in str(each.name) else track
        of = query if "similar" in str(each.name) or "neighbours" in str(each.name) else of
        values = {key: words.get(key, of.pk) for key in each.pattern.converters}
        with contextlib.suppress(NoReverseMatch):
            found.append(reverse(f"{namespace}:{each.name}", kwargs=values))
    # Features wait for a worker; what they are of is chosen as in the other exports.
    waiting = {reverse("library:history-features"), reverse("api:tracks-features")}
    return sorted(set(found) - waiting - {reverse("library:bin"), reverse("api:bin")})


@pytest.mark.slow
def test_no_address_shows_what_is_in_the_bin(
    page: Client, owner: User, owner_api: APIClient, done_track: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look reads the stream of events to its end.
    monkeypatch.setattr(event_answers, "THREAD_SECONDS", 0.3)
    everywhere = {"tags": {"mellow": 0.99}, "lenses": {"blend": 0.0, "sound": 0.0}}
    track = done_track(owner, title=SONG, **everywhere)
    query = done_track(owner, title="Query", **everywhere)
    playlist = playlists.create(owner=owner, title="List", tracks=[track, query])
    Thumb.objects.create(user=owner, query=query, neighbour=track, lens="blend", value=1)
    asked = f"?track={track.pk}&like={track.pk}&id={track.pk}&scope=all&search={SONG}&q={SONG}"

    def shown() -> set[str]:
        answers = set()
        for address in _addresses(track, query, playlist):
            client = owner_api if address.startswith("/api/") else page
            for whole in (address, address + asked) if "-" not in address else (address,):
                answer = client.get(whole)
                assert answer.status_code < 500, whole
                body = answer.getvalue().decode(errors="replace") if answer.status_code == 200 else ""
                # A page may repeat what it was asked for.
                told = (
                    (SONG, str(track.pk)) if whole == address else (track.sound.name, f"/tracks/{track.pk}/")
                )
                if any(str(each) in body for each in told):
                    answers.add(address)
        return answers

    before = shown()
    assert {
        reverse("library:history"),
        reverse("api:tracks"),
        reverse("api:playlist-tracks", args=[playlist.pk]),
    } < before
    assert {reverse("library:track", args=[track.pk]), reverse("api:mood-tracks", args=["mellow"])} < before
    assert {reverse("api:track-similar", args=[query.pk]), reverse("api:thumbs")} < before
    binned(track)
    assert shown() == set()
    for own in (f"/api/v1/tracks/{track.pk}/", reverse("library:track", args=[track.pk])):
        assert (owner_api if "api" in own else page).get(own).status_code == 404
    assert [each.pk for each in playlists.tracks_of(playlist, viewer=owner)] == [query.pk]
    listed = playlists.counted(Playlist.objects.all(), viewer=owner).get()
    assert listed.count == 1  # type: ignore[attr-defined]  # annotated
    service.restore(by=owner, tracks=Track.objects.all())
    assert playlists.tracks_of(playlist, viewer=owner).count() == 2


def test_what_was_published_leaves_the_catalogue_and_returns_with_a_curator(
    owner: User, curator: User, done_track: Make
) -> None:
    query = done_track(curator, title="Query")
    for person, visibility in ((curator, "catalogue"), (owner, "private")):
        track = done_track(person, title="Mine", visibility="catalogue")
        stranger = AnonymousUser()
        assert track in Track.objects.visible_to(stranger)
        binned(track)
        assert (track.visibility, track.was_published) == ("private", True)
        assert track not in Track.objects.visible_to(stranger)
        assert track not in Track.objects.in_catalogue()
        rows = TrackLens.objects.filter(track=track)
        assert rows.filter(public=False, owner=None).count() == rows.count() > 0
        near = similar(viewer=curator, query=query_of([query]))
        assert track.pk not in [each.track.pk for each in near.neighbours]
        with pytest.raises(IntegrityError), transaction.atomic():
            Track.objects.filter(pk=track.pk).update(visibility="catalogue")
        # Nobody publishes what is in the bin.
        assert act(by=curator, action=Action.PUBLISH, ids=[track.pk])[0].error is not None
        service.restore(by=person, tracks=Track.objects.all())
        track.refresh_from_db()
        assert (track.visibility, track.was_published, track.binned_at) == (visibility, False, None)
        assert set(rows.values_list("public", "owner")) == {(visibility == "catalogue", person.pk)}


# --- through the API -------------------------------------------------------------------------------------
def test_delete_restore_and_delete_for_good_by_program(
    *,
    owner_api: APIClient,
    owner: User,
    other: User,
    api: Callable[[User], APIClient],
    done_track: Make,
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    one, two, three = (done_track(owner, title=title) for title in ("One", "Two", "Three"))
    theirs = binned(done_track(other))
    assert owner_api.delete(f"/api/v1/tracks/{one.pk}/").status_code == 204
    assert owner_api.delete(f"/api/v1/tracks/{one.pk}/").status_code == 404
    sent = {"action": "delete", "ids": [str(two.pk), str(three.pk)]}
    assert owner_api.post("/api/v1/tracks/bulk/", sent, format="json").status_code == 200
    listed = owner_api.get("/api/v1/bin/").json()["results"]
    assert {row["title"] for row in listed} == {"One", "Two", "Three"}
    one.refresh_from_db()
    row = next(row for row in listed if row["title"] == "One")
    assert one.binned_at is not None
    assert row["purge_at"][:10] == f"{one.binned_at + timedelta(days=30):%Y-%m-%d}"
    assert len(stored()) == 20

    for stranger, status in ((api(other), 404), (APIClient(), 401)):
        assert stranger.post(f"/api/v1/bin/{one.pk}/restore/").status_code == status
        assert stranger.delete(f"/api/v1/bin/{one.pk}/").status_code == status
    assert owner_api.delete(f"/api/v1/bin/{theirs.pk}/").status_code == 404

    back = owner_api.post(f"/api/v1/bin/{one.pk}/restore/")
    assert (back.status_code, back.json()["title"]) == (200, "One")
    assert owner_api.post(f"/api/v1/bin/{one.pk}/restore/").status_code == 404
    # What is not in the bin is not deleted through it.
    assert owner_api.delete(f"/api/v1/bin/{one.pk}/").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_api.delete(f"/api/v1/bin/{two.pk}/").status_code == 204
    assert set(Track.objects.filter(owner=owner)) == {one, three}
    assert not default_storage.exists(str(two.sound.name))
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_api.delete("/api/v1/bin/").status_code == 204
    assert set(Track.objects.all()) == {one, theirs}
    assert len(stored()) == 10


# --- on the pages ----------------------------------------------------------------------------------------
def test_a_list_offers_to_undo(page: Client, owner: User, done_track: Make) -> None:
    track = done_track(owner, title="Song")
    answer = page.post(reverse("library:delete", args=[track.pk]), {"list": "history"}, headers=HTMX)
    told = json.loads(answer.headers["HX-Trigger"])
    assert told["toast"]["text"] == "“Song” is in the bin."
    assert told["tracks-gone"] == {"ids": [str(track.pk)]}
    assert not Track.objects.owned_by(owner).exists()
    undo = told["toast"]["undo"]
    answer = page.post(undo["url"], {"track": undo["tracks"]}, headers=HTMX)
    assert json.loads(answer.headers["HX-Trigger"])["toast"]["text"] == "“Song” is back."
    assert list(Track.objects.owned_by(owner)) == [track]


def test_it_can_be_undone_without_a_script(page: Client, owner: User, done_track: Make) -> None:
    tracks = [done_track(owner), done_track(owner)]
    chosen = {"action": "delete", "track": [track.pk for track in tracks]}
    history = page.post(reverse("library:bulk"), chosen, follow=True).content.decode()
    assert "2 tracks are in the bin." in history
    form = re.search(r'<form method="post" action="/bin/restore/">.*?</form>', history, re.DOTALL)
    assert form is not None
    ids = re.findall(r'name="track" value="([^"]+)"', form[0])
    assert "are in the bin" not in page.get(reverse("library:history")).content.decode()
    answer = page.post(reverse("library:bin-restore"), {"track": ids}, follow=True)
    assert "2 tracks are back." in answer.content.decode()
    assert Track.objects.owned_by(owner).count() == 2


def test_the_page_restores_and_deletes_for_good_after_a_question(
    page: Client,
    owner: User,
    other: User,
    done_track: Make,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    one, two, theirs = (binned(done_track(person, title="A <b> song")) for person in (owner, owner, other))
    html = page.get(reverse("library:bin")).content.decode()
    assert html.count("30 days left") == 2
    assert "A &lt;b&gt; song" in html
    assert str(theirs.pk) not in html
    assert reverse("library:bin") in page.get(reverse("library:history")).content.decode()
    assert reverse("library:bin") in page.get(reverse("accounts:account")).content.decode()
    both = {"track": [str(one.pk), str(theirs.pk)]}
    for headers in (HTMX, {}):
        question = page.get(reverse("library:bin-delete"), both, headers=headers).content.decode()
        assert "Delete “A &lt;b&gt; song” for good?" in question
    assert Track.objects.count() == 3
    with django_capture_on_commit_callbacks(execute=True):
        page.post(reverse("library:bin-delete"), both)
    assert set(Track.objects.all()) == {two, theirs}
    page.post(reverse("library:bin-restore"), {"track": [two.pk, theirs.pk], "list": "bin"})
    assert list(Track.objects.filter(binned_at=None)) == [two]
    binned(two)
    assert "with 1 track?" in page.get(reverse("library:bin-empty")).content.decode()
    page.post(reverse("library:bin-empty"))
    assert list(Track.objects.all()) == [theirs]
    assert "The bin is empty" in page.get(reverse("library:bin")).content.decode()
    # There is nothing to ask about.
    assert page.get(reverse("library:bin-empty"))["Location"] == reverse("library:bin")


# --- for good --------------------------------------------------------------------------------------------
def test_after_its_days_it_is_purged_with_its_files(
    *,
    owner: User,
    done_track: Make,
    genres: Any,
    stored: Callable[[], list[str]],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    old, young, kept = binned(done_track(owner)), binned(done_track(owner)), done_track(owner)
    clip = make_clip(owner, genres["blues"])
    Clip.objects.filter(pk=clip.pk).update(track=old)
    long_ago(old)
    # What is tidied away belongs to nothing.
    monkeypatch.setattr(tidying, "GRACE", timedelta(0))
    tidying.tidy()
    assert len([name for name in stored() if "clips" not in name]) == 15
    assert quotas.kept(owner).tracks == 3
    with django_capture_on_commit_callbacks(execute=True):
        purge_bin()
    assert set(Track.objects.all()) == {young, kept}
    assert not default_storage.exists(str(old.sound.name))
    assert Analysis.objects.count() == 2
    clip.refresh_from_db()
    assert (clip.status, clip.track) == (Clip.Status.PENDING, None)
    # Shortened by whoever runs the site, it ends earlier.
    settings.BIN_DAYS = 0
    service.purge()
    assert list(Track.objects.all()) == [kept]


def test_personal_data_and_the_account_cover_it(
    owner: User, done_track: Make, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    track = binned(done_track(owner, title="Song"))
    exported = dict(personal_data.export(owner))
    told = exported[f"tracks/Song {track.pk.hex[:8]}/track.json"]
    assert isinstance(told, bytes)
    assert json.loads(told)["binned_at"] is not None
    with django_capture_on_commit_callbacks(execute=True):
        library_data.delete(owner)
    assert not Track.objects.exists()
    assert not default_storage.exists(str(track.sound.name))


# --- sent again, and under way ---------------------------------------------------------------------------
def test_the_same_file_again_takes_it_out_privately(owner: User, owner_api: APIClient) -> None:
    sound = wav()
    track = add_track(owner=owner, file=ContentFile(sound, name="a.wav"), name="a.wav").track
    Track.objects.filter(pk=track.pk).update(visibility="catalogue")
    binned(track)
    file = ContentFile(sound, name="a.wav")
    answer = owner_api.post("/api/v1/tracks/", {"file": file}, format="multipart").json()
    assert (answer["id"], answer["duplicate"], answer["restored"]) == (str(track.pk), True, True)
    track.refresh_from_db()
    assert (track.binned_at, track.visibility, track.was_published) == (None, "private", False)
    file.seek(0)
    again = owner_api.post("/api/v1/tracks/", {"file": file}, format="multipart").json()
    assert (again["duplicate"], again["restored"]) == (True, False)


def test_an_analysis_under_way_is_finished_in_the_bin(owner: User, classifier_in_service: Any) -> None:
    track = add_track(owner=owner, file=ContentFile(wav(), name="a.wav"), name="a.wav").track
    binned(track)
    assert analyse_track(track_id=track.pk)
    track.refresh_from_db()
    assert (track.status, track.binned_at is None) == ("done", False)
    rows = TrackLens.objects.filter(track=track)
    assert rows.filter(public=False, owner=None).count() == rows.count() > 0
    service.restore(by=owner, tracks=Track.objects.all())
    assert set(rows.values_list("public", "owner")) == {(False, owner.pk)}

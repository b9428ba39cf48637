"""Export of personal data, and deletion with the account."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import DjangoCaptureOnCommitCallbacks

from classifier.core.lenses import LENSES
from genreweb.accounts import archive, personal_data
from genreweb.accounts.models import User
from library.models import Analysis, Explanation, LearnedWeights, Playlist, Thumb, Track
from library.services import playlists, thumbs

pytestmark = pytest.mark.django_db
MakeTrack = Callable[..., Track]


def export(user: User) -> ZipFile:
    return ZipFile(io.BytesIO(b"".join(archive.stream(personal_data.export(user)))))


def test_every_track_goes_along_with_sound_pictures_and_verdict(
    owner: User, other: User, done_track: MakeTrack
) -> None:
    track = done_track(owner, title="밤 / Night: one?", original_name="night.wav")
    done_track(other, title="Theirs")
    done_track(None, title="Everybody's")
    archive_ = export(owner)
    folder = f"tracks/밤 Night one {track.id.hex[:8]}"
    expected = {
        f"{folder}/{name}" for name in ("track.json", "sound.wav", *(f"{p}.webp" for p in Analysis.PICTURES))
    }
    assert set(archive_.namelist()) == {"account.json", *expected}
    assert archive_.read(f"{folder}/sound.wav") == b"RIFF"
    told = json.loads(archive_.read(f"{folder}/track.json"))
    assert (told["id"], told["title"], told["original_name"]) == (
        str(track.pk),
        "밤 / Night: one?",
        "night.wav",
    )
    [analysis] = told["analyses"]
    assert analysis["genre"] == "blues"
    assert sum(analysis["probabilities"].values()) == pytest.approx(1)
    assert len(analysis["descriptor"]) > 1


def test_an_explanation_goes_along_with_its_map(owner: User, done_track: MakeTrack) -> None:
    track = done_track(owner, title="Night")
    explanation = Explanation(analysis=track.current, status="done", summary={"genre": "blues"})
    explanation.picture.save("why.png", ContentFile(b"PNG"), save=False)
    explanation.save(force_insert=True)
    archive_ = export(owner)
    folder = f"tracks/Night {track.id.hex[:8]}"
    assert archive_.read(f"{folder}/why.png") == b"PNG"
    [analysis] = json.loads(archive_.read(f"{folder}/track.json"))["analyses"]
    assert analysis["explanation"] == {"genre": "blues"}


@pytest.mark.slow
def test_playlists_and_thumbs_go_along_and_are_deleted(
    owner: User,
    other: User,
    done_track: MakeTrack,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    public, hidden = done_track(None, title="Public"), done_track(None, title="Hidden")
    playlist = playlists.create(owner=owner, title="Night", tracks=[hidden, public])
    theirs = playlists.create(owner=other, title="Theirs", tracks=[public])
    for person in (owner, other):
        for near in (public, hidden):
            thumbs.give(user=person, query=done_track(None), neighbour=near, value=-1, lens="sound")
    # What somebody else owns by now is not theirs to take along.
    Track.objects.filter(pk=hidden.pk).update(owner=other, visibility="private")
    archive_ = export(owner)
    told = json.loads(archive_.read(f"playlists/Night {playlist.id.hex[:8]}.json"))
    assert [track["title"] for track in told["tracks"]] == ["Public"]
    told = json.loads(archive_.read("thumbs.json"))
    assert [(row["neighbour_title"], row["value"], row["by"]) for row in told["thumbs"]] == [
        ("Public", "down", "sound")
    ]
    assert set(told["learned"]["weights"]) == set(LENSES)
    assert "Hidden" not in str(told)
    losses = personal_data.losses(owner)
    assert "1 playlist" in losses
    assert "2 thumbs on similar tracks" in losses
    with django_capture_on_commit_callbacks(execute=True):
        personal_data.delete_account(user=owner)
    assert [each.pk for each in Playlist.objects.all()] == [theirs.pk]
    assert Thumb.objects.filter(user=other).count() == Thumb.objects.count() == 2
    assert [row.pk for row in LearnedWeights.objects.all()] == [other.pk]


def test_a_track_without_an_analysis_is_exported_too(owner: User, queued_track: MakeTrack) -> None:
    track = queued_track(owner, title="../..")
    folder = f"tracks/{track.id.hex[:8]}"
    assert set(export(owner).namelist()) == {"account.json", f"{folder}/track.json", f"{folder}/sound.wav"}


def test_a_sound_that_is_gone_spoils_nothing(owner: User, queued_track: MakeTrack) -> None:
    gone, there = queued_track(owner, title="Gone"), queued_track(owner, title="There")
    default_storage.delete(gone.sound.name or "")
    archive_ = export(owner)
    assert archive_.read(f"tracks/There {there.id.hex[:8]}/sound.wav") == b"RIFF"
    assert f"tracks/Gone {gone.id.hex[:8]}/sound.wav" in archive_.read(archive.MISSING).decode()


def test_many_tracks_cost_as_many_queries_as_one(
    owner: User, done_track: MakeTrack, django_assert_num_queries: Any
) -> None:
    done_track(owner)
    with django_assert_num_queries(17):
        export(owner)
    for _ in range(10):
        done_track(owner)
    with django_assert_num_queries(17):
        export(owner)


def test_says_how_many_tracks_are_lost(owner: User, queued_track: MakeTrack) -> None:
    assert personal_data.losses(owner) == []
    queued_track(owner)
    assert "1 track," in personal_data.losses(owner)[0]
    queued_track(owner, visibility=Track.Visibility.CATALOGUE)
    tracks, published = personal_data.losses(owner)
    assert "2 tracks," in tracks
    assert published == "1 of these is in the catalogue: everybody loses it, in playlists too"


def test_leaving_takes_rows_and_files_of_this_person_only(
    owner: User,
    done_track: MakeTrack,
    queued_track: MakeTrack,
    stored: Callable[[], list[str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    kept = [done_track(User.objects.create_user("other@example.org")), done_track(None)]
    files = stored()
    done_track(owner)
    queued_track(owner)
    assert len(stored()) > len(files)
    with django_capture_on_commit_callbacks(execute=True):
        personal_data.delete_account(user=owner)
    assert not User.objects.filter(email="owner@example.org").exists()
    assert set(Track.objects.all()) == set(kept)
    assert Analysis.objects.count() == 2
    assert stored() == files


def test_files_stay_if_leaving_fails(
    owner: User, done_track: MakeTrack, stored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    done_track(owner)
    files = stored()

    class Broken:
        def delete(self, user: User) -> None:
            raise RuntimeError("no")

    monkeypatch.setattr(personal_data, "_holders", [*personal_data._holders, Broken()])
    with pytest.raises(RuntimeError, match="no"):
        personal_data.delete_account(user=owner)
    assert Track.objects.filter(owner=owner).count() == 1
    assert stored() == files

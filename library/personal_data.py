"""Personal data in the library: export and deletion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import Prefetch, QuerySet
from django.utils.translation import ngettext

from genreweb.accounts.models import User
from genreweb.accounts.personal_data import Content, as_json
from library.models import (
    Analysis,
    LearnedWeights,
    Playlist,
    ResumableUpload,
    Thumb,
    Track,
    UploadBatch,
    WatchedFile,
)
from library.services.batches import delete_batches
from library.services.playlists import tracks_of
from library.services.resumable import discard
from library.services.thumbs import listed
from library.services.tracks import delete_tracks

_BATCH = 50
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
"""Characters that some operating system does not allow in the name of a folder."""


def export(user: User) -> Iterator[tuple[str, Content]]:
    """Yield the tracks of `user`, with those in the bin, then lists of what else is theirs.

    Each has its sound, its cover and its pictures.
    """
    ids = list(Track.objects.filter(owner=user).order_by("created", "id").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        tracks = Track.objects.filter(pk__in=ids[start : start + _BATCH]).order_by("created", "id")
        analyses = Prefetch("analyses", _explained())
        for track in tracks.select_related("labelled_genre").prefetch_related(analyses):
            yield from _files(track)
    if batches := list(UploadBatch.objects.filter(owner=user).prefetch_related("entries")):
        yield "uploads.json", as_json([_batch(batch) for batch in batches])
    for playlist in Playlist.objects.filter(owner=user).order_by("created", "id"):
        yield f"playlists/{folder_name(playlist.title, playlist.id)}.json", as_json(_playlist(playlist, user))
    thumbs = [
        {
            "track": thumb.query_id,
            "track_title": thumb.query.title,
            "neighbour": thumb.neighbour_id,
            "neighbour_title": thumb.neighbour.title,
            "value": Thumb.Value(thumb.value).name.lower(),
            "by": thumb.lens,
            "changed": thumb.changed,
        }
        for thumb in listed(user=user)
    ]
    if thumbs:
        learned = LearnedWeights.objects.filter(pk=user.pk).values("version", "weights").first()
        yield "thumbs.json", as_json({"thumbs": thumbs, "learned": learned})
    begun = ResumableUpload.objects.filter(owner=user).order_by("created", "id")
    if resumable := list(begun.values("id", "name", "length", "offset", "created", "track")):
        yield "resumable_uploads.json", as_json(resumable)
    watched = WatchedFile.objects.filter(owner=user).order_by("name", "id")
    if found := list(watched.values("name", "stamp", "state", "error_code", "sha256", "track")):
        yield "watched_files.json", as_json(found)


def _batch(batch: UploadBatch) -> dict[str, Any]:
    shown = ("name", "status", "track_id", "error_code")
    entries = [{name: getattr(entry, name) for name in shown} for entry in batch.entries.all()]
    return {"id": batch.id, "created": batch.created, "status": batch.status, "files": entries}


def _playlist(playlist: Playlist, user: User) -> dict[str, Any]:
    shown = ("id", "title", "shared", "created", "changed")
    tracks = tracks_of(playlist, viewer=user).values("id", "title", "artist", "album")
    return {**{name: getattr(playlist, name) for name in shown}, "tracks": list(tracks)}


def _explained() -> QuerySet[Analysis]:
    analyses = Analysis.objects.select_related("model_version", "explanation")
    return analyses.with_columns("explanation__summary")


def losses(user: User) -> list[str]:
    """Say how many tracks, playlists and thumbs are deleted with the account, and what others lose by it."""
    owned = Track.objects.filter(owner=user)
    tracks, published = owned.count(), owned.in_catalogue().count()
    playlists = Playlist.objects.filter(owner=user).count()
    thumbs = Thumb.objects.filter(user=user).count()
    counted = [
        (
            tracks,
            ngettext(
                "%(count)d track, with its sound, its pictures and what was heard in it",
                "%(count)d tracks, with their sounds, their pictures and what was heard in them",
                tracks,
            ),
        ),
        (
            published,
            ngettext(
                "%(count)d of these is in the catalogue: everybody loses it, in playlists too",
                "%(count)d of these are in the catalogue: everybody loses them, in playlists too",
                published,
            ),
        ),
        (playlists, ngettext("%(count)d playlist", "%(count)d playlists", playlists)),
        (
            thumbs,
            ngettext("%(count)d thumb on a similar track", "%(count)d thumbs on similar tracks", thumbs),
        ),
    ]
    return [text % {"count": count} for count, text in counted if count]


def delete(user: User) -> None:
    """Delete the tracks of `user` with all their files, their playlists and their thumbs."""
    Playlist.objects.filter(owner=user).delete()
    Thumb.objects.filter(user=user).delete()
    LearnedWeights.objects.filter(pk=user.pk).delete()
    # With what is in the bin.
    delete_tracks(Track.objects.filter(owner=user))
    delete_batches(UploadBatch.objects.filter(owner=user))
    discard(ResumableUpload.objects.filter(owner=user))


def folder_name(title: str, pk: UUID) -> str:
    """Name a folder of the archive, valid on every operating system and unique for equal titles."""
    fitting = " ".join(_UNFIT.sub(" ", title).split()).strip(" .")[:80].strip(" .")
    return f"{fitting} {pk.hex[:8]}".strip()


def _files(track: Track) -> Iterator[tuple[str, Content]]:
    folder = f"tracks/{folder_name(track.title, track.id)}"
    analyses = list(track.analyses.all())
    yield f"{folder}/track.json", as_json({**_track(track), "analyses": [_analysis(a) for a in analyses]})
    yield f"{folder}/sound{_suffix(track.sound.name)}", _opener(track.sound.name)
    if track.rendition:
        yield f"{folder}/as played{_suffix(track.rendition.name)}", _opener(track.rendition.name)
    if track.cover:
        yield f"{folder}/cover{_suffix(track.cover.name)}", _opener(track.cover.name)
    for place, analysis in enumerate(analyses):
        pictures = {picture: getattr(analysis, picture).name for picture in Analysis.PICTURES}
        if analysis.requested_explanation:
            pictures["why"] = analysis.requested_explanation.picture.name
        for picture, name in pictures.items():
            shown = picture if place == 0 else f"{picture} {analysis.created:%Y-%m-%d %H.%M.%S}"
            if name:
                yield f"{folder}/{shown}{_suffix(name)}", _opener(name)


def _suffix(name: str | None) -> str:
    return PurePosixPath(name or "").suffix


def _opener(name: str | None) -> Content:
    return partial(default_storage.open, name or "", "rb")


def _track(track: Track) -> dict[str, Any]:
    shown = (
        *(
            "id",
            "title",
            "artist",
            "album",
            "year",
            "tagged_genre",
            "file_tags",
            "licence",
            "original_name",
            "source",
            "visibility",
            "created",
            "binned_at",
        ),
        *("finished_at", "sha256", "size", "duration", "sample_rate", "channels", "codec", "container"),
        *("status", "error_code"),
    )
    genre = track.labelled_genre
    return {**{name: getattr(track, name) for name in shown}, "labelled_genre": genre.slug if genre else None}


def _analysis(analysis: Analysis) -> dict[str, Any]:
    shown = (
        *("created", "feature_version", "descriptor_version", "genre", "confidence", "unsure"),
        *("probabilities", "timeline", "style", "tags", "tag_version", "key", "expected_duration", "damaged"),
    )
    return {
        **{name: getattr(analysis, name) for name in shown},
        "model_version": str(analysis.model_version),
        "descriptor": _numbers(analysis.descriptor),
        "embedding": _numbers(analysis.embedding),
        "tag_embedding": _numbers(analysis.tag_embedding),
        "levelled_features": _numbers(analysis.levelled_features),
        "timbre": _numbers(analysis.timbre),
        "fingerprint": analysis.fingerprint,
        "explanation": analysis.requested_explanation.summary if analysis.requested_explanation else None,
    }


def _numbers(vector: Any) -> list[float] | None:
    return None if vector is None else [float(value) for value in vector]

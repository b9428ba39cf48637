"""The rows of the site that ``make load`` reads.

The first track of the site's administrator, which was uploaded and analysed as any other, is copied in rows:
with other titles, genres, vectors and times. The copies share its files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.db import connection, transaction
from django.test import Client

from classifier.core.tags import MOODS
from library.models import Analysis, NotableTag, Track, TrackLens
from library.views.history import PER_PAGE

CATALOGUE_SHARE = 0.1
_WORDS = ("night", "river", "signal", "paper", "garden", "engine", "winter", "glass", "harbour", "echo")
_BATCH = 500
_SHOWN = 200
"""Tracks whose pages are read."""


def fill(*, people: int, history: int, folder: Path) -> None:
    """Make the rows, and write what `genreweb.load.people` needs to know into `folder`.

    Parameters
    ----------
    people
        Sessions of the one account that owns the tracks, so that every page is one of a long history.
    history
        Tracks; a tenth of them are without an owner in the catalogue.
    """
    template = Track.objects.select_related("owner", "current").filter(status=Track.Status.DONE).get()
    assert template.owner is not None  # noqa: S101  # it was uploaded
    with transaction.atomic():
        # What is queued would be analysed; nobody sees these rows before they are done.
        made = _tracks(template, history)
        _analyses(template, made)
        _lenses(template, made)
        _tags(template, made)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE library_track t SET status = 'done', current_id = a.id,"
                " created = t.created - random() * interval '700 days'"
                " FROM library_analysis a WHERE a.track_id = t.id AND t.current_id IS NULL"
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    sessions = []
    for _person in range(people):
        client = Client()
        client.force_login(template.owner)
        sessions.append(client.cookies["sessionid"].value)
    owned = [track for track in made if track.owner_id]
    given = {
        "sessions": sessions,
        "tracks": [str(track.pk) for track in owned[:: max(1, len(owned) // _SHOWN)]],
        "pages": max(2, len(owned) // PER_PAGE),
        "words": _WORDS,
        "moods": list(MOODS),
    }
    (folder / "people.json").write_text(json.dumps(given))


def _tracks(template: Track, number: int) -> list[Track]:
    rng = np.random.default_rng(1)
    made = []
    for place in range(number):
        track = copy(template)
        track.pk, track.current, track.sha256 = uuid4(), None, rng.bytes(32).hex()
        track.status = Track.Status.QUEUED
        first, second = rng.choice(_WORDS, 2)
        track.title = f"{first} {second} {place}".capitalize()
        if place < number * CATALOGUE_SHARE:
            track.owner, track.visibility = None, Track.Visibility.CATALOGUE
            track.catalogue_key = f"load/{place}"
        made.append(track)
    Track.objects.bulk_create(made, batch_size=_BATCH)
    return made


def _analyses(template: Track, tracks: list[Track]) -> None:
    """Copy the analysis with other verdicts; the database does it, for most of a row is long."""
    rng = np.random.default_rng(2)
    whole = Analysis.objects.get(track=template)
    labels = list(whole.probabilities)
    other: dict[str, list[Any]] = {"track_id": [], "genre": [], "confidence": [], "probabilities": []}
    for track in tracks:
        shares = rng.dirichlet(np.full(len(labels), 0.3))
        other["track_id"].append(track.pk)
        other["genre"].append(labels[int(shares.argmax())])
        other["confidence"].append(float(shares.max()))
        other["probabilities"].append(json.dumps(dict(zip(labels, shares.tolist(), strict=True))))
    columns = [str(field.column) for field in Analysis._meta.concrete_fields if not field.primary_key]
    taken = ", ".join(f"{'made' if name in other else 'whole'}.{name}" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO library_analysis ({', '.join(columns)}) SELECT {taken} FROM library_analysis whole,"  # noqa: S608  # names of columns
            " unnest(%s::uuid[], %s::text[], %s::float[], %s::jsonb[]) AS made"
            f" ({', '.join(other)}) WHERE whole.id = %s",
            [*other.values(), whole.pk],
        )


def _lenses(template: Track, tracks: list[Track]) -> None:
    rng = np.random.default_rng(3)
    for whole in TrackLens.objects.filter(track=template):
        vector = np.asarray(whole.vector, np.float64)
        spread = np.abs(vector).mean()
        for some in _batches(tracks):
            rows = []
            for track in some:
                row = copy(whole)
                row.pk, row.track, row.owner, row.public = None, track, track.owner, track.is_in_catalogue
                row.vector = vector + spread * rng.standard_normal(vector.size)
                rows.append(row)
            TrackLens.objects.bulk_create(rows)


def _tags(template: Track, tracks: list[Track]) -> None:
    rng = np.random.default_rng(4)
    names = list(NotableTag.objects.filter(track=template).values_list("tag", flat=True))
    for some in _batches(tracks):
        NotableTag.objects.bulk_create(
            NotableTag(track=track, tag=name, strength=float(rng.uniform(0.2, 1)))
            for track in some
            for name in names
        )


def _batches(tracks: list[Track]) -> Iterator[list[Track]]:
    for start in range(0, len(tracks), _BATCH):
        yield tracks[start : start + _BATCH]

"""The 57 summary features of tracks as a table: computed by a worker when first asked for, then kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast
from uuid import UUID

from celery.exceptions import TimeoutError as CeleryTimeoutError
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from classifier import decoding, summaries
from classifier.core.audio import AudioError
from classifier.core.summary import COLUMNS
from genreweb.accounts.models import User
from genreweb.table_stream import Cell
from library.errors import TrackError
from library.models import Track, TrackFeatures, TrackQuerySet
from library.services import queue
from library.services.tracks import limits
from library.services.waiting import Places

log = logging.getLogger(__name__)

HEADER = ("filename", "length", *COLUMNS, "label")
"""The columns of GTZAN's ``features_30_sec.csv``, in its order."""
MOST = 500
"""Tracks whose features are given at once."""
WAIT_SECONDS = 120
_AT_ONCE = 4
# Each table holds one of the web server's threads while workers compute.
_places = Places(3, per_caller=1)


def table(tracks: TrackQuerySet, *, user: User) -> Iterator[list[Cell]]:
    """Give a row for each track, as in the table of GTZAN, in the order of `tracks`.

    A track whose sound cannot be decoded has empty cells. Missing features are computed by the workers, a few
    tracks at a time, while the rows are read.

    Raises
    ------
    TrackError
        ``too_many_features``, or ``unavailable`` where some are missing and no worker runs.
    """
    chosen = list(tracks.values_list("pk", flat=True)[: MOST + 1])
    if len(chosen) > MOST:
        raise TrackError("too_many_features", {"most": MOST})
    if len(_known(chosen)) < len(chosen) and not queue.has_worker():
        raise TrackError("unavailable")
    return _rows(chosen, user)


def _rows(chosen: list[UUID], user: User) -> Iterator[list[Cell]]:
    with _places.place(f"user {user.pk}") as free:
        for start in range(0, len(chosen), _AT_ONCE):
            some = chosen[start : start + _AT_ONCE]
            known = _known(some)
            missing = [pk for pk in some if pk not in known]
            if missing and free:
                _have_measured(missing)
                known = _known(some)
            tracks = Track.objects.visible_to(user).select_related("labelled_genre", "current").in_bulk(some)
            for pk in some:
                if track := tracks.get(pk):
                    yield _row(track, known.get(pk), user)


def _row(track: Track, features: TrackFeatures | None, user: User) -> list[Cell]:
    name = track.original_name if track.owner_id == user.pk else ""
    values: list[Cell] = [None] * (1 + len(COLUMNS))
    if features is not None:
        values = [features.length, *features.values]
    return [name or track.title, *values, track.shown_genre]


def _known(chosen: Iterable[UUID]) -> dict[UUID, TrackFeatures]:
    """Fetch the features that are there already and of the file that the track has now."""
    found = TrackFeatures.objects.filter(track__in=list(chosen)).select_related("track")
    return {one.track_id: one for one in found if one.sha256 == one.track.sha256}


def _have_measured(missing: Iterable[UUID]) -> None:
    """Wait until workers have measured some tracks, or could not."""
    try:
        pending = [queue.send_features(pk, expires=WAIT_SECONDS) for pk in missing]
        for one in pending:
            one.get(timeout=WAIT_SECONDS, disable_sync_subtasks=False)
    except CeleryTimeoutError:
        log.warning("features were not computed within %d s", WAIT_SECONDS)
    except (OperationalError, RedisError, OSError, RuntimeError) as error:
        # Celery raises RuntimeError if it cannot reconnect to the result store.
        log.warning("features are left out, the broker is away: %s", error.__cause__ or error)


def measure(*, track_id: UUID) -> bool:
    """Compute and keep the features of a track, in a worker; False where that cannot be done."""
    track = Track.objects.filter(pk=track_id).first()
    if track is None:
        return False
    try:
        with track.sound.open("rb") as file:
            samples = decoding.shared.decode(cast(BinaryIO, file), limits=limits()).samples
        values = summaries.shared.summarise(samples)
    except (AudioError, OSError) as error:
        log.warning("no features of %s: %s", track_id, error)
        return False
    with transaction.atomic():
        # Locked, so that it is not deleted meanwhile.
        if not Track.objects.select_for_update().filter(pk=track_id, sha256=track.sha256).exists():
            return False
        TrackFeatures.objects.update_or_create(
            track_id=track_id,
            defaults={
                "sha256": track.sha256,
                "length": samples.size,
                "values": [float(value) for value in values],
            },
        )
    return True

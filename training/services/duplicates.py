"""Find other clips and clips of the test set that contain the same recording as a clip."""

from __future__ import annotations

import logging

import numpy as np
from django.db import connection, transaction

from classifier import testset
from classifier.core import fingerprint
from classifier.core.fingerprint import Query
from training.models import Clip
from training.models.clips import ClipQuerySet
from training.services.features import FeaturesError, read_features

log = logging.getLogger(__name__)

FIELDS = ("fingerprint", "duplicate_of", "leaks", "leaks_into", "known_as")
_MOST_CANDIDATES = 200
_MOST_COMPARED = 20
_BATCH = 50
_LOCK = 0x67656E72


def mark(clip: Clip, query: Query) -> None:
    """Set the fields of a clip, unsaved, that tell its duplicates. Call it in a transaction.

    Holds a lock until the end of the transaction, so that of two clips of one recording that are checked at
    the same time, the second one finds the first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    clip.fingerprint = query.stored.tolist()
    clip.duplicate_of = find(query, among=_others(clip))
    # A dataset's own test part is never trained on anyway.
    leak = testset.shipped().find(query) if clip.part != Clip.Part.TEST else None
    clip.leaks, clip.leaks_into = leak is not None, leak[0] if leak else ""
    clip.known_as = testset.name_of(query) if clip.dataset_id is not None else ""


def find(query: Query, *, among: ClipQuerySet) -> Clip | None:
    """Return the clip with the same recording, the best match if there are several; in a transaction."""
    if not query.keys.size:
        return None
    with connection.cursor() as cursor:
        # For thousands of words the planner would otherwise choose a sequential scan.
        cursor.execute("SET LOCAL enable_seqscan = off")
    near = among.filter(fingerprint__overlap=query.keys.tolist()).only("pk", "fingerprint")
    candidates = [(clip, np.array(clip.fingerprint, np.int32)) for clip in near[:_MOST_CANDIDATES]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = on")
    candidates.sort(key=lambda found: -int(np.isin(found[1], query.keys).sum()))
    best, evidence = None, 0.0
    for clip, words in candidates[:_MOST_COMPARED]:
        match = fingerprint.best_match(query, words)
        if match.same and match.evidence > evidence:
            best, evidence = clip, match.evidence
    return best


def mark_again(clip: Clip) -> None:
    """Set the fields of a clip, unsaved, as `mark` does, from what is kept of it; in a transaction."""
    try:
        mark(clip, fingerprint.from_columns(read_features(clip).db))
    except FeaturesError as error:
        log.warning("clip %s: %s", clip.pk, error)


def fill_in() -> int:
    """Fingerprint some of the older clips that have none; return their number."""
    lacking = Clip.objects.filter(fingerprint__isnull=True).exclude(features="")
    done = 0
    for clip in lacking.order_by("created")[:_BATCH]:
        try:
            query = fingerprint.from_columns(read_features(clip).db)
        except FeaturesError as error:
            log.warning("clip %s: %s", clip.pk, error)
            # Do not try again; a training run that needs the clip reports the same error.
            Clip.objects.filter(pk=clip.pk).update(fingerprint=[])
            continue
        with transaction.atomic():
            mark(clip, query)
            fields = {name: getattr(clip, name) for name in FIELDS}
            done += Clip.objects.filter(pk=clip.pk, fingerprint__isnull=True).update(**fields)
    return done


def _others(clip: Clip) -> ClipQuerySet:
    """Return all clips except this one and the other pieces of the same upload."""
    first = clip.origin_id or clip.pk
    return Clip.objects.exclude(pk=clip.pk).exclude(pk=first).exclude(origin_id=first)

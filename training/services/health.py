"""Compare the labels of approved clips with out-of-fold predictions, and note where they disagree.

After Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels (JAIR 2021):
each clip is predicted by a model that was fitted without it and without its recording or artist.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction
from django.utils import timezone
from numpy.typing import NDArray

from classifier import registry
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.services.queue import BULK, put
from training.models import Clip, LabelCheck
from training.neighbours import comparable_versions
from training.services import events, predictions
from training.services.queue import Task

log = logging.getLogger(__name__)

LEAST_CLIPS = 6
"""Clips, and in at least two groups, that a genre needs before anything can be said of its labels."""
SEED = 0
_SENT_AGAIN_AFTER = timedelta(minutes=1)
_LOST_AFTER = timedelta(minutes=10)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Labelled:
    """A clip as the check sees it."""

    pk: UUID
    genre: str
    group: str
    embedding: NDArray[np.float32]


def request_check(*, by: User | None = None) -> LabelCheck:
    """Have the labels checked; where a check waits or runs already, give that one."""
    now = timezone.now()
    lost = LabelCheck.objects.filter(status=LabelCheck.Status.RUNNING, pulse_at__lt=now - _LOST_AFTER)
    lost.update(status=LabelCheck.Status.FAILED, error_code="worker_lost", finished_at=now)
    active = LabelCheck.objects.filter(status__in=LabelCheck.ACTIVE).first()
    if active is None:
        try:
            with transaction.atomic():
                active = LabelCheck.objects.create(requested_by=by)
        except IntegrityError:
            # Somebody else asked at the same moment.
            return LabelCheck.objects.filter(status__in=LabelCheck.ACTIVE).latest("created")
        _send_on_commit(active.pk)
    elif LabelCheck.objects.filter(
        pk=active.pk, status=LabelCheck.Status.QUEUED, pulse_at__lt=now - _SENT_AGAIN_AFTER
    ).update(pulse_at=now):
        _send_on_commit(active.pk)
    return active


def check_labels(*, check_id: int) -> bool:
    """Do a check that waits; False where there is none, or it is in other hands."""
    claimed = LabelCheck.objects.filter(pk=check_id, status=LabelCheck.Status.QUEUED).update(
        status=LabelCheck.Status.RUNNING, pulse_at=timezone.now()
    )
    if not claimed:
        return False
    _publish(check_id)
    try:
        result = _examine(check_id)
    except SoftTimeLimitExceeded:
        _end(check_id, status=LabelCheck.Status.FAILED, error_code="time_limit")
    except registry.NoClassifierError:
        _end(check_id, status=LabelCheck.Status.FAILED, error_code="no_classifier")
    except Exception:
        log.exception("the check of the labels failed")
        _end(check_id, status=LabelCheck.Status.FAILED, error_code="internal")
    else:
        _end(check_id, status=LabelCheck.Status.DONE, **result)
    return True


def _examine(check_id: int) -> dict[str, object]:
    version = ModelVersion.objects.in_service()
    if version is None:
        raise registry.NoClassifierError("No classifier is in service.")
    versions = list(comparable_versions(version).values_list("pk", flat=True))
    unpredicted = Clip.objects.usable().exclude(opinion_version__in=versions, embedding__isnull=False)
    # The network is loaded only where there is something to predict.
    if unpredicted.exists():
        predictions.refresh(
            unpredicted.select_related("genre").defer("embedding").iterator(chunk_size=_BATCH),
            on_clip=lambda done: _heartbeat(check_id) if done % 50 == 0 else None,
        )
    clips = _labelled(versions)
    chosen, left_out = comparable(clips)
    labels = sorted({clip.genre for clip in chosen})
    doubts: dict[UUID, tuple[str, float, str]] = {}
    if len(labels) > 1:
        _heartbeat(check_id)
        shares = predict_out_of_fold(chosen, labels)
        for clip, row in zip(chosen, shares, strict=True):
            other = labels[int(np.argmax(row))]
            doubts[clip.pk] = (clip.genre, 1.0 - float(row[labels.index(clip.genre)]), other)
    _note(doubts)
    return {"version": version, "clips": len(doubts), "left_out": left_out}


def predict_out_of_fold(clips: Sequence[Labelled], labels: Sequence[str]) -> NDArray[np.float64]:
    """Give (n_clips, n_labels) probabilities, each clip's by a model fitted without its group."""
    from classifier.fitting.evaluation.label_noise import out_of_fold

    index = {label: place for place, label in enumerate(labels)}
    return out_of_fold(
        np.stack([clip.embedding for clip in clips]),
        np.array([index[clip.genre] for clip in clips]),
        [clip.group for clip in clips],
        len(labels),
        seed=SEED,
    )


def comparable(clips: Sequence[Labelled]) -> tuple[list[Labelled], list[str]]:
    """Leave out genres of which no model could be fitted without the clip that it predicts."""
    groups: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        groups[clip.genre].append(clip.group)
    few = {genre for genre, members in groups.items() if len(members) < LEAST_CLIPS or len(set(members)) < 2}
    return [clip for clip in clips if clip.genre not in few], sorted(few)


def _labelled(versions: list[int]) -> list[Labelled]:
    rows = (
        Clip.objects.usable()
        .filter(opinion_version__in=versions, embedding__isnull=False)
        .order_by("pk")
        .values_list(
            "pk",
            "genre__slug",
            "embedding",
            "artist",
            "repetition_group",
            "dataset_id",
            "origin_id",
            "duplicate_of_id",
        )
    )
    found = []
    for pk, genre, embedding, artist, repetition, dataset, origin, twin in rows.iterator(chunk_size=_BATCH):
        if repetition:
            group = f"recording {dataset} {repetition}"
        elif artist:
            group = f"artist {artist.casefold()}"
        else:
            group = str(twin or origin or pk)
        found.append(Labelled(pk, genre, group, np.asarray(embedding, np.float32)))
    return found


def _note(doubts: dict[UUID, tuple[str, float, str]]) -> None:
    """Write the doubts, and wipe out those of clips that were not looked at this time."""
    Clip.objects.exclude(suspicion=None).exclude(pk__in=list(doubts)).update(
        suspicion=None, suspected_genre="", doubted_genre=""
    )
    clips = [
        Clip(pk=pk, doubted_genre=genre, suspicion=suspicion, suspected_genre=other)
        for pk, (genre, suspicion, other) in doubts.items()
    ]
    # Only these three: a curator may decide about a clip at the same time.
    Clip.objects.bulk_update(clips, ["doubted_genre", "suspicion", "suspected_genre"], batch_size=_BATCH)


def _heartbeat(check_id: int) -> None:
    LabelCheck.objects.filter(pk=check_id).update(pulse_at=timezone.now())


def _end(check_id: int, **fields: object) -> None:
    LabelCheck.objects.filter(pk=check_id, status=LabelCheck.Status.RUNNING).update(
        finished_at=timezone.now(), **fields
    )
    _publish(check_id)


def _publish(check_id: int) -> None:
    check = LabelCheck.objects.filter(pk=check_id).first()
    if check is not None:
        events.labels_checked(check)


def _send_on_commit(check_id: int) -> None:
    transaction.on_commit(lambda: put(Task.CHECK_LABELS, check_id, BULK), robust=True)

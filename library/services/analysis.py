"""From a queued track to its verdict: claim, analyse outside any transaction, save in one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, cast
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from classifier import registry
from classifier.core.analysis import TrackAnalysis, analyse
from classifier.core.audio import AudioError
from classifier.core.inference import Segment
from classifier.core.playback import PLAYBACK_SUFFIX, encode_playback, is_browser_playable
from classifier.models import ModelVersion
from library.models import Analysis, Track
from library.services import queue
from library.services.pulse import beating
from library.services.tracks import describe, limits

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to finish a track, good for one attempt."""

    track: Track
    attempt: int

    def update(self, **fields: object) -> bool:
        """Change the track if this claim still stands."""
        return bool(
            Track.objects.filter(pk=self.track.pk, attempt=self.attempt, status=Track.Status.RUNNING).update(
                **fields
            )
        )


class ClaimLostError(Exception):
    """The track was deleted, or somebody else claimed it meanwhile."""


def analyse_track(*, track_id: UUID) -> bool:
    """Analyse one queued track; False where there was nothing to do or the work was overtaken."""
    claim = _claim(track_id)
    if claim is None:
        return False
    try:
        with beating(claim.update, name=f"heartbeat-{track_id}"):
            loaded = registry.in_service()
            result = _analyse(claim, loaded)
            _save(claim, result, loaded.version)
    except ClaimLostError:
        log.info("track %s: overtaken", track_id)
        return False
    except AudioError as error:
        _fail(claim, error.code, error.params)
    except FileNotFoundError:
        _fail(claim, "file_missing")
    except SoftTimeLimitExceeded:
        _fail(claim, "time_limit")
    except registry.NoClassifierError:
        log.exception("track %s", track_id)
        _put_back(claim, "no_classifier")
    except Exception:
        log.exception("track %s: attempt %d failed", track_id, claim.attempt)
        _put_back(claim, "internal")
    return True


def _claim(track_id: UUID) -> Claim | None:
    """Take a queued track; of several workers that try at once, one gets it."""
    claimed = Track.objects.filter(pk=track_id, status=Track.Status.QUEUED).update(
        status=Track.Status.RUNNING,
        step=Track.Step.DECODE,
        attempt=F("attempt") + 1,
        tries=F("tries") + 1,
        heartbeat_at=timezone.now(),
        error_code="",
        error_params={},
    )
    if not claimed:
        return None
    track = Track.objects.filter(pk=track_id).first()
    return Claim(track, track.attempt) if track else None


def _analyse(claim: Claim, loaded: registry.Loaded) -> TrackAnalysis:
    def on_step(step: str) -> None:
        if not claim.update(step=step, heartbeat_at=timezone.now()):
            raise ClaimLostError

    with claim.track.sound.open("rb") as file:
        return analyse(cast(BinaryIO, file), classifier=loaded.classifier, limits=limits(), on_step=on_step)


def _save(claim: Claim, result: TrackAnalysis, version: ModelVersion) -> None:
    """Write pictures, then everything else in one transaction; what was overtaken leaves nothing behind."""
    track = claim.track
    if not claim.update(step=Track.Step.SAVE, heartbeat_at=timezone.now()):
        raise ClaimLostError
    prediction = result.prediction
    analysis = Analysis(
        track=track,
        model_version=version,
        feature_version=result.feature_version,
        descriptor_version=result.descriptor_version,
        genre=prediction.label or "",
        confidence=prediction.confidence,
        unsure=prediction.unsure,
        probabilities=prediction.probabilities,
        timeline=[_segment(segment) for segment in prediction.timeline],
        descriptor=result.descriptor,
        embedding=prediction.embedding,
        peaks=result.peaks.ravel().tolist(),
        ticks={
            name: [[round(tick.position, 4), tick.label] for tick in picture.ticks]
            for name, picture in result.pictures.items()
        },
        timings={step: round(seconds, 4) for step, seconds in result.timings.items()},
    )
    describe(track, result.info)
    written: list[tuple[object, str]] = []
    try:
        for name, picture in result.pictures.items():
            field = getattr(analysis, name)
            field.save(
                f"{name}.{picture.media_type.rpartition('/')[2]}", ContentFile(picture.data), save=False
            )
            written.append((field.storage, field.name))
        if not track.rendition and not is_browser_playable(result.info):
            with track.sound.open("rb") as file:
                encoded = encode_playback(cast(BinaryIO, file), limits=limits())
            track.rendition.save(f"playback{PLAYBACK_SUFFIX}", ContentFile(encoded), save=False)
            written.append((track.rendition.storage, str(track.rendition.name)))
        with transaction.atomic():
            # The track's row is locked first: a deletion waits for us, or we find it gone.
            if not Track.objects.select_for_update().filter(pk=track.pk, attempt=claim.attempt).exists():
                raise ClaimLostError
            analysis.save(force_insert=True)
            finished = claim.update(
                status=Track.Status.DONE,
                step="",
                current=analysis,
                rendition=track.rendition.name or "",
                duration=track.duration,
                sample_rate=track.sample_rate,
                channels=track.channels,
                codec=track.codec,
                container=track.container,
                finished_at=timezone.now(),
            )
            if not finished:
                raise ClaimLostError
    except BaseException:
        for storage, name in written:
            storage.delete(name)  # type: ignore[attr-defined]  # every storage deletes
        raise


def _segment(segment: Segment) -> dict[str, object]:
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "probabilities": {label: round(p, 5) for label, p in segment.probabilities.items()},
    }


def _fail(claim: Claim, code: str, params: object = None) -> None:
    claim.update(
        status=Track.Status.FAILED,
        step="",
        error_code=code,
        error_params=params or {},
        finished_at=timezone.now(),
    )
    log.info("track %s: refused (%s)", claim.track.pk, code)


def _put_back(claim: Claim, code: str) -> None:
    """Queue the track again after a fault that may pass; after the last attempt, give up and say so."""
    if claim.track.tries >= settings.ANALYSIS_ATTEMPTS:
        _fail(claim, code)
    else:
        claim.update(status=Track.Status.QUEUED, step="", queued_at=timezone.now())


def sweep() -> int:
    """Pick up what was dropped: tracks whose worker died, and tracks whose message was lost.

    Waiting tracks are sent again only while the queue is short, so that a long catalogue import is not
    sent over and over while it waits its turn. A message too many is harmless: a claim is won once.
    """
    now = timezone.now()
    lost = Track.objects.filter(
        status=Track.Status.RUNNING,
        heartbeat_at__lt=now - timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS),
    )
    given_up = lost.filter(tries__gte=settings.ANALYSIS_ATTEMPTS).update(
        status=Track.Status.FAILED, step="", error_code="worker_lost", error_params={}, finished_at=now
    )
    # Long enough ago to be sent again at once, below.
    long_ago = now - timedelta(seconds=settings.ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS)
    put_back = lost.update(status=Track.Status.QUEUED, step="", queued_at=long_ago)
    if given_up or put_back:
        log.warning(
            "%d analyses had lost their worker, %d of them for the last time", given_up + put_back, given_up
        )
    messages = queue.waiting()
    if messages is None or messages >= _SHORT_QUEUE:
        return 0
    sent = 0
    dropped = Track.objects.filter(status=Track.Status.QUEUED, queued_at__lte=long_ago).order_by("queued_at")
    for track in dropped.only("pk", "source", "queued_at")[: _SHORT_QUEUE - messages]:
        if not queue.send(track.pk, bulk=track.source == Track.Source.CATALOGUE):
            break
        Track.objects.filter(pk=track.pk, status=Track.Status.QUEUED).update(queued_at=now)
        sent += 1
    return sent


_SHORT_QUEUE = 50

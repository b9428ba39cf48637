"""Check submitted clips: claim, check outside transactions, save in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, cast
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from classifier import registry
from classifier.core.audio import SAMPLE_RATE, AudioError, decode
from classifier.core.features import FeatureParams
from classifier.core.playback import PLAYBACK_SUFFIX
from genreweb.accounts.models import User
from library.services import queue as queues
from library.services.pulse import beating
from training.errors import TrainingError
from training.models import Clip
from training.services import duplicates, opinions, queue
from training.services.clips import LEAST_SECONDS, MOST_SECONDS, clip_limits, remove_files
from training.services.features import pack_features
from training.services.pieces import AnalysedPiece, Span, analyse_piece, divide

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to finish a clip, good for one attempt."""

    clip: Clip
    attempt: int

    def update(self, **fields: object) -> bool:
        """Change the clip if this claim still stands."""
        return bool(self._rows().update(**fields))

    def hold(self) -> bool:
        """Lock the row until the end of the transaction, if this claim still stands."""
        return self._rows().select_for_update(of=("self",)).exists()

    def _rows(self) -> QuerySet[Clip]:
        return Clip.objects.filter(
            pk=self.clip.pk, attempt=self.attempt, claimed=True, status=Clip.Status.CHECKING
        )


class ClaimLostError(Exception):
    """The clip was withdrawn, or somebody else claimed it meanwhile."""


def check_clip(*, clip_id: UUID) -> bool:
    """Check one clip that waits; False where there was nothing to do or the work was overtaken."""
    claim = _claim(clip_id)
    if claim is None:
        return False
    try:
        with beating(claim.update, name=f"heartbeat-{clip_id}"):
            loaded = _classifier()
            _save(claim, _predict(claim, loaded), loaded)
    except ClaimLostError:
        log.info("clip %s: overtaken", clip_id)
        return False
    except (AudioError, TrainingError) as error:
        _fail(claim, error.code, error.params)
    except FileNotFoundError:
        _fail(claim, "file_missing")
    except SoftTimeLimitExceeded:
        _fail(claim, "time_limit")
    except Exception:
        log.exception("clip %s: attempt %d failed", clip_id, claim.attempt)
        _put_back(claim)
    return True


def _claim(clip_id: UUID) -> Claim | None:
    """Take a clip that waits; of several workers that try at once, one gets it."""
    claimed = Clip.objects.filter(pk=clip_id, status=Clip.Status.CHECKING, claimed=False).update(
        claimed=True, attempt=F("attempt") + 1, tries=F("tries") + 1, heartbeat_at=timezone.now()
    )
    if not claimed:
        return None
    clip = Clip.objects.select_related("genre", "dataset", "track").filter(pk=clip_id).first()
    return Claim(clip, clip.attempt) if clip else None


def _classifier() -> registry.Loaded | None:
    """Return the version in service; without one a clip is still checked, and predicted later."""
    try:
        return registry.in_service()
    except registry.NoClassifierError:
        log.warning("clips are checked without an opinion: no classifier is in service")
        return None


@contextmanager
def _sound(clip: Clip) -> Iterator[BinaryIO]:
    """Open the submitted sound: the clip's own file, or that of the track it is cut from."""
    field: FieldFile | None = clip.sound if clip.sound else clip.track.sound if clip.track else None
    if field is None:
        raise TrainingError("track_gone")
    with field.storage.open(str(field.name), "rb") as file:
        yield cast(BinaryIO, file)


def _predict(claim: Claim, loaded: registry.Loaded | None) -> list[AnalysedPiece]:
    """Decode what was sent and hear every piece of it that is to become a clip, the first one first."""
    clip, limits = claim.clip, clip_limits()
    classifier = loaded.classifier if loaded else None
    heard = []
    with _sound(clip) as file:
        samples = decode(file, limits=limits).samples
        for span in _spans(clip, samples.size / SAMPLE_RATE):
            if not claim.update(heartbeat_at=timezone.now()):
                raise ClaimLostError
            piece = analyse_piece(samples, span, file=file, classifier=classifier, limits=limits)
            if piece is not None:
                heard.append(piece)
    if not heard:
        raise TrainingError("silent")
    return heard


def _spans(clip: Clip, duration: float) -> list[Span]:
    """Say which pieces of a recording of `duration` seconds are to become clips."""
    if clip.start is not None:
        end = min(duration, clip.end if clip.end is not None else clip.start + MOST_SECONDS)
        if clip.start >= duration:
            params = {"start": clip.start, "duration": round(duration, 1)}
            raise TrainingError("piece_outside", params)
        # Allow for rounding to a millisecond.
        if end - clip.start < LEAST_SECONDS - 1e-3:
            raise TrainingError("piece_too_short", {"minimum": LEAST_SECONDS})
        return [Span(clip.start, end)]
    spans = divide(duration)
    if clip.contributor_id is None:
        # Each file of a dataset is one clip.
        return spans[:1]
    # The first piece is this row. Others may exist already if the recording was submitted before.
    same = Clip.objects.filter(contributor=clip.contributor_id, sha256=clip.sha256, start__isnull=False)
    known = set(same.values_list("start", "end"))
    return [spans[0], *(span for span in spans[1:] if (span.start, span.end) not in known)]


def _save(claim: Claim, heard: list[AnalysedPiece], loaded: registry.Loaded | None) -> None:
    """Write files, then the rows in one transaction; what was overtaken leaves nothing behind."""
    clip, sent = claim.clip, str(claim.clip.sound.name or "")
    siblings = [_sibling(clip, piece.span) for piece in heard[1:]]
    written: list[str] = []
    try:
        for row, piece in zip((clip, *siblings), heard, strict=True):
            _keep(row, piece, loaded, written)
        with transaction.atomic():
            # Lock in the same order as the deletion of an account does, against deadlocks.
            if clip.contributor_id is not None:
                User.objects.select_for_update(no_key=True).filter(pk=clip.contributor_id).first()
            if not claim.hold():
                raise ClaimLostError
            for row, piece in zip((clip, *siblings), heard, strict=True):
                duplicates.mark(row, piece.query)
            claim.update(**{name: getattr(clip, name) for name in _KEPT}, claimed=False)
            Clip.objects.bulk_create(siblings)
            if sent:
                transaction.on_commit(lambda: remove_files([sent]))
    except BaseException:
        remove_files(written)
        raise


def _sibling(clip: Clip, span: Span) -> Clip:
    """Make the row of a further piece of the recording whose first piece is `clip`."""
    shared = ("contributor", "track", "genre", "contributed_genre", "title", "artist", "comment")
    row = Clip(**{name: getattr(clip, name) for name in shared}, origin=clip, start=span.start, end=span.end)
    row.rights_confirmed_at, row.sha256, row.attempt = clip.rights_confirmed_at, clip.sha256, clip.attempt
    return row


def _keep(clip: Clip, piece: AnalysedPiece, loaded: registry.Loaded | None, written: list[str]) -> None:
    """Write the files of one piece and set the other fields of its row, unsaved."""
    clip.sound.save(f"clip{PLAYBACK_SUFFIX}", ContentFile(piece.sound), save=False)
    written.append(str(clip.sound.name))
    clip.features.save("features.npz", ContentFile(pack_features(piece.features)), save=False)
    written.append(str(clip.features.name))
    clip.size, clip.duration = len(piece.sound), piece.span.seconds
    clip.features_sha256, clip.feature_version = piece.features.sha256, FeatureParams().version
    if loaded is not None and piece.prediction is not None:
        opinions.note(clip, piece.prediction, loaded)
    trusted = clip.dataset is not None and clip.dataset.trusted
    clip.status = Clip.Status.APPROVED if trusted else Clip.Status.PENDING


_KEPT = (
    *("sound", "size", "duration", "features", "features_sha256", "feature_version", "status"),
    *opinions.FIELDS,
    *duplicates.FIELDS,
)


def _fail(claim: Claim, code: str, params: object = None) -> None:
    """Say why a clip is not accepted. What is of no use is not kept; where the site is at fault, it is."""
    sent = str(claim.clip.sound.name or "")
    ours = TrainingError(code).is_ours
    with transaction.atomic():
        failed = claim.update(
            status=Clip.Status.FAILED,
            claimed=False,
            error_code=code,
            error_params=params or {},
            **({} if ours else {"sound": ""}),
        )
        if failed and sent and not ours:
            transaction.on_commit(lambda: remove_files([sent]))
    log.info("clip %s: not accepted (%s)", claim.clip.pk, code)


def _put_back(claim: Claim) -> None:
    """Queue the clip again after a fault that may pass; after the last attempt, give up and say so."""
    if claim.clip.tries >= settings.ANALYSIS_ATTEMPTS:
        _fail(claim, "internal")
    else:
        claim.update(claimed=False, queued_at=timezone.now())


def sweep() -> int:
    """Pick up what was dropped: clips whose worker died, and clips whose message was lost."""
    now = timezone.now()
    lost = Clip.objects.filter(
        status=Clip.Status.CHECKING,
        claimed=True,
        heartbeat_at__lt=now - timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS),
    )
    given_up = lost.filter(tries__gte=settings.ANALYSIS_ATTEMPTS).update(
        status=Clip.Status.FAILED, claimed=False, error_code="worker_lost", error_params={}
    )
    # Long enough ago to be sent again at once, below.
    long_ago = now - timedelta(seconds=settings.ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS)
    put_back = lost.update(claimed=False, queued_at=long_ago)
    if given_up or put_back:
        log.warning(
            "%d checks had lost their worker, %d of them for the last time", given_up + put_back, given_up
        )
    messages = queues.waiting()
    if messages is None or messages >= _SHORT_QUEUE:
        return 0
    sent = 0
    waiting = Clip.objects.filter(status=Clip.Status.CHECKING, claimed=False, queued_at__lte=long_ago)
    for clip in waiting.order_by("queued_at").only("pk", "contributor_id")[: _SHORT_QUEUE - messages]:
        if not queue.send_check(clip.pk, bulk=clip.contributor_id is None):
            break
        waiting.filter(pk=clip.pk).update(queued_at=now)
        sent += 1
    return sent


_SHORT_QUEUE = 50

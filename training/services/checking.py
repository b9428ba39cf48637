"""Check submitted clips: claim, check outside transactions, save in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models.fields.files import FieldFile

from classifier import decoding, registry
from classifier.core.audio import SAMPLE_RATE
from classifier.core.features import FeatureParams
from classifier.core.playback import PLAYBACK_SUFFIX
from genreweb.accounts.models import User
from genreweb.jobs import Claim, Failure
from library.services.jobs import SoundJobs
from training.errors import TrainingError
from training.models import Clip
from training.services import clip_tags, duplicates, events, predictions, queue
from training.services.clips import (
    LEAST_SECONDS,
    MOST_SECONDS,
    clip_limits,
    has_many_waiting,
    remove_files,
)
from training.services.features import pack_features
from training.services.pieces import PreparedPiece, Span, divide, prepare_piece

log = logging.getLogger(__name__)


class CheckJobs(SoundJobs[Claim[Clip]]):
    """Clips that were sent, as jobs of the analysis workers."""

    model = Clip
    # What people are told of a clip is the same before and while a worker checks it.
    waiting = {"status": Clip.Status.CHECKING, "claimed": False}
    running = {"status": Clip.Status.CHECKING, "claimed": True}
    failed = {"status": Clip.Status.FAILED, "claimed": False}
    claimed = {}
    related = ("genre", "dataset", "track")
    sent = ("pk", "contributor_id")

    def send(self, row: Clip) -> bool:
        bulk = row.contributor_id is None or has_many_waiting(row.contributor_id, but=row.pk)
        return queue.send_check(row.pk, bulk=bulk)

    def fail(self, claim: Claim[Clip], failure: Failure) -> bool:
        """Say why a clip is not accepted. Its sound is kept only where the site is at fault."""
        sent = str(claim.row.sound.name or "")
        with transaction.atomic():
            failed = super().fail(claim, failure)
            if failed:
                _publish(claim.row, Clip.Status.FAILED)
            if failed and sent and not TrainingError(failure.code).is_ours:
                Clip.objects.filter(pk=claim.row.pk).update(sound="")
                transaction.on_commit(lambda: remove_files([sent]))
        return failed


JOBS = CheckJobs()
sweep = JOBS.sweep


def check_clip(*, clip_id: UUID) -> bool:
    """Check one clip that waits; False where there was nothing to do or the claim was lost."""

    def work(claim: Claim[Clip]) -> None:
        loaded = _classifier()
        _save(claim, _prepare(claim, loaded), loaded)

    return JOBS.process(clip_id, work)


def _classifier() -> registry.Loaded | None:
    """Return the version in service; without one a clip is still checked, and predicted later."""
    try:
        return registry.in_service()
    except registry.NoClassifierError:
        log.warning("clips are checked without a prediction: no classifier is in service")
        return None


@contextmanager
def _sound(clip: Clip) -> Iterator[BinaryIO]:
    """Open the submitted sound: the clip's own file, or that of the track it is cut from."""
    field: FieldFile | None = clip.sound if clip.sound else clip.track.sound if clip.track else None
    if field is None:
        raise TrainingError("track_gone")
    with field.storage.open(str(field.name), "rb") as file:
        yield cast(BinaryIO, file)


def _prepare(claim: Claim[Clip], loaded: registry.Loaded | None) -> list[PreparedPiece]:
    """Decode what was sent and prepare every piece of it that is to become a clip, in order."""
    clip, limits = claim.row, clip_limits()
    classifier = loaded.classifier if loaded else None
    pieces = []
    with _sound(clip) as file:
        samples = decoding.shared.decode(file, limits=limits).samples
        for span in _spans(clip, samples.size / SAMPLE_RATE):
            claim.progress()
            piece = prepare_piece(samples, span, file=file, classifier=classifier, limits=limits)
            if piece is not None:
                pieces.append(piece)
    if not pieces:
        raise TrainingError("silent")
    return pieces


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


def _save(claim: Claim[Clip], pieces: list[PreparedPiece], loaded: registry.Loaded | None) -> None:
    """Write files, then the rows in one transaction; a lost claim leaves nothing behind."""
    clip, sent = claim.row, str(claim.row.sound.name or "")
    siblings = [_sibling(clip, piece.span) for piece in pieces[1:]]
    written: list[str] = []
    try:
        for row, piece in zip((clip, *siblings), pieces, strict=True):
            _keep(row, piece, loaded, written)
        with transaction.atomic():
            # Lock in the same order as the deletion of an account does, against deadlocks.
            if clip.contributor_id is not None:
                User.objects.select_for_update(no_key=True).filter(pk=clip.contributor_id).first()
            claim.lock()
            for row, piece in zip((clip, *siblings), pieces, strict=True):
                duplicates.mark(row, piece.query)
            claim.must_update(**{name: getattr(clip, name) for name in _KEPT}, claimed=False)
            Clip.objects.bulk_create(siblings)
            _publish(clip, clip.status)
            if sent:
                transaction.on_commit(lambda: remove_files([sent]))
    except BaseException:
        remove_files(written)
        raise


def _publish(clip: Clip, status: str) -> None:
    events.clip_changed(clip_id=clip.pk, contributor_id=clip.contributor_id, status=status)


def _sibling(clip: Clip, span: Span) -> Clip:
    """Make the row of a further piece of the recording whose first piece is `clip`."""
    shared = ("contributor", "track", "genre", "contributed_genre", "title", "artist", "comment")
    row = Clip(**{name: getattr(clip, name) for name in shared}, origin=clip, start=span.start, end=span.end)
    row.rights_confirmed_at, row.sha256, row.attempt = clip.rights_confirmed_at, clip.sha256, clip.attempt
    return row


def _keep(clip: Clip, piece: PreparedPiece, loaded: registry.Loaded | None, written: list[str]) -> None:
    """Write the files of one piece and set the other fields of its row, unsaved."""
    clip.sound.save(f"clip{PLAYBACK_SUFFIX}", ContentFile(piece.sound), save=False)
    written.append(str(clip.sound.name))
    clip.features.save("features.npz", ContentFile(pack_features(piece.features)), save=False)
    written.append(str(clip.features.name))
    clip.size, clip.duration = len(piece.sound), piece.span.seconds
    clip.features_sha256, clip.feature_version = piece.features.sha256, FeatureParams().version
    if piece.tags is not None:
        clip_tags.assign(clip, piece.tags)
    if loaded is not None and piece.prediction is not None:
        predictions.assign(clip, piece.prediction, loaded)
    trusted = clip.dataset is not None and clip.dataset.trusted
    clip.status = Clip.Status.APPROVED if trusted else Clip.Status.PENDING


_KEPT = (
    *("sound", "size", "duration", "features", "features_sha256", "feature_version", "status"),
    *clip_tags.FIELDS,
    *predictions.FIELDS,
    *duplicates.FIELDS,
)

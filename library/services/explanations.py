"""Why a verdict was given: asked for once, worked out by a worker, kept with the analysis."""

from __future__ import annotations

import logging
from typing import Any, BinaryIO, cast

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from classifier import decoding, registry
from classifier.core import pictures
from classifier.core.explain import Explanation as Measured
from classifier.core.explain import NotExplainableError, Part, explain_file
from classifier.core.inference import Classifier, ReleaseError
from classifier.models import ModelVersion
from genreweb.jobs import Claim, Failure
from library.errors import TrackError
from library.models import Analysis, Explanation, Track
from library.services import events, queue
from library.services.jobs import SoundJobs
from library.services.tracks import limits

log = logging.getLogger(__name__)

Status = Explanation.Status


class VersionGoneError(Exception):
    """The version that gave the verdict cannot be loaded any more."""


class ExplanationJobs(SoundJobs[Claim[Explanation]]):
    """Explanations, as jobs of the analysis workers."""

    model = Explanation
    related = ("analysis__track", "analysis__model_version")

    def send(self, row: Explanation) -> bool:
        return queue.send_explanation(row.pk)

    def failure_of(self, error: Exception) -> Failure:
        if isinstance(error, VersionGoneError):
            return Failure("version_gone")
        if isinstance(error, NotExplainableError):
            return Failure("not_explainable")
        return super().failure_of(error)


JOBS = ExplanationJobs()
sweep = JOBS.sweep


def request(*, analysis: Analysis) -> Explanation:
    """Give the explanation of an analysis, and queue it where nobody has asked yet or the last try failed.

    Raises
    ------
    TrackError
        ``no_music`` where there is no genre to explain.
    """
    if not analysis.music:
        raise TrackError("no_music")
    now = timezone.now()
    with transaction.atomic():
        explanation, made = Explanation.objects.get_or_create(analysis=analysis, defaults={"queued_at": now})
        queued = made or Explanation.objects.filter(pk=explanation.pk, status=Status.FAILED).update(
            status=Status.QUEUED, tries=0, error_code="", error_params={}, queued_at=now, finished_at=None
        )
        if queued:
            queue.send_explanation_on_commit(explanation.pk)
    if queued and not made:
        explanation.refresh_from_db()
    return explanation


def explain(*, explanation_id: int) -> bool:
    """Work out one queued explanation; False where there was nothing to do or the claim was lost."""
    return JOBS.process(explanation_id, lambda claim: _save(claim, _measure(claim.row.analysis)))


def _measure(analysis: Analysis) -> Measured:
    classifier = _classifier_of(analysis.model_version)
    with analysis.track.sound.open("rb") as file:
        return explain_file(
            cast(BinaryIO, file),
            classifier=classifier,
            label=analysis.genre,
            limits=limits(),
            decoder=decoding.shared.decode,
        )


def _classifier_of(version: ModelVersion) -> Classifier:
    """Give the network that gave the verdict, which need not be the one in service."""
    try:
        loaded = registry.in_service()
    except registry.NoClassifierError:
        loaded = None
    if loaded is not None and loaded.version.pk == version.pk:
        return loaded.classifier
    try:
        return registry.load(version)
    except (ReleaseError, OSError) as error:
        log.warning("%s cannot be loaded: %s", version.name, error)
        raise VersionGoneError(version.name) from error


def _save(claim: Claim[Explanation], measured: Measured) -> None:
    """Write the picture, then the rest in one transaction; a lost claim leaves nothing behind."""
    explanation = claim.row
    drawn = pictures.occlusion(measured.effects, measured.bands)
    explanation.picture.save("why.png", ContentFile(drawn.data), save=False)
    name = str(explanation.picture.name)
    try:
        with transaction.atomic():
            # The track's row is locked first: a deletion waits for us, or we find it gone.
            Track.objects.select_for_update().filter(pk=explanation.analysis.track_id).exists()
            claim.must_update(
                status=Status.DONE, picture=name, summary=_summary(measured), finished_at=timezone.now()
            )
            events.explained(explanation.analysis.track)
    except BaseException:
        explanation.picture.storage.delete(name)
        raise


def _summary(measured: Measured) -> dict[str, Any]:
    return {
        "genre": measured.label,
        "bands": [round(edge, 1) for edge in measured.bands.tolist()],
        "slices": [round(edge, 3) for edge in measured.slices.tolist()],
        "effects": [[round(effect, 4) for effect in row] for row in measured.effects.tolist()],
        "bands_for": _parts(measured.bands_for()),
        "bands_against": _parts(measured.bands_against()),
        "moments_for": _parts(measured.moments_for()),
        "moments_against": _parts(measured.moments_against()),
    }


def _parts(parts: list[Part]) -> list[dict[str, float]]:
    return [
        {"from": round(part.low, 3), "to": round(part.high, 3), "share": round(part.share, 4)}
        for part in parts
    ]

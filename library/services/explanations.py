"""Why a verdict was given: asked for once, worked out by a worker, kept with the analysis."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO, cast

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from classifier import registry
from classifier.core import pictures
from classifier.core.audio import AudioError
from classifier.core.explain import Explanation as Measured
from classifier.core.explain import NotExplainableError, Part, explain_file
from classifier.core.inference import Classifier, ReleaseError
from classifier.models import ModelVersion
from library.errors import TrackError
from library.models import Analysis, Explanation, Track
from library.services import queue
from library.services.pulse import beating
from library.services.tracks import limits

log = logging.getLogger(__name__)

Status = Explanation.Status


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to finish an explanation, good for one attempt."""

    explanation: Explanation
    attempt: int

    def update(self, **fields: object) -> bool:
        """Change the explanation if this claim still stands."""
        standing = Explanation.objects.filter(
            pk=self.explanation.pk, attempt=self.attempt, status=Status.RUNNING
        )
        return bool(standing.update(**fields))


class ClaimLostError(Exception):
    """The track was deleted, or somebody else claimed its explanation meanwhile."""


class VersionGoneError(Exception):
    """The version that gave the verdict cannot be loaded any more."""


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
    """Work out one queued explanation; False where there was nothing to do or the work was overtaken."""
    claim = _claim(explanation_id)
    if claim is None:
        return False
    try:
        with beating(claim.update, name=f"heartbeat-explanation-{explanation_id}"):
            _save(claim, _measure(claim.explanation.analysis))
    except ClaimLostError:
        log.info("explanation %s: overtaken", explanation_id)
        return False
    except AudioError as error:
        _fail(claim, error.code, error.params)
    except FileNotFoundError:
        _fail(claim, "file_missing")
    except SoftTimeLimitExceeded:
        _fail(claim, "time_limit")
    except VersionGoneError:
        log.exception("explanation %s", explanation_id)
        _fail(claim, "version_gone")
    except NotExplainableError:
        _fail(claim, "not_explainable")
    except Exception:
        log.exception("explanation %s: attempt %d failed", explanation_id, claim.attempt)
        _put_back(claim)
    return True


def sweep() -> int:
    """Pick up what was dropped, as for tracks: workers that died, and messages that were lost."""
    now = timezone.now()
    lost = Explanation.objects.filter(
        status=Status.RUNNING,
        heartbeat_at__lt=now - timedelta(seconds=settings.ANALYSIS_LOST_AFTER_SECONDS),
    )
    given_up = lost.filter(tries__gte=settings.ANALYSIS_ATTEMPTS).update(
        status=Status.FAILED, error_code="worker_lost", error_params={}, finished_at=now
    )
    long_ago = now - timedelta(seconds=settings.ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS)
    put_back = lost.update(status=Status.QUEUED, queued_at=long_ago)
    if given_up or put_back:
        log.warning("%d explanations had lost their worker", given_up + put_back)
    messages = queue.waiting()
    if messages is None or messages >= _SHORT_QUEUE:
        return 0
    sent = 0
    dropped = Explanation.objects.filter(status=Status.QUEUED, queued_at__lte=long_ago).order_by("queued_at")
    for pk in dropped.values_list("pk", flat=True)[: _SHORT_QUEUE - messages]:
        if not queue.send_explanation(pk):
            break
        Explanation.objects.filter(pk=pk, status=Status.QUEUED).update(queued_at=now)
        sent += 1
    return sent


def _claim(explanation_id: int) -> Claim | None:
    """Take a queued explanation; of several workers that try at once, one gets it."""
    claimed = Explanation.objects.filter(pk=explanation_id, status=Status.QUEUED).update(
        status=Status.RUNNING,
        attempt=F("attempt") + 1,
        tries=F("tries") + 1,
        heartbeat_at=timezone.now(),
        error_code="",
        error_params={},
    )
    if not claimed:
        return None
    found = Explanation.objects.select_related("analysis__track", "analysis__model_version")
    explanation = found.filter(pk=explanation_id).first()
    return Claim(explanation, explanation.attempt) if explanation else None


def _measure(analysis: Analysis) -> Measured:
    classifier = _classifier_of(analysis.model_version)
    with analysis.track.sound.open("rb") as file:
        return explain_file(
            cast(BinaryIO, file), classifier=classifier, label=analysis.genre, limits=limits()
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
        raise VersionGoneError(version.name) from error


def _save(claim: Claim, measured: Measured) -> None:
    """Write the picture, then the rest in one transaction; what was overtaken leaves nothing behind."""
    explanation = claim.explanation
    drawn = pictures.occlusion(measured.effects, measured.bands)
    explanation.picture.save("why.png", ContentFile(drawn.data), save=False)
    name = str(explanation.picture.name)
    try:
        with transaction.atomic():
            # The track's row is locked first: a deletion waits for us, or we find it gone.
            track = Track.objects.select_for_update().filter(pk=explanation.analysis.track_id)
            if not track.exists() or not claim.update(
                status=Status.DONE, picture=name, summary=_summary(measured), finished_at=timezone.now()
            ):
                raise ClaimLostError
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


def _fail(claim: Claim, code: str, params: object = None) -> None:
    claim.update(status=Status.FAILED, error_code=code, error_params=params or {}, finished_at=timezone.now())
    log.info("explanation %s: refused (%s)", claim.explanation.pk, code)


def _put_back(claim: Claim) -> None:
    """Queue it again after a fault that may pass; after the last attempt, give up and say so."""
    if claim.explanation.tries >= settings.ANALYSIS_ATTEMPTS:
        _fail(claim, "internal")
    else:
        claim.update(status=Status.QUEUED, queued_at=timezone.now())


_SHORT_QUEUE = 50

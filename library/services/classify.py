"""Classify one file on a worker without storing it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import TimeoutError as CeleryTimeoutError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from classifier import decoding, registry
from classifier.core.analysis import classify_file
from classifier.core.audio import AudioError, AudioLimits
from classifier.core.tags import Strengths, calibrated, version_of
from genreweb.free_space import has_room
from library.errors import TrackError
from library.models import safe_suffix
from library.services import queue
from library.services.tracks import examine, limits
from library.services.waiting import Places

log = logging.getLogger(__name__)

SCRATCH = "scratch"
WAIT_SECONDS = 90

# Each waiting request holds one of the web server's threads.
_places = Places(settings.API_CLASSIFY_REQUESTS, per_caller=settings.API_CLASSIFY_REQUESTS_EACH)


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction for a file that is not stored, and how much of the file was read."""

    duration: float
    expected_duration: float | None
    damaged: bool
    label: str | None
    confidence: float
    unsure: bool
    probabilities: dict[str, float]
    style: str | None
    reason: str | None
    tags: Strengths
    tag_version: str | None
    model_version: str


def classify(*, file: File[bytes], name: str, caller: str, anonymous: bool) -> Answer:
    """Have a worker classify `file`; its scratch copy is deleted when this returns.

    Parameters
    ----------
    caller
        Who asks: a person, or an address where nobody is signed in.
    anonymous
        Whether nobody is signed in; then the file must be smaller and shorter.

    Raises
    ------
    TrackError
        If the file cannot be accepted, too many requests wait already, or no worker responds in time.
    """
    return Answer(
        **ask_worker(queue.Task.CLASSIFY_SCRATCH, file=file, name=name, caller=caller, anonymous=anonymous)
    )


def ask_worker(
    task: queue.Task, *, file: File[bytes], name: str, caller: str, anonymous: bool
) -> dict[str, Any]:
    """Have a worker answer about `file`, as `classify` does, and wait for it.

    Raises
    ------
    TrackError
        As `classify`; also with the error that the answer tells of.
    """
    with _places.place(caller) as free:
        if not free:
            raise TrackError("busy")
        return _ask_worker(task, file, name, anonymous)


def limits_for(*, anonymous: bool) -> AudioLimits:
    """Return the limits of a file that is not stored."""
    site = limits()
    if not anonymous:
        return site
    return replace(
        site,
        max_duration=min(site.max_duration, settings.AUDIO_ANONYMOUS_MAX_SECONDS),
        max_bytes=min(site.max_bytes, settings.AUDIO_ANONYMOUS_MAX_BYTES),
    )


def _ask_worker(task: queue.Task, file: File[bytes], name: str, anonymous: bool) -> dict[str, Any]:
    examine(file, within=limits_for(anonymous=anonymous))
    if not has_room(file.size):
        raise TrackError("storage_full")
    scratch = default_storage.save(f"{SCRATCH}/{uuid.uuid4()}{safe_suffix(name)}", file)
    try:
        pending = queue.send_scratch(task, scratch, anonymous=anonymous, expires=WAIT_SECONDS)
        answer: dict[str, Any] = pending.get(timeout=WAIT_SECONDS, disable_sync_subtasks=False)
    except CeleryTimeoutError as error:
        raise TrackError("busy") from error
    except (OperationalError, RedisError, OSError, RuntimeError) as error:
        # Celery raises RuntimeError if it cannot reconnect to the result store.
        log.warning("the broker is away: %s", error.__cause__ or error)
        raise TrackError("unavailable") from error
    finally:
        default_storage.delete(scratch)
    if "error" in answer:
        raise TrackError(answer["error"]["code"], answer["error"]["params"])
    return answer


def answer(*, name: str, anonymous: bool = False) -> dict[str, Any]:
    """Classify a scratch file, in a worker; errors of the file are part of the result."""
    return about_scratch(_prediction, name=name, anonymous=anonymous)


def about_scratch(
    work: Callable[[BinaryIO, registry.Loaded, AudioLimits], dict[str, Any]], *, name: str, anonymous: bool
) -> dict[str, Any]:
    """Give what `work` makes of a scratch file; or, as ``error``, what is wrong with the file or the site."""
    try:
        loaded = registry.in_service()
        with default_storage.open(name) as file:
            return work(cast(BinaryIO, file), loaded, limits_for(anonymous=anonymous))
    except AudioError as error:
        return {"error": {"code": error.code, "params": error.params}}
    except SoftTimeLimitExceeded:
        return {"error": {"code": "time_limit", "params": {}}}
    except registry.NoClassifierError:
        return {"error": {"code": "no_classifier", "params": {}}}
    except FileNotFoundError:
        return {"error": {"code": "busy", "params": {}}}


def _prediction(file: BinaryIO, loaded: registry.Loaded, within: AudioLimits) -> dict[str, Any]:
    found = classify_file(file, classifier=loaded.classifier, limits=within, decoder=decoding.shared.decode)
    info, prediction = found.info, found.prediction
    return {
        "duration": info.duration,
        "expected_duration": info.expected_duration,
        "damaged": info.damaged,
        "label": prediction.label,
        "confidence": prediction.confidence,
        "unsure": prediction.unsure,
        "probabilities": prediction.probabilities,
        "style": prediction.style,
        "reason": prediction.reason,
        "tags": calibrated(prediction.tags.strengths) if prediction.tags else {},
        "tag_version": version_of(prediction.tags) if prediction.tags else None,
        "model_version": loaded.version.name,
    }

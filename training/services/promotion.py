"""Which version is in service: every change goes through this module and leaves a `Promotion` row."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from classifier import registry
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from training import gate_messages
from training.errors import TrainingError
from training.models import Promotion
from training.models.versions import FIRST_REASON, LOST_REASON, NEWER_REASON
from training.services.receipts import make_receipts
from training.services.version_report import Report, report_on

log = logging.getLogger(__name__)

REASON_LENGTH = 500


def promote(*, version: ModelVersion, by: User, reason: str, override: bool = False) -> Promotion:
    """Put a version into service, if the gate lets it pass or is overridden.

    Parameters
    ----------
    reason
        Why, in a person's words; kept with the promotion.
    override
        Promote though the gate is closed. The gate's result is kept with the reason.

    Raises
    ------
    TrainingError
        ``act_reason`` without a reason, ``already_in_service``, ``version_damaged`` where its files cannot be
        loaded, ``gate_refused`` with the gate's reasons.
    """
    reason = _clean(reason)
    _check_files(version)
    with transaction.atomic():
        champion = _lock()
        if champion is not None and champion.pk == version.pk:
            raise TrainingError("already_in_service", {"version": version.name})
        report = None if champion is None else report_on(version, champion)
        refused = report is not None and not report.result.is_open
        if report is not None and refused and not override:
            reasons = " ".join(gate_messages.reasons(report.result))
            raise TrainingError("gate_refused", {"version": version.name, "reasons": reasons})
        promotion = _switch(
            Promotion.Action.PROMOTE, version, champion, by, reason, report=report, overridden=refused
        )
        make_receipts(version=version, report=report)
    log.info("%s was put into service by %s", version.name, by.pk)
    return promotion


def rollback(*, by: User, reason: str) -> Promotion:
    """Put the version before the one in service back; twice goes back twice.

    Raises
    ------
    TrainingError
        ``act_reason`` without a reason, ``nothing_before``, ``version_damaged``.
    """
    reason = _clean(reason)
    foreseen = version_before()
    if foreseen is not None:
        _check_files(foreseen)
    with transaction.atomic():
        champion = _lock()
        former = version_before()
        if champion is None or former is None:
            raise TrainingError("nothing_before")
        if former != foreseen:
            # Somebody else acted meanwhile; this person has not seen what would be undone.
            raise TrainingError("service_changed", {"version": champion.name})
        promotion = _switch(Promotion.Action.ROLLBACK, former, champion, by, reason)
    log.info("%s was rolled back to %s by %s", champion.name, former.name, by.pk)
    return promotion


def version_before() -> ModelVersion | None:
    """Give the version that a roll-back would put into service, or None.

    It is the one whose place the version in service took when it was last promoted, or where the files of
    that one were lost, the one before it.
    """
    former = _former_of(ModelVersion.objects.without_long_columns().in_service())
    seen: set[int] = set()
    while former is not None and not former.files and former.pk not in seen:
        seen.add(former.pk)
        former = _former_of(former)
    return former if former is not None and former.files else None


def _former_of(version: ModelVersion | None) -> ModelVersion | None:
    """Give the version whose place a version took when it was last promoted."""
    taken = Promotion.objects.filter(version=version, action=Promotion.Action.PROMOTE)
    last = taken.select_related("former").with_columns("former__files").first()
    return None if last is None else last.former


def serve_release(version: ModelVersion, *, is_new: bool) -> Promotion | None:
    """Put the shipped version into service where it belongs there; a version that a curator chose stays.

    It belongs there where no version is in service, where the files of the one that is are lost, and where it
    is new on this site and an older shipped one is in service.

    Parameters
    ----------
    is_new
        Whether its row was made in this transaction.
    """
    with transaction.atomic():
        champion = _lock()
        if champion is None:
            reason = FIRST_REASON
        elif champion.pk == version.pk:
            return None
        elif not champion.files:
            reason = LOST_REASON
        elif is_new and champion.source == ModelVersion.Source.RELEASE:
            reason = NEWER_REASON
        else:
            return None
        promotion = _switch(Promotion.Action.PROMOTE, version, champion, None, reason)
    log.info("%s was put into service by the program: %s", version.name, reason)
    return promotion


def _clean(reason: str) -> str:
    cleaned = " ".join(reason.replace("\0", " ").split())
    if not cleaned:
        raise TrainingError("act_reason")
    if len(cleaned) > REASON_LENGTH:
        raise TrainingError("act_reason_long", {"most": REASON_LENGTH})
    return cleaned


def _check_files(version: ModelVersion) -> None:
    """Refuse a version whose files cannot be loaded, before anything is locked."""
    try:
        registry.load(version)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be put into service: %s", version.name, error)
        raise TrainingError("version_damaged", {"version": version.name, "why": str(error)}) from error


def _lock() -> ModelVersion | None:
    """Lock every version's row, so that of two changes at once the second sees the first."""
    list(ModelVersion.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    return ModelVersion.objects.in_service()


def _switch(
    action: Promotion.Action,
    version: ModelVersion,
    former: ModelVersion | None,
    by: User | None,
    reason: str,
    *,
    report: Report | None = None,
    overridden: bool = False,
) -> Promotion:
    """Change the version in service and keep who did it and why; `by` is None for the program itself."""
    ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
    # A fault noted earlier is out of date: the files were loaded a moment ago.
    ModelVersion.objects.filter(pk=version.pk).update(is_in_service=True, served_at=timezone.now(), fault="")
    version.is_in_service, version.fault = True, ""
    return Promotion.objects.create(
        action=action,
        version=version,
        former=former,
        by=by,
        reason=reason,
        gate=gate_messages.as_json(report.result) if report else {},
        overridden=overridden,
    )

"""Which version answers: put one into service, or go back to the one before. Who, when and why is kept."""

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
from training.services.receipts import make_receipts
from training.services.version_report import Report, report_on

log = logging.getLogger(__name__)

REASON_LENGTH = 500


def promote(*, version: ModelVersion, by: User, reason: str, override: bool = False) -> Promotion:
    """Put a version into service, if the gate lets it pass or is overridden.

    Parameters
    ----------
    reason
        Why; the one thing that no figure tells later.
    override
        Go on though the gate is closed. What the gate said is kept beside the reason.

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
            # Somebody else was quicker; what they did is not undone unseen.
            raise TrainingError("service_changed", {"version": champion.name})
        promotion = _switch(Promotion.Action.ROLLBACK, former, champion, by, reason)
    log.info("%s was rolled back to %s by %s", champion.name, former.name, by.pk)
    return promotion


def version_before() -> ModelVersion | None:
    """Give the version that a roll-back would put into service, or None.

    It is the one whose place the version in service took when it was last promoted. A shipped version that
    took the place of an older shipped one by itself goes back to that.
    """
    champion = ModelVersion.objects.in_service()
    if champion is None:
        return None
    taken = Promotion.objects.filter(version=champion, action=Promotion.Action.PROMOTE)
    last = taken.select_related("former").first()
    if last is not None:
        return last.former
    older = ModelVersion.objects.filter(served_at__isnull=False, created__lt=champion.created)
    return older.order_by("-served_at").first()


def _clean(reason: str) -> str:
    cleaned = " ".join(reason.replace("\0", " ").split())
    if not cleaned:
        raise TrainingError("act_reason")
    if len(cleaned) > REASON_LENGTH:
        raise TrainingError("act_reason_long", {"most": REASON_LENGTH})
    return cleaned


def _check_files(version: ModelVersion) -> None:
    """Refuse a version that no worker could load, before anything is locked."""
    try:
        registry.load(version)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be put into service: %s", version.name, error)
        raise TrainingError("version_damaged", {"version": version.name, "why": str(error)}) from error


def _lock() -> ModelVersion | None:
    """Hold every version's row, so that of two who act at once one sees what the other did."""
    list(ModelVersion.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    return ModelVersion.objects.in_service()


def _switch(
    action: Promotion.Action,
    version: ModelVersion,
    former: ModelVersion | None,
    by: User,
    reason: str,
    *,
    report: Report | None = None,
    overridden: bool = False,
) -> Promotion:
    ModelVersion.objects.filter(is_in_service=True).update(is_in_service=False)
    # What was noted about its files is out of date: they were loaded a moment ago.
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

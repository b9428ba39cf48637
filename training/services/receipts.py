"""Receipts for contributors when a version that was trained on their clips is put into service."""

from __future__ import annotations

from collections import Counter, defaultdict

from classifier.models import ModelVersion
from training.models import Receipt, SnapshotClip
from training.services.version_report import Report

LEARNT = (SnapshotClip.Split.TRAIN, SnapshotClip.Split.VALID, SnapshotClip.Split.HOLDOUT)
"""The sides of a split that a version uses: training, validation, held out."""


def make_receipts(*, version: ModelVersion, report: Report | None) -> list[Receipt]:
    """Create a receipt for every contributor with clips in a version, once per version.

    To be called in the transaction that puts the version into service.

    Parameters
    ----------
    report
        Comparison with the version before; None if there was none. Genres that only the new version can
        predict, and those without compared clips, have no figure on that side.
    """
    given: defaultdict[int, Counter[str]] = defaultdict(Counter)
    entries = SnapshotClip.objects.filter(
        snapshot__run__candidate=version, split__in=LEARNT, clip__contributor__isnull=False
    )
    for person, genre in entries.values_list("clip__contributor", "genre"):
        given[person][genre] += 1
    recalls = _recalls(report)
    nothing: dict[str, float | None] = {"before": None, "after": None}
    receipts = [
        Receipt(
            user_id=person,
            version=version,
            clips=counts.total(),
            genres={
                genre: {"clips": n, **recalls.get(genre, nothing)} for genre, n in sorted(counts.items())
            },
        )
        for person, counts in sorted(given.items())
    ]
    # Receipts of a version that returns after a roll-back exist already.
    return Receipt.objects.bulk_create(receipts, ignore_conflicts=True)


def _recalls(report: Report | None) -> dict[str, dict[str, float | None]]:
    if report is None:
        return {}
    changes = [*report.result.genres, *report.result.new_genres]
    return {change.label: {"before": change.before, "after": change.after} for change in changes}

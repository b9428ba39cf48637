"""What contributors are told when a version that learnt from their clips is put into service."""

from __future__ import annotations

from collections import Counter, defaultdict

from classifier.models import ModelVersion
from training.models import Receipt, SnapshotClip
from training.services.version_report import Report

LEARNT = (SnapshotClip.Split.TRAIN, SnapshotClip.Split.VALID, SnapshotClip.Split.HOLDOUT)
"""The sides of a split that serve a version: learnt from, tuned by, compared on."""


def make_receipts(*, version: ModelVersion, report: Report | None) -> list[Receipt]:
    """Write a receipt for everybody who has clips in a version, once per version.

    To be called in the transaction that puts the version into service.

    Parameters
    ----------
    report
        Beside the version before; None where there was none. Genres that only the version can name, and
        those that no compared clip belongs to, have no figure on that side.
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
    # A version that comes back after a roll-back has told them already.
    return Receipt.objects.bulk_create(receipts, ignore_conflicts=True)


def _recalls(report: Report | None) -> dict[str, dict[str, float | None]]:
    if report is None:
        return {}
    changes = [*report.result.genres, *report.result.new_genres]
    return {change.label: {"before": change.before, "after": change.after} for change in changes}

"""All versions of the classifier, with the number of clips they were trained on."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from training.models import SnapshotClip
from training.services.receipts import LEARNT


@dataclass(frozen=True, slots=True)
class LearntClips:
    """Number of this site's clips that a version was trained on, and of those withdrawn since."""

    clips: int
    withdrawn: int


def visible_versions(user: User) -> list[ModelVersion]:
    """Return the versions that a user may see, the one in service first, then the newest."""
    return list(
        ModelVersion.objects.visible_to(user)
        .select_related("run", "added_by")
        .order_by("-is_in_service", "-created", "-pk")
    )


def learnt_clips(versions: list[ModelVersion]) -> dict[int, LearntClips]:
    """Count the clips of each version's snapshot, by version; imported versions are left out."""
    rows = (
        SnapshotClip.objects.filter(snapshot__run__candidate__in=versions, split__in=LEARNT)
        .values_list("snapshot__run__candidate")
        .annotate(clips=Count("pk"), withdrawn=Count("pk", filter=Q(clip__isnull=True)))
        .order_by()
    )
    return {pk: LearntClips(clips, withdrawn) for pk, clips, withdrawn in rows}

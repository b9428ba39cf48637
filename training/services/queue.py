"""Send training's tasks by their registered names, so that services need not import the tasks."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from django.db import transaction

from library.services.queue import BULK, INTERACTIVE, put


class Task(StrEnum):
    """The names under which `training.tasks` registers what these services send."""

    CHECK_CLIP = "training.tasks.check_clip"
    CHECK_LABELS = "training.tasks.check_labels"
    TRAIN = "training.tasks.train"


def send_check(clip_id: UUID, *, bulk: bool) -> bool:
    """Put a clip on the queue; False if the broker is unreachable: the sweeper then sends it later."""
    return put(Task.CHECK_CLIP, str(clip_id), BULK if bulk else INTERACTIVE)


def send_check_on_commit(clip_id: UUID, *, bulk: bool) -> None:
    """Put a clip on the queue once its row is committed."""
    transaction.on_commit(lambda: send_check(clip_id, bulk=bulk), robust=True)

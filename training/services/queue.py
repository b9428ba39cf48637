"""Tell the workers that a clip waits for its checks. The row is the truth; messages hurry things along."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from library.services.queue import BULK, INTERACTIVE, put


def send_check(clip_id: UUID, *, bulk: bool) -> bool:
    """Put a clip on the queue; False where the broker is away, and then the sweeper will."""
    from training.tasks import check_clip

    return put(check_clip, str(clip_id), BULK if bulk else INTERACTIVE)


def send_check_on_commit(clip_id: UUID, *, bulk: bool) -> None:
    """Put a clip on the queue once its row is committed."""
    transaction.on_commit(lambda: send_check(clip_id, bulk=bulk), robust=True)

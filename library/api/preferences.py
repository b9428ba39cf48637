"""``Prefer: wait=N`` (RFC 7240): respond with the finished track if it is finished in time."""

from __future__ import annotations

import re
import threading
import time
from uuid import UUID

from django.conf import settings

from library.models import Track

LONGEST_WAIT_SECONDS = 60
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.2
_FINISHED = frozenset({Track.Status.DONE, Track.Status.FAILED})

# A waiting request occupies one of the server's threads; the others must stay free for other requests.
_places = threading.BoundedSemaphore(settings.API_WAITING_REQUESTS)


def wait_preference(header: str) -> int | None:
    """Read the seconds to wait from a Prefer header, at most `LONGEST_WAIT_SECONDS`.

    The first ``wait`` counts. A malformed preference is ignored, as the RFC requires.

    >>> wait_preference('respond-async, wait="90"; unit=s')
    60
    >>> wait_preference("wait=soon") is None
    True
    """
    for preference in header.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            seconds = value.strip().strip('"')
            if not re.fullmatch(r"\d{1,9}", seconds, re.ASCII):
                return None
            return min(int(seconds), LONGEST_WAIT_SECONDS)
    return None


def wait_until_finished(track_id: UUID, *, seconds: float) -> bool:
    """Wait until a track is done, failed or deleted; False if none of these happens in time.

    Polls with one indexed query at a time, outside any transaction. If too many requests wait already, this
    one does not.
    """
    if not _places.acquire(blocking=False):
        return False
    try:
        end = time.monotonic() + seconds
        pause = _FIRST_PAUSE
        while not _is_finished(track_id):
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, _LONGEST_PAUSE)
        return True
    finally:
        _places.release()


def _is_finished(track_id: UUID) -> bool:
    status = Track.objects.filter(pk=track_id).values_list("status", flat=True).first()
    return status is None or status in _FINISHED

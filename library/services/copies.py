"""Copies of tracks in other formats and bit rates: encoded by a worker when first asked for, then kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import BinaryIO, Final, Literal, cast, overload

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from classifier import decoding
from classifier.core.audio import AudioError
from classifier.core.encoding import TARGETS, Target
from genreweb.free_space import has_room
from genreweb.jobs import Claim
from library.errors import TrackError
from library.models import EncodedCopy, Track
from library.services import queue
from library.services.copy_stream import Listener, Publisher
from library.services.jobs import SoundJobs
from library.services.tracks import limits
from library.services.waiting import Places

log = logging.getLogger(__name__)

WAIT_SECONDS: Final = 40.0
"""Players give up after about a minute; what is encoded later is there when they ask again."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.2
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=10)
_FAILURES_ARE_KEPT: Final = timedelta(days=1)
_KEPT_SHARE: Final = 0.9
"""Of what copies may take, that stays when some are removed: else each new one would remove another."""

Status = EncodedCopy.Status

# Each request that waits, or is sent what is being encoded, holds one of the web server's threads; players
# ask for the next song ahead of time.
_places = Places(settings.API_ENCODING_REQUESTS, per_caller=2)


class CopyJobs(SoundJobs[Claim[EncodedCopy]]):
    """Encoded copies, as jobs of the analysis workers."""

    model = EncodedCopy
    related = ("track",)

    def send(self, row: EncodedCopy) -> bool:
        return queue.send_copy(row.pk)


JOBS = CopyJobs()
sweep = JOBS.sweep


def are_made() -> bool:
    """Tell whether this site encodes copies at all."""
    return bool(settings.ENCODED_COPIES_BYTES > 0)


def file_of(*, track: Track, target: Target, bit_rate: int, caller: str) -> str:
    """Give the storage key of a copy of a track; it is encoded and waited for if there is none.

    Parameters
    ----------
    bit_rate
        One of the target's, in kbit/s.
    caller
        Who asks, and holds a place while waiting.

    Raises
    ------
    TrackError
        ``busy`` where too many wait or it is not ready in time, ``unavailable`` where no worker runs, or what
        is wrong with the sound.
    """
    found = _made_before(track, target, bit_rate)
    if found is None:
        with _place(caller):
            found = _waited_for(_request(track, target, bit_rate), whole=True)
    return _name_of(found)


def stream_of(*, track: Track, target: Target, bit_rate: int, caller: str) -> str | Listener:
    """Give the storage key of a copy that is there, else what is written of it while it is encoded.

    A listener holds the place of `caller` until it is closed. The rest is as for `file_of`.
    """
    found = _made_before(track, target, bit_rate)
    if found is None:
        with ExitStack() as held:
            held.enter_context(_place(caller))
            begun = _waited_for(_request(track, target, bit_rate), whole=False)
            if isinstance(begun, Listener):
                begun.held = held.pop_all()
                return begun
            found = begun
    return _name_of(found)


def part_of(*, name: str, target: Target, start: float) -> bytes:
    """Give what follows after `start` seconds in a copy, as a file of the same format.

    Raises
    ------
    TrackError
        ``busy``, ``file_missing``, or what is wrong with the file.
    """
    try:
        with default_storage.open(name) as file:
            return decoding.shared.copy_from(
                cast(BinaryIO, file), target=target.name, start=start, limits=limits()
            )
    except FileNotFoundError as error:
        raise TrackError("file_missing") from error
    except AudioError as error:
        raise TrackError.of(error) from error
    except OSError as error:
        raise TrackError("busy") from error


def _made_before(track: Track, target: Target, bit_rate: int) -> EncodedCopy | None:
    found = EncodedCopy.objects.filter(track=track, target=target.name, bit_rate=bit_rate).first()
    return found if found and _is_there(found) else None


@contextmanager
def _place(caller: str) -> Iterator[None]:
    """Hold one of the places of requests that wait.

    Raises
    ------
    TrackError
        ``busy`` or ``unavailable``.
    """
    with _places.place(caller) as free:
        if not free:
            raise TrackError("busy")
        if not queue.has_worker():
            raise TrackError("unavailable")
        yield


def _name_of(copy: EncodedCopy) -> str:
    """Give the storage key of a copy that is finished, and note that it was used."""
    if copy.status == Status.FAILED:
        raise TrackError(copy.error_code, copy.error_params)
    now = timezone.now()
    EncodedCopy.objects.filter(pk=copy.pk, used_at__lt=now - _USE_IS_NOTED_EVERY).update(used_at=now)
    return str(copy.file.name)


def _is_there(copy: EncodedCopy) -> bool:
    return copy.status == Status.DONE and default_storage.exists(str(copy.file.name))


def _request(track: Track, target: Target, bit_rate: int) -> int:
    """Queue a copy that nobody has asked for yet, whose last try failed, or whose file is gone."""
    again = {"status": Status.QUEUED, "tries": 0, "error_code": "", "error_params": {}, "finished_at": None}
    with transaction.atomic():
        copy, made = EncodedCopy.objects.get_or_create(track=track, target=target.name, bit_rate=bit_rate)
        is_lost = copy.status == Status.DONE and not _is_there(copy)
        over = Q(status=Status.FAILED) | (
            Q(status=Status.DONE, file=copy.file.name) if is_lost else Q(pk=None)
        )
        rows = EncodedCopy.objects.filter(over, pk=copy.pk)
        if made or rows.update(**again, file="", size=0, queued_at=timezone.now()):
            queue.send_copy_on_commit(copy.pk)
    return copy.pk


@overload
def _waited_for(pk: int, *, whole: Literal[True]) -> EncodedCopy: ...
@overload
def _waited_for(pk: int, *, whole: bool) -> EncodedCopy | Listener: ...
def _waited_for(pk: int, *, whole: bool) -> EncodedCopy | Listener:
    """Wait until a copy is done or has failed, or else has begun, with one indexed query at a time."""
    end = time.monotonic() + WAIT_SECONDS
    pause = _FIRST_PAUSE
    while True:
        copy = EncodedCopy.objects.filter(pk=pk).first()
        if copy is None:
            # The track was deleted, or its sound replaced.
            raise TrackError("busy")
        if copy.is_finished:
            return copy
        if not whole and copy.status == Status.RUNNING and (listener := Listener(copy)).has_begun:
            return listener
        left = end - time.monotonic()
        if left <= 0:
            raise TrackError("busy")
        time.sleep(min(pause, left))
        pause = min(pause * 1.3, _LONGEST_PAUSE)


# --- a worker -------------------------------------------------------------------------------------------
def encode(*, copy_id: int) -> bool:
    """Encode one queued copy; False where there was nothing to do or the claim was lost."""
    return JOBS.process(copy_id, _encode)


def _encode(claim: Claim[EncodedCopy]) -> None:
    """Write the file, then its row; a lost claim leaves nothing behind."""
    copy = claim.row
    target = TARGETS[copy.target]
    published = Publisher(claim)
    with copy.track.sound.open("rb") as file:
        content = decoding.shared.encode_copy(
            cast(BinaryIO, file),
            target=target.name,
            bit_rate=copy.bit_rate,
            limits=limits(),
            sink=published.put,
        )
    published.end()
    if not has_room(len(content)):
        raise TrackError("storage_full")
    copy.file.save(f"copy{target.suffix}", ContentFile(content), save=False)
    name = str(copy.file.name)
    try:
        with transaction.atomic():
            # The track's row is locked first: a deletion waits for us, or we find the claim gone.
            Track.objects.select_for_update().filter(pk=copy.track_id).exists()
            now = timezone.now()
            claim.must_update(status=Status.DONE, file=name, size=len(content), used_at=now, finished_at=now)
    except BaseException:
        default_storage.delete(name)
        raise


# --- the sweep ------------------------------------------------------------------------------------------
def forget_least_used() -> int:
    """Remove copies, those first that were not used for longest, until they take no more than they may."""
    long_ago = timezone.now() - _FAILURES_ARE_KEPT
    EncodedCopy.objects.filter(status=Status.FAILED, finished_at__lt=long_ago).delete()
    done = EncodedCopy.objects.filter(status=Status.DONE)
    taken = done.aggregate(taken=Sum("size", default=0))["taken"]
    if taken <= settings.ENCODED_COPIES_BYTES:
        return 0
    removed = 0
    for copy in done.order_by("used_at", "pk").iterator(chunk_size=500):
        if taken <= _KEPT_SHARE * settings.ENCODED_COPIES_BYTES:
            break
        # Somebody may use it just now.
        if done.filter(pk=copy.pk, used_at=copy.used_at, file=copy.file.name).delete()[0]:
            _remove(str(copy.file.name))
            removed += 1
        taken -= copy.size
    log.info("removed %d encoded copies to make room", removed)
    return removed


def _remove(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError:
        # No row names it any more; the hourly tidying tries again.
        log.exception("could not delete %s", name)

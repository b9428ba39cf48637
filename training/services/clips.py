"""Contributors' clips: submit and withdraw."""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from classifier.core.audio import AudioLimits
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.accounts.quotas import Kept
from genreweb.shown_text import visible
from library.models import Track
from library.services import quotas
from library.services.queue import PROMPT
from library.services.tracks import clean_title, examine, limits, title_from, write
from training.errors import TrainingError
from training.models import Clip
from training.models.clips import COMMENT_LENGTH, ClipQuerySet
from training.services import queue

log = logging.getLogger(__name__)

LEAST_SECONDS = 3.0
MOST_SECONDS = 30.0
# A piece chosen on a waveform may be a pixel too long; the excess is cut off.
_SLACK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Submitted:
    """A clip, and whether the user had already submitted the same piece."""

    clip: Clip
    duplicate: bool


def clip_limits() -> AudioLimits:
    """Return the site's limits for clips: as for tracks, but at least three seconds."""
    site = limits()
    return replace(site, min_duration=max(site.min_duration, LEAST_SECONDS))


def submit_clip(
    *,
    contributor: User,
    genre: Genre,
    rights: bool,
    file: File[bytes] | None = None,
    track: Track | None = None,
    name: str = "",
    title: str = "",
    artist: str = "",
    comment: str = "",
    start: float | None = None,
    end: float | None = None,
) -> Submitted:
    """Take a sound, or a track of the contributor's own, as an example of a genre, and queue its checks.

    With `start` or `end`, in seconds, the piece between them is taken, at most 30 s; else the whole sound,
    which the checks divide if it is longer. The same piece submitted twice returns the first row; one that
    was not accepted is tried again.

    Raises
    ------
    DomainError
        ``rights_missing``, ``unknown_track``, ``piece_…``, or an error of the file. Then nothing is stored.
    """
    if (file is None) == (track is None):
        raise ValueError("a clip comes from a file or from a track")
    if not rights:
        raise TrainingError("rights_missing")
    start, end = _piece(start, end)
    clip = Clip(
        contributor=contributor,
        genre=genre,
        contributed_genre=genre,
        comment=_clean_text(comment)[:COMMENT_LENGTH].rstrip(),
        rights_confirmed_at=timezone.now(),
        start=start,
        end=end,
    )
    if track is not None:
        _describe_track(clip, track, contributor)
    if file is not None:
        info, clip.sha256 = examine(file, within=clip_limits())
        clip.size = file.size
        clip.duration = info.duration or None
        quotas.check(user=contributor, tracks=0, size=file.size, duration=info.duration)
    clip.title = clean_title(title) or (track.title if track else title_from(name))
    clip.artist = clean_title(artist) or (track.artist if track else "")
    return _store(clip, file, name)


def kept(user: User) -> Kept:
    """Count the bytes of a person's clips; pieces of tracks and of other clips are counted with those."""
    own = Clip.objects.filter(contributor=user, track__isnull=True, origin__isnull=True)
    return Kept(size=own.aggregate(size=Sum("size"))["size"] or 0)


def withdraw(*, clip: Clip) -> None:
    """Delete a clip with its files. Versions trained on it are flagged by the gap in their snapshot."""
    delete_clips(Clip.objects.filter(pk=clip.pk))


def delete_clips(clips: ClipQuerySet) -> int:
    """Delete clips with their files. A running check then loses its claim."""
    with transaction.atomic():
        rows = list(clips.select_for_update(of=("self",)).values_list("pk", "sound", "features"))
        Clip.objects.filter(pk__in=[pk for pk, _sound, _features in rows]).delete()
        files = [name for _pk, *names in rows for name in names if name]
        transaction.on_commit(lambda: remove_files(files))
    return len(rows)


def remove_files(names: Iterable[str]) -> None:
    """Delete stored files whose rows were deleted."""
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            # Nobody can access the file; the hourly tidying tries again.
            log.exception("could not delete %s", name)


def _piece(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    if start is None and end is None:
        return None, None
    first = 0.0 if start is None else start
    last = first + MOST_SECONDS if end is None else end
    if not (math.isfinite(first) and math.isfinite(last) and 0 <= first < last):
        raise TrainingError("piece_invalid")
    # Rounded to the millisecond, so that equal pieces compare equal.
    first, last = round(first, 3), round(last, 3)
    if last - first < LEAST_SECONDS:
        raise TrainingError("piece_too_short", {"minimum": LEAST_SECONDS})
    if last - first > MOST_SECONDS + _SLACK_SECONDS:
        raise TrainingError("piece_too_long", {"maximum": MOST_SECONDS})
    return first, round(min(last, first + MOST_SECONDS), 3)


def _describe_track(clip: Clip, track: Track, contributor: User) -> None:
    if track.owner_id != contributor.pk:
        raise TrainingError("unknown_track")
    if track.duration is not None:
        if clip.start is not None and track.duration - clip.start < LEAST_SECONDS:
            duration = round(track.duration, 1)
            raise TrainingError("piece_outside", {"start": clip.start, "duration": duration})
        if track.duration < LEAST_SECONDS:
            raise TrainingError("piece_too_short", {"minimum": LEAST_SECONDS})
    clip.track = track
    clip.sha256, clip.size, clip.duration = track.sha256, track.size, track.duration


def has_many_waiting(contributor_id: int | None, *, but: UUID) -> bool:
    """Tell whether so many clips of a person are to be checked that more wait behind those of others."""
    if contributor_id is None:
        return False
    checking = Clip.objects.filter(contributor=contributor_id, status=Clip.Status.CHECKING).exclude(pk=but)
    return checking.order_by()[:PROMPT].count() >= PROMPT


def _store(clip: Clip, file: File[bytes] | None, name: str) -> Submitted:
    same = Clip.objects.filter(
        contributor=clip.contributor, sha256=clip.sha256, start=clip.start, end=clip.end
    )
    known = same.first()
    if known is not None and known.status != Clip.Status.FAILED:
        return Submitted(known, duplicate=True)
    if file is not None:
        write(clip.sound, file, name)
    written = str(clip.sound.name or "")
    try:
        with transaction.atomic():
            if file is not None and clip.contributor is not None:
                quotas.take(user=clip.contributor, tracks=0, size=clip.size, duration=clip.duration)
            if known is not None:
                taken = _try_again(known, clip)
            else:
                clip.save(force_insert=True)
                taken = True
            if taken:
                queued = known or clip
                bulk = has_many_waiting(clip.contributor_id, but=queued.pk)
                queue.send_check_on_commit(queued.pk, bulk=bulk)
    except IntegrityError:
        remove_files([written] if written else [])
        first = same.first()
        if first is None:
            # Deleted at the same moment.
            raise TrainingError("unknown_genre" if clip.track is None else "unknown_track") from None
        # The same piece was submitted twice at once, and the other one was stored first.
        return Submitted(first, duplicate=True)
    except BaseException:
        remove_files([written] if written else [])
        raise
    if not taken:
        remove_files([written] if written else [])
    if known is None:
        return Submitted(clip, duplicate=False)
    known.refresh_from_db()
    return Submitted(known, duplicate=not taken)


def _try_again(known: Clip, clip: Clip) -> bool:
    """Replace a clip that was not accepted by the new one; False if another request just did."""
    former = str(known.sound.name or "")
    fields = ("genre", "contributed_genre", "title", "artist", "comment", "rights_confirmed_at", "track")
    taken = Clip.objects.filter(pk=known.pk, status=Clip.Status.FAILED).update(
        **{name: getattr(clip, name) for name in fields},
        sound=clip.sound.name or "",
        size=clip.size,
        duration=clip.duration,
        status=Clip.Status.CHECKING,
        claimed=False,
        tries=0,
        error_code="",
        error_params={},
        queued_at=timezone.now(),
    )
    if taken and former:
        transaction.on_commit(lambda: remove_files([former]))
    return bool(taken)


def _clean_text(text: str) -> str:
    """Keep line breaks, remove control and bidirectional characters."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    return "\n".join(visible(line).rstrip() for line in lines).strip()

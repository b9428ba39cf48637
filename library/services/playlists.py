"""What people do with their playlists.

Every change holds the playlist's row, so that places stay unique. What changes a playlist that was deleted
meanwhile raises `PlaylistError`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from genreweb.accounts.models import User
from library.errors import PlaylistError
from library.models import Playlist, PlaylistEntry, PlaylistQuerySet, Track, TrackQuerySet, seen_by
from library.services.tracks import clean_title

MOST_PLAYLISTS: Final = 500
MOST_ENTRIES: Final = 1000

Viewer = User | AnonymousUser


def create(*, owner: User, title: str, tracks: Sequence[Track] = (), shared: bool = False) -> Playlist:
    """Make a playlist of tracks in their order; one that comes twice is taken once.

    Raises
    ------
    PlaylistError
        It has no title or too many tracks, or the person has too many playlists.
    """
    kept = list({track.pk: track for track in tracks}.values())
    if len(kept) > MOST_ENTRIES:
        raise PlaylistError("playlist_full", {"most": MOST_ENTRIES})
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("pk").get(pk=owner.pk)
        if Playlist.objects.filter(owner=owner).count() >= MOST_PLAYLISTS:
            raise PlaylistError("playlists_many", {"most": MOST_PLAYLISTS})
        playlist = Playlist.objects.create(owner=owner, title=_titled(title), shared=shared)
        _write(playlist, [track.pk for track in kept])
    return playlist


def edit(*, playlist: Playlist, title: str | None = None, shared: bool | None = None) -> Playlist:
    """Rename a playlist, share it or take it back; what is None stays.

    Raises
    ------
    PlaylistError
        It would have no title, or was deleted meanwhile.
    """
    playlist.title = playlist.title if title is None else _titled(title)
    playlist.shared = playlist.shared if shared is None else shared
    playlist.changed = timezone.now()
    fields = {name: getattr(playlist, name) for name in ("title", "shared", "changed")}
    if not Playlist.objects.filter(pk=playlist.pk).update(**fields):
        raise PlaylistError("playlist_gone")
    return playlist


def add(*, playlist: Playlist, tracks: Sequence[Track]) -> int:
    """Put tracks at the end; give how many were not in it before.

    Raises
    ------
    PlaylistError
        It would hold too many tracks; then none is added.
    """
    with transaction.atomic():
        known = _hold(playlist)
        new = list(dict.fromkeys(track.pk for track in tracks if track.pk not in known))
        _append(playlist, known, new)
    return len(new)


def remove(*, playlist: Playlist, track: UUID, viewer: Viewer) -> int | None:
    """Take a track out; give its place among those that `viewer` sees, from 0 on; None if it is not there."""
    with transaction.atomic():
        _hold(playlist)
        seen = _seen(playlist, viewer)
        if track not in seen:
            return None
        PlaylistEntry.objects.filter(playlist=playlist, track=track).delete()
        _touch(playlist)
    return seen.index(track)


def put(*, playlist: Playlist, track: Track, place: int, viewer: Viewer) -> None:
    """Put a track at a place among those that `viewer` sees, from 0 on, be it in the playlist or not.

    Raises
    ------
    PlaylistError
        It would hold too many tracks.
    """
    with transaction.atomic():
        known = _hold(playlist)
        if track.pk not in known:
            _append(playlist, known, [track.pk])
        seen = [pk for pk in _seen(playlist, viewer) if pk != track.pk]
        seen.insert(max(0, min(place, len(seen))), track.pk)
        _arrange(playlist, seen)


def remove_places(*, playlist: Playlist, places: Collection[int], viewer: Viewer) -> None:
    """Take out what stands at some places among the tracks that `viewer` sees, from 0 on."""
    with transaction.atomic():
        _hold(playlist)
        gone = [track for place, track in enumerate(_seen(playlist, viewer)) if place in places]
        PlaylistEntry.objects.filter(playlist=playlist, track__in=gone).delete()
        if gone:
            _touch(playlist)


def replace(*, playlist: Playlist, tracks: Sequence[Track], viewer: Viewer) -> None:
    """Let a playlist hold these tracks in their order, in place of those that `viewer` sees.

    Those that they may no longer see keep their places.

    Raises
    ------
    PlaylistError
        It would hold too many tracks; then nothing is changed.
    """
    wanted = list(dict.fromkeys(track.pk for track in tracks))
    with transaction.atomic():
        known = _hold(playlist)
        gone = set(_seen(playlist, viewer)) - set(wanted)
        PlaylistEntry.objects.filter(playlist=playlist, track__in=gone).delete()
        kept = {track: place for track, place in known.items() if track not in gone}
        _append(playlist, kept, [track for track in wanted if track not in kept])
        _arrange(playlist, wanted)
        if gone:
            _touch(playlist)


def arrange(*, playlist: Playlist, tracks: Sequence[UUID], viewer: Viewer) -> None:
    """Order the tracks that `viewer` sees. Those that they may no longer see keep their places.

    Raises
    ------
    PlaylistError
        These are not just the tracks that `viewer` sees in it.
    """
    with transaction.atomic():
        _hold(playlist)
        seen = _seen(playlist, viewer)
        if sorted(seen) != sorted(tracks):
            raise PlaylistError("order_other_tracks")
        _arrange(playlist, tracks)


def delete(*, playlist: Playlist) -> None:
    """Delete a playlist. Its tracks stay."""
    playlist.delete()


def tracks_of(playlist: Playlist, *, viewer: Viewer) -> TrackQuerySet:
    """The tracks of a playlist that `viewer` may see, in its order, as lists show them."""
    entries = PlaylistEntry.objects.filter(playlist=playlist)
    place = Subquery(entries.filter(track=OuterRef("pk")).values("position")[:1])
    seen = Track.objects.visible_to(viewer).filter(pk__in=entries.values("track")).with_verdict()
    return seen.select_related("labelled_genre", "current__model_version").order_by(place)


def counted(playlists: PlaylistQuerySet, *, viewer: Viewer) -> QuerySet[Playlist]:
    """Add how many tracks and seconds of each playlist `viewer` may see: `count` and `seconds`."""
    seen = seen_by(viewer, path="entries__track__")
    rows = playlists.select_related("owner").annotate(
        count=Count("entries", filter=seen),
        seconds=Coalesce(Sum("entries__track__duration", filter=seen), 0.0),
    )
    # A grouped query has no order of its own, whatever the model says.
    return rows.order_by("title", "pk")


def _titled(title: str) -> str:
    cleaned = clean_title(title)
    if not cleaned:
        raise PlaylistError("playlist_unnamed")
    return cleaned


def _hold(playlist: Playlist) -> dict[UUID, int]:
    """Lock a playlist; give its places by track."""
    if not Playlist.objects.select_for_update().filter(pk=playlist.pk).exists():
        raise PlaylistError("playlist_gone")
    return dict(playlist.entries.values_list("track", "position"))


def _seen(playlist: Playlist, viewer: Viewer) -> list[UUID]:
    entries = playlist.entries.filter(track__in=Track.objects.visible_to(viewer)).order_by("position")
    return list(entries.values_list("track", flat=True))


def _append(playlist: Playlist, known: dict[UUID, int], new: Sequence[UUID]) -> None:
    if len(known) + len(new) > MOST_ENTRIES:
        raise PlaylistError("playlist_full", {"most": MOST_ENTRIES})
    _write(playlist, new, start=max(known.values(), default=-1) + 1)
    if new:
        _touch(playlist)


def _write(playlist: Playlist, tracks: Sequence[UUID], *, start: int = 0) -> None:
    PlaylistEntry.objects.bulk_create(
        PlaylistEntry(playlist=playlist, track_id=track, position=start + place)
        for place, track in enumerate(tracks)
    )


def _arrange(playlist: Playlist, tracks: Sequence[UUID]) -> None:
    """Give the places that `tracks` have to them anew, in their order."""
    entries = list(playlist.entries.filter(track__in=tracks).order_by("position"))
    places = [entry.position for entry in entries]
    order = dict(zip(tracks, places, strict=True))
    moved = [entry for entry in entries if entry.position != order[entry.track_id]]
    for entry in moved:
        entry.position = order[entry.track_id]
    PlaylistEntry.objects.bulk_update(moved, ["position"])
    if moved:
        _touch(playlist)


def _touch(playlist: Playlist) -> None:
    Playlist.objects.filter(pk=playlist.pk).update(changed=timezone.now())

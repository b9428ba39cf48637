"""Fetch the track that a request names, and check access to it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.request import Request

from library.models import Track, TrackQuerySet


class NotReady(APIException):
    """The track has no verdict yet."""

    status_code = 409
    default_code = "not_ready"
    default_detail = gettext_lazy("The track has not been analysed yet. Ask again once its status is done.")


def readable_track(request: Request, pk: UUID, *, among: TrackQuerySet) -> Track:
    """Return a track that the user may see; 404 for anybody else."""
    track = among.visible_to(request.user).filter(pk=pk).first()
    if track is None:
        raise NotFound(gettext("There is no such track."))
    return track


def readable_tracks(request: Request, pks: Sequence[UUID], *, analysed: bool = False) -> list[Track]:
    """Return tracks that the user may see, in the order given, each once; 404 if they may not see one.

    With `analysed`, 409 if one has not been analysed.
    """
    wanted = list(dict.fromkeys(pks))
    found = Track.objects.visible_to(request.user).in_bulk(wanted)
    if len(found) < len(wanted):
        raise NotFound(gettext("There is no such track."))
    if analysed and any(track.current_id is None for track in found.values()):
        raise NotReady
    return [found[pk] for pk in wanted]


def writable_track(request: Request, pk: UUID, *, among: TrackQuerySet) -> Track:
    """Return a track that the user owns; 403 if they may only see it."""
    track = readable_track(request, pk, among=among)
    if track.owner_id != request.user.pk:
        raise PermissionDenied(gettext("Only the owner of a track may change it."))
    return track

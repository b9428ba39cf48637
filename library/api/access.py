"""Fetch the track that a request names, and check access to it."""

from __future__ import annotations

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


def writable_track(request: Request, pk: UUID, *, among: TrackQuerySet) -> Track:
    """Return a track that the user owns; 403 if they may only see it."""
    track = readable_track(request, pk, among=among)
    if track.owner_id != request.user.pk:
        raise PermissionDenied(gettext("Only the owner of a track may change it."))
    return track

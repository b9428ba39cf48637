"""Pieces of the project's own, for people who want to try the site and have no file at hand."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.access import readable_track
from library.api.serializers import AddedTrackSerializer
from library.api.tracks import whole_tracks
from library.services import samples


class SampleSerializer(serializers.Serializer[samples.Sample]):
    """A piece that anybody may try the site with."""

    slug = serializers.CharField()
    title = serializers.CharField(help_text="In the language of the request.")
    kind = serializers.CharField(help_text="What music it is meant to be.")


class SampleListView(APIView):
    """Pieces to try the site with."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="list_samples",
        tags=["tracks"],
        summary="List pieces to try the site with",
        responses=SampleSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Return the pieces that the program makes itself."""
        pieces: Any = list(samples.SAMPLES.values())
        return Response(SampleSerializer(pieces, many=True).data)


class SampleView(APIView):
    """One piece."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)
    throttle_scope = "upload"

    @extend_schema(
        operation_id="add_sample",
        tags=["tracks"],
        summary="Add a piece to your tracks",
        request=None,
        responses={200: AddedTrackSerializer, 202: AddedTrackSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Add a piece to your tracks as if you had sent it, and queue its analysis."""
        if slug not in samples.SAMPLES:
            raise NotFound(gettext("There is no such piece."))
        added = samples.add_sample(owner=cast(User, request.user), slug=slug)
        track = readable_track(request, added.track.pk, among=whole_tracks())
        return Response(
            AddedTrackSerializer(track, context={"request": request, "added": added}).data,
            status=200 if added.duplicate else 202,
            headers={"Location": reverse("api:track", args=[track.pk], request=request)},
        )

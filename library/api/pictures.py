"""Links to the sound of a track and to its pictures."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.api.access import readable_track
from library.api.serializers import PicturesSerializer
from library.models import Analysis, Track


class PicturesView(APIView):
    """Sound and pictures of a track."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="track_pictures",
        tags=["tracks"],
        summary="Get sound and pictures",
        responses=PicturesSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return links that expire; the pictures are null until the track has been analysed."""
        tracks = Track.objects.select_related("current").with_columns("current__peaks")
        track = readable_track(request, pk, among=tracks)
        analysis = track.current
        answer: dict[str, Any] = {
            "sound": request.build_absolute_uri(track.sound.url),
            "playable": request.build_absolute_uri(track.player_url),
        }
        for name in Analysis.PICTURES:
            answer[name] = request.build_absolute_uri(getattr(analysis, name).url) if analysis else None
        answer["peaks"] = analysis.peaks if analysis else None
        answer["ticks"] = analysis.ticks if analysis else None
        return Response(PicturesSerializer(answer).data)

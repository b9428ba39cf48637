"""Moods, and the tracks that are recommended for one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier.core.tags import MOODS
from classifier.tag_words import named
from library.api.serializers import MoodSerializer, MoodTrackSerializer
from library.models import Track, TrackQuerySet
from library.moods import tracks_for


class MoodListView(APIView):
    """The moods that music is recommended for."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="list_moods",
        tags=["moods"],
        summary="List the moods",
        responses=MoodSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Return all moods at once."""
        rows: list[dict[str, Any]] = [
            {
                "slug": mood,
                "name": named(mood).name,
                "meaning": named(mood).meaning,
                "tracks": reverse("api:mood-tracks", args=[mood], request=request),
            }
            for mood in MOODS
        ]
        return Response(MoodSerializer(rows, many=True).data)


@extend_schema_view(
    get=extend_schema(
        operation_id="list_mood_tracks",
        tags=["moods"],
        summary="List tracks for a mood",
        description="The tracks for a mood among those you may see, the strongest first.",
    )
)
class MoodTrackListView(ListAPIView[Track]):
    """The tracks for one mood."""

    queryset = Track.objects.none()
    serializer_class = MoodTrackSerializer
    permission_classes = (AllowAny,)
    filter_backends = ()

    def get_queryset(self) -> TrackQuerySet:
        mood = self.kwargs["mood"]
        if mood not in MOODS:
            raise NotFound
        return tracks_for(mood, user=self.request.user)

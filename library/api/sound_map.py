"""The catalogue as a map: every track that the caller may see, as a point."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.models import Genre
from library.services.sound_map import MOST_POINTS, sound_map


@extend_schema_field(
    {
        "type": "array",
        "minItems": 5,
        "maxItems": 5,
        "items": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        "example": ["1f0c0a39-6d2e-4d7e-9f3e-0c3c6c1f7a52", 0.4187, 0.7302, 3, "Blue in Green"],
    }
)
class PointField(serializers.ListField):
    """A point as a short array."""


class MapGenreSerializer(serializers.ModelSerializer[Genre]):
    """A genre that is on the map."""

    name = serializers.CharField(source="display_name", read_only=True)

    class Meta:
        model = Genre
        fields = ("slug", "name", "colour")


class SoundMapSerializer(serializers.Serializer[Any]):
    """The map."""

    ready = serializers.BooleanField(
        help_text="False until the map was worked out for the first time; then there are no points."
    )
    points = serializers.ListField(
        child=PointField(),
        help_text="Each is [id of the track, x, y, place in `genres` or -1, title], with x from the left and "
        "y from the bottom, 0 to 1. The newest tracks come first.",
    )
    genres = MapGenreSerializer(many=True)
    left_out = serializers.IntegerField(help_text="How many further tracks there are.")


class SoundMapView(APIView):
    """The catalogue as a map."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="get_map",
        tags=["tracks"],
        summary="The catalogue as a map",
        description="Tracks that you may see, by the lens *sound*: near means similar. The layout is made of "
        "tracks of the catalogue (t-SNE) and kept; private tracks are placed on it, are seen by their owners "
        f"alone and move nothing. At most {MOST_POINTS} points.",
        responses=SoundMapSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return all points at once."""
        found = sound_map(viewer=request.user)
        answer = {
            "ready": found.ready,
            "points": found.points,
            "genres": MapGenreSerializer(found.genres, many=True).data,
            "left_out": found.left_out,
        }
        return Response(answer)

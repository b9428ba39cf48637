"""The nearest neighbours of a track."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.api.access import NotReady, readable_track
from library.api.serializers import NeighbourSerializer
from library.models import Track
from library.neighbours import MOST, neighbours


class SimilarParameters(serializers.Serializer[Any]):
    """The number of neighbours."""

    k = serializers.IntegerField(min_value=1, max_value=MOST, default=3, help_text="How many.")


class SimilarView(APIView):
    """Neighbours of a track."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="similar_tracks",
        tags=["tracks"],
        summary="List similar tracks",
        parameters=[SimilarParameters],
        responses=NeighbourSerializer(many=True),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the most similar tracks among those you may see; 409 before the first analysis."""
        tracks = Track.objects.select_related("current").with_columns("current__descriptor")
        track = readable_track(request, pk, among=tracks)
        parameters = SimilarParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        if track.current is None:
            raise NotReady
        found = neighbours(track=track, user=request.user, k=parameters.validated_data["k"])
        return Response(NeighbourSerializer(found, many=True, context={"request": request}).data)

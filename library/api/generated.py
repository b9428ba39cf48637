"""Tracks for a playlist, and paths from one track to another. Nothing is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.core.lenses import LENSES
from classifier.core.tags import MOODS
from genreweb.accounts.scopes import Scope
from library.api.access import readable_tracks
from library.api.serializers import TrackSummarySerializer
from library.models import Track
from library.services import generating, paths
from library.services.candidates import Conditions


class GenerateSerializer(serializers.Serializer[Any]):
    """What a playlist is to be made of: tracks to be like, or a mood."""

    tracks = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=generating.MOST_SEEDS,
        help_text="Ids of tracks to be like; of several, what they have in common counts.",
    )
    unlike = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=generating.MOST_SEEDS,
        help_text="Ids of tracks to lead away from.",
    )
    mood = serializers.ChoiceField(choices=list(MOODS), required=False)
    surprise = serializers.BooleanField(
        default=False, help_text="Of the mood, draw different tracks at random instead of the strongest."
    )
    seed = serializers.IntegerField(
        min_value=0,
        max_value=generating.MOST_RANDOM_SEED,
        default=0,
        help_text="The same seed draws the same surprise, as long as there are the same tracks.",
    )
    by = serializers.ChoiceField(choices=LENSES, required=False, help_text="What is compared.")
    length = serializers.IntegerField(
        min_value=1, max_value=generating.MOST, default=generating.DEFAULT_LENGTH, help_text="How many."
    )
    exclude_artist = serializers.BooleanField(default=False, help_text="No track by an artist of `tracks`.")
    one_per_artist = serializers.BooleanField(default=False, help_text="Of each artist the nearest only.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["tracks"]) == ("mood" in attrs):
            raise serializers.ValidationError({"tracks": [gettext("Give either tracks or a mood.")]})
        return attrs


class PathRequestSerializer(serializers.Serializer[Any]):
    """A path to find."""

    by = serializers.ChoiceField(
        choices=LENSES, required=False, help_text="What is compared; `blend` unless said otherwise."
    )
    length = serializers.IntegerField(
        min_value=paths.LEAST,
        max_value=paths.MOST,
        default=paths.DEFAULT_LENGTH,
        help_text="Number of tracks, both ends among them; fewer are found where there are not so many.",
    )

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python.
        return {
            "from": serializers.UUIDField(help_text="Id of the first track."),
            "to": serializers.UUIDField(help_text="Id of the last track."),
            **super().get_fields(),
        }


class StepSerializer(serializers.Serializer[paths.Step]):
    """A track of a path."""

    distance = serializers.FloatField(
        allow_null=True, help_text="From the one before, 0 to 2; null for the first."
    )
    track = TrackSummarySerializer()


class PathSerializer(serializers.Serializer[paths.Path]):
    """Tracks that lead from one to another."""

    by = serializers.CharField(
        source="lens", help_text="The lens: harmony where the blend does not know both ends."
    )
    steps = StepSerializer(many=True)


class GenerateView(APIView):
    """Tracks for a playlist."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.READ

    @extend_schema(
        operation_id="generate_playlist",
        tags=["playlists"],
        summary="Find tracks for a playlist",
        request=GenerateSerializer,
        responses=TrackSummarySerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Return tracks like some and unlike others, or for a mood.

        Give their ids to `/playlists/` to keep them. 404 if you may not see one of those given, 409 if one
        has not been analysed.
        """
        form = GenerateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        found = _generated(request, form.validated_data)
        return Response(TrackSummarySerializer(found, many=True, context={"request": request}).data)


class PathView(APIView):
    """Paths."""

    permission_classes = (IsAuthenticated,)
    write_scope = Scope.READ

    @extend_schema(
        operation_id="find_path",
        tags=["playlists"],
        summary="Find a path from one track to another",
        request=PathRequestSerializer,
        responses=PathSerializer,
    )
    def post(self, request: Request) -> Response:
        """Return tracks of which each is near the one before, in steps as even as there are tracks for.

        404 if you may not see one of the ends, 409 if one has not been analysed.
        """
        form = PathRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        ends: list[UUID] = [asked["from"], asked["to"]]
        found = {track.pk: track for track in readable_tracks(request, ends, analysed=True)}
        path = paths.find_path(
            viewer=request.user,
            start=found[ends[0]],
            end=found[ends[1]],
            length=asked["length"],
            by=asked.get("by"),
        )
        return Response(PathSerializer(path, context={"request": request}).data)


def _generated(request: Request, asked: dict[str, Any]) -> list[Track]:
    if mood := asked.get("mood"):
        if asked["surprise"]:
            return generating.surprise(
                viewer=request.user, mood=mood, length=asked["length"], seed=asked["seed"]
            )
        return generating.for_mood(viewer=request.user, mood=mood, length=asked["length"])
    return generating.like(
        viewer=request.user,
        seeds=readable_tracks(request, asked["tracks"], analysed=True),
        unlike=readable_tracks(request, asked["unlike"], analysed=True),
        length=asked["length"],
        by=asked.get("by"),
        conditions=Conditions(exclude_artist=asked["exclude_artist"], one_per_artist=asked["one_per_artist"]),
    )

"""The nearest neighbours of a track, or of what several tracks have in common."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.core.lenses import LENSES
from classifier.models import Genre
from genreweb.accounts.scopes import Scope
from library.api.access import NotReady, readable_track
from library.api.serializers import NeighbourSerializer
from library.models import Track
from library.services.lens_queries import LensQuery, query_of
from library.services.similar import MOST, Conditions, similar

MOST_SEEDS = 20
_LENSES = (
    "What is compared: `blend` (sound, harmony and tags together; unless said otherwise), `sound` (voices, "
    "instruments, production), `harmony`, `harmony_any_key` (whatever the key), `timbre` or `mood`."
)


class _GenreField(serializers.SlugRelatedField[Genre]):
    """A genre by its slug."""

    def to_internal_value(self, data: Any) -> Genre:
        # PostgreSQL does not store NUL in text.
        if "\0" in str(data):
            self.fail("does_not_exist", slug_name=self.slug_field, value=str(data).replace("\0", ""))
        return super().to_internal_value(data)


class SimilarParameters(serializers.Serializer[Any]):
    """Which neighbours, and how many."""

    k = serializers.IntegerField(min_value=1, max_value=MOST, default=3, help_text="How many.")
    by = serializers.ChoiceField(choices=LENSES, required=False, help_text=_LENSES)
    genre = _GenreField(
        queryset=Genre.objects.all(),
        slug_field="slug",
        required=False,
        help_text="Only tracks of this genre: what the catalogue says, else what was heard.",
    )
    exclude_artist = serializers.BooleanField(
        default=False, help_text="No track by an artist of what is asked about."
    )
    one_per_artist = serializers.BooleanField(default=False, help_text="Of each artist the nearest only.")


class SeedsSerializer(SimilarParameters):
    """Tracks to find others like, and the same parameters."""

    tracks = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MOST_SEEDS,
        help_text="Ids of tracks; of several, what they have in common counts.",
    )


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
        """Return the most similar tracks among those you may see; 409 before the first analysis.

        Copies of the track are left out, also other encodings and cuts of it.
        """
        track = readable_track(request, pk, among=Track.objects.all())
        parameters = SimilarParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        if track.current_id is None:
            raise NotReady
        return _answer(request, query_of([track]), parameters.validated_data)


class SimilarToManyView(APIView):
    """Neighbours of several tracks at once."""

    write_scope = Scope.READ
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="similar_to_many",
        tags=["tracks"],
        summary="List tracks similar to several",
        request=SeedsSerializer,
        responses=NeighbourSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Return the tracks most similar to what the given ones have in common. Nothing is stored.

        404 if you may not see one of them, 409 if one has not been analysed.
        """
        form = SeedsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = set(form.validated_data["tracks"])
        tracks = list(Track.objects.visible_to(request.user).filter(pk__in=wanted))
        if len(tracks) < len(wanted):
            raise NotFound(gettext("There is no such track."))
        if any(track.current_id is None for track in tracks):
            raise NotReady
        return _answer(request, query_of(tracks), form.validated_data)


def _answer(request: Request, query: LensQuery, parameters: dict[str, Any]) -> Response:
    genre = parameters.get("genre")
    found = similar(
        viewer=request.user,
        query=query,
        by=parameters.get("by"),
        k=parameters["k"],
        conditions=Conditions(
            genre=genre.slug if genre else "",
            exclude_artist=parameters["exclude_artist"],
            one_per_artist=parameters["one_per_artist"],
        ),
    )
    rows = [
        {
            "rank": near.rank,
            "distance": near.distance,
            "by": found.lens,
            "why": near.why,
            "track": near.track,
        }
        for near in found.neighbours
    ]
    return Response(NeighbourSerializer(rows, many=True, context={"request": request}).data)

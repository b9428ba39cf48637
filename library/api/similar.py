"""The nearest neighbours of a track, or of what several tracks have in common."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.core.lenses import LENSES
from classifier.models import Genre
from genreweb.accounts.scopes import Scope
from library.api.access import NotReady, readable_track, readable_tracks
from library.api.classify import caller_of
from library.api.serializers import TrackSummarySerializer
from library.api.thumbs import word_of
from library.models import Track
from library.services.candidates import Conditions
from library.services.generating import MOST_SEEDS
from library.services.lens_queries import LensQuery, query_of
from library.services.similar import MOST, similar
from library.services.sound_queries import query_of_sound

_LENSES = (
    "What is compared: `blend` (sound, harmony, timbre and tags together; unless said otherwise), `sound` "
    "(voices, instruments, production), `harmony`, `harmony_any_key` (whatever the key), `timbre` or `mood`."
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
    unlike = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MOST_SEEDS,
        help_text="Ids of tracks to lead away from.",
    )


class SimilarToSoundSerializer(SimilarParameters):
    """A sound to find tracks like, and the same parameters."""

    file = serializers.FileField(allow_empty_file=True, help_text="Any audio file. It is not kept.")


class NeighbourSerializer(serializers.Serializer[Any]):
    """A similar track."""

    rank = serializers.IntegerField()
    distance = serializers.FloatField(help_text="0 is identical, 2 is opposite.")
    by = serializers.CharField(
        help_text="The lens by which it was found: harmony where the one that was asked for knows nothing of "
        "the track, and until older tracks are prepared for the lenses."
    )
    why = serializers.ListField(
        child=serializers.CharField(),
        help_text="Why it is similar, in the language of the request: how near it is, the key and the tags "
        "that both have.",
    )
    thumb = serializers.CharField(allow_null=True, help_text="Yours, `up` or `down`; else null.")
    track = TrackSummarySerializer()


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

    @property
    def write_scope(self) -> Scope:
        return Scope.UPLOAD if _sends_file(self.request) else Scope.READ

    @property
    def throttle_scope(self) -> str | None:
        return "classify" if _sends_file(self.request) else None

    def get_permissions(self) -> list[BasePermission]:
        if _sends_file(self.request) and not settings.API_ANONYMOUS_CLASSIFY:
            return [IsAuthenticated()]
        return [AllowAny()]

    @extend_schema(
        operation_id="similar_to_many",
        tags=["tracks"],
        summary="List tracks similar to several, or to a sound",
        request={
            "application/json": SeedsSerializer,
            "multipart/form-data": SimilarToSoundSerializer,
        },
        responses=NeighbourSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Return the tracks most similar to what the given ones have in common. Nothing is stored.

        A file may be sent instead, with the limits and the answers of `/classify/`. 404 if you may not see
        one of the tracks, 409 if one has not been analysed.
        """
        if _sends_file(request) and "file" in request.data:
            form: SimilarParameters = SimilarToSoundSerializer(data=request.data)
            form.is_valid(raise_exception=True)
            sound = form.validated_data["file"]
            person = request.user if request.user.is_authenticated else None
            query = query_of_sound(
                file=sound, name=sound.name, caller=caller_of(request), anonymous=person is None
            )
            return _answer(request, query, form.validated_data)
        form = SeedsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        seeds = readable_tracks(request, form.validated_data["tracks"], analysed=True)
        unlike = readable_tracks(request, form.validated_data["unlike"], analysed=True)
        return _answer(request, query_of(seeds, unlike), form.validated_data)


def _sends_file(request: Any) -> bool:
    return str(getattr(request, "content_type", "") or "").startswith("multipart/")


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
            "thumb": word_of(near.thumb),
            "track": near.track,
        }
        for near in found.neighbours
    ]
    return Response(NeighbourSerializer(rows, many=True, context={"request": request}).data)

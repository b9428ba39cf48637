"""Explanations: why a track was given its genre."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from genreweb.accounts.scopes import Scope
from library.api.access import NotReady, readable_track
from library.api.serializers import FailureSerializer
from library.errors import TrackError, sentence
from library.models import Analysis, Explanation, Track
from library.services import explanations

SIDES = {"for": "for", "against": "against"}


class BandSerializer(serializers.Serializer[Any]):
    """A range of frequencies that stands out."""

    low = serializers.FloatField(help_text="In hertz.")
    high = serializers.FloatField()
    share = serializers.FloatField(help_text="Of all bands that spoke the same way.")
    spoke = serializers.ChoiceField(choices=list(SIDES.items()))


class MomentSerializer(serializers.Serializer[Any]):
    """A stretch of time that stands out."""

    start = serializers.FloatField(help_text="Seconds from the beginning.")
    end = serializers.FloatField()
    share = serializers.FloatField(help_text="Of all moments that spoke the same way.")
    spoke = serializers.ChoiceField(choices=list(SIDES.items()))


class MapSerializer(serializers.Serializer[Any]):
    """Effect of every region of the track."""

    bands = serializers.ListField(child=serializers.FloatField(), help_text="Borders in hertz.")
    slices = serializers.ListField(child=serializers.FloatField(), help_text="Borders in seconds.")
    effects = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text=(
            "By band, then by slice: by how much the log-odds of the genre fall when the region is covered. "
            "Positive spoke for the genre."
        ),
    )


class ExplanationSerializer(serializers.ModelSerializer[Explanation]):
    """The bands and moments that support the genre of a track."""

    genre = serializers.CharField(
        source="analysis.genre", read_only=True, help_text="The one heard, or the likeliest one if unsure."
    )
    error = serializers.SerializerMethodField(help_text="Why the last try failed, else null.")
    bands = serializers.SerializerMethodField(help_text="The strongest first; null until it is done.")
    moments = serializers.SerializerMethodField(help_text="The strongest first; null until it is done.")
    map = serializers.SerializerMethodField(help_text="Null until it is done.")
    picture = serializers.SerializerMethodField(
        help_text="The map, to be laid over the mel spectrogram; the link expires. Null until it is done."
    )

    class Meta:
        model = Explanation
        fields = ("status", "genre", "error", "bands", "moments", "map", "picture", "created")
        read_only_fields = fields

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, explanation: Explanation) -> dict[str, str] | None:
        if not explanation.error_code:
            return None
        message = sentence(explanation.error_code, explanation.error_params)
        return {"code": explanation.error_code, "message": message}

    @extend_schema_field(BandSerializer(many=True, allow_null=True))
    def get_bands(self, explanation: Explanation) -> list[dict[str, Any]] | None:
        return _parts(explanation.summary, "bands", "low", "high")

    @extend_schema_field(MomentSerializer(many=True, allow_null=True))
    def get_moments(self, explanation: Explanation) -> list[dict[str, Any]] | None:
        return _parts(explanation.summary, "moments", "start", "end")

    @extend_schema_field(MapSerializer(allow_null=True))
    def get_map(self, explanation: Explanation) -> dict[str, Any] | None:
        if not explanation.summary:
            return None
        return {name: explanation.summary[name] for name in ("bands", "slices", "effects")}

    def get_picture(self, explanation: Explanation) -> str | None:
        if not explanation.picture:
            return None
        link: str = self.context["request"].build_absolute_uri(explanation.picture.url)
        return link


class ExplanationView(APIView):
    """Why a track was given its genre."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @property
    def throttle_scope(self) -> str | None:
        return "upload" if self.request.method == "POST" else None

    @extend_schema(
        operation_id="get_explanation",
        tags=["tracks"],
        summary="Get the explanation of a verdict",
        responses=ExplanationSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the bands and moments that support the genre; 404 if nobody has requested them."""
        explanation = _analysis(request, pk).requested_explanation
        if explanation is None:
            raise NotFound(gettext("Nobody has asked for this explanation yet. Ask for it with POST."))
        return _answer(request, explanation, 200)

    @extend_schema(
        operation_id="ask_for_explanation",
        tags=["tracks"],
        summary="Ask for an explanation",
        request=None,
        responses={200: ExplanationSerializer, 202: ExplanationSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Have a worker find the bands and moments that support the genre.

        The result is stored: a second request returns the same one (200), a waiting or running one is left
        alone (202), and a failed one is tried again. 409 if no music was found.
        """
        explanation = explanations.request(analysis=_analysis(request, pk))
        return _answer(request, explanation, 200 if explanation.status == Explanation.Status.DONE else 202)


def _analysis(request: Request, pk: UUID) -> Analysis:
    joined = Track.objects.select_related("current__explanation")
    tracks = joined.with_columns("current__explanation__summary")
    analysis = readable_track(request, pk, among=tracks).current
    if analysis is None:
        raise NotReady
    if not analysis.music:
        raise TrackError("no_music")
    return analysis


def _parts(summary: dict[str, Any], what: str, low: str, high: str) -> list[dict[str, Any]] | None:
    if not summary:
        return None
    return [
        {low: part["from"], high: part["to"], "share": part["share"], "spoke": side}
        for side in SIDES
        for part in summary[f"{what}_{side}"]
    ]


def _answer(request: Request, explanation: Explanation, status: int) -> Response:
    data = ExplanationSerializer(explanation, context={"request": request}).data
    return Response(data, status=status)

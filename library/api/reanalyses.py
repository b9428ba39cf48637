"""Re-analyses of many tracks by the classifier in service: begin, watch, pause, stop."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.models import Reanalysis
from library.services import reanalysis as service

_ACTS = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}


class ReanalysisProgressSerializer(serializers.Serializer[service.Progress]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Could not be heard again and keep their old verdict.")
    changed = serializers.IntegerField(help_text="Are now said to be of another genre.")


class ReanalysisSerializer(serializers.ModelSerializer[Reanalysis]):
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Reanalysis
        fields = ("id", "scope", "status", "created", "finished_at", "progress")

    @extend_schema_field(ReanalysisProgressSerializer)
    def get_progress(self, job: Reanalysis) -> dict[str, Any]:
        return dict(ReanalysisProgressSerializer(service.progress(job)).data)


class BeginSerializer(serializers.Serializer[None]):
    scope = serializers.ChoiceField(
        Reanalysis.Scope.choices, default=Reanalysis.Scope.MINE, help_text="`catalogue` is for curators."
    )


class SteerSerializer(serializers.Serializer[None]):
    act = serializers.ChoiceField(list(_ACTS))


@extend_schema_view(
    get=extend_schema(operation_id="list_reanalyses", tags=["tracks"], summary="List re-analyses")
)
class ReanalysisListView(ListAPIView[Reanalysis]):
    """Your re-analyses, and for curators those of the catalogue, the newest first."""

    write_scope = Scope.UPLOAD
    serializer_class = ReanalysisSerializer
    permission_classes = (IsAuthenticated,)
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Reanalysis]:
        if getattr(self, "swagger_fake_view", False):
            return Reanalysis.objects.none()
        return service.visible_to(cast(User, self.request.user)).select_related("requested_by")

    @extend_schema(
        operation_id="begin_reanalysis",
        tags=["tracks"],
        summary="Analyse everything again",
        description="Has every track that an older classifier heard analysed again in the background. One "
        "that is under way is given as it is (200). 409 where nothing is outdated.",
        request=BeginSerializer,
        responses={200: ReanalysisSerializer, 202: ReanalysisSerializer},
    )
    def post(self, request: Request) -> Response:
        form = BeginSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user, scope = cast(User, request.user), form.validated_data["scope"]
        if not service.may_request(user=user, scope=scope):
            raise NotFound
        job, begun = service.request(by=user, scope=scope)
        return Response(ReanalysisSerializer(job).data, status=202 if begun else 200)


class ReanalysisView(APIView):
    """One re-analysis."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="get_reanalysis",
        tags=["tracks"],
        summary="Get a re-analysis",
        responses=ReanalysisSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return its progress."""
        return Response(ReanalysisSerializer(_job(request, pk)).data)


class ReanalysisSteerView(APIView):
    """Pause, resume or stop."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="steer_reanalysis",
        tags=["tracks"],
        summary="Pause, resume or stop a re-analysis",
        request=SteerSerializer,
        responses=ReanalysisSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Queued tracks are still analysed; a re-analysis that has ended is left as it is."""
        job = _job(request, pk)
        form = SteerSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        _ACTS[form.validated_data["act"]](job=job)
        return Response(ReanalysisSerializer(job).data)


def _job(request: Request, pk: int) -> Reanalysis:
    rows = service.visible_to(cast(User, request.user)).select_related("requested_by")
    return get_object_or_404(rows, pk=pk)

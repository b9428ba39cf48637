"""Versions of the classifier: retrieve, compare, put into service, roll back, export, import."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from training.access import IsCurator
from training.api.version_serializers import (
    BundleSerializer,
    ComparisonSerializer,
    ModelVersionSerializer,
    PromotionRequestSerializer,
    PromotionSerializer,
    ReasonSerializer,
)
from training.errors import TrainingError
from training.models import Promotion
from training.services.bundles import bundle_name, import_bundle, write_bundle
from training.services.promotion import promote, rollback
from training.services.version_report import report_on
from training.services.versions import learnt_clips


def _readable(request: Request, pk: int) -> ModelVersion:
    versions = ModelVersion.objects.visible_to(request.user).select_related("run")
    version = versions.filter(pk=pk).first()
    if version is None:
        raise NotFound(gettext("There is no such version."))
    return version


def _answer(version: ModelVersion, *, status: int = 200, **headers: str) -> Response:
    context = {"learnt": learnt_clips([version])}
    return Response(ModelVersionSerializer(version, context=context).data, status=status, headers=headers)


def _promotion(promotion: Promotion) -> Response:
    return Response(PromotionSerializer(promotion).data)


@extend_schema_view(
    get=extend_schema(operation_id="list_model_versions", tags=["versions"], summary="List the versions")
)
class ModelVersionListView(ListAPIView[ModelVersion]):
    """All versions of the classifier on this site."""

    write_scope = Scope.CURATE
    serializer_class = ModelVersionSerializer
    parser_classes = (MultiPartParser,)
    filter_backends = ()

    @property
    def throttle_scope(self) -> str | None:
        return "upload" if self.request.method == "POST" else None

    def get_permissions(self) -> list[BasePermission]:
        return [IsCurator() if self.request.method == "POST" else IsAuthenticated()]

    def get_queryset(self) -> QuerySet[ModelVersion]:
        versions = ModelVersion.objects.visible_to(self.request.user).select_related("run")
        return versions.order_by("-is_in_service", "-created", "-pk")

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        shown = list(args[0]) if args else []
        kwargs["context"] = {**self.get_serializer_context(), "learnt": learnt_clips(shown)}
        return ModelVersionSerializer(*args, **kwargs)

    @extend_schema(
        operation_id="import_model_version",
        tags=["versions"],
        summary="Bring in a version",
        description="Takes a bundle of another site. One that is here already is recognised. For curators.",
        request={"multipart/form-data": BundleSerializer},
        responses={200: ModelVersionSerializer, 201: ModelVersionSerializer},
    )
    def post(self, request: Request) -> Response:
        form = BundleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        version, new = import_bundle(form.validated_data["file"], by=cast(User, request.user))
        location = reverse("api:model-version", args=[version.pk], request=request)
        return _answer(version, status=201 if new else 200, Location=location)


class ModelVersionView(APIView):
    """One version."""

    @extend_schema(
        operation_id="get_model_version",
        tags=["versions"],
        summary="Get a version",
        responses=ModelVersionSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return a version with its metrics."""
        return _answer(_readable(request, pk))


class CompareView(APIView):
    """The comparison of a version with the one in service."""

    @extend_schema(
        operation_id="compare_model_version",
        tags=["versions"],
        summary="Compare with the version in service",
        responses=ComparisonSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Compare a version with the one in service on the clips for which both have predictions."""
        version, champion = _readable(request, pk), ModelVersion.objects.in_service()
        if champion is None:
            raise TrainingError("no_classifier")
        return Response(ComparisonSerializer(report_on(version, champion)).data)


class PromoteView(APIView):
    """Put a version into service."""

    write_scope = Scope.CURATE
    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="promote_model_version",
        tags=["versions"],
        summary="Put a version into service",
        request=PromotionRequestSerializer,
        responses=PromotionSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Put a version into service; `409` with the code `gate_refused` if refused. For curators."""
        version = _readable(request, pk)
        form = PromotionRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return _promotion(promote(version=version, by=cast(User, request.user), **form.validated_data))


class RollbackView(APIView):
    """Rolling back."""

    write_scope = Scope.CURATE
    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="roll_back_model_version",
        tags=["versions"],
        summary="Go back to the version before",
        request=ReasonSerializer,
        responses=PromotionSerializer,
    )
    def post(self, request: Request) -> Response:
        """Put the previous version back into service. For curators."""
        form = ReasonSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return _promotion(rollback(by=cast(User, request.user), **form.validated_data))


class BundleView(APIView):
    """A version as a file."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="get_model_version_bundle",
        tags=["versions"],
        summary="Take a version along",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        """Return a version as a ZIP archive that another site can import. For curators."""
        return bundle_response(_readable(request, pk))


def bundle_response(version: ModelVersion) -> StreamingHttpResponse:
    """Stream a version as a file download."""
    response = StreamingHttpResponse(write_bundle(version), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{bundle_name(version)}"'
    response["Cache-Control"] = "private, no-store"
    return response

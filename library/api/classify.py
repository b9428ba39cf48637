"""Classify one file in one request, without storing it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from genreweb.accounts.scopes import Scope
from library.api.serializers import AnswerSerializer, SoundSerializer
from library.services.classify import classify


class ClassifyView(APIView):
    """A genre in one call."""

    write_scope = Scope.UPLOAD
    parser_classes = (MultiPartParser,)
    throttle_scope = "classify"

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if settings.API_ANONYMOUS_CLASSIFY else IsAuthenticated()]

    @extend_schema(
        operation_id="classify",
        tags=["classify"],
        summary="Name the genre of a sound",
        request={"multipart/form-data": SoundSerializer},
        responses=AnswerSerializer,
    )
    def post(self, request: Request) -> Response:
        """Answer in one call; the sound is not kept. Without an account it must be smaller and shorter.

        Where too many requests wait already, the answer is 503 with `Retry-After`.
        """
        form = SoundSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sound: Any = form.validated_data["file"]
        person = request.user if request.user.is_authenticated else None
        answer = classify(file=sound, name=sound.name, caller=caller_of(request), anonymous=person is None)
        return Response(AnswerSerializer(answer).data)


def caller_of(request: Request) -> str:
    """Who asks: a person, or an address where nobody is signed in, the same as for the rate limits."""
    if request.user.is_authenticated:
        return f"person {request.user.pk}"
    return f"address {BaseThrottle().get_ident(request)}"

"""Many tracks at once: delete, analyse again, publish."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.serializers import FailureSerializer
from library.services.bulk import MOST_AT_ONCE, Action, act


class BulkSerializer(serializers.Serializer[Any]):
    """One thing to do with many tracks."""

    action = serializers.ChoiceField(
        choices=[(action.value, action.value) for action in Action],
        help_text="`publish` puts tracks into the catalogue, `unpublish` takes them out; for curators.",
    )
    ids = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MOST_AT_ONCE, help_text="Of your own tracks."
    )


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    """What came of one track."""

    id = serializers.UUIDField()
    done = serializers.BooleanField(help_text="Whether it is now as was asked.")
    error = FailureSerializer(
        allow_null=True, help_text="Why not: `not_found` where it is not yours; else null."
    )


class TracksBulkView(APIView):
    """Many tracks at once."""

    write_scope = Scope.UPLOAD
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="act_on_tracks",
        tags=["tracks"],
        summary="Delete, analyse or publish many tracks",
        request=BulkSerializer,
        responses=BulkOutcomeSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Do one thing with up to 500 tracks. The answer says in the same order what came of each.

        Sent twice, it is done once: a track that waits already is left alone, one that is gone is not found.
        """
        form = BulkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        outcomes = act(
            by=cast(User, request.user),
            action=Action(form.validated_data["action"]),
            ids=form.validated_data["ids"],
        )
        rows = [
            {
                "id": outcome.id,
                "done": outcome.error is None,
                "error": outcome.error and {"code": outcome.error.code, "message": outcome.error.message},
            }
            for outcome in outcomes
        ]
        return Response(BulkOutcomeSerializer(rows, many=True).data)

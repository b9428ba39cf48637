"""Review: decide about one clip, or about many at once."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from genreweb.domain_errors import DomainError
from training.access import IsCurator
from training.errors import TrainingError
from training.models import Clip
from training.services.review import (
    DECISIONS,
    MOST_AT_ONCE,
    REASON_LENGTH,
    DecisionRequest,
    Outcome,
    Seen,
    decide,
    decide_many,
    reopen,
)

SEEN = ("pending", "approved", "rejected", "used")


class ReviewSerializer(serializers.Serializer[Any]):
    """A decision about a clip."""

    decision = serializers.ChoiceField(choices=DECISIONS)
    genre = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="The right label's slug, to relabel."
    )
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=REASON_LENGTH,
        help_text="Needed to reject; the contributor reads it.",
    )
    seen = serializers.ChoiceField(
        choices=SEEN,
        default="pending",
        help_text=(
            "The status that the clip had when you decided. If it has another one by now, because somebody "
            "else was first, nothing is changed and the answer is 409."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["decision"] == "relabel" and not attrs.get("genre"):
            raise ValidationError({"genre": [gettext("Name the right genre.")]})
        if attrs["decision"] == "reject" and not attrs.get("reason", "").strip():
            raise ValidationError({"reason": [TrainingError("reason_missing").message]})
        return attrs


class ReviewOfSerializer(ReviewSerializer):
    """A decision about one of several clips."""

    id = serializers.UUIDField()


class ReviewedSerializer(serializers.ModelSerializer[Clip]):
    """A clip after a decision."""

    genre = serializers.CharField(source="genre.slug", read_only=True)
    contributed_genre = serializers.CharField(source="contributed_genre.slug", read_only=True)
    leaks = serializers.BooleanField(
        read_only=True, help_text="Whether it is in the frozen test set: then nothing is ever trained on it."
    )

    class Meta:
        model = Clip
        fields = ("id", "status", "genre", "contributed_genre", "reason", "reviewed_at", "leaks")
        read_only_fields = fields


class WhyNotSerializer(serializers.Serializer[Any]):
    """The error because of which a decision was not taken."""

    code = serializers.CharField(help_text="For programs: already_reviewed, clip_gone, …")
    message = serializers.CharField(help_text="For people, in their language.")


class OutcomeSerializer(serializers.Serializer[Any]):
    """The outcome of one decision of several: either the clip in its new state, or an error."""

    id = serializers.CharField(help_text="As it was sent.")
    clip = ReviewedSerializer(allow_null=True)
    error = WhyNotSerializer(allow_null=True)


class ClipReviewView(APIView):
    """A decision about one clip."""

    write_scope = Scope.CURATE
    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="review_clip",
        tags=["clips"],
        summary="Decide about a clip",
        request=ReviewSerializer,
        responses=ReviewedSerializer,
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Approve a clip, reject it with a reason, or approve it with another label.

        The same decision sent twice is taken once. 409 if somebody else has decided meanwhile, or if the
        clip is still being checked.
        """
        form = ReviewSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        requested = _requested(pk, form.validated_data, Genre.objects.in_bulk(field_name="slug"))
        return Response(ReviewedSerializer(decide(requested=requested, by=cast(User, request.user))).data)

    @extend_schema(
        operation_id="reopen_clip",
        tags=["clips"],
        summary="Take the decision about a clip back",
        request=None,
        responses={200: ReviewedSerializer},
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Put a clip that was decided about back into the queue, with its contributor's label.

        A clip that is there already stays there. 409 if it is still being checked.
        """
        return Response(ReviewedSerializer(reopen(clip_id=pk, by=cast(User, request.user))).data)


class ClipsReviewView(APIView):
    """Decisions about several clips."""

    write_scope = Scope.CURATE
    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="review_clips",
        tags=["clips"],
        summary="Decide about several clips",
        description=(
            f"Takes a list of up to {MOST_AT_ONCE} decisions. Each is taken or refused by itself; the answer "
            "says in the same order what came of it."
        ),
        request=ReviewOfSerializer(many=True),
        responses=OutcomeSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Take several decisions, each independently of the others."""
        sent = request.data
        if not isinstance(sent, list) or not sent:
            raise ValidationError(gettext_lazy("Send a list of decisions."))
        if len(sent) > MOST_AT_ONCE:
            raise TrainingError("too_many_decisions", {"most": MOST_AT_ONCE})
        genres = Genre.objects.in_bulk(field_name="slug")
        forms = [ReviewOfSerializer(data=one) for one in sent]
        requests: dict[int, DecisionRequest] = {}
        answers: list[dict[str, Any]] = []
        for place, form in enumerate(forms):
            answer: dict[str, Any] = {"id": _id_of(sent[place]), "clip": None, "error": None}
            answers.append(answer)
            if not form.is_valid():
                answer["error"] = {"code": "invalid", "message": _sentence(form.errors)}
                continue
            try:
                requests[place] = _requested(form.validated_data["id"], form.validated_data, genres)
            except DomainError as error:
                answer["error"] = {"code": error.code, "message": error.message}
        outcomes = decide_many(requests=list(requests.values()), by=cast(User, request.user))
        for place, outcome in zip(requests, outcomes, strict=True):
            answers[place] |= _answer(outcome)
        return Response(OutcomeSerializer(answers, many=True).data)


def _requested(pk: UUID, data: dict[str, Any], genres: dict[str, Genre]) -> DecisionRequest:
    slug = data.get("genre", "")
    genre = genres.get(slug) if data["decision"] == "relabel" else None
    if data["decision"] == "relabel" and genre is None:
        raise TrainingError("unknown_genre")
    status = Clip.Status.APPROVED if data["seen"] == "used" else data["seen"]
    return DecisionRequest(
        clip_id=pk,
        decision=data["decision"],
        genre=genre,
        reason=data.get("reason", ""),
        seen=Seen(status),
    )


def _answer(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "clip": outcome.clip,
        "error": {"code": error.code, "message": error.message} if error else None,
    }


def _id_of(sent: Any) -> str:
    return str(sent.get("id", ""))[:80] if isinstance(sent, dict) else ""


def _sentence(errors: Any) -> str:
    name, sentences = next(iter(errors.items()))
    return str(sentences[0]) if name == "non_field_errors" else f"{name}: {sentences[0]}"

"""Training runs: start, watch, cancel; and the preflight report."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier.fitting.architectures import FITTERS
from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.serializers import FailureSerializer
from training.access import IsCurator
from training.errors import TrainingError, training_sentence
from training.models import RunMessage, TrainingEpoch, TrainingRun, TrainingRunQuerySet
from training.run_messages import in_words
from training.services import preflight, runs

_FIELD_OF = {
    "run_kind": "kind",
    "run_architecture": "architecture",
    "run_quick_architecture": "architecture",
    "run_epochs": "epochs",
    "run_seed": "seed",
}


class RunRequestSerializer(serializers.Serializer[Any]):
    """The parameters of a run."""

    kind = serializers.ChoiceField(
        choices=TrainingRun.Kind.choices,
        help_text="quick: a new last layer on the network in service. full: a network from scratch.",
    )
    architecture = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=40,
        help_text=(
            f"One of {', '.join(FITTERS)}. Left out: the first of these. A quick run keeps that of the "
            "version in service."
        ),
    )
    epochs = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=runs.MOST_EPOCHS,
        help_text="Of a full run, where the architecture has any. Left out: the architecture's own number.",
    )
    seed = serializers.IntegerField(default=0, min_value=0, max_value=runs.MOST_SEED)


class EpochSerializer(serializers.ModelSerializer[TrainingEpoch]):
    """Figures after one epoch."""

    epoch = serializers.IntegerField(source="number", read_only=True)

    class Meta:
        model = TrainingEpoch
        fields = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
        read_only_fields = fields


class LineSerializer(serializers.ModelSerializer[RunMessage]):
    """A line of the log of a run."""

    message = serializers.SerializerMethodField()

    class Meta:
        model = RunMessage
        fields = ("at", "code", "message")
        read_only_fields = fields

    def get_message(self, line: RunMessage) -> str:
        return in_words(line.code, line.params)


class RunSummarySerializer(serializers.ModelSerializer[TrainingRun]):
    """A training run in a list."""

    step = serializers.SerializerMethodField(help_text="What is being done now; null unless it runs.")
    planned_epochs = serializers.IntegerField(
        source="epochs", read_only=True, help_text="0 where there are none, as for a quick run."
    )
    eta_s = serializers.FloatField(
        source="eta_seconds",
        read_only=True,
        allow_null=True,
        help_text="Seconds left, about; null once it is over.",
    )
    candidate = serializers.IntegerField(
        source="candidate_id",
        read_only=True,
        allow_null=True,
        help_text="The id of the model version it made, else null.",
    )
    error = serializers.SerializerMethodField(help_text="Why it failed, else null.")

    class Meta:
        model = TrainingRun
        fields: tuple[str, ...] = (
            "id",
            "kind",
            "architecture",
            "planned_epochs",
            "seed",
            "status",
            "step",
            "cancel_requested",
            "progress",
            "eta_s",
            "candidate",
            "error",
            "created",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=TrainingRun.Step.choices, allow_null=True))
    def get_step(self, run: TrainingRun) -> str | None:
        return run.step or None

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, run: TrainingRun) -> dict[str, str] | None:
        if not run.error_code:
            return None
        return {"code": run.error_code, "message": training_sentence(run.error_code, run.error_params)}


class RunSerializer(RunSummarySerializer):
    """A training run with its figures and its log."""

    epochs = EpochSerializer(source="epoch_rows", many=True, read_only=True)
    clips = serializers.SerializerMethodField(
        help_text="Clips by genre and side of the split; empty until they are frozen."
    )
    log = LineSerializer(source="messages", many=True, read_only=True)

    class Meta(RunSummarySerializer.Meta):
        fields = (*RunSummarySerializer.Meta.fields, "epochs", "clips", "log")
        read_only_fields = fields

    @extend_schema_field(serializers.DictField(child=serializers.DictField(child=serializers.IntegerField())))
    def get_clips(self, run: TrainingRun) -> dict[str, dict[str, int]]:
        return run.snapshot.counts if run.snapshot is not None else {}


class GenreMaterialSerializer(serializers.Serializer[Any]):
    """The approved clips of one genre."""

    genre = serializers.CharField(source="genre.slug")
    train = serializers.IntegerField()
    valid = serializers.IntegerField()
    holdout = serializers.IntegerField()
    test = serializers.IntegerField(help_text="Of the frozen test set, never learnt from.")
    new = serializers.IntegerField(help_text="That the version in service has not learnt from.")
    missing = serializers.IntegerField(help_text="That the genre lacks to be taught.")
    known = serializers.BooleanField(help_text="Whether the version in service names it.")


class ReportSerializer(serializers.Serializer[Any]):
    """Whether a run of one kind could start, and how long it would take."""

    ready = serializers.BooleanField()
    architecture = serializers.CharField()
    epochs = serializers.IntegerField()
    labels = serializers.ListField(child=serializers.CharField(), help_text="That its version would name.")
    clips = serializers.IntegerField(help_text="That it would learn from.")
    new_clips = serializers.IntegerField()
    seconds = serializers.FloatField(help_text="That it would take, about.")
    problems = FailureSerializer(many=True, help_text="Why it cannot start.")
    notes = FailureSerializer(many=True, help_text="What one should know beforehand.")

    def to_representation(self, instance: preflight.Report) -> dict[str, Any]:
        notes = preflight.readable(instance.notes, self.context["genres"])
        return {
            **{
                name: getattr(instance, name)
                for name in ("ready", "architecture", "epochs", "labels", "clips", "new_clips", "seconds")
            },
            "problems": [{"code": error.code, "message": error.message} for error in instance.problems],
            "notes": [{"code": code, "message": message} for code, message in notes],
        }


class PreflightSerializer(serializers.Serializer[Any]):
    """The training data that a run would find now."""

    active = serializers.UUIDField(
        source="active.pk",
        default=None,
        allow_null=True,
        help_text="The run that waits or runs already, else null.",
    )
    genres = GenreMaterialSerializer(many=True)
    quick = ReportSerializer()
    full = ReportSerializer()


class PreflightQuerySerializer(serializers.Serializer[Any]):
    """The parameters of a full run to report on."""

    architecture = serializers.CharField(required=False, max_length=40, help_text="Left out: the usual one.")
    epochs = serializers.IntegerField(required=False, min_value=1, max_value=runs.MOST_EPOCHS)


@extend_schema_view(
    get=extend_schema(operation_id="list_training_runs", tags=["training"], summary="List the training runs")
)
class RunListView(ListAPIView[TrainingRun]):
    """Training runs, the newest first."""

    write_scope = Scope.CURATE
    serializer_class = RunSummarySerializer
    permission_classes = (IsCurator,)
    filter_backends = ()

    def get_queryset(self) -> TrainingRunQuerySet:
        return TrainingRun.objects.visible_to(self.request.user).without_long_columns()

    @extend_schema(
        operation_id="start_training_run",
        tags=["training"],
        summary="Start a training run",
        description="While a run waits or runs, that one is answered (200) and no second one is made.",
        request=RunRequestSerializer,
        responses={200: RunSerializer, 202: RunSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        form = RunRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        try:
            run, made = runs.request_run(
                by=cast(User, request.user),
                kind=fields["kind"],
                architecture=fields.get("architecture", ""),
                epochs=fields.get("epochs"),
                seed=fields["seed"],
            )
        except TrainingError as error:
            if error.code not in _FIELD_OF:
                raise
            raise ValidationError({_FIELD_OF[error.code]: [error.message]}) from error
        return Response(
            RunSerializer(_run(request, run.pk)).data,
            status=202 if made else 200,
            headers={"Location": reverse("api:training-run", args=[run.pk], request=request)},
        )


class RunView(APIView):
    """One training run."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="get_training_run",
        tags=["training"],
        summary="Get a training run",
        responses=RunSerializer,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a run with its figures so far."""
        return Response(RunSerializer(_run(request, pk)).data)


class RunCancelView(APIView):
    """Cancelling a run."""

    write_scope = Scope.CURATE
    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="cancel_training_run",
        tags=["training"],
        summary="Cancel a training run",
        description=(
            "A run that waits ends at once; one that runs, within seconds: ask for it until its `status` is "
            "`cancelled`. One that is over is left as it is."
        ),
        request=None,
        responses=RunSerializer,
    )
    def post(self, request: Request, pk: UUID) -> Response:
        runs.cancel_run(run=_run(request, pk))
        return Response(RunSerializer(_run(request, pk)).data)


class PreflightView(APIView):
    """The preflight report."""

    permission_classes = (IsCurator,)

    @extend_schema(
        operation_id="training_preflight",
        tags=["training"],
        summary="See what a run would find",
        parameters=[PreflightQuerySerializer],
        responses=PreflightSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return the clips by genre, what is missing, and how long a run would take."""
        query = PreflightQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data.get("architecture", "")
        if asked and asked not in FITTERS:
            raise ValidationError({"architecture": [TrainingError("run_architecture").message]})
        report = preflight.collect(
            architecture=asked,
            epochs=query.validated_data.get("epochs"),
        )
        context = {"genres": {row.genre.slug: row.genre for row in report.genres}}
        return Response(PreflightSerializer(report, context=context).data)


def _run(request: Request, pk: UUID) -> TrainingRun:
    run = (
        TrainingRun.objects.visible_to(request.user)
        .select_related("snapshot")
        .without_long_columns()
        .prefetch_related("epoch_rows", "messages")
        .filter(pk=pk)
        .first()
    )
    if run is None:
        raise NotFound(gettext("There is no such run."))
    return run

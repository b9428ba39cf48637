"""Serializers of versions of the classifier."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from classifier.core.artifact import architecture_of
from classifier.core.gate import ChangedClip, GenreChange, Verdict
from classifier.models import ModelVersion
from training import gate_messages
from training.models import Promotion
from training.services.promotion import REASON_LENGTH
from training.services.version_report import TEST, Report, figures_of, mapping, share
from training.services.versions import LearntClips


class IntervalSerializer(serializers.Serializer[Any]):
    """A share from 0 to 1 with its 95 % interval."""

    value = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class MetricsSerializer(serializers.Serializer[Any]):
    """Metrics of a version; null if not measured. Shares are from 0 to 1."""

    clips = serializers.IntegerField(allow_null=True, help_text="Clips of the frozen test set.")
    accuracy = IntervalSerializer(allow_null=True)
    macro_f1 = serializers.FloatField(allow_null=True)
    recall = serializers.DictField(child=serializers.FloatField(allow_null=True), help_text="By label.")
    calibration_error = serializers.FloatField(allow_null=True)
    accuracy_at_60_percent_coverage = serializers.FloatField(allow_null=True)
    robustness = serializers.FloatField(
        allow_null=True, help_text="Mean accuracy over simulated degradations of the sound."
    )
    milliseconds = serializers.FloatField(allow_null=True, help_text="For 30 seconds of sound on one core.")
    size = serializers.IntegerField(allow_null=True, help_text="Of the network, in bytes.")


def metrics_of(version: ModelVersion) -> dict[str, Any]:
    """Return the metrics of a version in the form of `MetricsSerializer`."""
    figures = figures_of(version)
    recall = mapping(mapping(version.metadata.get("test")).get("recall"))
    return {
        "clips": figures.clips,
        "accuracy": None
        if figures.accuracy is None
        else {"value": figures.accuracy, "low": figures.low, "high": figures.high},
        "macro_f1": figures.macro_f1,
        "recall": {label: share(recall[label]) for label in version.labels if label in recall},
        "calibration_error": figures.calibration_error,
        "accuracy_at_60_percent_coverage": figures.at_coverage,
        "robustness": figures.robustness,
        "milliseconds": figures.milliseconds,
        "size": figures.size,
    }


class TrainedOnSerializer(serializers.Serializer[Any]):
    """The training data of a version."""

    set = serializers.CharField(allow_null=True, help_text="In words, where it says so.")
    clips = serializers.IntegerField(allow_null=True, help_text="Clips of this site; null if made elsewhere.")
    withdrawn = serializers.IntegerField(allow_null=True, help_text="How many of them were withdrawn since.")
    run = serializers.UUIDField(allow_null=True, help_text="The training run it came from.")


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """One trained classifier."""

    labels = serializers.ListField(child=serializers.CharField(), read_only=True)
    in_service = serializers.BooleanField(source="is_in_service", read_only=True)
    architecture = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()
    trained_on = serializers.SerializerMethodField()
    fault = serializers.SerializerMethodField(
        help_text="Why it cannot be loaded, while a former version answers in its place; else null."
    )

    class Meta:
        model = ModelVersion
        fields = (
            "id",
            "name",
            "labels",
            "in_service",
            "source",
            "architecture",
            "feature_version",
            "sha256",
            "created",
            "fault",
            "metrics",
            "trained_on",
        )
        read_only_fields = fields

    def get_architecture(self, version: ModelVersion) -> str:
        return architecture_of(version.metadata)

    @extend_schema_field(MetricsSerializer)
    def get_metrics(self, version: ModelVersion) -> dict[str, Any]:
        return metrics_of(version)

    @extend_schema_field(TrainedOnSerializer)
    def get_trained_on(self, version: ModelVersion) -> dict[str, Any]:
        learnt: LearntClips | None = self.context["learnt"].get(version.pk)
        dataset = mapping(version.metadata.get("trained_on")).get("set")
        run = getattr(version, "run", None)
        return {
            "set": dataset if isinstance(dataset, str) else None,
            "clips": learnt.clips if learnt else None,
            "withdrawn": learnt.withdrawn if learnt else None,
            "run": str(run.pk) if run else None,
        }

    def get_fault(self, version: ModelVersion) -> str | None:
        return version.fault or None


class NamedVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version by its name."""

    class Meta:
        model = ModelVersion
        fields = ("id", "name")
        read_only_fields = fields


class PairedSerializer(serializers.Serializer[Any]):
    """Counts for both versions on the same clips."""

    clips = serializers.IntegerField(source="n")
    right_before = serializers.IntegerField()
    right_after = serializers.IntegerField()
    better = serializers.IntegerField(help_text="Clips that only the candidate names rightly.")
    worse = serializers.IntegerField(help_text="Clips that only the champion names rightly.")
    p = serializers.FloatField(help_text="Of McNemar's exact test, two-sided.")
    words = serializers.SerializerMethodField(help_text="The same in a sentence.")

    def get_words(self, paired: Any) -> str:
        return gate_messages.in_words(paired)


class GenreChangeSerializer(serializers.Serializer[GenreChange]):
    """The change of a genre's recall."""

    genre = serializers.CharField(source="label")
    clips = serializers.IntegerField(source="n")
    before = serializers.FloatField(allow_null=True, help_text="Null where the champion cannot name it.")
    after = serializers.FloatField(allow_null=True, help_text="Null where the candidate cannot name it.")
    few = serializers.BooleanField(source="is_few", help_text="Too few clips to say much.")


class SaidSerializer(serializers.Serializer[Verdict]):
    """A predicted label and its confidence."""

    genre = serializers.CharField(source="label")
    confidence = serializers.FloatField()


class ChangedClipSerializer(serializers.Serializer[ChangedClip]):
    """A clip for which the two versions predict different labels."""

    name = serializers.SerializerMethodField(help_text="Of the frozen test set, or the id of a clip.")
    frozen = serializers.SerializerMethodField(help_text="Whether it belongs to the frozen test set.")
    genre = serializers.CharField(source="truth")
    before = SaidSerializer()
    after = SaidSerializer()

    def get_name(self, clip: ChangedClip) -> str:
        return clip.name.partition(":")[2]

    def get_frozen(self, clip: ChangedClip) -> bool:
        return clip.name.startswith(TEST)


class GateSerializer(serializers.Serializer[Any]):
    """Whether the candidate may be put into service without an override."""

    open = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())


class ComparisonSerializer(serializers.Serializer[Any]):
    """The comparison of a candidate with the version in service."""

    champion = NamedVersionSerializer()
    candidate = NamedVersionSerializer()
    frozen_clips = serializers.IntegerField(source="tested")
    clips_held_out = serializers.IntegerField(source="heldout")
    paired = PairedSerializer(source="result.paired")
    genres = GenreChangeSerializer(source="result.genres", many=True)
    new_genres = GenreChangeSerializer(source="result.new_genres", many=True)
    changed = ChangedClipSerializer(source="result.changed", many=True)
    gate = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()

    @extend_schema_field(GateSerializer)
    def get_gate(self, report: Report) -> dict[str, Any]:
        return {"open": report.result.is_open, "reasons": gate_messages.reasons(report.result)}

    @extend_schema_field(
        {
            "type": "object",
            "properties": {
                "champion": {"$ref": "#/components/schemas/Metrics"},
                "candidate": {"$ref": "#/components/schemas/Metrics"},
            },
        }
    )
    def get_metrics(self, report: Report) -> dict[str, Any]:
        return {"champion": metrics_of(report.champion), "candidate": metrics_of(report.candidate)}


class ReasonSerializer(serializers.Serializer[Any]):
    """The reason for changing the version in service."""

    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="Kept in the log.")


class PromotionRequestSerializer(ReasonSerializer):
    """A request to put a version into service."""

    override = serializers.BooleanField(default=False, help_text="Go on though the gate is closed.")


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    """One change of the version in service."""

    version = NamedVersionSerializer(read_only=True)
    former = NamedVersionSerializer(read_only=True, allow_null=True)
    reason = serializers.CharField(source="display_reason", read_only=True)

    class Meta:
        model = Promotion
        fields = ("action", "version", "former", "at", "reason", "overridden")
        read_only_fields = fields


class BundleSerializer(serializers.Serializer[Any]):
    """A bundle from another site."""

    file = serializers.FileField(help_text="As `GET …/bundle/` gave it.", allow_empty_file=True)

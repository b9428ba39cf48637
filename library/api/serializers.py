"""Serializers of tracks and their analyses."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from classifier.core.tags import Strengths, in_order
from classifier.core.verdict import STYLE_TAGS
from classifier.models import Genre
from genreweb.addresses import address_of
from library.errors import sentence
from library.models import EARLIEST_YEAR, LATEST_YEAR, TITLE_LENGTH, Analysis, Track

_TAGS = serializers.DictField(child=serializers.DictField(child=serializers.FloatField()))
_REASONS = (
    "Why no genre is sure, where the sound is why: `no_music`, `talk_and_noise` that are louder than the "
    "music, or `too_short` (less than three seconds); else null."
)
_EXPECTED = "Seconds that the file should hold, where only `duration` of them could be read; else null."
_DAMAGED = "Whether passages within the file were left out; if not, what was read is its beginning."
_STYLES = ", ".join(STYLE_TAGS) + "."

MEASURES = ("key_clarity", "tempo", "tempo_clarity", "loudness", "true_peak")

UPLOAD_SOURCES = [choice for choice in Track.Source.choices if choice[0] != Track.Source.CATALOGUE]


class FailureSerializer(serializers.Serializer[Any]):
    """Why an analysis failed."""

    code = serializers.CharField(help_text="For programs: too_short, not_audio, …")
    message = serializers.CharField(help_text="For people, in their language.")


class SegmentSerializer(serializers.Serializer[Any]):
    """The genres of one segment of a track."""

    start = serializers.FloatField(help_text="Seconds from the beginning.")
    end = serializers.FloatField()
    probabilities = serializers.DictField(child=serializers.FloatField())


class AnalysisSummarySerializer(serializers.ModelSerializer[Analysis]):
    """The prediction of one version of the classifier for a track."""

    genre = serializers.SerializerMethodField(help_text="Null where no music was found.")
    music = serializers.BooleanField(read_only=True, help_text="Whether any music was found.")
    likely = serializers.SerializerMethodField(help_text="The likeliest genres, the first one first.")
    probabilities = serializers.SerializerMethodField(help_text="By genre, summing to 1.")
    model_version = serializers.CharField(source="model_version.name", read_only=True)
    stale = serializers.SerializerMethodField(help_text="Whether another version is in service by now.")
    style = serializers.SerializerMethodField(  # type: ignore[assignment]  # a field, not DRF's own attribute
        help_text="The style of a track that is none of the classifier's genres, else null: " + _STYLES
    )
    reason = serializers.SerializerMethodField(help_text=_REASONS)
    tags = serializers.SerializerMethodField(
        help_text="The strength of each tag by group: the share of reference songs in which it is weaker. "
        "Empty where the analysis was made without a tagger."
    )
    expected_duration = serializers.FloatField(read_only=True, allow_null=True, help_text=_EXPECTED)
    damaged = serializers.BooleanField(read_only=True, help_text=_DAMAGED)
    tag_version = serializers.SerializerMethodField(
        help_text="What the tags were made with; strengths of one version can be compared. Null without tags."
    )

    class Meta:
        model = Analysis
        fields: tuple[str, ...] = (
            "genre",
            "confidence",
            "unsure",
            "music",
            "likely",
            "probabilities",
            "model_version",
            "stale",
            "style",
            "reason",
            "expected_duration",
            "damaged",
            "tags",
            "tag_version",
            "created",
        )
        read_only_fields = fields

    def get_genre(self, analysis: Analysis) -> str | None:
        return analysis.genre or None

    def get_likely(self, analysis: Analysis) -> list[str]:
        return [label for label, _ in analysis.likely]

    def get_probabilities(self, analysis: Analysis) -> dict[str, float]:
        return _in_order(analysis.probabilities, analysis)

    def get_stale(self, analysis: Analysis) -> bool:
        return not analysis.model_version.is_in_service

    def get_style(self, analysis: Analysis) -> str | None:
        return analysis.style or None

    def get_reason(self, analysis: Analysis) -> str | None:
        return analysis.reason or None

    @extend_schema_field(_TAGS)
    def get_tags(self, analysis: Analysis) -> Strengths:
        return in_order(analysis.tags)

    def get_tag_version(self, analysis: Analysis) -> str | None:
        return analysis.tag_version or None


class AnalysisSerializer(AnalysisSummarySerializer):
    """The prediction of one version of the classifier for a track, with its timeline."""

    key = serializers.CharField(
        help_text="Tonic and mode by the chroma, such as `Eb minor`; empty where none stands out."
    )
    timeline = serializers.SerializerMethodField(help_text="The genre over time, without gaps.")

    class Meta(AnalysisSummarySerializer.Meta):
        fields = (*AnalysisSummarySerializer.Meta.fields, "key", *MEASURES, "timeline")
        read_only_fields = fields

    @extend_schema_field(SegmentSerializer(many=True))
    def get_timeline(self, analysis: Analysis) -> list[dict[str, Any]]:
        return [
            {**segment, "probabilities": _in_order(segment["probabilities"], analysis)}
            for segment in analysis.timeline
        ]


def _in_order(probabilities: dict[str, float], analysis: Analysis) -> dict[str, float]:
    """Restore the classifier's order of the labels, which JSON in the database does not keep."""
    return {label: probabilities[label] for label in analysis.model_version.labels if label in probabilities}


class LinksSerializer(serializers.Serializer[Any]):
    """Links to what belongs to a track."""

    self = serializers.URLField()
    similar = serializers.URLField()
    pictures = serializers.URLField()
    explanation = serializers.URLField()


class TrackSummarySerializer(serializers.ModelSerializer[Track]):
    """A track as lists show it: without the timeline."""

    genre = serializers.SerializerMethodField(
        help_text="What the catalogue says, else what was heard; null where neither is known."
    )
    step = serializers.SerializerMethodField(help_text="What a running analysis is doing.")
    error = serializers.SerializerMethodField(help_text="Why the last analysis failed, else null.")
    duration = serializers.FloatField(read_only=True, allow_null=True, help_text="In seconds.")
    sample_rate = serializers.IntegerField(read_only=True, allow_null=True, help_text="In hertz.")
    mine = serializers.SerializerMethodField(help_text="Whether you may change this track.")
    file_name = serializers.SerializerMethodField(help_text="As it was uploaded; null for others' tracks.")
    tagged_genre = serializers.CharField(
        read_only=True,
        help_text="A genre in the words of the file or its owner; it has no part in what was heard.",
    )
    cover = serializers.SerializerMethodField(help_text="A link to the cover, which expires; else null.")
    links = serializers.SerializerMethodField()
    analysis = AnalysisSummarySerializer(
        source="current",
        read_only=True,
        allow_null=True,
        help_text="Null until the first one is done; the old one stays while the track is analysed again.",
    )

    class Meta:
        model = Track
        fields: tuple[str, ...] = (
            "id",
            "title",
            "artist",
            "album",
            "year",
            "tagged_genre",
            "cover",
            "genre",
            "status",
            "step",
            "error",
            "duration",
            "sample_rate",
            "channels",
            "created",
            "source",
            "visibility",
            "mine",
            "file_name",
            "links",
            "analysis",
        )
        read_only_fields = fields

    def get_genre(self, track: Track) -> str | None:
        return track.shown_genre or None

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_cover(self, track: Track) -> str | None:
        return self.context["request"].build_absolute_uri(track.cover.url) if track.cover else None

    def get_step(self, track: Track) -> str | None:
        return track.step or None

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, track: Track) -> dict[str, str] | None:
        if not track.error_code:
            return None
        return {"code": track.error_code, "message": sentence(track.error_code, track.error_params)}

    def get_mine(self, track: Track) -> bool:
        return track.owner_id is not None and track.owner_id == self.context["request"].user.pk

    def get_file_name(self, track: Track) -> str | None:
        return track.original_name if self.get_mine(track) else None

    @extend_schema_field(LinksSerializer)
    def get_links(self, track: Track) -> dict[str, str]:
        request = self.context["request"]
        views = {
            "self": "track",
            "similar": "track-similar",
            "pictures": "track-pictures",
            "explanation": "track-explanation",
        }
        return {
            name: request.build_absolute_uri(address_of(f"api:{view}", track.pk))
            for name, view in views.items()
        }


class TrackSerializer(TrackSummarySerializer):
    """A track with its whole analysis."""

    analysis = AnalysisSerializer(
        source="current",
        read_only=True,
        allow_null=True,
        help_text="Null until the first one is done; the old one stays while the track is analysed again.",
    )


class AddedTrackSerializer(TrackSerializer):
    """A track that was just uploaded."""

    duplicate = serializers.SerializerMethodField(
        help_text="Whether you had sent the same file before; then this is the track of that time."
    )
    restored = serializers.SerializerMethodField(
        help_text="Whether that track was in the bin; now it is out of it, and private."
    )

    class Meta(TrackSerializer.Meta):
        fields = (*TrackSerializer.Meta.fields, "duplicate", "restored")
        read_only_fields = fields

    def get_duplicate(self, track: Track) -> bool:
        added = self.context.get("added")
        return bool(added and added.duplicate)

    def get_restored(self, track: Track) -> bool:
        added = self.context.get("added")
        return bool(added and added.restored)


class UploadSerializer(serializers.Serializer[Any]):
    """A sound to store and analyse."""

    # The service decides whether an empty file is refused, and with which error.
    file = serializers.FileField(allow_empty_file=True, help_text="Any audio file.")
    title = serializers.CharField(
        required=False, allow_blank=True, max_length=TITLE_LENGTH, help_text="The file's name if not given."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not DRF's own attribute
        choices=UPLOAD_SOURCES, default=Track.Source.UPLOAD
    )


class WordsSerializer(serializers.Serializer[Any]):
    """The fields of a track that its owner may change; those that are left out stay."""

    title = serializers.CharField(max_length=TITLE_LENGTH, required=False)
    artist = serializers.CharField(max_length=TITLE_LENGTH, required=False, allow_blank=True)
    album = serializers.CharField(max_length=TITLE_LENGTH, required=False, allow_blank=True)
    year = serializers.IntegerField(
        min_value=EARLIEST_YEAR, max_value=LATEST_YEAR, required=False, allow_null=True
    )
    tagged_genre = serializers.CharField(max_length=TITLE_LENGTH, required=False, allow_blank=True)
    cover = serializers.CharField(
        required=False, allow_null=True, help_text="Only null, which removes the cover."
    )

    def validate_cover(self, value: str | None) -> None:
        if value is not None:
            raise serializers.ValidationError(gettext("Give null to remove the cover."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError({"title": [gettext("Give at least one field to change.")]})
        return attrs


class SoundSerializer(serializers.Serializer[Any]):
    """A sound to classify."""

    file = serializers.FileField(allow_empty_file=True, help_text="Any audio file.")


class AnswerSerializer(serializers.Serializer[Any]):
    """The prediction for a sound that is not stored."""

    duration = serializers.FloatField(help_text="Seconds that were read.")
    expected_duration = serializers.FloatField(allow_null=True, help_text=_EXPECTED)
    damaged = serializers.BooleanField(help_text=_DAMAGED)
    label = serializers.CharField(  # type: ignore[assignment]  # a field, not DRF's own attribute
        allow_null=True, help_text="Null where no music was found."
    )
    confidence = serializers.FloatField()
    unsure = serializers.BooleanField()
    probabilities = serializers.DictField(child=serializers.FloatField(), help_text="Summing to 1.")
    style = serializers.CharField(  # type: ignore[assignment]  # a field, not DRF's own attribute
        allow_null=True, help_text="Where the sound is none of the classifier's genres, else null: " + _STYLES
    )
    reason = serializers.CharField(allow_null=True, help_text=_REASONS)
    tags = serializers.DictField(
        child=serializers.DictField(child=serializers.FloatField()),
        help_text="The strength of each tag by group; empty without a tagger.",
    )
    tag_version = serializers.CharField(allow_null=True)
    model_version = serializers.CharField()


class MoodSerializer(serializers.Serializer[Any]):
    """A mood that music is recommended for."""

    slug = serializers.CharField()
    name = serializers.CharField(help_text="In the language of the request.")
    meaning = serializers.CharField()
    tracks = serializers.URLField(help_text="The list of tracks.")


class MoodTrackSerializer(serializers.Serializer[Any]):
    """A track that is recommended for a mood."""

    strength = serializers.FloatField(help_text="The share of reference songs in which the mood is weaker.")
    track = TrackSummarySerializer(source="*")


class PicturesSerializer(serializers.Serializer[Any]):
    """Links to a track's sound and pictures; they expire after some hours."""

    sound = serializers.URLField(help_text="The file as it was sent.")
    playable = serializers.URLField(help_text="The same sound in a format that every browser plays.")
    spectrogram = serializers.URLField(allow_null=True)
    mel = serializers.URLField(allow_null=True)
    chroma = serializers.URLField(allow_null=True)
    mfcc = serializers.URLField(allow_null=True)
    peaks = serializers.ListField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="The waveform: lowest and highest amplitude in turn, -127 to 127.",
    )
    ticks = serializers.DictField(
        allow_null=True, help_text="Axis marks by picture: [position from 0 to 1, label]."
    )


class GenreSerializer(serializers.ModelSerializer[Genre]):
    """A genre."""

    name = serializers.CharField(source="display_name", read_only=True)
    description = serializers.CharField(source="display_description", read_only=True)

    class Meta:
        model = Genre
        fields = ("slug", "name", "description", "colour")
        read_only_fields = fields

"""Analyses: what one version of the classifier found in a track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField, VectorField

from classifier.core.chroma import DESCRIPTOR_SIZE
from classifier.core.tags import outstanding
from classifier.core.timbre import TIMBRE_SIZE
from classifier.models import ModelVersion
from genreweb.long_columns import JoiningQuerySet
from library.keys import picture_key
from library.models.tracks import Track

if TYPE_CHECKING:
    from library.models.explanations import Explanation

TAG_EMBEDDING_SIZE = 200


class Analysis(models.Model):
    """The result of one version of the classifier for one track. Never changed; newer ones are added."""

    track = models.ForeignKey(Track, models.CASCADE, related_name="analyses", verbose_name=_("track"))
    model_version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="+", verbose_name=_("model version")
    )
    feature_version = models.CharField(_("feature version"), max_length=40)
    descriptor_version = models.CharField(_("descriptor version"), max_length=40)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    # Empty if no music was found.
    genre = models.CharField(_("genre"), max_length=40, blank=True)
    confidence = models.FloatField(_("confidence"))
    unsure = models.BooleanField(_("unsure"))
    probabilities = models.JSONField(_("probabilities"))
    timeline = models.JSONField(_("genre over time"))

    # Strength by group and tag as `classifier.core.tags.calibrated` gives it; empty without a tagger.
    tags = models.JSONField(_("tags"), default=dict, blank=True)
    tag_version = models.CharField(_("version of the tags"), max_length=40, blank=True)
    # The strongest style where the track is none of the classifier's genres, else empty.
    style = models.CharField(_("style that is none of the genres"), max_length=40, blank=True)
    # Why no genre is sure, where the sound is why: a code of `classifier.core.music_detection`.
    reason = models.CharField(_("reason of doubt"), max_length=20, blank=True)

    # Seconds that the file should hold, where less of it could be read.
    expected_duration = models.FloatField(_("expected duration in seconds"), null=True, blank=True)
    # Whether passages were left out, so that what was read is not just the beginning.
    damaged = models.BooleanField(_("damaged passages were left out"), default=False)

    descriptor = VectorField(_("chroma descriptor"), dimensions=DESCRIPTOR_SIZE)
    embedding = VectorField(_("embedding"), null=True)
    tag_embedding = VectorField(_("embedding of the tagger"), dimensions=TAG_EMBEDDING_SIZE, null=True)
    # Null where the analysis is older than these columns.
    levelled_features = HalfVectorField(_("features of the tagger at a common level"), null=True)
    timbre = VectorField(_("timbre"), dimensions=TIMBRE_SIZE, null=True)
    fingerprint = ArrayField(models.IntegerField(), verbose_name=_("fingerprint"), null=True)
    key = models.CharField(_("key"), max_length=10, blank=True, default="", db_default="")
    # By how much it is clearer than the next key, and the tempo and loudness; null as above.
    key_clarity = models.FloatField(_("clarity of the key"), null=True, blank=True)
    tempo = models.FloatField(_("tempo in beats per minute"), null=True, blank=True)
    tempo_clarity = models.FloatField(_("clarity of the tempo"), null=True, blank=True)
    loudness = models.FloatField(_("loudness in LUFS"), null=True, blank=True)
    true_peak = models.FloatField(_("true peak in dBTP"), null=True, blank=True)
    # Of the rows of `TrackLens` that were made of this analysis; empty until they are made.
    lens_version = models.CharField(
        _("version of the lenses"), max_length=20, blank=True, default="", db_default=""
    )

    # Pairs of minimum and maximum amplitude, -127 to 127, over the whole track.
    peaks = models.JSONField(_("waveform peaks"))
    spectrogram = models.FileField(_("spectrogram"), upload_to=picture_key, max_length=200)
    mel = models.FileField(_("mel spectrogram"), upload_to=picture_key, max_length=200)
    chroma = models.FileField(_("chromagram"), upload_to=picture_key, max_length=200)
    mfcc = models.FileField(_("MFCC"), upload_to=picture_key, max_length=200)
    ticks = models.JSONField(_("axis marks of the pictures"), default=dict)
    timings = models.JSONField(_("seconds per step"), default=dict)

    LONG_COLUMNS: ClassVar = (
        *("descriptor", "embedding", "tag_embedding", "levelled_features", "timbre", "fingerprint"),
        *("timeline", "peaks"),
    )
    PICTURES = ("spectrogram", "mel", "chroma", "mfcc")

    objects = JoiningQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        constraints = [
            models.CheckConstraint(
                condition=Q(tags={}, tag_version="") | (~Q(tags={}) & ~Q(tag_version="")),
                name="tags_have_a_version",
            ),
            models.CheckConstraint(
                condition=Q(style="") | (Q(unsure=True) & ~Q(genre="")),
                name="style_is_of_music_and_unsure",
            ),
            models.CheckConstraint(
                condition=Q(damaged=False) | Q(expected_duration__isnull=False),
                name="damaged_is_less_than_expected",
            ),
        ]
        indexes = [
            models.Index(fields=["genre"], name="analysis_by_genre"),
            models.Index(fields=["lens_version"], name="analysis_by_lens_version"),
        ]

    def __str__(self) -> str:
        return f"{self.genre or '—'} ({self.confidence:.0%})"

    @property
    def music(self) -> bool:
        """Whether any music was found."""
        return bool(self.genre)

    @property
    def known_genres(self) -> int:
        """Number of genres that the classifier could name."""
        return len(self.probabilities)

    @property
    def outstanding_tags(self) -> dict[str, list[str]]:
        """The few tags that describe the track best, by group."""
        return outstanding(self.tags)

    @property
    def likely(self) -> list[tuple[str, float]]:
        """The two or three most probable labels, the most probable first."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return [item for place, item in enumerate(ranked[:3]) if place < 2 or item[1] >= 0.15]

    @property
    def files(self) -> list[Any]:
        return [getattr(self, name) for name in self.PICTURES]

    @property
    def requested_explanation(self) -> Explanation | None:
        """The explanation, if anybody has requested one."""
        try:
            return self.explanation
        except ObjectDoesNotExist:
            return None


class NotableTag(models.Model):
    """A tag that is strong in a track's current analysis: what lists are filtered and sorted by.

    The strengths of all tags are kept in the analysis. These rows hold the strong ones alone and of the
    current analysis alone, so that an index on the tag and its strength answers with the strongest first.
    """

    track = models.ForeignKey(
        Track, models.CASCADE, related_name="notable_tags", db_index=False, verbose_name=_("track")
    )
    tag = models.CharField(_("tag"), max_length=24)
    strength = models.FloatField(_("strength"))

    class Meta:
        verbose_name = _("notable tag")
        verbose_name_plural = _("notable tags")
        constraints = [
            models.UniqueConstraint(fields=["track", "tag"], name="one_strength_per_track_and_tag"),
            models.CheckConstraint(
                condition=Q(strength__gte=0) & Q(strength__lte=1), name="strength_of_tag_is_a_share"
            ),
        ]
        indexes = [models.Index(fields=["tag", "-strength", "track"], name="notable_tag_by_strength")]

    def __str__(self) -> str:
        return f"{self.tag} {self.strength:.2f}"

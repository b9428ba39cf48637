"""Tracks, their analyses, explanations and re-analyses."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HnswIndex, VectorField

from classifier.core.chroma import DESCRIPTOR_SIZE
from classifier.models import Genre, ModelVersion
from library.keys import explanation_key, picture_key, rendition_key, safe_suffix, sound_key

if TYPE_CHECKING:
    from genreweb.accounts.models import User

TITLE_LENGTH = 200

__all__ = [
    "TITLE_LENGTH",
    "Analysis",
    "Explanation",
    "Reanalysis",
    "Track",
    "TrackQuerySet",
    "explanation_key",
    "picture_key",
    "rendition_key",
    "safe_suffix",
    "sound_key",
]


class TrackQuerySet(models.QuerySet["Track"]):
    def visible_to(self, user: User | AnonymousUser) -> TrackQuerySet:
        """Filter by what `user` may see: the catalogue, and their own tracks."""
        public = Q(visibility=Track.Visibility.CATALOGUE)
        if not user.is_authenticated:
            return self.filter(public)
        return self.filter(public | Q(owner=user))

    def owned_by(self, user: User | AnonymousUser) -> TrackQuerySet:
        """Filter by what `user` may change: their own tracks."""
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def in_catalogue(self) -> TrackQuerySet:
        return self.filter(visibility=Track.Visibility.CATALOGUE)

    def with_verdict(self) -> TrackQuerySet:
        """Join each track's current analysis, without its long columns."""
        return self.select_related("current", "current__model_version").defer(
            "current__descriptor", "current__embedding", "current__timeline", "current__peaks"
        )


class Track(models.Model):
    """A sound that was uploaded, recorded or imported."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being analysed")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Step(models.TextChoices):
        DECODE = "decode", _("decoding the sound")
        FEATURES = "features", _("measuring its spectrum")
        CLASSIFY = "classify", _("listening for the genre")
        PICTURES = "pictures", _("drawing the pictures")
        SAVE = "save", _("finding similar tracks")

    class Visibility(models.TextChoices):
        PRIVATE = "private", _("private")
        CATALOGUE = "catalogue", _("in the catalogue")

    class Source(models.TextChoices):
        UPLOAD = "upload", _("uploaded")
        RECORDING = "recording", _("recorded")
        CATALOGUE = "catalogue", _("imported")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tracks",
        verbose_name=_("owner"),
    )
    visibility = models.CharField(
        _("visibility"), max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE
    )
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, default=Source.UPLOAD)
    title = models.CharField(_("title"), max_length=TITLE_LENGTH)
    artist = models.CharField(_("artist"), max_length=TITLE_LENGTH, blank=True)
    licence = models.CharField(_("licence"), max_length=TITLE_LENGTH, blank=True)
    labelled_genre = models.ForeignKey(
        Genre,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("genre given by the catalogue"),
    )
    # Names are for display only: no file is opened, stored or served by them.
    original_name = models.TextField(
        _("original file name"), blank=True, validators=[MaxLengthValidator(1000)]
    )
    catalogue_key = models.CharField(  # noqa: DJ001  # null is "not imported"; two such are not the same place
        _("place in the catalogue"), max_length=500, null=True, blank=True
    )

    sound = models.FileField(_("sound"), upload_to=sound_key, max_length=200)
    rendition = models.FileField(_("what browsers play"), upload_to=rendition_key, max_length=200, blank=True)
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    duration = models.FloatField(_("duration in seconds"), null=True, blank=True)
    sample_rate = models.PositiveIntegerField(_("sample rate in Hz"), null=True, blank=True)
    channels = models.PositiveSmallIntegerField(_("channels"), null=True, blank=True)
    codec = models.CharField(_("codec"), max_length=40, blank=True)
    container = models.CharField(_("container"), max_length=60, blank=True)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    step = models.CharField(_("step"), max_length=10, choices=Step.choices, blank=True)
    # Counts claims. A worker's result is stored only if this is still its attempt.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # Attempts since the last request of a person; the sweeper gives up after too many.
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    # An analysis is deleted only with its track: the constraint is checked at the end of that transaction.
    current = models.OneToOneField(
        "Analysis",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("current analysis"),
    )

    objects = TrackQuerySet.as_manager()

    class Meta:
        ordering = ["-created", "id"]
        verbose_name = _("track")
        verbose_name_plural = _("tracks")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "sha256"],
                condition=Q(owner__isnull=False),
                name="one_track_per_owner_and_content",
            ),
            models.UniqueConstraint(fields=["catalogue_key"], name="one_track_per_catalogue_place"),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]), name="track_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(current__isnull=False), name="done_track_has_analysis"
            ),
            models.CheckConstraint(
                condition=Q(owner__isnull=False) | Q(visibility="catalogue"), name="private_track_has_owner"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created"], name="track_by_owner"),
            models.Index(fields=["visibility", "title"], name="track_by_visibility"),
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="track_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)

    @property
    def is_in_catalogue(self) -> bool:
        return self.visibility == self.Visibility.CATALOGUE

    @property
    def shown_genre(self) -> str:
        """The label to show beside the title: the catalogue's, else the predicted one, else ''."""
        if self.labelled_genre is not None:
            return self.labelled_genre.slug
        return self.current.genre if self.current is not None else ""

    def former_analyses(self) -> models.QuerySet[Analysis]:
        """Analyses before the current one, the newest first, without the long columns."""
        return (
            self.analyses.exclude(pk=self.current_id or 0)
            .select_related("model_version")
            .defer("descriptor", "embedding", "timeline", "peaks", "model_version__metadata")
        )

    @property
    def playable(self) -> FieldFile:
        """The file to play: the sound, or its rendition if browsers cannot play the sound."""
        return self.rendition or self.sound

    @property
    def player_url(self) -> str:
        """An expiring link to the file to play."""
        return str(self.playable.url)


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

    descriptor = VectorField(_("chroma descriptor"), dimensions=DESCRIPTOR_SIZE)
    embedding = VectorField(_("embedding"), null=True)

    # Pairs of minimum and maximum amplitude, -127 to 127, over the whole track.
    peaks = models.JSONField(_("waveform peaks"))
    spectrogram = models.FileField(_("spectrogram"), upload_to=picture_key, max_length=200)
    mel = models.FileField(_("mel spectrogram"), upload_to=picture_key, max_length=200)
    chroma = models.FileField(_("chromagram"), upload_to=picture_key, max_length=200)
    mfcc = models.FileField(_("MFCC"), upload_to=picture_key, max_length=200)
    ticks = models.JSONField(_("axis marks of the pictures"), default=dict)
    timings = models.JSONField(_("seconds per step"), default=dict)

    PICTURES = ("spectrogram", "mel", "chroma", "mfcc")

    class Meta:
        ordering = ["-created"]
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        indexes = [
            HnswIndex(
                name="analysis_descriptor_hnsw",
                fields=["descriptor"],
                m=16,
                ef_construction=64,
                opclasses=["vector_l2_ops"],
            ),
            models.Index(fields=["genre"], name="analysis_by_genre"),
        ]

    def __str__(self) -> str:
        return f"{self.genre or '—'} ({self.confidence:.0%})"

    @property
    def music(self) -> bool:
        """Whether any music was found."""
        return bool(self.genre)

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
        except Explanation.DoesNotExist:
            return None


class Explanation(models.Model):
    """The bands and moments that support the genre of one analysis; made on the first request."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being worked out")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    analysis = models.OneToOneField(
        Analysis, models.CASCADE, related_name="explanation", verbose_name=_("analysis")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    # As for tracks: claims, and claims since the last request of a person.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    # The map and its strongest parts; empty until done.
    summary = models.JSONField(_("bands and moments"), default=dict, blank=True)
    picture = models.FileField(_("map"), upload_to=explanation_key, max_length=200, blank=True)

    class Meta:
        verbose_name = _("explanation")
        verbose_name_plural = _("explanations")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]),
                name="explanation_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | ~Q(picture=""), name="done_explanation_has_picture"
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="explanation_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.analysis_id}: {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)


class Reanalysis(models.Model):
    """A request to analyse all tracks of a scope with the version in service, queued in small batches."""

    class Scope(models.TextChoices):
        MINE = "mine", _("my tracks")
        CATALOGUE = "catalogue", _("the catalogue")

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    ACTIVE = (Status.RUNNING, Status.PAUSED)

    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("requested by")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RUNNING)
    # Number of outdated tracks when it began; a later promotion adds to them.
    total = models.PositiveIntegerField(_("tracks"), default=0)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("re-analysis")
        verbose_name_plural = _("re-analyses")
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by"],
                condition=Q(scope="mine", status__in=["running", "paused"]),
                name="one_active_reanalysis_per_person",
            ),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(scope="catalogue", status__in=["running", "paused"]),
                name="one_active_reanalysis_of_the_catalogue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} ({self.created:%Y-%m-%d})"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

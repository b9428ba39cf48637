"""Labelled clips, their datasets, and the decisions about them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from classifier.models import Genre, ModelVersion
from genreweb.long_columns import JoiningQuerySet
from library.models import TITLE_LENGTH, Track, safe_suffix

if TYPE_CHECKING:
    from genreweb.accounts.models import User

COMMENT_LENGTH = 1000
SUSPICIOUS = 0.5
"""Suspicion from which on a label is listed as doubtful: 1 minus its out-of-fold probability."""


def clip_sound_key(clip: Clip, filename: str) -> str:
    return f"clips/{clip.id.hex[:2]}/{uuid.uuid4()}{safe_suffix(filename)}"


def clip_features_key(clip: Clip, filename: str) -> str:
    return f"clips/{clip.id.hex[:2]}/{uuid.uuid4()}.npz"


class Dataset(models.Model):
    """A dataset that was imported."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    source = models.CharField(_("source"), max_length=500, blank=True)
    licence = models.CharField(_("licence"), max_length=TITLE_LENGTH, blank=True)
    # If true, clips are approved once they have passed their checks; else each one waits for review.
    trusted = models.BooleanField(_("trusted"), default=True)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("imported by"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")

    def __str__(self) -> str:
        return self.name


class ClipQuerySet(JoiningQuerySet["Clip"]):
    def visible_to(self, user: User | AnonymousUser) -> ClipQuerySet:
        """Filter by what `user` may see: everything for curators, else their own contributions."""
        if not user.is_authenticated:
            return self.none()
        return self if user.is_curator else self.filter(contributor=user)

    def contributed_by(self, user: User | AnonymousUser) -> ClipQuerySet:
        """Filter by what `user` contributed and may withdraw."""
        return self.filter(contributor=user) if user.is_authenticated else self.none()

    def usable(self) -> ClipQuerySet:
        """Filter by what a network may be fitted on or measured with: approved, and not in the test set."""
        return self.filter(status=Clip.Status.APPROVED, leaks=False).exclude(features="")

    def to_review(self) -> ClipQuerySet:
        """Filter by what waits for review, most disputed first."""
        waiting = self.filter(status=Clip.Status.PENDING)
        return waiting.order_by(F("disputed").desc(nulls_last=True), "created", "pk")

    def suspicious(self) -> ClipQuerySet:
        """Filter by approved clips with another out-of-fold label that was not dismissed, worst first."""
        doubted = self.usable().filter(suspicion__gte=SUSPICIOUS, doubted_genre=F("genre__slug"))
        doubted = doubted.exclude(suspected_genre=F("genre__slug")).exclude(suspected_genre="")
        return doubted.exclude(suspected_genre=F("kept_against")).order_by("-suspicion", "created", "pk")


class Clip(models.Model):
    """Up to 30 seconds of sound and its genre."""

    class Status(models.TextChoices):
        CHECKING = "checking", _("being checked")
        FAILED = "failed", _("not accepted")
        PENDING = "pending", _("waiting for review")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")

    class Part(models.TextChoices):
        """A dataset's own split. Contributed clips have none: each snapshot splits them."""

        NONE = "", _("no part of its own")
        TRAIN = "train", _("training")
        VALID = "valid", _("validation")
        TEST = "test", _("test, never trained on")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    contributor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="clips",
        verbose_name=_("contributor"),
    )
    dataset = models.ForeignKey(
        Dataset, models.CASCADE, null=True, blank=True, related_name="clips", verbose_name=_("dataset")
    )
    dataset_key = models.CharField(_("place in the dataset"), max_length=500, blank=True)
    # Size and modification time of the file that was imported: equal, they tell that it has not changed.
    file_stamp = models.CharField(_("size and time of the imported file"), max_length=50, blank=True)
    part = models.CharField(_("part"), max_length=5, choices=Part.choices, blank=True, default=Part.NONE)
    # The same for clips of one dataset that contain the same recording.
    repetition_group = models.CharField(_("repetition group"), max_length=80, blank=True)
    track = models.ForeignKey(
        Track, models.SET_NULL, null=True, blank=True, related_name="clips", verbose_name=_("cut from")
    )
    # For further pieces of a longer upload, the first piece. The first one itself has neither start nor end,
    # like the upload, so that a repeated upload is recognised.
    origin = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="pieces", verbose_name=_("first piece")
    )
    start = models.FloatField(_("start in what was sent, in seconds"), null=True, blank=True)
    end = models.FloatField(_("end in what was sent, in seconds"), null=True, blank=True)

    genre = models.ForeignKey(Genre, models.PROTECT, related_name="clips", verbose_name=_("genre"))
    contributed_genre = models.ForeignKey(
        Genre, models.PROTECT, related_name="+", verbose_name=_("genre given by the contributor")
    )
    title = models.CharField(_("title"), max_length=TITLE_LENGTH, blank=True)
    artist = models.CharField(_("artist"), max_length=TITLE_LENGTH, blank=True)
    comment = models.TextField(_("comment"), max_length=COMMENT_LENGTH, blank=True)
    rights_confirmed_at = models.DateTimeField(_("rights confirmed at"), null=True, blank=True)

    # The uploaded file until it is checked, then the piece as browsers play it. Empty for imported log-mels.
    sound = models.FileField(_("sound"), upload_to=clip_sound_key, max_length=200, blank=True)
    sha256 = models.CharField(_("SHA-256 of what was sent"), max_length=64)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    duration = models.FloatField(_("duration in seconds"), null=True, blank=True)
    features = models.FileField(_("features"), upload_to=clip_features_key, max_length=200, blank=True)
    features_sha256 = models.CharField(_("SHA-256 of the features"), max_length=64, blank=True)
    feature_version = models.CharField(_("feature version"), max_length=40, blank=True)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.CHECKING)
    # As for tracks: claims, and claims since the last request of a person.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    claimed = models.BooleanField(_("in a worker's hands"), default=False)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)

    # Words of `classifier.core.fingerprint`, one per column; null until computed.
    fingerprint = ArrayField(models.IntegerField(), verbose_name=_("fingerprint"), null=True, blank=True)
    # A clip with the same recording, found by fingerprint: only a hint for curators.
    duplicate_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="duplicates",
        verbose_name=_("sounds the same as"),
    )
    # Contains a recording of the test set; never trained on.
    leaks = models.BooleanField(_("is in the frozen test set"), default=False)
    leaks_into = models.CharField(_("test clip it holds"), max_length=200, blank=True)
    # The name under which shipped versions know this recording, if it came with a dataset; by fingerprint.
    known_as = models.CharField(max_length=200, blank=True, default="", editable=False)

    # Prediction of the version that was in service when the clip was checked.
    opinion_version = models.ForeignKey(
        ModelVersion,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("version that was asked"),
    )
    opinion = models.JSONField(_("its probabilities"), default=dict, blank=True)
    embedding = VectorField(_("its embedding"), null=True, blank=True)
    heard_music = models.BooleanField(_("heard music in it"), null=True, blank=True)
    # The tagger's output in the format of `classifier.core.tag_storage`; null without a tagger, and for clips
    # that came without sound. With a version but no tags: the sound could not be tagged.
    tags = models.BinaryField(null=True, blank=True)
    tagger_version = models.CharField(max_length=40, blank=True, default="", editable=False)
    # 1 minus the predicted probability of the label.
    disputed = models.FloatField(_("how much it disagrees"), null=True, blank=True)
    # The same by a model that was fitted without this clip, for the label that it had then.
    suspicion = models.FloatField(_("out-of-fold disagreement"), null=True, blank=True)
    suspected_genre = models.CharField(_("out-of-fold label"), max_length=40, blank=True)
    doubted_genre = models.CharField(_("label that was doubted"), max_length=40, blank=True)
    # An out-of-fold label that a curator has dismissed: it is not listed again.
    kept_against = models.CharField(_("label turned down at a second look"), max_length=40, blank=True)

    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reviewed by"),
    )
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = ClipQuerySet.as_manager()

    LONG_COLUMNS: ClassVar = ("embedding", "fingerprint", "opinion", "tags")

    class Meta:
        ordering = ["-created", "id"]
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["checking", "failed", "pending", "approved", "rejected"]),
                name="clip_status_known",
            ),
            models.CheckConstraint(
                condition=Q(contributor__isnull=False) | Q(dataset__isnull=False),
                name="clip_came_from_somewhere",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["pending", "approved"]) | ~Q(features=""),
                name="clip_kept_has_features",
            ),
            models.UniqueConstraint(
                fields=["contributor", "sha256", "start", "end"],
                condition=Q(contributor__isnull=False),
                nulls_distinct=False,
                name="one_clip_per_contributor_and_piece",
            ),
            models.UniqueConstraint(
                fields=["dataset", "dataset_key"],
                condition=Q(dataset__isnull=False),
                name="one_clip_per_place_in_dataset",
            ),
        ]
        indexes = [
            models.Index(fields=["contributor", "-created"], name="clip_by_contributor"),
            models.Index(fields=["status", "genre"], name="clip_by_status"),
            models.Index(fields=["queued_at"], condition=Q(status="checking"), name="clip_unchecked"),
            # Thousands of words are looked up at once; without this, each would scan GIN's pending list.
            GinIndex(fields=["fingerprint"], name="clip_fingerprints", fastupdate=False),
            models.Index(
                fields=["created"],
                condition=Q(fingerprint__isnull=True) & ~Q(features=""),
                name="clip_without_fingerprint",
            ),
            models.Index(
                fields=["tagger_version"],
                condition=Q(status__in=["pending", "approved"]) & ~Q(sound=""),
                name="clip_by_tagger",
            ),
            models.Index(fields=["-disputed"], condition=Q(status="pending"), name="clip_most_disputed"),
            models.Index(fields=["-suspicion"], condition=Q(status="approved"), name="clip_most_suspicious"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)


class ClipDecision(models.Model):
    """A decision of a curator about a clip; never changed, and kept when the clip is deleted."""

    class Action(models.TextChoices):
        APPROVE = "approve", _("approved")
        REJECT = "reject", _("rejected")
        RELABEL = "relabel", _("approved with another genre")
        REOPEN = "reopen", _("put back into the queue")
        UNDO = "undo", _("decision taken back")

    # Null once the clip was withdrawn or deleted; only its id is kept.
    clip = models.ForeignKey(
        Clip, models.SET_NULL, null=True, blank=True, related_name="decisions", verbose_name=_("clip")
    )
    clip_key = models.UUIDField(_("id of the clip"), editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("curator"),
    )
    at = models.DateTimeField(_("at"), auto_now_add=True)
    action = models.CharField(_("decision"), max_length=10, choices=Action.choices)
    genre_before = models.ForeignKey(Genre, models.PROTECT, related_name="+", verbose_name=_("genre before"))
    genre_after = models.ForeignKey(Genre, models.PROTECT, related_name="+", verbose_name=_("genre after"))
    status_before = models.CharField(_("status before"), max_length=10, choices=Clip.Status.choices)
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = JoiningQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.at:%Y-%m-%d})"

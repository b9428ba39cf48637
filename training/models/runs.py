"""Training runs, the snapshots of their training data, and their progress."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Genre, ModelVersion
from genreweb.long_columns import JoiningQuerySet
from training.models.clips import Clip

if TYPE_CHECKING:
    from genreweb.accounts.models import User


class DatasetSnapshot(models.Model):
    """The clips of one run with the labels and sides of the split that they had when it began."""

    created = models.DateTimeField(_("created"), auto_now_add=True)
    # Of the sorted (clip, features, label, split), so that equal training sets have equal digests.
    digest = models.CharField(_("SHA-256 of its contents"), max_length=64)
    # Clips by genre and split.
    counts = models.JSONField(_("counts"), default=dict)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")

    def __str__(self) -> str:
        return self.digest[:12]

    def counts_by_genre(self) -> list[tuple[str, dict[str, int]]]:
        """Give the counts in the order of the site's genres; the database keeps none."""
        order = {slug: place for place, slug in enumerate(Genre.objects.values_list("slug", flat=True))}
        return sorted(self.counts.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


class SnapshotClip(models.Model):
    """The state of a clip when a snapshot was made; kept when the clip is deleted."""

    class Split(models.TextChoices):
        TRAIN = "train", _("training")
        VALID = "valid", _("validation")
        HOLDOUT = "holdout", _("held out, for comparison")
        TEST = "test", _("frozen test set")

    snapshot = models.ForeignKey(
        DatasetSnapshot, models.CASCADE, related_name="entries", verbose_name=_("snapshot")
    )
    # Null once the clip was withdrawn or deleted, by which versions that used it are flagged.
    clip = models.ForeignKey(
        Clip, models.SET_NULL, null=True, blank=True, related_name="entries", verbose_name=_("clip")
    )
    clip_key = models.UUIDField(_("id of the clip"))
    features_sha256 = models.CharField(_("SHA-256 of the features"), max_length=64)
    genre = models.CharField(_("label"), max_length=40)
    split = models.CharField(_("split"), max_length=7, choices=Split.choices)
    # Clips of one group (artist, contributor or recording) are on one side.
    group = models.CharField(_("group"), max_length=240, blank=True)

    objects = JoiningQuerySet.as_manager()

    class Meta:
        verbose_name = _("clip of a snapshot")
        verbose_name_plural = _("clips of a snapshot")
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "clip_key"], name="one_entry_per_snapshot_and_clip")
        ]

    def __str__(self) -> str:
        return f"{self.genre} {self.clip_key}"


class TrainingRunQuerySet(JoiningQuerySet["TrainingRun"]):
    def visible_to(self, user: User | AnonymousUser) -> TrainingRunQuerySet:
        """Filter by what `user` may see: everything for curators, nothing for anybody else."""
        return self if user.is_authenticated and user.is_curator else self.none()

    def active(self) -> TrainingRun | None:
        """Return the run that waits or runs, if any."""
        return self.filter(status__in=TrainingRun.ACTIVE).first()


class TrainingRun(models.Model):
    """One training of a classifier. At most one waits or runs at a time."""

    class Kind(models.TextChoices):
        QUICK = "quick", _("quick")
        FULL = "full", _("full")

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    class Step(models.TextChoices):
        SNAPSHOT = "snapshot", _("collecting the clips")
        FEATURES = "features", _("reading their features")
        FIT = "fit", _("training")
        EXPORT = "export", _("writing the network")
        EVALUATE = "judge", _("measuring it beside the one in service")
        SAVE = "save", _("saving the candidate")

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    architecture = models.CharField(_("architecture"), max_length=40)
    epochs = models.PositiveSmallIntegerField(_("epochs"))
    seed = models.PositiveIntegerField(_("seed"), default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    step = models.CharField(_("step"), max_length=10, choices=Step.choices, blank=True)
    cancel_requested = models.BooleanField(_("cancelling"), default=False)
    # Counts claims. What a worker writes is stored only if this is still its attempt.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    progress = models.FloatField(_("progress"), default=0.0)
    eta_seconds = models.FloatField(_("seconds left"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    snapshot = models.OneToOneField(
        DatasetSnapshot,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="run",
        verbose_name=_("snapshot"),
    )
    candidate = models.OneToOneField(
        ModelVersion, models.PROTECT, null=True, blank=True, related_name="run", verbose_name=_("candidate")
    )
    # Predictions of the candidate and of the version then in service for the snapshot's held-out clips.
    judgement = models.JSONField(_("judgement"), default=dict, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    LONG_COLUMNS: ClassVar = ("judgement",)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed", "cancelled"]),
                name="run_status_known",
            ),
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(status__in=["queued", "running"]),
                name="one_active_run",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(candidate__isnull=False), name="done_run_has_candidate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.created:%Y-%m-%d %H:%M}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE


def count_runs() -> dict[tuple[str, ...], float]:
    """Count the runs by kind and status."""
    rows = TrainingRun.objects.order_by().values_list("kind", "status").annotate(models.Count("pk"))
    return {(kind, status): float(number) for kind, status, number in rows}


class TrainingEpoch(models.Model):
    """Figures after one epoch. A resumed run overwrites an epoch with the same figures."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="epoch_rows", verbose_name=_("run"))
    number = models.PositiveSmallIntegerField(_("epoch"))
    loss = models.FloatField(_("loss"))
    accuracy = models.FloatField(_("accuracy"), null=True, blank=True)
    val_loss = models.FloatField(_("validation loss"), null=True, blank=True)
    val_accuracy = models.FloatField(_("validation accuracy"), null=True, blank=True)
    seconds = models.FloatField(_("seconds"))
    at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        ordering = ["number"]
        verbose_name = _("epoch")
        verbose_name_plural = _("epochs")
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_row_per_run_and_epoch")]

    def __str__(self) -> str:
        return f"{self.number}"


class RunMessage(models.Model):
    """A line of the log of a run, as a code and the parameters of its sentence."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="messages", verbose_name=_("run"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    code = models.CharField(_("code"), max_length=40)
    params = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("line of the log")
        verbose_name_plural = _("lines of the log")

    def __str__(self) -> str:
        return self.code

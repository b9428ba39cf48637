"""The genres a site knows, and the registry of classifiers trained to tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from genreweb.long_columns import JoiningQuerySet

if TYPE_CHECKING:
    from genreweb.accounts.models import User

_colour = RegexValidator(r"^#[0-9a-f]{6}\Z", _("A colour is written like #1b9e77."))


class Genre(models.Model):
    """A genre: what the classifier's label means to a person."""

    slug = models.SlugField(_("label"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60, unique=True)
    description = models.TextField(_("description"), blank=True)
    colour = models.CharField(_("colour"), max_length=7, validators=[_colour])
    position = models.PositiveSmallIntegerField(_("position"), default=100)
    # Name and description in languages beside the site's own, as a curator wrote them.
    translations = models.JSONField(_("translations"), default=dict, blank=True)

    class Meta:
        ordering = ["position", "slug"]
        verbose_name = _("genre")
        verbose_name_plural = _("genres")

    def __str__(self) -> str:
        return self.display_name

    @classmethod
    def names(cls) -> dict[str, str]:
        """Give the name of each genre in the reader's language, by label."""
        return {genre.slug: genre.display_name for genre in cls.objects.all()}

    @property
    def display_name(self) -> str:
        """The name in the reader's language, where the site has a translation."""
        return self._translated("name", self.name)

    @property
    def display_description(self) -> str:
        return self._translated("description", self.description)

    def _translated(self, part: str, own: str) -> str:
        translated: str = self.translations.get(get_language() or "", {}).get(part, "")
        return translated or (gettext(own) if own else "")


class ModelVersionQuerySet(JoiningQuerySet["ModelVersion"]):
    def in_service(self) -> ModelVersion | None:
        """Give the version that answers now."""
        return self.filter(is_in_service=True).first()

    def visible_to(self, user: User | AnonymousUser) -> ModelVersionQuerySet:
        """Keep what `user` may read: everybody with an account may see what answers here, and what might."""
        return self if user.is_authenticated else self.none()


class ModelVersion(models.Model):
    """One trained classifier. Its files never change; which one is in service does."""

    class Source(models.TextChoices):
        RELEASE = "release", _("shipped with Genreweb")
        TRAINED = "trained", _("trained on this site")
        IMPORTED = "imported", _("imported")

    name = models.CharField(_("name"), max_length=80, unique=True)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    # Of its files in the storage; of a release whose files were lost, the folder that they shipped in.
    location = models.CharField(_("location"), max_length=200)
    sha256 = models.CharField(_("SHA-256 of the network"), max_length=64)
    labels = models.JSONField(_("labels"))
    feature_version = models.CharField(_("feature version"), max_length=40)
    metadata = models.JSONField(_("metadata"), default=dict)
    # Size and SHA-256 of each file by name; empty where the files were lost.
    files = models.JSONField(_("files"), default=dict, blank=True)
    is_in_service = models.BooleanField(_("in service"), default=False)
    served_at = models.DateTimeField(_("last put into service"), null=True, blank=True)
    # Empty, or why a process that was to answer with it could not.
    fault = models.CharField(_("fault"), max_length=500, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("imported by"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ModelVersionQuerySet.as_manager()

    LONG_COLUMNS: ClassVar = ("metadata", "files")

    class Meta:
        ordering = ["-created"]
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        constraints = [
            models.UniqueConstraint(
                fields=["is_in_service"], condition=Q(is_in_service=True), name="one_version_in_service"
            )
        ]

    def __str__(self) -> str:
        return self.name

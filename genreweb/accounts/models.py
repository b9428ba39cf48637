"""Who uses the site: people, and the tokens their programs carry."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from genreweb.accounts.scopes import Scope, all_scopes
from genreweb.accounts.webhook_models import Webhook, WebhookDelivery
from genreweb.prepared_queries import PreparedQueries

__all__ = [
    "CURATORS",
    "ApiToken",
    "DailyUse",
    "IdempotencyKey",
    "User",
    "UserManager",
    "Webhook",
    "WebhookDelivery",
]

CURATORS = "curator"
"""Name of the Django group whose members review clips and promote classifiers."""
_QUERIES: Final = PreparedQueries()


class UserManager(DjangoUserManager["User"]):
    """People are made from an e-mail address; there are no user names."""

    def _create(self, email: str, password: str | None, **fields: Any) -> User:
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(  # type: ignore[override]  # the base class asks for a user name
        self, email: str, password: str | None = None, **fields: Any
    ) -> User:
        return self._create(email, password, **{"is_staff": False, "is_superuser": False, **fields})

    def create_superuser(  # type: ignore[override]  # the base class asks for a user name
        self, email: str, password: str | None = None, **fields: Any
    ) -> User:
        # Imported late: allauth's models need this one.
        from genreweb.accounts.addresses import ensure_address

        user = self._create(email, password, **{**fields, "is_staff": True, "is_superuser": True})
        # Whoever has a shell on the server need not prove an address, least of all to set up the mail.
        ensure_address(user=user, verified=True)
        return user

    def get(self, *args: Any, **lookups: Any) -> User:
        key = lookups.get("pk")
        # The managers of relations are of this class too, and ask for some people only.
        plain = self is self.model._default_manager
        if args or len(lookups) != 1 or type(key) is not int or not plain:
            return super().get(*args, **lookups)
        # With every page: the person whose session it is.
        found = _QUERIES.instances("pk", [key], like=lambda: (self.filter(pk=-1).order_by(), [-1]))
        if not found:
            raise self.model.DoesNotExist
        return found[0]

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person, known by their e-mail address."""

    username = None  # type: ignore[assignment]  # Django's way to drop an inherited column
    email = models.EmailField(_("e-mail address"), unique=True)
    display_name = models.CharField(_("name to show"), max_length=80, blank=True)
    # Of this person, in place of the site's; 0 is no limit.
    quota_tracks = models.PositiveIntegerField(_("most tracks"), null=True, blank=True)
    quota_megabytes = models.PositiveIntegerField(_("most megabytes"), null=True, blank=True)
    quota_daily_minutes = models.PositiveIntegerField(_("most minutes of sound a day"), null=True, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_ignoring_case")]

    def __str__(self) -> str:
        return self.display_name or self.email

    @cached_property
    def is_curator(self) -> bool:
        """Whether this person may review clips and promote classifiers; staff always may."""
        if not self.is_active or self.is_staff:
            return self.is_active

        def like() -> tuple[models.QuerySet[Any, Any], list[Any]]:
            through = User.groups.through._default_manager
            return through.filter(user=-1, group__name=CURATORS).values_list("pk")[:1], [-1]

        return bool(_QUERIES.rows("is curator", [self.pk], like=like))


class ApiToken(AbstractAuthToken):
    """What a program shows instead of a password; only its hash is kept."""

    name = models.CharField(_("name"), max_length=80, blank=True)
    last_used = models.DateTimeField(_("last used"), null=True, blank=True)
    scopes = ArrayField(
        models.CharField(max_length=20, choices=Scope.choices), verbose_name=_("scopes"), default=all_scopes
    )

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__len__gt=0, scopes__contained_by=Scope.values),
                name="token_has_known_scopes",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"{self.token_key}…"

    @property
    def is_expired(self) -> bool:
        return self.expiry is not None and self.expiry <= timezone.now()

    @property
    def has_all_scopes(self) -> bool:
        return set(self.scopes) == set(Scope.values)

    @property
    def scope_names(self) -> list[str]:
        """The scopes in their usual order, shortly: what stands before the colon."""
        return [str(scope.label).partition(":")[0] for scope in Scope if scope.value in self.scopes]


class IdempotencyKey(models.Model):
    """What was answered to a request that carried an ``Idempotency-Key``, to be answered once more."""

    user = models.ForeignKey(User, models.CASCADE, related_name="idempotency_keys", verbose_name=_("person"))
    key = models.CharField(_("key"), max_length=255)
    # Of method, address and body: the same key with anything else is refused.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    # As text: jsonb would put the members into another order.
    body = models.TextField()
    headers = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("answer that is kept")
        verbose_name_plural = _("answers that are kept")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_person_and_key")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.key}"


class DailyUse(models.Model):
    """How much sound a person sent on a day, in UTC; kept when what was sent is deleted."""

    user = models.ForeignKey(User, models.CASCADE, related_name="daily_uses", verbose_name=_("person"))
    day = models.DateField(_("day"))
    seconds = models.FloatField(_("seconds of sound"))

    class Meta:
        verbose_name = _("use of a day")
        verbose_name_plural = _("uses of a day")
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="one_use_per_person_and_day")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.day}"

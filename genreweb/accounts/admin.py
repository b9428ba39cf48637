"""People and their tokens in the administration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _allauth_mfa_admin  # noqa: F401  # registers what is replaced below
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as _allauth_socialaccount_admin  # noqa: F401  # the same
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from genreweb.accounts import factors, personal_data
from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import CURATORS, ApiToken, User, Webhook

# Django's own log-in form counts no attempts; the site's does.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = _("Genreweb administration")
# allauth names these in English only.
apps.get_app_config("mfa").verbose_name = _("Two-factor authentication")
Authenticator._meta.verbose_name = _("second factor")
Authenticator._meta.verbose_name_plural = _("second factors")
# Django's Korean of these has mistakes; what stands in the site's own catalogue comes first.
_TRANSLATED_ANEW = (
    gettext_noop("users"),
    gettext_noop("Select %s to view"),
    gettext_noop(" By %(filter_title)s "),
)


class _LowerCaseEmail:
    """E-mail addresses are told apart without regard to case, as everywhere on the site."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Somebody has this e-mail address already."), code="unique")
        return email


class _AddForm(_LowerCaseEmail, AdminUserCreationForm[User]):
    class Meta:
        model = User
        fields = ("email", "display_name")


class _ChangeForm(_LowerCaseEmail, UserChangeForm[User]):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: ClassVar[dict[str, Any]] = {}


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    form = _ChangeForm
    add_form = _AddForm
    list_display = (
        *("email", "display_name", "is_active", "confirmed", "curator", "is_staff"),
        *("date_joined", "last_login"),
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    search_fields = ("email", "display_name", "first_name", "last_name")
    ordering = ("-date_joined",)
    date_hierarchy = "date_joined"
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("display_name", "first_name", "last_name")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (
            _("Quotas"),
            {
                "fields": ("quota_tracks", "quota_megabytes", "quota_daily_minutes"),
                "description": _("Empty: as for everybody on this site. 0: no limit."),
            },
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "display_name", "usable_password", "password1", "password2"),
            },
        ),
    )
    actions = ("confirm_addresses", "make_curators")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        own = EmailAddress.objects.filter(user=OuterRef("pk"), email=OuterRef("email"), verified=True)
        curator = Count("groups", filter=Q(groups__name=CURATORS))
        return super().get_queryset(request).annotate(_confirmed=Exists(own), _curator=curator)

    @admin.display(description=_("address confirmed"), boolean=True, ordering="_confirmed")
    def confirmed(self, user: User) -> bool:
        return bool(getattr(user, "_confirmed", False))

    @admin.display(description=_("curator"), boolean=True, ordering="_curator")
    def curator(self, user: User) -> bool:
        return user.is_staff or bool(getattr(user, "_curator", 0))

    @admin.action(description=_("Take the e-mail addresses as confirmed"), permissions=["change"])
    def confirm_addresses(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            ensure_address(user=user, verified=True)
        count = len(users)
        said = ngettext("%(count)d address is confirmed.", "%(count)d addresses are confirmed.", count)
        self.message_user(request, said % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Make curators"), permissions=["change"])
    def make_curators(self, request: HttpRequest, users: QuerySet[User]) -> None:
        group, _created = Group.objects.get_or_create(name=CURATORS)
        for user in users:
            user.groups.add(group)
        count = len(users)
        said = ngettext("%(count)d person is a curator now.", "%(count)d people are curators now.", count)
        self.message_user(request, said % {"count": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Whoever adds a person by hand, or gives them an address, vouches for it.
        ensure_address(user=obj, verified=not change or "email" in form.changed_data)

    def get_deleted_objects(
        self, objs: Iterable[User], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        # Django would list every row of every track, and ask for rights to each kind of them.
        listed: list[Any] = []
        for user in objs:
            listed += [user.email, personal_data.losses(user)]
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk__in=[u.pk for u in objs])
        needed = [] if others.exists() else [gettext("The site would be left without an administrator.")]
        return listed, {str(self.opts.verbose_name_plural): len(listed) // 2}, set(), needed

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        personal_data.delete_account(user=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            personal_data.delete_account(user=user)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Tokens are listed and revoked. No page or link shows a digest, though it is the key of the row."""

    list_display = ("start", "name", "person", "created", "last_used", "expiry", "revoke")
    list_display_links = None
    list_filter = ("last_used",)
    list_select_related = ("user",)
    search_fields = ("name", "token_key", "user__email")
    ordering = ("-created",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    @admin.display(description=_("starts with"), ordering="token_key")
    def start(self, token: ApiToken) -> str:
        return f"{token.token_key}…"

    @admin.display(description=_("person"), ordering="user__email")
    def person(self, token: ApiToken) -> str:
        return str(token.user)

    @admin.display(description=_("Revoke"))
    def revoke(self, token: ApiToken) -> str:
        url = reverse("admin:accounts_apitoken_revoke", args=[token.token_key])
        return format_html('<a class="deletelink" href="{}">{}</a>', url, gettext("Revoke"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="accounts_apitoken_changelist"),
            path("<slug:token_key>/revoke/", view(self.revoke_view), name="accounts_apitoken_revoke"),
        ]

    def revoke_view(self, request: HttpRequest, token_key: str) -> HttpResponse:
        """Revoke tokens after a confirmation."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        token = ApiToken.objects.select_related("user").filter(token_key=token_key).first()
        if token is None:
            raise Http404
        if request.method == "POST":
            LogEntry.objects.create(
                user=cast(User, request.user),
                object_repr=f"{token} ({token.token_key}…, {token.user})"[:200],
                action_flag=DELETION,
            )
            token.delete()
            self.message_user(request, gettext("The token is revoked."), messages.SUCCESS)
            return redirect("admin:accounts_apitoken_changelist")
        context = {
            **self.admin_site.each_context(request),
            "token": token,
            "opts": self.opts,
            "title": gettext("Revoke?"),
        }
        return render(request, "admin/accounts/apitoken/revoke.html", context)


# allauth's own pages show and change what is secret; the provider of single sign-on is set by variables.
admin.site.unregister([Authenticator, SocialAccount, SocialApp, SocialToken])


class _ListedAndRemoved:
    """Rows that people make, and the administration only removes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SocialAccount)
class ConnectionAdmin(_ListedAndRemoved, admin.ModelAdmin[SocialAccount]):
    """Which accounts of the provider sign in whom."""

    list_display = ("user", "uid", "date_joined", "last_login")
    search_fields = ("user__email", "uid")
    list_select_related = ("user",)
    fields = readonly_fields = list_display


@admin.register(Authenticator)
class FactorAdmin(_ListedAndRemoved, admin.ModelAdmin[Authenticator]):
    """Second factors are listed and, for somebody who lost their phone, removed."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type", "created_at")
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = readonly_fields = list_display

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        factors.delete_factor(factor=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        for factor in queryset:
            factors.delete_factor(factor=factor)


@admin.register(Webhook)
class WebhookAdmin(_ListedAndRemoved, admin.ModelAdmin[Webhook]):
    """Where people have messages sent to. The secret is shown nowhere."""

    list_display = ("address", "user", "active", "failures", "failing_since", "stopped_at", "created")
    list_filter = ("active",)
    search_fields = ("user__email", "address")
    list_select_related = ("user",)
    fields = readonly_fields = (*list_display, "events")

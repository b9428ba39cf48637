"""Where this site differs from django-allauth's defaults."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.core.ratelimit import respond_429
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from genreweb.accounts import provider_reauthentication, sign_in_rules
from genreweb.accounts.addresses import verification_is_mandatory
from genreweb.accounts.models import User

log = logging.getLogger(__name__)


_OF_ACCOUNT = {"app": "allauth.account", "action": "login_failed_of_account"}


class TooManyAttempts(ImmediateHttpResponse):
    """Passwords were tried too often, for one account or from one address."""


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "duplicate_email": gettext_lazy("This e-mail address is that of your account already."),
        "email_password_mismatch": gettext_lazy("The e-mail address or the password is wrong."),
        "email_taken": gettext_lazy("Somebody has this e-mail address already."),
        "unknown_email": gettext_lazy("No account has this e-mail address."),
        "unverified_primary_email": gettext_lazy("Confirm your e-mail address first."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN) and not sign_in_rules.provider_only()

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        through_provider = "sociallogin" in (kwargs.get("signal_kwargs") or {})
        if not through_provider and not sign_in_rules.may_sign_in_here(user):
            messages.error(request, sign_in_rules.refusal())
            return HttpResponseRedirect(reverse("account_login"))
        refused: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return refused

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        required = bool(super().is_reauthentication_required(app=app, **kwargs))
        if required and self.request is not None:
            provider_reauthentication.require(self.request)
        return required

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not provider_reauthentication.is_possible(user):
            return methods
        if not sign_in_rules.may_sign_in_here(user):
            methods = [method for method in methods if method["id"] != "reauthenticate"]
        return [*methods, provider_reauthentication.method()]

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit)
        except IntegrityError as error:
            # The form was sent twice at once (a double click), and the other one was first.
            raise ImmediateHttpResponse(self._already_signed_up(request)) from error
        return saved

    def _already_signed_up(self, request: HttpRequest) -> HttpResponse:
        if verification_is_mandatory():
            sent: HttpResponse = self.respond_email_verification_sent(request, None)
            return sent
        messages.info(request, gettext("This account exists already: sign in."))
        return HttpResponseRedirect(reverse("account_login"))

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        # allauth would only find others' confirmed addresses; ours are unique whether confirmed or not.
        if User.objects.filter(email__iexact=email_address.email).exclude(pk=email_address.user_id).exists():
            self.add_message(
                request,
                messages.ERROR,
                "account/messages/email_confirmation_failed.txt",
                {"email": email_address.email},
            )
            return False
        return bool(super().confirm_email(request, email_address))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            # Said by a page with the right status, not by a form that looks as if it could be sent again.
            raise TooManyAttempts(respond_429(request)) from error
        of_account = ratelimit.consume(request, **_OF_ACCOUNT, key=_account(credentials))
        if of_account is None:
            raise TooManyAttempts(respond_429(request))
        # Given back with the other count where the password is right.
        self._login_failed_rl_usage.usage += of_account.usage

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Together with the address that a request comes from, so that nobody locks out somebody elsewhere.
        # allauth counts per host name too, and a site open to any name would hand out fresh counts for each.
        return f"{_account(credentials)} {ratelimit.get_ip(request)}"

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        super()._delete_login_attempts_cached_email(request, **credentials)
        ratelimit.clear(request, **_OF_ACCOUNT, key=_account(credentials))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:account")

    def get_reset_password_from_key_url(self, key: str) -> str:
        return _at_site(super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return _at_site(super().get_email_confirmation_url(request, emailconfirmation))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError) as error:
            log.exception("a letter could not be sent (%s)", template_prefix)
            page = render(self.request, "account/mail_failed.html", status=503)
            raise ImmediateHttpResponse(page) from error

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().send_notification_mail(*args, **kwargs)
        except ImmediateHttpResponse:
            # What the letter tells about is done already; that it could not be sent is in the log.
            return


def _account(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email") or credentials.get("username") or "").lower()


def _at_site(url: str) -> str:
    """Put a link in a letter under the site's own address, whatever host name the request came with."""
    if not settings.SITE_URL:
        return url
    parts = urlsplit(url)
    return f"{settings.SITE_URL}{parts.path}"

"""Second factors: how their secrets are kept, and whether a person has one."""

from __future__ import annotations

import logging
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext, gettext_lazy

from genreweb.accounts.models import User
from genreweb.encryption import DecryptionError, decrypt, encrypt

log = logging.getLogger(__name__)

_ASKED_FOR = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes alone are no second factor."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Where this site differs from django-allauth's defaults for second factors."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy("This code or passkey is not right, or was used already."),
        "unverified_email": gettext_lazy("Confirm your e-mail address first."),
    }

    def get_totp_issuer(self) -> str:
        return f"Genreweb ({self._get_site_name()})"

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return decrypt(encrypted_text)
        except DecryptionError:
            log.exception("a second factor was encrypted under another SECRET_KEY: it cannot be used")
            # Of a random secret, so that no code can be right. Anything constant would be known to everybody.
            return str(generate_totp_secret())

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:  # noqa: A002  # allauth's
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return gettext("Passkey %(number)d") % {"number": count + 1}


def has_second_factor(user: AbstractBaseUser) -> bool:
    """Tell whether signing in takes more than the password."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=_ASKED_FOR).exists())


def check_code(*, user: User, code: str) -> bool:
    """Tell whether a code of the authenticator app, or a recovery code, is right; each is good once.

    Attempts are counted like those of the pages.
    """
    form = AuthenticateForm(user=user, data={"code": code})
    if not form.is_valid():
        return False
    form.authenticator.record_usage()
    return True


def delete_factor(*, factor: Authenticator) -> None:
    """Remove a factor, and the recovery codes with the last one that they could replace."""
    user_id = factor.user_id
    factor.delete()
    left = Authenticator.objects.filter(user_id=user_id)
    if not left.filter(type__in=_ASKED_FOR).exists():
        left.delete()


def listed(user: User) -> list[dict[str, Any]]:
    """List a person's factors without anything secret."""
    return [
        {
            "kind": factor.type,
            "name": factor.wrap().name if factor.type == Authenticator.Type.WEBAUTHN else "",
            "added": factor.created_at,
            "last_used": factor.last_used_at,
        }
        for factor in Authenticator.objects.filter(user=user).order_by("created_at", "pk")
    ]

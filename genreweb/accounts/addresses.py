"""Keep ``User.email`` and django-allauth's row of the same address consistent."""

from __future__ import annotations

from allauth.account.app_settings import EmailVerificationMethod
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction


class AddressTakenError(Exception):
    """Another person already uses this e-mail address."""


def verification_is_mandatory() -> bool:
    """Tell whether a user must confirm the e-mail address before logging in."""
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION == EmailVerificationMethod.MANDATORY)


def is_verified(user: AbstractUser) -> bool:
    """Tell whether the user's e-mail address is confirmed."""
    return bool(EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists())


def ensure_address(*, user: AbstractUser, verified: bool = False) -> None:
    """Make the user's address the only one that allauth knows; a confirmation is never withdrawn."""
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
        address, _created = EmailAddress.objects.get_or_create(user=user, email=user.email)
        address.primary = True
        address.verified = address.verified or verified
        address.save(update_fields=["primary", "verified"])


def change_address(*, user: AbstractUser, email: str) -> None:
    """Change the address at once, unconfirmed, for a site that cannot send e-mail.

    Raises
    ------
    AddressTakenError
        If another user has it.
    """
    previous, user.email = user.email, email.lower()
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
            ensure_address(user=user)
    except IntegrityError as error:
        user.email = previous
        raise AddressTakenError from error


def propose_address(*, user: AbstractUser, email: str) -> EmailAddress:
    """Store the address that a user wants to change to, in place of any earlier proposal.

    The address in use stays as it is until the new one is confirmed.
    """
    with transaction.atomic():
        others = EmailAddress.objects.filter(user=user, verified=False, primary=False)
        others.exclude(email__in=[user.email, email.lower()]).delete()
        address, _created = EmailAddress.objects.get_or_create(user=user, email=email.lower())
    return address

"""Keep ``User.email`` and the row by which django-allauth knows the same address in step."""

from __future__ import annotations

from allauth.account.app_settings import EmailVerificationMethod
from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction

from genreweb.accounts.models import User


class AddressTakenError(Exception):
    """Another person already uses this e-mail address."""


def verification_is_mandatory() -> bool:
    """Whether nobody gets in before their e-mail address is confirmed."""
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION == EmailVerificationMethod.MANDATORY)


def is_verified(user: User) -> bool:
    """Whether somebody has shown that letters to the user's address reach them."""
    return bool(EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists())


def ensure_address(*, user: User, verified: bool = False) -> None:
    """Make the user's own address the one and only that allauth knows; never take a confirmation back."""
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
        address, _created = EmailAddress.objects.get_or_create(user=user, email=user.email)
        address.primary = True
        address.verified = address.verified or verified
        address.save(update_fields=["primary", "verified"])


def change_address(*, user: User, email: str) -> None:
    """Give a person another address at once, unconfirmed: for a site that cannot send letters.

    Raises
    ------
    AddressTakenError
        If somebody else has it.
    """
    previous, user.email = user.email, email.lower()
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
            ensure_address(user=user)
    except IntegrityError as error:
        user.email = previous
        raise AddressTakenError from error


def propose_address(*, user: User, email: str) -> EmailAddress:
    """Note the address a person wants to change to, in place of any they named before.

    The address in use stays as it is until the new one is confirmed.
    """
    with transaction.atomic():
        others = EmailAddress.objects.filter(user=user, verified=False, primary=False)
        others.exclude(email__in=[user.email, email.lower()]).delete()
        address, _created = EmailAddress.objects.get_or_create(user=user, email=email.lower())
    return address

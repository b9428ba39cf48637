"""The forms of passkeys, which carry what the browser and its authenticator say as JSON."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as allauth_forms
from django import forms
from django.utils.translation import gettext_lazy as _

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What the parsers of allauth and fido2 raise for JSON that no browser sends."""


class AddPasskeyForm(allauth_forms.AddWebAuthnForm):
    """Another passkey of a person."""

    name = forms.CharField(label=_("Name"), max_length=80, required=False)
    passwordless = forms.BooleanField(
        label=_("Sign in with this passkey alone, without the password"), initial=True, required=False
    )

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return cleaned


class RenamePasskeyForm(allauth_forms.EditWebAuthnForm):
    """Another name for a passkey."""

    name = forms.CharField(label=_("Name"), max_length=80)


class _CheckedCredential:
    """Refuses malformed credentials in words."""

    def clean_credential(self) -> Authenticator:
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form that this is mixed into
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class UsePasskeyForm(_CheckedCredential, allauth_forms.AuthenticateWebAuthnForm):
    """A passkey as the second factor."""


class PasskeySignInForm(_CheckedCredential, allauth_forms.LoginWebAuthnForm):
    """A passkey in place of address and password."""


class ConfirmByPasskeyForm(_CheckedCredential, allauth_forms.ReauthenticateWebAuthnForm):
    """A passkey before something that touches the safety of an account."""

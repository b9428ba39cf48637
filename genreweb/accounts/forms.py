"""The forms of the account pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.fields import EmailField
from allauth.account.forms import AddEmailForm, ReauthenticateForm
from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from allauth.socialaccount.forms import SignupForm as AllauthProviderSignupForm
from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from genreweb.accounts import addresses
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope, all_scopes
from genreweb.shown_text import one_line


def _name_address(field: forms.Field) -> None:
    """Call an address what all other pages call it; allauth says "Email"."""
    field.label = _("E-mail address")


class LoginForm(AllauthLoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_address(self.fields["login"])


class ResetPasswordForm(AllauthResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_address(self.fields["email"])


class ProviderSignupForm(AllauthProviderSignupForm):
    """A new account of somebody who comes from a provider that did not tell their address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_address(self.fields["email"])


class SignupForm(AllauthSignupForm):
    """A new account; all that is wrong is told at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_address(self.fields["email"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        # allauth compares the passwords only where the first one is good.
        passwords = [self[name].data for name in ("password1", "password2")]
        if all(passwords) and passwords[0] != passwords[1] and not self.has_error("password2"):
            self.add_error("password2", gettext("You must type the same password each time."))
        return cleaned


class ProfileForm(forms.ModelForm[User]):
    """What others may see of a person."""

    class Meta:
        model = User
        fields = ("display_name",)
        widgets = {"display_name": forms.TextInput(attrs={"autocomplete": "nickname"})}

    def clean_display_name(self) -> str:
        return one_line(str(self.cleaned_data["display_name"]))


class TokenForm(forms.Form):
    """What a new token is for, what it may do, and for how long."""

    name = forms.CharField(
        label=_("What it is for"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=Scope.choices,
        initial=all_scopes,
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedChoiceField(
        label=_("How long it works"),
        choices=[
            ("", _("Until it is revoked")),
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("A year")),
        ],
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        # The page has other fields of this kind.
        super().__init__(data, auto_id="id_token_%s")

    @property
    def expires(self) -> datetime | None:
        days: int | None = self.cleaned_data["days"]
        return None if days is None else timezone.now() + timedelta(days=days)


class ChangeEmailForm(AddEmailForm):
    """A new address: at once where the site cannot send letters, else once it is confirmed."""

    user: User
    email = EmailField(label=_("New e-mail address"))

    def clean_email(self) -> str:
        email: str = super().clean_email()
        # Without letters a change takes effect at once, so that the address is taken can be no secret.
        taken = User.objects.filter(email__iexact=email).exclude(pk=self.user.pk).exists()
        if taken and not addresses.verification_is_mandatory():
            raise get_adapter().validation_error("email_taken")
        return email

    def save(self, request: HttpRequest) -> EmailAddress:
        email = self.cleaned_data["email"]
        if addresses.verification_is_mandatory():
            # Not allauth's own way, which would take the address in use away where that was never confirmed.
            address = addresses.propose_address(user=self.user, email=email)
            send_verification_email_to_address(request, address)
            return address
        try:
            addresses.change_address(user=self.user, email=email)
        except addresses.AddressTakenError:
            messages.error(request, get_adapter().error_messages["email_taken"])
        else:
            messages.success(request, gettext("Your e-mail address is now %(email)s.") % {"email": email})
        return EmailAddress.objects.get(user=self.user, primary=True)


class DeleteAccountForm(ReauthenticateForm):
    """The password once more, counted like an attempt to sign in; the address from whoever has none."""

    email = forms.EmailField(label=_("Your e-mail address, to be sure"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["email" if self.user.has_usable_password() else "password"]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if email.lower() != self.user.email.lower():
            raise forms.ValidationError(gettext("This is not the address of your account."))
        return email

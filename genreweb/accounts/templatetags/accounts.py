"""What the account templates need to know and to draw."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput
from django.utils.safestring import SafeString

from genreweb.accounts import sign_in_rules

register = template.Library()


@register.simple_tag
def letters_arrive() -> bool:
    """Whether the site can send e-mail."""
    return bool(settings.MAIL_IS_REAL)


@register.simple_tag
def single_sign_on() -> str:
    """Give the name of the provider that people may sign in through, empty where there is none."""
    return str(settings.OIDC_NAME) if sign_in_rules.has_provider() else ""


@register.simple_tag
def provider_only() -> bool:
    """Whether people may sign in through the provider only."""
    return sign_in_rules.provider_only()


@register.filter
def may_use_password(user: Any) -> bool:
    """Whether somebody may sign in with a password."""
    return sign_in_rules.may_sign_in_here(user)


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field in the site's manner: allauth's placeholders would only repeat the label."""
    field.field.widget.attrs.pop("placeholder", None)
    kind = "form-check-input" if isinstance(field.field.widget, CheckboxInput) else "form-control"
    attrs: dict[str, Any] = {"class": f"{kind} is-invalid" if field.errors else kind}
    return field.as_widget(attrs=attrs)

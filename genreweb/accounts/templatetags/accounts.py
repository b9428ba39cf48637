"""What the account templates need to know and to draw."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def letters_arrive() -> bool:
    """Whether the site can send e-mail."""
    return bool(settings.MAIL_IS_REAL)


@register.simple_tag
def single_sign_on() -> str:
    """Give the name of the provider that people may sign in through, empty where there is none."""
    return str(settings.OIDC_NAME) if settings.OIDC_SERVER_URL and settings.OIDC_CLIENT_ID else ""


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field in the site's manner: allauth's placeholders would only repeat the label."""
    field.field.widget.attrs.pop("placeholder", None)
    kind = "form-check-input" if isinstance(field.field.widget, CheckboxInput) else "form-control"
    attrs: dict[str, Any] = {"class": f"{kind} is-invalid" if field.errors else kind}
    return field.as_widget(attrs=attrs)

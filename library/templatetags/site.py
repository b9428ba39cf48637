"""Template tags of the base template."""

from __future__ import annotations

from django import template
from django.conf import settings

from genreweb.accounts.models import User

register = template.Library()


@register.simple_tag
def signup_is_open() -> bool:
    """Whether visitors may create an account."""
    return bool(settings.SIGNUP_OPEN)


@register.filter
def initial(user: User) -> str:
    """Return the initial of a user."""
    return str(user)[:1].upper()

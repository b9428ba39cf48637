"""What every page's frame needs to know."""

from __future__ import annotations

from django import template
from django.conf import settings

from genreweb.accounts.models import User

register = template.Library()


@register.simple_tag
def signup_is_open() -> bool:
    """Whether strangers may make an account."""
    return bool(settings.SIGNUP_OPEN)


@register.filter
def initial(user: User) -> str:
    """Give the letter that stands for a person."""
    return str(user)[:1].upper()

"""Template tags of the base template."""

from __future__ import annotations

from django import template
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from classifier.registry import name_in_service
from genreweb.accounts import sign_in_rules
from genreweb.accounts.models import User
from genreweb.version import VERSION

register = template.Library()


@register.simple_tag
def signup_is_open() -> bool:
    """Whether visitors may create an account."""
    return bool(settings.SIGNUP_OPEN) and not sign_in_rules.provider_only()


@register.simple_tag
def bin_days() -> int:
    """How many days deleted tracks can be restored; 0 where they are deleted at once."""
    return int(settings.BIN_DAYS)


@register.simple_tag
def application_version() -> str:
    """Give the version of the program that this site runs."""
    return VERSION


@register.simple_tag
def classifier_version() -> str:
    """Name the classifier in service; '' where there is none, or where the database cannot be asked."""
    try:
        return name_in_service()
    except DatabaseError:
        return ""


@register.filter
def fixed_path(request: HttpRequest) -> str:
    """Give the path of a page that there is once, such as the catalogue's; of others nothing."""
    match = getattr(request, "resolver_match", None)
    return "" if match is None or match.args or match.kwargs else request.path


@register.filter
def initial(user: User) -> str:
    """Return the initial of a user."""
    return str(user)[:1].upper()

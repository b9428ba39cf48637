"""Which ways of signing in there are: all, or with `OIDC_ONLY` the provider's alone but for superusers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext


def has_provider() -> bool:
    """Tell whether people may sign in through an OpenID Connect provider."""
    return bool(settings.OIDC_SERVER_URL and settings.OIDC_CLIENT_ID)


def provider_only() -> bool:
    """Tell whether people may sign in through the provider only."""
    return bool(settings.OIDC_ONLY and has_provider())


def may_sign_in_here(user: Any) -> bool:
    """Tell whether somebody may sign in with a password or a passkey; superusers always may.

    Else nobody could set right a provider that is away or was set up wrongly.
    """
    return not provider_only() or bool(user.is_superuser)


def refusal() -> str:
    """Say where to sign in instead."""
    return gettext("On this site you sign in with %(name)s.") % {"name": settings.OIDC_NAME}


def hidden_where_provider_only(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """Hide a page of passwords where they sign in nobody but superusers, who see it once they are in."""

    @functools.wraps(view)
    def hidden(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_sign_in_here(request.user):
            raise Http404
        return view(request, *args, **kwargs)

    return hidden

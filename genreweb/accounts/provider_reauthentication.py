"""People who sign in through the provider alone prove there that it is them before a sensitive change."""

from __future__ import annotations

import time
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.internal.flows import reauthentication
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from genreweb.accounts import sign_in_rules
from genreweb.accounts.models import User

_ASKED = "reauthenticate"
_CLOCKS_DIFFER_SECONDS = 60


def is_possible(user: Any) -> bool:
    """Tell whether the provider can be asked who somebody is."""
    return bool(
        sign_in_rules.has_provider()
        and user.is_authenticated
        and SocialAccount.objects.filter(user=user).exists()
    )


def method() -> dict[str, str]:
    """Describe this way for django-allauth."""
    words = gettext("Sign in again with %(name)s") % {"name": settings.OIDC_NAME}
    return {"id": "sso_reauthenticate", "description": words, "url": reverse("sso_reauthenticate")}


def require(request: HttpRequest) -> None:
    """Have somebody proven again whom django-allauth lets through, since they have nothing but the provider.

    Raises
    ------
    ReauthenticationRequired
    """
    user = request.user
    if reauthentication.get_reauthentication_flows(user) or not is_possible(user):
        return
    if not is_recent(request):
        raise ReauthenticationRequired


def is_recent(request: HttpRequest) -> bool:
    """Tell whether somebody proved lately that it is them, in any way."""
    proofs = [one for one in get_authentication_records(request, request.user) if one.get("reauthenticated")]
    return bool(proofs) and time.time() - proofs[-1]["at"] < account_settings.REAUTHENTICATION_TIMEOUT


def redirect_arguments(user: User, next_url: str) -> dict[str, Any]:
    """Give what the provider is asked for: to have this person sign in anew, whoever is signed in there."""
    return {
        "process": "redirect",
        "data": {_ASKED: user.pk, "at": time.time()},
        "next_url": f"{reverse('sso_reauthenticate')}?{urlencode({'next': next_url})}",
        "auth_params": {"prompt": "login", "max_age": "0"},
    }


def complete(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """Note that somebody came back from the provider who was sent there to prove who they are.

    Raises
    ------
    ImmediateHttpResponse
        It is somebody else who came back, or they did not sign in anew.
    """
    data = sociallogin.state.get("data") or {}
    if _ASKED not in data:
        return
    user = request.user
    same = (
        user.is_authenticated and sociallogin.is_existing and sociallogin.user.pk == user.pk == data[_ASKED]
    )
    # The standard demands it where `max_age` was asked for; providers that do not tell it are believed.
    signed_in_at = getattr(sociallogin, "auth_time", None)
    anew = signed_in_at is None or signed_in_at >= data["at"] - _CLOCKS_DIFFER_SECONDS
    if not (same and anew):
        page = render(request, "socialaccount/not_proven.html", {"name": settings.OIDC_NAME}, status=403)
        raise ImmediateHttpResponse(page)
    account = sociallogin.account
    record_authentication(
        request,
        user,
        "socialaccount",
        provider=account.provider,
        uid=account.uid,
        reauthenticated=True,
    )


def resume(request: HttpRequest) -> HttpResponse:
    """Go on with what was interrupted by the question."""
    response: HttpResponse | None = reauthentication.resume_request(request)
    return response or redirect("accounts:account")

"""Single sign-on through one OpenID Connect provider, set by the ``OIDC_*`` variables."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import jwt
import requests
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount import views as allauth_views
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from genreweb.accounts import provider_reauthentication
from genreweb.accounts.addresses import verification_is_mandatory
from genreweb.accounts.models import User
from genreweb.accounts.sign_in_rules import has_provider

log = logging.getLogger(__name__)

_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Of signatures by a key pair: the client secret must not be able to sign."""

_BROKEN = (
    *(OAuth2Error, requests.RequestException, jwt.PyJWTError, ImproperlyConfigured),
    *(KeyError, TypeError, ValueError, AttributeError),
)
"""What a provider that is away, or answers with anything but what the standard says, ends in."""

_View = Callable[..., HttpResponse]


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Where this site differs from django-allauth's defaults for other sites' accounts."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return bool(settings.OIDC_SIGN_UP)

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Find whom an address belongs to, where both the provider and this site have confirmed it.

        With less, whoever registers somebody's address here or there would get into their account.
        """
        for address in sociallogin.email_addresses:
            if address.verified is True:
                rows = EmailAddress.objects.filter(email__iexact=address.email, verified=True)
                row = rows.select_related("user").first()
                if row is not None:
                    return row.user, row.email
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        provider_reauthentication.complete(request, sociallogin)
        if sociallogin.is_existing or sociallogin.state.get("process") == "connect":
            return
        for address in sociallogin.email_addresses:
            # Said to whoever has the address, or where signing up says it too.
            may_say = address.verified is True or not verification_is_mandatory()
            if may_say and User.objects.filter(email__iexact=address.email).exists():
                context = {"email": address.email}
                raise ImmediateHttpResponse(
                    render(request, "socialaccount/address_taken.html", context, status=409)
                )

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        user: User = sociallogin.user
        user.email = str(data.get("email") or "").lower()
        user.display_name = " ".join(str(data.get("name") or "").split())[:80]
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: BaseForm | None = None) -> User:
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, sociallogin, form)
        except IntegrityError as error:
            # The same person came twice at once, and the other one was first.
            page = render(request, "socialaccount/authentication_error.html", status=409)
            raise ImmediateHttpResponse(page) from error
        return saved


class OidcAdapter(OpenIDConnectOAuth2Adapter):
    """Checks what the provider says more strictly than django-allauth, which trusts the connection."""

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        claims = self._decode_id_token(app, kwargs["response"]["id_token"])
        info = self._fetch_user_info(token.token)
        # OpenID Connect Core 1.0, 5.3.2: else the answer is somebody else's.
        if info.get("sub") != claims["sub"]:
            raise OAuth2Error("the user info is not that of the ID token")
        # Some providers write true as text, and text is always true.
        info["email_verified"] = info.get("email_verified") in (True, "true")
        login: SocialLogin = self.get_provider().sociallogin_from_response(request, {"userinfo": info})
        moment = claims.get("auth_time")
        login.auth_time = float(moment) if isinstance(moment, int | float) else None
        return login

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        keys = jwt.PyJWKSet.from_dict(self._fetch(self.openid_config["jwks_uri"])).keys
        kid = jwt.get_unverified_header(id_token).get("kid")
        key = next((key for key in keys if kid is None or key.key_id == kid), None)
        if key is None:
            raise OAuth2Error("the ID token is signed by an unknown key")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key=key,
            algorithms=_ALGORITHMS,
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            leeway=30,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
        return claims

    def _fetch(self, url: str) -> dict[str, Any]:
        with SocialAccountAdapter().get_requests_session() as session:
            response = session.get(url)
            response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def _hidden_without_provider(view: _View) -> _View:
    @functools.wraps(view)
    def hidden(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not has_provider():
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(hidden)


def _guarded(view: _View) -> _View:
    """Say in words what went wrong with the provider."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except _BROKEN:
            log.exception("single sign-on failed")
            return render(request, "socialaccount/authentication_error.html", status=502)

    return _hidden_without_provider(guarded)


def _adapter(request: HttpRequest, provider_id: str) -> OidcAdapter:
    if provider_id != settings.OIDC_PROVIDER:
        raise Http404
    return OidcAdapter(request, provider_id)


@_guarded
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send somebody to the provider, by a page of its own.

    Browsers apply the policy for targets of forms (``form-action``) to redirects too, and where a provider
    sends people on to is not known.
    """
    adapter = _adapter(request, provider_id)
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="login")
    if limited is not None:
        return limited
    response: HttpResponse = OAuth2LoginView.adapter_view(adapter)(request)
    return _leave(request, response)


def _leave(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    target = response.get("Location", "")
    if not target.startswith(("https://", "http://")):
        return response
    return render(request, "socialaccount/leaving.html", {"target": target, "name": settings.OIDC_NAME})


@_guarded
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take somebody in whom the provider sends back."""
    response: HttpResponse = OAuth2CallbackView.adapter_view(_adapter(request, provider_id))(request)
    return response


@_guarded
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """Have somebody sign in at the provider once more, then go on with what that was asked for."""
    user = request.user
    if not user.is_authenticated or not provider_reauthentication.is_possible(user):
        raise Http404
    next_url = get_next_redirect_url(request) or ""
    if request.method == "POST":
        provider = OidcAdapter(request, settings.OIDC_PROVIDER).get_provider()
        arguments = provider_reauthentication.redirect_arguments(user, next_url)
        return _leave(request, provider.redirect(request, **arguments))
    if provider_reauthentication.is_recent(request):
        return provider_reauthentication.resume(request)
    context = {"name": settings.OIDC_NAME, "next": next_url}
    return render(request, "socialaccount/reauthenticate.html", context)


connections: _View = _hidden_without_provider(allauth_views.connections)
signup: _View = _hidden_without_provider(allauth_views.signup)
cancelled: _View = _hidden_without_provider(allauth_views.login_cancelled)
error: _View = _hidden_without_provider(allauth_views.login_error)


def listed(user: User) -> list[dict[str, Any]]:
    """List the accounts elsewhere that sign a person in, with what the provider said of them."""
    accounts = SocialAccount.objects.filter(user=user).order_by("date_joined", "pk")
    return list(accounts.values("provider", "uid", "date_joined", "last_login", "extra_data"))

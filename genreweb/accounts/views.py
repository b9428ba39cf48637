"""The account page, and what a person does from there."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from genreweb.accounts import addresses, archive, factors, personal_data, provider_reauthentication
from genreweb.accounts.forms import DeleteAccountForm, ProfileForm, TokenForm
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.quotas import quotas_of
from genreweb.accounts.tokens import TooManyTokensError, create_token
from genreweb.post_only import post_only

RETRY_AFTER_SECONDS = 300
"""As long as allauth counts failed attempts."""


def _person(request: HttpRequest) -> User:
    """Give who is signed in; only behind `login_required`."""
    return cast(User, request.user)


def _page(
    request: HttpRequest,
    *,
    profile: ProfileForm | None = None,
    token: TokenForm | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    person = _person(request)
    context: dict[str, Any] = {
        "profile_form": profile or ProfileForm(instance=person),
        "token_form": token or TokenForm(),
        "tokens": ApiToken.objects.filter(user=person),
        "secret": secret,
        "site_address": request.build_absolute_uri("/").rstrip("/"),
        "quotas": quotas_of(person),
        "has_second_factor": factors.has_second_factor(person),
        "unconfirmed": addresses.verification_is_mandatory() and not addresses.is_verified(person),
    }
    return render(request, "accounts/account.html", context, status=status)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show what the site knows of a person; take another name to show."""
    if request.method != "POST":
        return _page(request)
    # A copy: the page around a refused form must not show the refused name as theirs.
    form = ProfileForm(request.POST, instance=User.objects.get(pk=_person(request).pk))
    if not form.is_valid():
        return _page(request, profile=form, status=422)
    form.instance.save(update_fields=["display_name"])
    messages.success(request, gettext("Saved."))
    return redirect("accounts:account")


@never_cache
@login_required
@post_only("accounts:account")
def add_token(request: HttpRequest) -> HttpResponse:
    """Make a token, and show its secret this once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, token=form, status=422)
    try:
        _token, secret = create_token(
            user=_person(request),
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires=form.expires,
        )
    except TooManyTokensError as error:
        form.add_error(None, error.message)
        return _page(request, token=form, status=422)
    return _page(request, secret=secret, status=201)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_token(request: HttpRequest, token_key: str) -> HttpResponse:
    """Ask whether a token shall stop working, then stop it."""
    token = get_object_or_404(ApiToken, user=_person(request), token_key=token_key)
    if request.method != "POST":
        return render(request, "accounts/revoke_token.html", {"token": token})
    token.delete()
    messages.success(request, gettext("The token “%(name)s” no longer works.") % {"name": token})
    return redirect("accounts:account")


@never_cache
@login_required
@post_only("accounts:account")
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out everything the site holds on a person, as a ZIP archive."""
    response = StreamingHttpResponse(
        archive.stream(personal_data.export(_person(request))), content_type="application/zip"
    )
    response["Content-Disposition"] = f'attachment; filename="genreweb-{timezone.localdate():%Y-%m-%d}.zip"'
    return response


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def delete(request: HttpRequest) -> HttpResponse:
    """Say what is lost with an account, ask for the password, and delete it all."""
    person = _person(request)
    form = DeleteAccountForm(request.POST or None, user=person)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            provider_reauthentication.require(request)
            try:
                personal_data.delete_account(user=User.objects.get(pk=person.pk))
            except personal_data.LastAdministratorError:
                status = 409
            else:
                logout(request)
                messages.success(request, gettext("Your account and everything in it is deleted. Goodbye!"))
                return redirect("library:home")
    context = {
        "form": form,
        "losses": personal_data.losses(person),
        "last_administrator": personal_data.is_last_administrator(person),
    }
    return render(request, "accounts/delete.html", context, status=status)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Tell someone who tried too often when to try again."""
    response = render(request, "accounts/too_many_requests.html", status=429)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response

"""The one view of the OpenSubsonic API: who asks, whether they may, and in which form they are answered.

Cookies count for nothing here: what is asked for needs an API token, so that no other page can ask for it
with somebody's session.
"""

from __future__ import annotations

import math
import re
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from genreweb import api_rates
from genreweb.accounts.models import User
from library.subsonic import envelope, system
from library.subsonic.authentication import authenticate
from library.subsonic.calls import Answer, Call
from library.subsonic.errors import (
    CLIENT_TOO_OLD,
    GENERIC,
    NOT_ALLOWED,
    SERVER_TOO_OLD,
    SubsonicError,
    invalid,
)
from library.subsonic.methods import METHODS, PUBLIC, STREAM_AS_DECIDED
from library.subsonic.parameters import Parameters

_FORMS: Final = {"": envelope.XML, "xml": envelope.XML, "json": envelope.JSON}
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?", re.ASCII)


@csrf_exempt
@sensitive_post_parameters("apiKey", "p", "t", "s")
@require_http_methods(["GET", "HEAD", "POST"])
def call(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer one call; whatever fails is an error of the Subsonic API."""
    form, name = envelope.XML, name.removesuffix(".view")
    try:
        parameters = Parameters.of(request)
        form = _form(parameters)
        answer = _answer(request, name, parameters)
    except SubsonicError as error:
        help_url = request.build_absolute_uri(reverse("accounts:account"))
        answer = envelope.failure(error, form, help_url=help_url, by_http=name == STREAM_AS_DECIDED)
        if error.retry_after:
            answer["Retry-After"] = str(error.retry_after)
    response = answer if isinstance(answer, HttpResponseBase) else envelope.success(answer, form)
    api_rates.add_headers(request, response)
    return response


def _form(parameters: Parameters) -> str:
    form = parameters.text("f")
    if form not in _FORMS:
        # Above all jsonp: any page could read the answer.
        sentence = gettext("Answers come as XML or JSON: f is xml or json.")
        raise SubsonicError(GENERIC, sentence)
    return _FORMS[form]


def _answer(request: HttpRequest, name: str, parameters: Parameters) -> Answer:
    if name == PUBLIC:
        _count(request, None)
        return system.extensions()
    method = METHODS.get(name)
    if method is None:
        _count(request, None)
        raise SubsonicError(GENERIC, gettext("This server has no such method."), status=404)
    try:
        _check_version(parameters)
        user, token = authenticate(parameters)
    except SubsonicError:
        _count(request, None)
        raise
    _count(request, user)
    if method.scope not in token.scopes:
        sentence = gettext("This token does not allow that. It lacks: %(scopes)s.")
        raise SubsonicError(NOT_ALLOWED, sentence % {"scopes": method.scope.value})
    return method.function(Call(request, parameters, user, token))


def _check_version(parameters: Parameters) -> None:
    """Refuse players of another version of the protocol; who does not say its name or version is none."""
    parameters.required("c")
    version = _VERSION.fullmatch(parameters.required("v"))
    if version is None:
        raise invalid("v")
    major, minor = int(version[1]), int(version[2])
    if major < envelope.API_VERSION[0]:
        sentence = gettext("Incompatible Subsonic REST protocol version. Client must upgrade.")
        raise SubsonicError(CLIENT_TOO_OLD, sentence)
    if (major, minor) > envelope.API_VERSION[:2]:
        sentence = gettext("Incompatible Subsonic REST protocol version. Server must upgrade.")
        raise SubsonicError(SERVER_TOO_OLD, sentence)


_TOO_MANY: Final = 429


def _count(request: HttpRequest, user: User | None) -> None:
    """Count a call with those of the rest of the API; of visitors and failed proofs by their address.

    Raises
    ------
    SubsonicError
        There were too many.
    """
    counted = Request(request)
    counted.user = user or AnonymousUser()
    throttle: BaseThrottle = api_rates.UserRateThrottle() if user else api_rates.AnonRateThrottle()
    if not throttle.allow_request(counted, None):  # type: ignore[arg-type]  # these look at no view
        sentence = gettext("Too many requests. Try again in a while.")
        seconds = math.ceil(throttle.wait() or 1)
        raise SubsonicError(GENERIC, sentence, status=_TOO_MANY, retry_after=seconds)

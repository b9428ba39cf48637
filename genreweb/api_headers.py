"""Headers of every answer of the API: rate limits, and a validator by which it is not sent twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers

from genreweb import api_rates

_READER = ("Authorization", "Cookie", "Accept-Language")
"""Request headers on which any answer depends."""


class ApiHeadersMiddleware:
    """Tell the rate limits, and answer 304 to who has what is asked for already.

    The tag is a hash of the body: whatever changes an answer, be it the language or a link that was renewed,
    changes the tag.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        if match is None or "api" not in match.namespaces:
            return response
        api_rates.add_headers(request, response)
        if (
            request.method not in ("GET", "HEAD")
            or not isinstance(response, HttpResponse)
            or response.get("Content-Type", "").partition(";")[0] != "application/json"
        ):
            return response
        patch_vary_headers(response, _READER)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        if response.status_code != 200:
            return response
        etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
        response["ETag"] = etag
        return get_conditional_response(request, etag=etag, response=response) or response

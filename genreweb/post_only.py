"""Addresses that only take what a form sends, and the page on which somebody lands who opens one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def post_only(page: str, *kept: str) -> Callable[[V], V]:
    """Let a view answer POST alone, and send those who open its address to `page`, the name of an address.

    A browser opens it when somebody types it, reloads it, or signs in again after sending a form there.
    `kept` are the arguments of the address that `page` takes as well; it checks by itself who may see what.
    """

    def decorate(view: V) -> V:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method in ("GET", "HEAD"):
                return HttpResponseRedirect(reverse(page, kwargs={name: kwargs[name] for name in kept}))
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        return cast(V, answer)

    return decorate

"""Who may come to what curators do: to everybody else it is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def curator_required(view: V) -> V:
    """Let curators see a page; send strangers to sign in; to anybody else there is no such page.

    For a view that is a class: ``@method_decorator(curator_required, name="dispatch")``.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated or not request.user.is_curator:
            raise Http404
        return view(request, *args, **kwargs)

    return cast(V, login_required(guarded))


class IsCurator(BasePermission):
    """Let curators' programs in; to anybody else with an account there is no such address."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        if not request.user.is_curator:
            raise NotFound
        return True

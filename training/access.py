"""Access control for curators' pages and endpoints, which are 404 for everybody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from genreweb.accounts.scopes import Scope, require

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def curator_required(view: V) -> V:
    """Admit curators; redirect anonymous visitors to the login page; 404 for anybody else.

    For a view that is a class: ``@method_decorator(curator_required, name="dispatch")``.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated or not request.user.is_curator:
            raise Http404
        return view(request, *args, **kwargs)

    return cast(V, login_required(guarded))


class IsCurator(BasePermission):
    """Admit curators; 404 for other users, 403 for tokens that may not curate."""

    scope = Scope.CURATE
    """For the schema."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        require(request, self.scope)
        if not request.user.is_curator:
            raise NotFound
        return True

"""What a token lets a program do, and the one place where that is checked.

`BearerAuthentication` calls `check` for every request with a token, whatever the view's own permissions are.
Reading takes `read`. A view names the scope of its other methods in ``write_scope``; where it names none,
only a token with all scopes will do, so that what was forgotten stays closed.
"""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request


class Scope(TextChoices):
    """One thing that a token may allow."""

    READ = "read", _("Read: tracks, verdicts, lists")
    UPLOAD = "upload", _("Upload: send tracks, change and delete them")
    CONTRIBUTE = "contribute", _("Contribute: give clips for training, and withdraw them")
    CURATE = "curate", _("Curate: review clips, train and promote, as far as you may")


def all_scopes() -> list[str]:
    """Give every scope: those of a token for which nobody chose any."""
    return list(Scope.values)


class MissingScopeError(PermissionDenied):
    """A token does not allow what was asked; the code names the first scope that it lacks."""

    def __init__(self, missing: list[str]) -> None:
        sentence = gettext("This token does not allow that. It lacks: %(scopes)s.")
        super().__init__(sentence % {"scopes": ", ".join(missing)}, code=f"missing_scope_{missing[0]}")
        self.scopes = missing


def needed(view: Any, method: str) -> list[str]:
    """List the scopes that a token needs for a method of a view."""
    if method in SAFE_METHODS:
        return [Scope.READ]
    scope = getattr(view, "write_scope", None)
    return all_scopes() if scope is None else [scope]


def check(request: Request, granted: list[str]) -> None:
    """Refuse what a token with the scopes `granted` does not allow.

    Raises
    ------
    MissingScopeError
        If a scope is missing.
    """
    # A request outside a view, as in the tests of a library, has none to ask.
    view = (request.parser_context or {}).get("view")
    missing = [scope for scope in needed(view, str(request.method)) if scope not in granted]
    if missing:
        raise MissingScopeError(missing)


def require(request: Request, scope: Scope) -> None:
    """Refuse a token without `scope`; sessions have them all.

    Raises
    ------
    MissingScopeError
        If the request carries a token that lacks it.
    """
    granted = getattr(request.auth, "scopes", None)
    if granted is not None and scope not in granted:
        raise MissingScopeError([scope])

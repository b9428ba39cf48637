"""Who a program acts for: the bearer of a token (RFC 6750)."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from genreweb.accounts import scopes
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.tokens import stamp


class BearerAuthentication(TokenAuthentication):
    """``Authorization: Bearer <token>``; anything but a token in force is 401, a missing scope 403."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        found: tuple[User, ApiToken] | None = super().authenticate(request)
        if found is not None:
            scopes.check(request, found[1].scopes)
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        # Knox would fetch all that start alike, and the owner's others too: the digest finds the one.
        digest = hash_token(token.decode("utf-8", errors="replace"))
        found = ApiToken.objects.select_related("user").filter(pk=digest).first()
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise AuthenticationFailed(_("This token is unknown or no longer works."), code="invalid_token")
        user: User
        user, _token = self.validate_user(found)
        stamp(found)
        if scopes.Scope.CURATE not in found.scopes:
            # Also for reading: what only curators see is not there for a token that may not curate.
            user.is_curator = False
        return user, found

"""Who a player acts for: the owner of an API token.

Tokens are kept as hashes, so that neither they nor passwords can be compared with what a player makes of them
with a salt. Players that have a field for a password only can be given a token in its place.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext
from rest_framework.exceptions import AuthenticationFailed

from genreweb.accounts.authentication import BearerAuthentication
from genreweb.accounts.models import ApiToken, User
from library.subsonic.errors import (
    CONFLICTING_AUTHENTICATION,
    INVALID_KEY,
    MISSING,
    NO_SALTED_PASSWORDS,
    WRONG_PASSWORD,
    SubsonicError,
    invalid,
    missing,
)
from library.subsonic.parameters import Parameters

_KEY, _USER, _PASSWORD, _SALTED, _SALT = "apiKey", "u", "p", "t", "s"
_ENCODED: Final = "enc:"


def authenticate(parameters: Parameters) -> tuple[User, ApiToken]:
    """Find whose token a call carries, and note its use.

    Raises
    ------
    SubsonicError
        It carries none that works, or another kind of proof, or several.
    """
    if _KEY in parameters:
        if any(name in parameters for name in (_USER, _PASSWORD, _SALTED, _SALT)):
            raise _conflict()
        return _by_key(parameters.required(_KEY))
    if _SALTED in parameters or _SALT in parameters:
        if _PASSWORD in parameters:
            raise _conflict()
        sentence = gettext(
            "Passwords and tokens cannot be checked with a salt here. Use an API token as API key, or as the "
            "password with the player's setting for old servers."
        )
        raise SubsonicError(NO_SALTED_PASSWORDS, sentence, help_url=True)
    if _PASSWORD in parameters:
        return _by_password(parameters.required(_USER), parameters.required(_PASSWORD))
    if _USER in parameters:
        raise missing(_PASSWORD)
    raise SubsonicError(MISSING, missing(_KEY).message, help_url=True)


def _by_key(key: str) -> tuple[User, ApiToken]:
    try:
        return BearerAuthentication().authenticate_credentials(key.encode())
    except AuthenticationFailed as error:
        raise SubsonicError(INVALID_KEY, gettext("Invalid API key."), help_url=True) from error


def _by_password(name: str, password: str) -> tuple[User, ApiToken]:
    if password.startswith(_ENCODED):
        try:
            password = bytes.fromhex(password.removeprefix(_ENCODED)).decode()
        except ValueError as error:
            raise invalid(_PASSWORD) from error
    wrong = gettext(
        "Wrong username or password. The user name is your e-mail address, the password is an API token."
    )
    try:
        user, token = _by_key(password)
    except SubsonicError as error:
        raise SubsonicError(WRONG_PASSWORD, wrong, help_url=True) from error
    if user.email.casefold() != name.strip().casefold():
        raise SubsonicError(WRONG_PASSWORD, wrong, help_url=True)
    return user, token


def _conflict() -> SubsonicError:
    sentence = gettext("Multiple conflicting authentication mechanisms provided.")
    return SubsonicError(CONFLICTING_AUTHENTICATION, sentence)

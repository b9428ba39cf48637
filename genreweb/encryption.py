"""Secrets that must be readable again, such as those of second factors, encrypted before they become rows.

The key is derived from ``SECRET_KEY``, so that a copy of the database alone gives nothing away. What was
encrypted under a key of ``SECRET_KEY_FALLBACKS`` can still be read.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes


class DecryptionError(Exception):
    """A text was encrypted under another secret key, or is damaged."""


def _cipher() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str | bytes) -> bytes:
    """Derive a key by HKDF (RFC 5869): the secret key has any length, and signs other things too."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"genreweb.encryption")
    return base64.urlsafe_b64encode(derived.derive(force_bytes(key)))


def encrypt(text: str) -> str:
    """Encrypt a text under the secret key of the site."""
    return _cipher().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Give back what `encrypt` was given.

    Raises
    ------
    DecryptionError
    """
    try:
        return _cipher().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise DecryptionError from error

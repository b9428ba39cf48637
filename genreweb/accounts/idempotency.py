"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): what was sent twice is done once.

The answer to a request with a key is kept for `KEPT`, in the same database as what the request made. While
the request is worked on, its connection to the database holds a lock on the key, which ends with the
connection: a server that is killed locks nobody out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from genreweb.accounts.models import IdempotencyKey, User

KEPT = timedelta(hours=24)
HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Location", "Preference-Applied")

Handler = Callable[..., Response]


class InProgress(APIException):
    """The first request with this key is not finished."""

    status_code = 409
    default_code = "idempotency_in_progress"
    wait = 1
    """For Retry-After."""
    default_detail = gettext_lazy(
        "The first request with this key is still being worked on. Try again in a moment."
    )


class KeyReused(APIException):
    """The key was sent with another request."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = gettext_lazy("This key was sent with another request before. Make a new one.")


def idempotent(handler: Handler) -> Handler:
    """Let a view's method heed ``Idempotency-Key``.

    Only success is kept: a request that was refused made nothing, and may be sent again, corrected or not.
    """

    @wraps(handler)
    def handled(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None or not isinstance(request.user, User):
            return handler(view, request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            message = gettext("An Idempotency-Key has 1 to 255 printable characters of ASCII.")
            raise ValidationError(message, code="idempotency_key_invalid")
        fingerprint = fingerprint_of(request)
        with _locked(lock_number(request.user, key)) as first:
            if not first:
                raise InProgress
            kept = _kept(request.user, key)
            if kept is None:
                response = handler(view, request, *args, **kwargs)
                _keep(request.user, key, fingerprint, response)
                return response
        if kept.fingerprint != fingerprint:
            raise KeyReused
        headers = {**kept.headers, REPLAYED: "true"}
        return Response(json.loads(kept.body), status=kept.status, headers=headers)

    handled.is_idempotent = True  # type: ignore[attr-defined]  # for the schema
    return handled


def fingerprint_of(request: Request) -> str:
    """Hash what a request asks for: method, address and body, whatever the boundaries of its form."""
    digest = hashlib.sha256()

    def add(*parts: str) -> None:
        digest.update(json.dumps(parts).encode())

    add(str(request.method), request.get_full_path())
    data = request.data
    if not hasattr(data, "lists"):
        add(json.dumps(data, sort_keys=True))
        return digest.hexdigest()
    for name, values in sorted(data.lists()):
        for value in values:
            if isinstance(value, UploadedFile):
                add(name, str(value.name), _hash(value))
            else:
                add(name, str(value))
    return digest.hexdigest()


def forget_old_answers() -> int:
    """Delete answers that are kept no longer; return their number."""
    return IdempotencyKey.objects.filter(created__lte=timezone.now() - KEPT).delete()[0]


def _hash(file: UploadedFile[bytes]) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _kept(user: User, key: str) -> IdempotencyKey | None:
    row = IdempotencyKey.objects.filter(user=user, key=key).first()
    if row is not None and row.created <= timezone.now() - KEPT:
        row.delete()
        return None
    return row


def _keep(user: User, key: str, fingerprint: str, response: Response) -> None:
    if response.status_code >= 300:
        return
    IdempotencyKey.objects.create(
        user=user,
        key=key,
        fingerprint=fingerprint,
        status=response.status_code,
        body=JSONRenderer().render(response.data).decode(),
        headers={name: response[name] for name in _KEPT_HEADERS if response.has_header(name)},
    )


def lock_number(user: User, key: str) -> int:
    """Give the number by which PostgreSQL knows the lock on a key."""
    name = f"idempotency {user.pk} {key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _locked(number: int) -> Iterator[bool]:
    """Hold a lock for the time of a block; False where somebody else holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])

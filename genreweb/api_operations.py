"""What the schema says of every operation alike: the scopes it takes, and the statuses of its errors."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from genreweb import problems
from genreweb.accounts.scopes import Scope, needed

_EVERY = (400, 406, 429, 500, 503)
_WITH_TOKEN = (401, 403)
_WITH_BODY = (413, 415)
_IDEMPOTENT = (409, 422)
_MORE: dict[int, frozenset[str]] = {
    401: frozenset({"create_token"}),
    403: frozenset({"create_token"}),
    404: frozenset(
        {
            *("begin_reanalysis", "similar_to_many", "add_clip"),
            *("make_playlist", "generate_playlist", "find_path"),
        }
    ),
    409: frozenset(
        {
            *("similar_tracks", "similar_to_many", "get_explanation", "ask_for_explanation"),
            *("begin_reanalysis", "review_clip", "reopen_clip", "withdraw_clip", "start_training_run"),
            *("promote_model_version", "roll_back_model_version", "compare_model_version"),
            *("get_model_version_bundle", "import_model_version"),
            *("generate_playlist", "find_path", "order_playlist_tracks"),
        }
    ),
    507: frozenset(
        {
            *("add_track", "add_tracks", "add_clip", "classify", "import_model_version"),
            *("analyse_track", "similar_to_many"),
        }
    ),
}
"""Statuses of errors by the operations that answer them beside what all of their kind do."""
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Any words of your own: the same request sent again with them within 24 hours is answered "
    "as the first one was, with `Idempotency-Replayed: true`; another request with them is refused (422).",
}
_REQUEST_ID = {
    "in": "header",
    "name": "X-Request-ID",
    "schema": {"type": "string"},
    "description": "An id of your own for the request (a UUID): the answer repeats it, and the log names it.",
}


class OperationSchema(AutoSchema):
    """Adds to each operation what its view does not say itself."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        ways = {name for way in operation.get("security", []) for name in way}
        if "bearer" in ways:
            operation["x-token-scopes"] = self._scopes()
        responses = operation["responses"]
        operation.setdefault("parameters", []).append(_REQUEST_ID)
        if self._is_idempotent:
            operation["parameters"].append(_IDEMPOTENCY_KEY)
        if self.method == "GET":
            responses.setdefault("304", {"$ref": "#/components/responses/NotModified"})
        for status in self._errors(operation, with_token="bearer" in ways):
            responses.setdefault(str(status), {"$ref": "#/components/responses/Error"})
        operation["responses"] = {status: responses[status] for status in sorted(responses)}
        return operation

    @property
    def _is_idempotent(self) -> bool:
        return getattr(getattr(self.view, self.method.lower(), None), "is_idempotent", False)

    def _scopes(self) -> list[str]:
        found = needed(self.view, self.method)
        permissions = (getattr(permission, "scope", None) for permission in self.view.get_permissions())
        found += [scope for scope in permissions if scope and scope not in found]
        return [scope for scope in Scope.values if scope in found]

    def _errors(self, operation: dict[str, Any], *, with_token: bool) -> list[int]:
        found = set(_EVERY)
        if with_token:
            found.update(_WITH_TOKEN)
            if Scope.CURATE in self._scopes():
                found.add(404)
        parameters = operation.get("parameters", ())
        # A page that there is not is not found either.
        if any(each["in"] == "path" or each["name"] == "page" for each in parameters):
            found.add(404)
        if self.method in ("POST", "PUT", "PATCH", "DELETE"):
            found.update(_WITH_BODY)
        if self._is_idempotent:
            found.update(_IDEMPOTENT)
        found.update(status for status, names in _MORE.items() if operation["operationId"] in names)
        return sorted(found)


def describe_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the responses and the object of errors that every operation refers to."""
    fields = {
        "type": "object",
        "description": "The fields of the request that are at fault, with sentences on each.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
    code = {"type": "string", "description": "For programs.", "example": "too_short"}
    message = {"type": "string", "description": "For people, in their language."}
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ErrorWords"] = {
        "type": "object",
        "description": "As in the problem around it, for clients that are older than problems.",
        "required": ["code", "message"],
        "properties": {"code": code, "message": message, "fields": fields},
    }
    schemas["Error"] = {
        "type": "object",
        "description": "A problem (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "error"],
        "properties": {
            "type": {"type": "string", "description": "`about:blank`: `code` says which error it is."},
            "title": {"type": "string", "description": "The phrase of the status."},
            "status": {"type": "integer"},
            "detail": message,
            "code": code,
            "fields": fields,
            "error": {"$ref": "#/components/schemas/ErrorWords"},
        },
    }
    responses = components.setdefault("responses", {})
    responses["Error"] = {
        "description": "What went wrong.",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    responses["NotModified"] = {"description": "What the client has, by its `If-None-Match`, is still so."}
    return result

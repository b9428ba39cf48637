"""How the API describes itself: drf-spectacular's settings."""

from __future__ import annotations

from typing import Any

REQUEST_HEADERS = (
    *("accept", "authorization", "content-type", "content-disposition", "idempotency-key", "if-none-match"),
    *("prefer", "x-request-id", "tus-resumable", "upload-length", "upload-metadata", "upload-offset"),
)
"""What pages of other origins may send."""
RESPONSE_HEADERS = (
    *("content-disposition", "etag", "idempotency-replayed", "link", "location", "preference-applied"),
    *("ratelimit", "ratelimit-policy", "retry-after", "www-authenticate", "x-request-id"),
    *("content-location", "tus-extension", "tus-max-size", "tus-resumable", "tus-version"),
    *("upload-expires", "upload-length", "upload-metadata", "upload-offset"),
)
"""What they may read of an answer beside its body."""

SCHEMA: dict[str, Any] = {
    "TITLE": "Genreweb API",
    "DESCRIPTION": (
        "Send music, learn its genre, find similar tracks.\n\n"
        "`POST /api/v1/tokens/` gives a token for your e-mail address and password; send it along as "
        "`Authorization: Bearer <token>`. An upload is answered at once and analysed in the background: "
        "ask for the track until its `status` is `done` or `failed`, or send `Prefer: wait=30` with the "
        "upload.\n\n"
        "A token may be limited to scopes: `read`, `upload` (tracks), `contribute` (clips), `curate`. What "
        "lacks one is answered 403, with a code that names it, such as `missing_scope_upload`.\n\n"
        "Every error is `application/problem+json` (RFC 9457): `status`, `title`, `detail` for people, "
        "`code` for programs, and `fields` where some are wrong. `429` and `503` say in `Retry-After` when "
        "to come back, `RateLimit` in every answer how much is left.\n\n"
        "Lists name the addresses of other pages in `Link` too. `GET` answers with an `ETag`: send it in "
        "`If-None-Match`, and what has not changed is answered 304 without a body. Every answer has an "
        "`X-Request-ID`, which also stands in the site's log.\n\n"
        "Send an `Idempotency-Key` of your own making (such as a UUID) with what creates something, and the "
        "same request sent again within 24 hours gets the first answer again: nothing is made twice."
    ),
    "VERSION": "1",
    "TAGS": [
        {"name": "tracks", "description": "Your tracks and the catalogue"},
        {"name": "classify", "description": "A genre in one call, nothing kept"},
        {"name": "genres", "description": "What the classifier knows"},
        {"name": "clips", "description": "Labelled clips: give them, decide about them"},
        {"name": "training", "description": "Training runs: start, watch, cancel"},
        {"name": "versions", "description": "Trained classifiers: compare, put into service, take along"},
        {"name": "account", "description": "You and your tokens"},
        {"name": "webhooks", "description": "Addresses of yours that are told of events"},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Forms are taken wherever JSON is, with the same fields.
    "PARSER_WHITELIST": ["genreweb.api_parsers.JSONParser"],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "genreweb.api_operations.describe_responses",
        "genreweb.api_translations.translate_descriptions",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ScopeEnum": "genreweb.accounts.scopes.Scope",
        "WebhookEventEnum": "genreweb.accounts.webhook_models.WebhookEvent",
        "DeliveryStatusEnum": "genreweb.accounts.webhook_models.WebhookDelivery.Status",
        "SourceEnum": "library.models.Track.Source",
        "TrackStatusEnum": "library.models.Track.Status",
        "ExplanationStatusEnum": "library.models.Explanation.Status",
        "ReanalysisStatusEnum": "library.models.Reanalysis.Status",
        "ReanalysisScopeEnum": "library.models.Reanalysis.Scope",
        "ClipStatusEnum": "training.services.states.STATES",
        "TrainingRunStatusEnum": "training.models.TrainingRun.Status",
        "TrainingRunKindEnum": "training.models.TrainingRun.Kind",
        "TrainingRunStepEnum": "training.models.TrainingRun.Step",
        "VersionSourceEnum": "classifier.models.ModelVersion.Source",
        "UploadSourceEnum": "library.api.serializers.UPLOAD_SOURCES",
    },
}

"""How the API describes itself: drf-spectacular's settings."""

from __future__ import annotations

from typing import Any

SCHEMA: dict[str, Any] = {
    "TITLE": "Genreweb API",
    "DESCRIPTION": (
        "Send music, learn its genre, find similar tracks.\n\n"
        "`POST /api/v1/tokens/` gives a token for your e-mail address and password; send it along as "
        "`Authorization: Bearer <token>`. An upload is answered at once and analysed in the background: "
        "ask for the track until its `status` is `done` or `failed`, or send `Prefer: wait=30` with the "
        "upload.\n\n"
        'Every error is `{"error": {"code", "message"}}`, with `fields` where some are wrong. '
        "`429` and `503` say in `Retry-After` when to come back."
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
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "genreweb.api.describe_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
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

"""URLs of training's pages: contributions, review, training data, runs and versions."""

from __future__ import annotations

from django.urls import URLPattern, path

from training.views import (
    contribute,
    contribute_tracks,
    contributions,
    data,
    genres,
    receipts,
    review,
    review_lists,
    runs,
    versions,
)

app_name = "training"

urlpatterns: list[URLPattern] = [
    path("contribute/", contribute.contribute, name="contribute"),
    path("contribute/tracks/", contribute_tracks.contribute_tracks, name="contribute-tracks"),
    path("contribute/tracks/<uuid:pk>/", contribute.from_track, name="contribute-track"),
    path("contribute/tracks/<uuid:pk>/given/", contribute.given, name="given"),
    path("contributions/", contributions.contributions, name="contributions"),
    path("contributions/rows/", contributions.rows, name="clip-rows"),
    path("contributions/<uuid:pk>/withdraw/", contributions.withdraw, name="withdraw"),
    path("contributions/receipts/", receipts.receipts, name="receipts"),
    path("genres/new/", genres.new, name="genre-new"),
    path("genres/new/colour/", genres.colour, name="genre-colour"),
    path("training/data/", data.data, name="data"),
    path("training/data/clips.csv", data.table, name="data-csv"),
    path("training/data/clips.json", data.listing, name="data-json"),
    path("training/data/clips.zip", data.archive, name="data-archive"),
    path("training/runs/", runs.list_runs, name="runs"),
    path("training/runs/preflight/", runs.what_is_there, name="run-preflight"),
    path("training/runs/<uuid:pk>/", runs.run, name="run"),
    path("training/runs/<uuid:pk>/progress/", runs.progress, name="run-progress"),
    path("training/runs/<uuid:pk>/cancel/", runs.cancel, name="run-cancel"),
    path("training/versions/", versions.versions, name="versions"),
    path("training/versions/import/", versions.bring_in, name="versions-import"),
    path("training/versions/rollback/", versions.roll_back, name="versions-rollback"),
    path("training/versions/<int:pk>/", versions.version, name="version"),
    path("training/versions/<int:pk>/promote/", versions.promote, name="version-promote"),
    path("training/versions/<int:pk>/bundle/", versions.bundle, name="version-bundle"),
    path("review/", review.page, name="review"),
    path("review/next/", review.upcoming, name="review-next"),
    path("review/list/", review_lists.clips, name="review-list"),
    path("review/bulk/", review_lists.bulk, name="review-bulk"),
    path("review/bulk/undo/", review_lists.bulk_undo, name="review-bulk-undo"),
    path("review/health/", review_lists.doubts, name="review-health"),
    path("review/health/check/", review_lists.check, name="review-check"),
    path("review/<uuid:pk>/decide/", review.decide, name="review-decide"),
    path("review/<uuid:pk>/undo/", review.undo, name="review-undo"),
    path("review/<uuid:pk>/mel.jpeg", review.picture, name="review-picture"),
]

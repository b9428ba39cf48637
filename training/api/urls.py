"""URLs of clips, training runs and versions."""

from __future__ import annotations

from django.urls import URLPattern, path

from training.api import runs, versions
from training.api.clip_exports import ClipArchiveView, ClipJsonView, ClipTableView
from training.api.clips import ClipListView, ClipView
from training.api.genres import GenresView
from training.api.review import ClipReviewView, ClipsReviewView

urlpatterns: list[URLPattern] = [
    path("training-runs/", runs.RunListView.as_view(), name="training-runs"),
    path("training-runs/preflight/", runs.PreflightView.as_view(), name="training-preflight"),
    path("training-runs/<uuid:pk>/", runs.RunView.as_view(), name="training-run"),
    path("training-runs/<uuid:pk>/cancel/", runs.RunCancelView.as_view(), name="training-run-cancel"),
    path("model-versions/", versions.ModelVersionListView.as_view(), name="model-versions"),
    path("model-versions/rollback/", versions.RollbackView.as_view(), name="model-versions-rollback"),
    path("model-versions/<int:pk>/", versions.ModelVersionView.as_view(), name="model-version"),
    path("model-versions/<int:pk>/compare/", versions.CompareView.as_view(), name="model-version-compare"),
    path("model-versions/<int:pk>/promote/", versions.PromoteView.as_view(), name="model-version-promote"),
    path("model-versions/<int:pk>/bundle/", versions.BundleView.as_view(), name="model-version-bundle"),
    path("genres/", GenresView.as_view(), name="genres"),
    path("clips/", ClipListView.as_view(), name="clips"),
    path("clips/<uuid:pk>/", ClipView.as_view(), name="clip"),
    path("clips/export/csv/", ClipTableView.as_view(), name="clips-csv"),
    path("clips/export/json/", ClipJsonView.as_view(), name="clips-json"),
    path("clips/export/archive/", ClipArchiveView.as_view(), name="clips-archive"),
    path("clips/review/", ClipsReviewView.as_view(), name="clips-review"),
    path("clips/<uuid:pk>/review/", ClipReviewView.as_view(), name="clip-review"),
]

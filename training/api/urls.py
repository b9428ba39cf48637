"""Addresses of clips, training runs and versions."""

from __future__ import annotations

from django.urls import URLPattern, path

from training.api.review import ClipReviewView, ClipsReviewView

urlpatterns: list[URLPattern] = [
    path("clips/review/", ClipsReviewView.as_view(), name="clips-review"),
    path("clips/<uuid:pk>/review/", ClipReviewView.as_view(), name="clip-review"),
]

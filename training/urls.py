"""The pages that teach the platform: contributions, review, training data, runs and versions."""

from __future__ import annotations

from django.urls import URLPattern, path

from training.views import data

app_name = "training"

urlpatterns: list[URLPattern] = [
    path("training/data/", data.data, name="data"),
]

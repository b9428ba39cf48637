"""Addresses of the classifier's pages."""

from __future__ import annotations

from django.urls import path

from classifier import views

app_name = "classifier"

urlpatterns = [
    path("quality/", views.quality, name="quality"),
]

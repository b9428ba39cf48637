"""Addresses of the API, version 1."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from genreweb import api_reference
from genreweb.api import UnknownAddress

app_name = "api"

urlpatterns = [
    path("", include("library.api.urls")),
    path("", include("training.api.urls")),
    path("", include("genreweb.accounts.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", api_reference.page, name="docs"),
    re_path(r"", UnknownAddress.as_view(), name="unknown"),
]

"""Addresses of the API, version 1."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from genreweb.api import UnknownAddress

app_name = "api"

urlpatterns = [
    path("", include("library.api.urls")),
    path("", include("training.api.urls")),
    path("", include("genreweb.accounts.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        # Its script comes from an address of its own: the content security policy allows no inline one.
        SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html"),
        name="docs",
    ),
    re_path(r"", UnknownAddress.as_view(), name="unknown"),
]

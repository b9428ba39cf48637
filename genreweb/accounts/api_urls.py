"""What of the API is about people and their tokens."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from genreweb.accounts.api import MeView, TokenViewSet

_router = SimpleRouter()
_router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [*_router.urls, path("me/", MeView.as_view(), name="me")]

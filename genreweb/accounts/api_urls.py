"""What of the API is about people and their tokens."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from genreweb.accounts.api import MeView, TokenViewSet
from genreweb.accounts.webhooks.api import (
    DeliveryListView,
    WebhookListView,
    WebhookTestView,
    WebhookView,
)

_router = SimpleRouter()
_router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [
    *_router.urls,
    path("me/", MeView.as_view(), name="me"),
    path("webhooks/", WebhookListView.as_view(), name="webhooks"),
    path("webhooks/<uuid:pk>/", WebhookView.as_view(), name="webhook"),
    path("webhooks/<uuid:pk>/test/", WebhookTestView.as_view(), name="webhook-test"),
    path("webhooks/<uuid:pk>/deliveries/", DeliveryListView.as_view(), name="webhook-deliveries"),
]

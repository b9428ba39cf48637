"""The pages under ``/account/``; signing in and out and all around passwords is allauth's ``/accounts/``."""

from __future__ import annotations

from django.urls import path

from genreweb.accounts import views
from genreweb.accounts.webhooks import views as webhook_views

app_name = "accounts"

urlpatterns = [
    path("", views.account, name="account"),
    path("tokens/", views.add_token, name="add_token"),
    path("tokens/<slug:token_key>/revoke/", views.revoke_token, name="revoke_token"),
    path("webhooks/", webhook_views.webhooks, name="webhooks"),
    path("webhooks/<uuid:pk>/", webhook_views.webhook, name="webhook"),
    path("webhooks/<uuid:pk>/test/", webhook_views.test, name="webhook_test"),
    path("webhooks/<uuid:pk>/delete/", webhook_views.delete, name="webhook_delete"),
    path("export/", views.export, name="export"),
    path("delete/", views.delete, name="delete"),
]

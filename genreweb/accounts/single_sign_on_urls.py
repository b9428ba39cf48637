"""Addresses of single sign-on: those of django-allauth, by the same names."""

from __future__ import annotations

from django.urls import path

from genreweb.accounts import single_sign_on

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", single_sign_on.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", single_sign_on.callback, name="openid_connect_callback"),
    path("3rdparty/", single_sign_on.connections, name="socialaccount_connections"),
    path("3rdparty/signup/", single_sign_on.signup, name="socialaccount_signup"),
    path("3rdparty/login/cancelled/", single_sign_on.cancelled, name="socialaccount_login_cancelled"),
    path("3rdparty/login/error/", single_sign_on.error, name="socialaccount_login_error"),
]

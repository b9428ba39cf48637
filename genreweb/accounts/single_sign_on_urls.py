"""Addresses of single sign-on, and those that it may hide: as those of django-allauth, by the same names."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.urls import path, re_path

from genreweb.accounts import single_sign_on
from genreweb.accounts.sign_in_rules import hidden_where_provider_only

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", single_sign_on.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", single_sign_on.callback, name="openid_connect_callback"),
    path("oidc/again/", single_sign_on.reauthenticate, name="sso_reauthenticate"),
    path("3rdparty/", single_sign_on.connections, name="socialaccount_connections"),
    path("3rdparty/signup/", single_sign_on.signup, name="socialaccount_signup"),
    path("3rdparty/login/cancelled/", single_sign_on.cancelled, name="socialaccount_login_cancelled"),
    path("3rdparty/login/error/", single_sign_on.error, name="socialaccount_login_error"),
    *(
        path(f"password/{where}/", hidden_where_provider_only(view), name=name)
        for where, view, name in (
            ("set", allauth_views.password_set, "account_set_password"),
            ("change", allauth_views.password_change, "account_change_password"),
            ("reset", allauth_views.password_reset, "account_reset_password"),
            ("reset/done", allauth_views.password_reset_done, "account_reset_password_done"),
            (
                "reset/key/done",
                allauth_views.password_reset_from_key_done,
                "account_reset_password_from_key_done",
            ),
        )
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        hidden_where_provider_only(allauth_views.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
]

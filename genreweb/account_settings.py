"""Settings of django-allauth that no environment variable changes."""

from __future__ import annotations

from typing import Any

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "library:home"
ACCOUNT_ADAPTER = "genreweb.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "add_email": "genreweb.accounts.forms.ChangeEmailForm",
    "login": "genreweb.accounts.forms.LoginForm",
    "reset_password": "genreweb.accounts.forms.ResetPasswordForm",
    "signup": "genreweb.accounts.forms.SignupForm",
}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Genreweb] "
# One form sent is one attempt. Failed ones are counted by account and address together, so that nobody locks
# others out; and more slowly by account alone, against guesses from many addresses: more an hour than one
# address has. Codes of a second factor count as failed ones. Reset letters cost a mailbox.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "login_failed_of_account": "100/h/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
}

# --- second factors -------------------------------------------------------------------------------------
MFA_ADAPTER = "genreweb.accounts.factors.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "genreweb.accounts.factor_forms.AddPasskeyForm",
    "edit_webauthn": "genreweb.accounts.factor_forms.RenamePasskeyForm",
    "authenticate_webauthn": "genreweb.accounts.factor_forms.UsePasskeyForm",
    "login_webauthn": "genreweb.accounts.factor_forms.PasskeySignInForm",
    "reauthenticate_webauthn": "genreweb.accounts.factor_forms.ConfirmByPasskeyForm",
}

# --- single sign-on -------------------------------------------------------------------------------------
SOCIALACCOUNT_FORMS = {"signup": "genreweb.accounts.forms.ProviderSignupForm"}
SOCIALACCOUNT_ADAPTER = "genreweb.accounts.single_sign_on.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
OIDC_PROVIDER = "sso"
"""Names the provider in addresses and rows: there is one."""


def oidc_providers(*, server_url: str, client_id: str, secret: str, name: str) -> dict[str, Any]:
    """Give django-allauth's setting of providers: none where no server is set."""
    app = {
        "provider_id": OIDC_PROVIDER,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": server_url, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app] if server_url and client_id else []}}

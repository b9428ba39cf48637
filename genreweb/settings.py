"""Every setting of Genreweb, read once from the environment and typed.

With nothing set, the private PostgreSQL and Redis under ``GENREWEB_VAR`` are used. ``DATABASE_URL``,
``REDIS_URL`` and ``S3_BUCKET`` each replace one engine and change nothing else. What a combination may not
be is said by ``genreweb/checks.py``.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from genreweb.account_settings import *  # noqa: F403  # settings of these names
from genreweb.account_settings import oidc_providers
from genreweb.api_schema import REQUEST_HEADERS, RESPONSE_HEADERS, SCHEMA
from genreweb.bucket_origins import bucket_origins
from genreweb.embedded import paths
from genreweb.environment import Environment
from genreweb.installed import INSTALLED_APPS, MIDDLEWARE  # noqa: F401  # settings of these names
from genreweb.logs import FORMATS, REQUEST_IDS, logging_settings
from genreweb.schedule import beat_schedule

# Lets Django's generic classes be subscripted at run time too, as their types ask: ModelAdmin[Track].
django_stubs_ext.monkeypatch()

env = Environment(os.environ)

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = paths.var_dir()

# --- the site -------------------------------------------------------------------------------------------
EMBEDDED = not os.environ.get("DATABASE_URL")
"""Whether the site keeps its own PostgreSQL; then it may also make its own secret key."""

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or (paths.secret_key() if EMBEDDED else "")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
"""Former secret keys: what they signed or encrypted is still good."""
SITE_URL = env.origin("SITE_URL")
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000)
LOCAL_HOSTS = ["localhost", ".localhost", "127.0.0.1", "[::1]"]
# A private site that listens on the network is reached under names that are not known beforehand.
ALLOWED_HOSTS: list[str] = env.hosts("ALLOWED_HOSTS") or (
    [] if not EMBEDDED else LOCAL_HOSTS if HOST in ("127.0.0.1", "::1", "localhost") else ["*"]
)
CSRF_TRUSTED_ORIGINS: list[str] = env.origins("CSRF_TRUSTED_ORIGINS", [SITE_URL] if SITE_URL else [])
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
"""Whether a reverse proxy in front sets X-Forwarded-Proto and X-Forwarded-For."""
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", True)
ADMIN_EMAIL = env.str("GENREWEB_ADMIN_EMAIL", "")
ADMIN_PASSWORD = env.str("GENREWEB_ADMIN_PASSWORD", "")
"""Of the administrator that ``manage.py ensure_admin`` makes; read by nothing else."""

ROOT_URLCONF = "genreweb.urls"
WSGI_APPLICATION = "genreweb.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["genreweb.constant_tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- rows -----------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": {
        **(paths.database_settings() if EMBEDDED else env.database("DATABASE_URL")),
        "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", 600),
        "CONN_HEALTH_CHECKS": True,
    }
}
# Compiling a query takes longer than any of ours does, and is done where many rows are expected.
# A filtered nearest-neighbour search goes on along the index until it has enough rows that the asker may see.
DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
    "-c hnsw.iterative_scan=relaxed_order -c hnsw.ef_search=150 -c jit=off"
)
QDRANT_URL, QDRANT_API_KEY = env.origin("QDRANT_URL"), env.str("QDRANT_API_KEY", "")
"""Of a second engine for the vectors of the catalogue; empty: PostgreSQL alone."""

# --- broker, cache, rate limits, locks ------------------------------------------------------------------
REDIS_URL = env.redis("REDIS_URL") or paths.redis_url()
CACHES: dict[str, Any] = {
    "default": {
        # People must be able to sign in while Redis is unreachable.
        "BACKEND": "genreweb.counting.CountingCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "genreweb",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.5, "SOCKET_TIMEOUT": 0.5},
    }
}
# A cached session would outlive a sign-out that did not reach Redis.
SESSION_ENGINE = "genreweb.sessions"

# --- files ----------------------------------------------------------------------------------------------
S3_BUCKET = env.str("S3_BUCKET", "")
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL_LIFETIME = timedelta(hours=env.int("MEDIA_URL_HOURS", 12))
STORAGES: dict[str, Any] = {
    "default": {
        "BACKEND": "genreweb.bucket.BucketStorage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": env.origin("S3_ENDPOINT_URL") or None,
            "access_key": env.str("S3_ACCESS_KEY_ID", "") or None,
            "secret_key": env.str("S3_SECRET_ACCESS_KEY", "") or None,
            "region_name": env.str("S3_REGION", "") or None,
            "addressing_style": env.one_of("S3_ADDRESSING_STYLE", "auto", ("auto", "path", "virtual")),
            "querystring_auth": True,
            "querystring_expire": int(MEDIA_URL_LIFETIME.total_seconds()),
            # Keys are UUIDs; asking first whether one is taken costs a request each.
            "file_overwrite": True,
            "default_acl": None,
        },
    }
    if S3_BUCKET
    else {"BACKEND": "genreweb.storage.SignedFileSystemStorage", "OPTIONS": {"location": MEDIA_ROOT}},
    "staticfiles": {"BACKEND": "genreweb.storage.StaticStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/bootstrap", BASE_DIR / "node_modules/bootstrap/dist"),
    ("vendor/htmx", BASE_DIR / "node_modules/htmx.org/dist"),
    ("vendor/tus", BASE_DIR / "node_modules/tus-js-client/dist"),
    ("vendor/uplot", BASE_DIR / "node_modules/uplot/dist"),
    ("vendor/wavesurfer", BASE_DIR / "node_modules/wavesurfer.js/dist"),
]
HELP_DIR = BASE_DIR / "docs" / "_build" / "help"
"""The pages of help as tools/build_help.sh makes them."""
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- quotas ---------------------------------------------------------------------------------------------
# Of each person, unless the administration gives them others; 0 is no limit.
QUOTA_TRACKS = env.int("QUOTA_TRACKS", 10_000)
QUOTA_MB = env.int("QUOTA_MB", 50_000)
QUOTA_DAILY_MINUTES = env.int("QUOTA_DAILY_MINUTES", 6_000)
STORAGE_RESERVE_BYTES = env.int("STORAGE_RESERVE_MB", 500) * 2**20
"""Free space that uploads leave: a database on a full disk stops the whole site."""

ENCODED_COPIES_BYTES = env.int("ENCODED_COPIES_MB", 2_000) * 2**20
"""How much the copies that players asked for may take together; 0: nothing is encoded for them."""

# --- sound: what is let in ------------------------------------------------------------------------------
AUDIO_MIN_SECONDS = env.float("AUDIO_MIN_SECONDS", 1.0)
AUDIO_MAX_SECONDS = env.float("AUDIO_MAX_SECONDS", 20 * 60.0)
AUDIO_MAX_BYTES = env.int("AUDIO_MAX_MB", 100) * 2**20
UPLOAD_BATCH_FILES = env.int("UPLOAD_BATCH_FILES", 1000)
UPLOAD_BATCH_MAX_BYTES = env.int("UPLOAD_BATCH_MAX_MB", 1000) * 2**20
AUDIO_ANONYMOUS_MAX_SECONDS = min(AUDIO_MAX_SECONDS, env.float("AUDIO_ANONYMOUS_MAX_SECONDS", 5 * 60.0))
AUDIO_ANONYMOUS_MAX_BYTES = min(AUDIO_MAX_BYTES, env.int("AUDIO_ANONYMOUS_MAX_MB", 25) * 2**20)
# Room for the form around the file; the file itself is measured by the service.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20
FILE_UPLOAD_HANDLERS = [
    "genreweb.uploads.QuotaUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "genreweb.uploads.DiskUploadHandler",
]

# --- jobs -----------------------------------------------------------------------------------------------
CELERY_BROKER_URL = paths.celery_url(REDIS_URL)
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
# Who waits for a result waits on a request: two minutes of a hung Redis, or twenty retries, are too many.
CELERY_REDIS_SOCKET_CONNECT_TIMEOUT, CELERY_REDIS_SOCKET_TIMEOUT = 1, 3
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
}
CELERY_RESULT_EXPIRES = 600
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # People's uploads go before catalogue imports: queues are emptied in the order a worker names them.
    "queue_order_strategy": "priority",
    "visibility_timeout": 6 * 3600,
    "socket_connect_timeout": 1,
    "socket_timeout": 3,
}
# A request must not wait for an unreachable broker: the sweeper sends its row later.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}
CELERY_TASK_DEFAULT_QUEUE = "analysis"
CELERY_TASK_SOFT_TIME_LIMIT = env.int("ANALYSIS_TIME_LIMIT", 300)
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 30
# A process loads the classifier before it says that it is alive.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

ANALYSIS_ATTEMPTS = 3
ANALYSIS_HEARTBEAT_SECONDS = 5
ANALYSIS_LOST_AFTER_SECONDS = 25
"""A job without a row heartbeat for this long has lost its worker."""
ANALYSIS_QUEUED_AGAIN_AFTER_SECONDS = 15
"""A queued job whose message was lost is sent again after this long."""
BIN_DAYS = min(env.int("BIN_DAYS", 30), 36_500)
"""How long deleted tracks can be restored; 0: they are deleted at once."""

# --- training -------------------------------------------------------------------------------------------
TRAINING_DIR = Path(env.str("TRAINING_DIR", "") or VAR_DIR / "training")
"""Where a training worker keeps the features and the state of a run, on a disk of its own if need be."""
TRAINING_THREADS = env.int("TRAINING_THREADS", 0)
"""Threads of a training run; 0 leaves one core to the analyses."""
TRAINING_ATTEMPTS = 5
"""How often a run may lose its worker without having come further than before."""
TRAINING_SCHEDULE = env.one_of("TRAINING_SCHEDULE", "", ("daily", "weekly"))
"""When a quick run starts by itself, at three in the morning (weekly: on Sundays); empty: never."""
TRAINING_SCHEDULE_CLIPS = env.int("TRAINING_SCHEDULE_CLIPS", 20)
"""Clips that must be new for it."""

# --- watch folder ---------------------------------------------------------------------------------------
WATCH_DIR = env.folder("GENREWEB_WATCH")
"""Folder whose files become tracks of one person; the analysis workers must see it."""
WATCH_USER = env.str("GENREWEB_WATCH_USER", "").strip()
WATCH_SETTLE_SECONDS = 10
"""How long a file must have been the same before it is taken, or missing before its track goes."""
CELERY_BEAT_SCHEDULER = "genreweb.beat:Scheduler"
CELERY_BEAT_SCHEDULE = beat_schedule(
    training=TRAINING_SCHEDULE, watches=WATCH_DIR is not None, vectors=bool(QDRANT_URL)
)

# --- people ---------------------------------------------------------------------------------------------
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
OIDC_SERVER_URL = env.origin("OIDC_SERVER_URL")
"""Of an OpenID Connect provider; with OIDC_CLIENT_ID, people may sign in through it."""
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
OIDC_NAME = env.str("OIDC_NAME", "") or urlsplit(OIDC_SERVER_URL).hostname or ""
OIDC_SIGN_UP = env.bool("OIDC_SIGN_UP", SIGNUP_OPEN)
OIDC_ONLY = env.bool("OIDC_ONLY", False)
"""Whether the provider is the only way in, but for superusers."""
SOCIALACCOUNT_PROVIDERS = oidc_providers(
    server_url=OIDC_SERVER_URL, client_id=OIDC_CLIENT_ID, secret=OIDC_CLIENT_SECRET, name=OIDC_NAME
)

# --- webhooks -------------------------------------------------------------------------------------------
WEBHOOKS_ALLOWED_NETWORKS = env.networks("WEBHOOKS_ALLOWED_NETWORKS")
"""Networks that are sent to though they are not public."""
WEBHOOKS_ALLOW_HTTP = env.bool("WEBHOOKS_ALLOW_HTTP", False)

# --- mail -----------------------------------------------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", "")
_mail = env.mail("EMAIL_URL")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail["EMAIL_USE_TLS"], _mail["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.sender("DEFAULT_FROM_EMAIL", "Genreweb <genreweb@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
MAIL_IS_REAL = EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
# Asked for as soon as a letter can arrive, not before.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if MAIL_IS_REAL else "none"
ACCOUNT_EMAIL_NOTIFICATIONS = MAIL_IS_REAL
MFA_ALLOW_UNVERIFIED_EMAIL = not MAIL_IS_REAL

# --- API ------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "genreweb.accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "genreweb.api_parsers.JSONParser",
        "genreweb.api_parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "genreweb.api_paging.Pagination",
    "DEFAULT_SCHEMA_CLASS": "genreweb.api_operations.OperationSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "genreweb.api_rates.AnonRateThrottle",
        "genreweb.api_rates.UserRateThrottle",
        "genreweb.api_rates.ScopedRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.rate("API_RATE_ANON", "60/min"),
        "user": env.rate("API_RATE_USER", "1200/min"),
        "upload": env.rate("API_RATE_UPLOAD", "600/min"),
        "classify": env.rate("API_RATE_CLASSIFY", "60/min"),
        "login": env.rate("API_RATE_LOGIN", "10/min"),
    },
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,
    "EXCEPTION_HANDLER": "genreweb.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Pages of these origins may use the API, with tokens; cookies never count for them.
CORS_ALLOWED_ORIGINS: list[str] = env.origins("CORS_ALLOWED_ORIGINS", [])
CORS_URLS_REGEX = r"^/(api|rest)/"
CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS = REQUEST_HEADERS, RESPONSE_HEADERS
API_ANONYMOUS_CLASSIFY = env.bool("API_ANONYMOUS_CLASSIFY", True)
"""Whether people without an account may have a sound classified; it is not kept."""
API_CLASSIFY_REQUESTS = env.int("API_CLASSIFY_REQUESTS", 4)
API_CLASSIFY_REQUESTS_EACH = env.int("API_CLASSIFY_REQUESTS_EACH", 2)
API_ENCODING_REQUESTS = env.int("API_ENCODING_REQUESTS", 3)
"""How many requests per web process may wait for a copy to be encoded."""
API_WAITING_REQUESTS = env.int("API_WAITING_REQUESTS", 8)
"""How many requests per web process may wait for their track; each holds one of the server's threads."""
API_EVENT_STREAMS = env.int("API_EVENT_STREAMS", 400)
API_EVENT_STREAMS_EACH = env.int("API_EVENT_STREAMS_EACH", 10)
"""How many may listen to events, pages and programs together; each holds a connection and no thread."""
REST_KNOX = {
    "TOKEN_MODEL": "accounts.ApiToken",
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": None,
    "TOKEN_PREFIX": "gw_",
}
# Its only table would be that of the model which ours replaces.
MIGRATION_MODULES = {"knox": None}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105  # a model's name, not a secret
SPECTACULAR_SETTINGS = SCHEMA

# --- safety ---------------------------------------------------------------------------------------------
HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
# Only a proxy says over what a request came; without one, every request would be sent round and round.
SECURE_SSL_REDIRECT = HTTPS and BEHIND_PROXY
# Asked by the machine itself, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool("HSTS_SUBDOMAINS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Sound and pictures come from the bucket itself where there is one.
_media_origins = [SELF]
_public_origins = env.origins("S3_PUBLIC_ORIGIN", [])
if S3_BUCKET:
    _media_origins += _public_origins or bucket_origins(
        bucket=S3_BUCKET,
        endpoint=env.origin("S3_ENDPOINT_URL"),
        region=env.str("S3_REGION", "") or env.str("AWS_REGION", "") or env.str("AWS_DEFAULT_REGION", ""),
    )
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        "img-src": [*_media_origins, "data:", "blob:"],
        "media-src": [*_media_origins, "blob:"],
        "connect-src": [*_media_origins, "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- who may read /metrics: nobody, unless one of these is set ------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
METRICS_ADDRESSES: list[str] = env.list("METRICS_ADDRESSES", [])

# --- language and time ----------------------------------------------------------------------------------
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LANGUAGE_CODE = env.one_of("LANGUAGE_CODE", "en", [code for code, _name in LANGUAGES])
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["genreweb.formats"]
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

# --- log ------------------------------------------------------------------------------------------------
DJANGO_GUID = REQUEST_IDS
LOGGING = logging_settings(
    level=env.log_level("LOG_LEVEL", logging.INFO), form=env.one_of("LOG_FORMAT", "line", FORMATS)
)

# --- what could not be read -----------------------------------------------------------------------------
_niceness = env.int("ANALYSIS_NICE", 10), env.int("TRAINING_NICE", 15)
env.one_of("KERAS_BACKEND", "tensorflow", ("tensorflow", "jax", "torch"))
ENVIRONMENT_FAULTS = list(env.faults.values())
"""Variables with values that cannot be used; ``manage.py check`` says each."""

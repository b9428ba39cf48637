"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from genreweb.health import healthz
from genreweb.help_pages import help_page
from genreweb.media import media
from genreweb.metrics import metrics

urlpatterns = [
    path("", include("library.urls")),
    path("classifier/", include("classifier.urls")),
    path("", include("training.urls")),
    path("account/", include("genreweb.accounts.urls")),
    path("accounts/", include("genreweb.accounts.single_sign_on_urls")),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("genreweb.api_urls")),
    path("rest/", include("library.subsonic.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("help/", help_page, name="help"),
    path("help/<path:path>", help_page, name="help-page"),
    path("media/<str:token>", media, name="media"),
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
]

handler400 = "genreweb.errors.bad_request"
handler404 = "genreweb.errors.not_found"
handler403 = "genreweb.errors.forbidden"
handler429 = "genreweb.accounts.views.too_many_requests"
handler500 = "genreweb.errors.broken"

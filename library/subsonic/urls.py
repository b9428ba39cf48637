"""URLs of the OpenSubsonic API: ``/rest/<method>`` and ``/rest/<method>.view``."""

from __future__ import annotations

from django.urls import path

from library.subsonic.views import call

app_name = "subsonic"

urlpatterns = [path("<str:name>", call, name="call")]

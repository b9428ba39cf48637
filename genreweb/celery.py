"""The Celery application. Queues, in the order a worker empties them: ``analysis`` (people wait for these),
``bulk`` (catalogue imports), ``training`` (one long run at a time, by its own worker)."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")

app = Celery("genreweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Named, not imported: everything imports this package, and only a worker beats.
app.steps["worker"].add("genreweb.heartbeat:Heartbeat")

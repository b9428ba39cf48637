"""The Celery application. Queues, in the order a worker empties them: ``analysis`` (people wait for these),
``webhooks``, ``bulk`` (catalogue imports), ``training`` (one long run at a time, by its own worker)."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")

app = Celery("genreweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Named, not imported: everything imports this package, and only a worker sends heartbeats.
app.steps["worker"].add("genreweb.heartbeat:Heartbeat")


@worker_process_init.connect
def warm_up(**_: Any) -> None:
    """Load the classifier before the first track arrives, in a process that will analyse tracks."""
    if "analysis" not in app.amqp.queues.consume_from:
        return
    from classifier import registry

    try:
        registry.in_service()
    except Exception:
        # The first track fails with the same error, where a person sees it.
        logging.getLogger(__name__).exception("the classifier could not be loaded beforehand")

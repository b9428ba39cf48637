"""How a worker shows that it lives while it works on a row."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone


@contextlib.contextmanager
def beating(update: Callable[..., bool], *, name: str) -> Iterator[None]:
    """Set `heartbeat_at` through `update` every few seconds while the block runs.

    Work that is short never comes to the first beat.
    """
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(settings.ANALYSIS_HEARTBEAT_SECONDS):
                try:
                    update(heartbeat_at=timezone.now())
                except OperationalError:
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

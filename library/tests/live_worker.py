"""A worker beside a live server: uploads are analysed as on a site."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from library.models import Track, UploadBatch
from library.services import batches
from library.services.analysis import analyse_track
from training.services.releases import sync_release


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Do what waits, in a thread, as a worker would."""
    sync_release()
    over = threading.Event()

    def work() -> None:
        try:
            while not over.wait(0.1):
                for pk in UploadBatch.objects.filter(status="queued").values_list("pk", flat=True):
                    batches.unpack(batch_id=pk)
                for pk in Track.objects.filter(status="queued").values_list("pk", flat=True):
                    analyse_track(track_id=pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join(60)

"""Limits of request bodies, enforced while they arrive."""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler


class QuotaUploadHandler(FileUploadHandler):
    """Stop reading a file as soon as it is larger than any the site accepts.

    The file that arrives is cut one chunk past the limit, so that the service which measures it still finds
    it too large and says so; the disk never sees the rest.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0
        self.most = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.received = 0
        archive = self.field_name == "archive"
        self.most = settings.UPLOAD_BATCH_MAX_BYTES if archive else settings.AUDIO_MAX_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if self.received > self.most:
            # Read the rest of the body without storing it.
            return None
        self.received += len(raw_data)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class DiskUploadHandler(TemporaryFileUploadHandler):
    """Keep a large file on the disk while it arrives; take it away at once where it does not fit.

    Django leaves that to the garbage collector, which may come by long after the disk is full.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        try:
            return super().receive_data_chunk(raw_data, start)
        except OSError:
            with contextlib.suppress(OSError):
                self.file.close()
            raise

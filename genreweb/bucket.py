"""Storage of files in an S3 bucket."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage

from genreweb.media_types import is_shown, media_type

_CLIENT = Config(
    signature_version="s3v4",
    # A request must not wait minutes for an unreachable bucket.
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "max_attempts": 2},
)


def _with_os_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    """Convert errors of the bucket to `OSError`, which callers expect of a disk."""

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return method(*args, **options)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise OSError(f"the bucket: {error}") from error

    return call


class BucketStorage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """A bucket whose files are served through links that expire."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        chosen: Config = self.client_config
        self.client_config: Config = chosen.merge(_CLIENT)

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """Derive the media type from the key; the sender's file name is not trusted."""
        parameters = {**super().get_object_parameters(name), "ContentType": media_type(name)}
        if not is_shown(name):
            parameters["ContentDisposition"] = "attachment"
        return parameters

    def download_url(self, name: str, filename: str) -> str:
        """Return a link that browsers download; pages cannot force a download across origins."""
        disposition = content_disposition_header(as_attachment=True, filename=filename)
        return str(self.url(name, parameters={"ResponseContentDisposition": disposition}))

    _open = _with_os_errors(S3Storage._open)
    _save = _with_os_errors(S3Storage._save)
    delete = _with_os_errors(S3Storage.delete)
    exists = _with_os_errors(S3Storage.exists)
    listdir = _with_os_errors(S3Storage.listdir)
    size = _with_os_errors(S3Storage.size)
    get_modified_time = _with_os_errors(S3Storage.get_modified_time)

"""The origins of links into a bucket, for the content security policy."""

from __future__ import annotations

from urllib.parse import urlsplit


def bucket_origins(*, bucket: str, endpoint: str, region: str) -> list[str]:
    """Give the origins that links into a bucket may have: its service's, or one of its own.

    >>> bucket_origins(bucket="music", endpoint="http://minio.local:9000", region="")
    ['http://minio.local:9000', 'http://music.minio.local:9000']
    """
    services = [endpoint]
    if not endpoint:
        # Amazon's links for some regions have the legacy host name without a region.
        services = ["https://s3.amazonaws.com", *([f"https://s3.{region}.amazonaws.com"] if region else [])]
    origins = []
    for service in map(urlsplit, services):
        origins += [f"{service.scheme}://{host}" for host in (service.netloc, f"{bucket}.{service.netloc}")]
    return origins

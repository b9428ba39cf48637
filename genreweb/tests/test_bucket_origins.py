"""What the content policy lets browsers fetch when files lie in a bucket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY
from genreweb.tests.site import environment

_SHOW = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "genreweb.settings"
from django.conf import settings
print(*settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["media-src"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, set()),
        (
            {"S3_BUCKET": "music", "S3_ENDPOINT_URL": "http://minio.local:9000"},
            {"http://minio.local:9000", "http://music.minio.local:9000"},
        ),
        (
            {"S3_BUCKET": "music", "S3_REGION": "eu-central-1", "S3_PUBLIC_ORIGIN": ""},
            {
                "https://s3.amazonaws.com",
                "https://music.s3.amazonaws.com",
                "https://s3.eu-central-1.amazonaws.com",
                "https://music.s3.eu-central-1.amazonaws.com",
            },
        ),
        (
            {"S3_BUCKET": "music", "S3_REGION": "x", "S3_PUBLIC_ORIGIN": "https://cdn.example.org"},
            {"https://cdn.example.org"},
        ),
    ],
)
def test_media_may_come_from_where_links_lead(
    tmp_path: Path, given: dict[str, str], origins: set[str]
) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW],
        env={**environment(tmp_path, 1), **given},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(shown) == {"'self'", "blob:"} | origins

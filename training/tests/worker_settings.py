"""The site's settings for a worker that a test starts: its files lie where the test's do."""

from __future__ import annotations

import os

from genreweb.settings import *  # noqa: F403  # all of them but the one below

STORAGES = {
    "default": {
        "BACKEND": "genreweb.storage.SignedFileSystemStorage",
        "OPTIONS": {"location": os.environ["WORKER_MEDIA"]},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

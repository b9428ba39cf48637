"""Files of stored versions, changed as no version's files ever are."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from classifier.models import ModelVersion
from classifier.version_files import PREFIX


def put_file(version: ModelVersion, name: str, text: str) -> None:
    """Let a version name a folder that holds nothing but this file."""
    content = text.encode()
    location = f"{PREFIX}/{uuid4()}"
    default_storage.save(f"{location}/{name}", ContentFile(content))
    files = {name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}
    ModelVersion.objects.filter(pk=version.pk).update(location=location, files=files)
    version.refresh_from_db()

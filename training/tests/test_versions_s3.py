"""Versions whose files lie in an S3 bucket."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from classifier import registry, version_files
from classifier.core.inference import ReleaseError
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.tests.test_s3 import bucket, server
from training.services.bundles import import_bundle, write_bundle
from training.tests.versions import damage, make_version

__all__ = ["bucket", "server"]

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


def test_versions_need_no_path(curator: User) -> None:
    version = make_version("stored")
    assert registry.load(version).labels == tuple(version.labels)
    content = b"".join(write_bundle(version))

    ModelVersion.objects.all().delete()
    assert version_files.tidy(grace=timedelta(0)) == len(version.files)
    assert default_storage.listdir("versions") == ([], [])

    imported, new = import_bundle(ContentFile(content, name="bundle.zip"), by=curator)
    assert new
    assert registry.load(imported).labels == tuple(version.labels)
    damage(imported)
    with pytest.raises(ReleaseError, match="damaged"):
        registry.load(imported)
    default_storage.delete(f"{imported.location}/model.tflite")
    with pytest.raises(ReleaseError, match="missing"):
        registry.load(imported)

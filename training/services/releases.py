"""The release that ships with the program: stored like any other version, and put into service."""

from __future__ import annotations

from functools import partial

from classifier import registry
from classifier.models import ModelVersion
from classifier.releases import current_release
from training.services.promotion import serve_release


def sync_release() -> ModelVersion:
    """Store the shipped genres and the shipped classifier; put the classifier into service if none is.

    Run at every start. What a curator changed is left alone.
    """
    registry.sync_genres()
    version = registry.store_release(current_release(), then=partial(serve_release, is_new=True))
    serve_release(version, is_new=False)
    version.refresh_from_db()
    return version

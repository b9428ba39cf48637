"""What the tests of the second engine for vectors ask of a site, and of the engine itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from qdrant_client import QdrantClient

from classifier.core.lenses import VERSION
from genreweb.accounts.models import User
from library.models import Track, TrackLens
from library.services.lens_queries import query_of
from library.services.similar import similar

NOBODY = AnonymousUser()


def found(track: Track, viewer: User | AnonymousUser = NOBODY, **asked: Any) -> list[str]:
    result = similar(viewer=viewer, query=query_of([track]), by="harmony", **asked)
    return [near.track.title for near in result.neighbours]


def held(client: QdrantClient, lens: str = "harmony", version: str = VERSION) -> set[UUID]:
    """What the engine itself says that it holds."""
    records, _next = client.scroll(f"genreweb-{lens}-{version}-rows", limit=10_000)
    return {UUID(str(record.id)) for record in records}


def public(lens: str = "harmony") -> set[UUID]:
    rows = TrackLens.objects.filter(public=True, lens=lens, version=VERSION)
    return set(rows.values_list("track", flat=True))

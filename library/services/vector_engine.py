"""The second engine for vectors, Qdrant: which tracks of the catalogue are nearest by a lens.

It knows the ids of public tracks and their vectors, and nothing else: who may see what, and how far a track
is, PostgreSQL says. It has a collection for each lens and version, and an alias of it from the moment on in
which it holds all of the catalogue. Searches ask the alias, so what is being filled answers nothing, and no
row of ours has to say what the engine holds.

Its client takes 60 MB and a second to import: only a site that has the engine does so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from library.models.lenses import graph_of

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

ANSWER_SECONDS: Final = 1
"""For a search; the client counts whole seconds."""
WORK_SECONDS: Final = 60
"""For all else, which nobody waits for."""
REST_SECONDS: Final = 30.0
"""For so long an engine that failed is not asked again by this process."""
EF: Final = 400
"""How many candidates a search keeps, as PostgreSQL's does; docs/large-sites.md has figures."""
_PREFIX: Final = "genreweb-"
_ROWS: Final = "-rows"
_EVERY: Final = ""

log = logging.getLogger(__name__)
_rests_until: dict[str, float] = {}


class EngineError(Exception):
    """The engine does not answer, or not as it should."""


def is_used() -> bool:
    """Whether this site has the engine."""
    return bool(settings.QDRANT_URL)


def nearest(*, lens: str, version: str, vector: NDArray[np.float32], count: int) -> list[UUID] | None:
    """Give the ids of the `count` nearest tracks, the nearest first.

    None where the engine does not know the lens, fails, or failed less than `REST_SECONDS` ago: whatever the
    reason, the caller has PostgreSQL to ask.
    """
    if not is_used() or time.monotonic() < max(_rests_until.get(key, 0.0) for key in (lens, _EVERY)):
        return None
    try:
        return _ask(_alias(lens, version), vector, count)
    except Exception as error:  # noqa: BLE001  # nobody's page fails because of what a client may raise
        unknown = _is_not_found(error)
        _rests_until[lens if unknown else _EVERY] = time.monotonic() + REST_SECONDS
        log.log(
            logging.INFO if unknown else logging.WARNING,
            "neighbours by %s are searched in PostgreSQL for %d s: %s",
            *(lens if unknown else "any lens", REST_SECONDS, _words_of(error)),
        )
        return None


def _ask(alias: str, vector: NDArray[np.float32], count: int) -> list[UUID]:
    from qdrant_client.models import SearchParams

    found = _client(ANSWER_SECONDS).query_points(
        alias,
        query=vector.tolist(),
        limit=count,
        search_params=SearchParams(hnsw_ef=max(EF, count)),
        with_payload=False,
    )
    return [UUID(str(point.id)) for point in found.points]


# --- what it holds --------------------------------------------------------------------------------------
def prepare(lens: str, version: str, size: int) -> None:
    """Make the collection of a lens if it is missing."""
    from qdrant_client import models

    neighbours, candidates = graph_of(lens)
    with _engine() as client:
        if not client.collection_exists(_collection(lens, version)):
            client.create_collection(
                _collection(lens, version),
                # The same numbers as in PostgreSQL, which keeps halves too.
                vectors_config=models.VectorParams(
                    size=size, distance=models.Distance.EUCLID, datatype=models.Datatype.FLOAT16
                ),
                hnsw_config=models.HnswConfigDiff(m=neighbours, ef_construct=candidates),
            )


def write(lens: str, version: str, vectors: Mapping[UUID, Sequence[float]]) -> None:
    """Store the vectors of tracks, over those that are there."""
    from qdrant_client.models import Batch

    if vectors:
        prepare(lens, version, len(next(iter(vectors.values()))))
        with _engine() as client:
            batch = Batch(ids=[str(pk) for pk in vectors], vectors=[list(each) for each in vectors.values()])
            client.upsert(_collection(lens, version), batch, wait=True)


def remove(lens: str, version: str, tracks: Sequence[UUID]) -> None:
    """Forget the vectors of tracks."""
    from qdrant_client.models import PointIdsList

    with _engine() as client:
        name = _collection(lens, version)
        if tracks and client.collection_exists(name):
            client.delete(name, PointIdsList(points=[str(pk) for pk in tracks]), wait=True)


def count(lens: str, version: str) -> int:
    """Give how many tracks the engine knows by a lens."""
    with _engine() as client:
        return client.count(_collection(lens, version), exact=True).count


def is_built(lens: str, version: str) -> bool:
    """Whether the graph of a lens is complete. One whose building has stopped is told to go on."""
    from qdrant_client.models import CollectionStatus, OptimizersConfigDiff

    with _engine() as client:
        name = _collection(lens, version)
        status = client.get_collection(name).status
        if status == CollectionStatus.GREY:
            # After a restart of the engine; an update of the settings, be it empty, wakes it.
            client.update_collection(name, optimizers_config=OptimizersConfigDiff())
        return status == CollectionStatus.GREEN


# --- what searches may ask ------------------------------------------------------------------------------
def in_service(*, seconds: int = WORK_SECONDS) -> set[tuple[str, str]]:
    """Give the lenses, with their versions, by which searches are answered."""
    with _engine(seconds) as client:
        named = [each.alias_name for each in client.get_aliases().aliases]
    parts = [name.removeprefix(_PREFIX).rpartition("-") for name in named if name.startswith(_PREFIX)]
    return {(lens, version) for lens, _dash, version in parts}


def known() -> set[tuple[str, str]]:
    """Give the lenses, with their versions, that have a collection."""
    with _engine() as client:
        names = [each.name for each in client.get_collections().collections]
    ours = [name for name in names if name.startswith(_PREFIX) and name.endswith(_ROWS)]
    parts = [name.removeprefix(_PREFIX).removesuffix(_ROWS).rpartition("-") for name in ours]
    return {(lens, version) for lens, _dash, version in parts}


def put_into_service(lens: str, version: str) -> None:
    """Have searches by a lens answered from now on, and drop its collections of other versions."""
    from qdrant_client.models import CreateAlias, CreateAliasOperation

    alias = CreateAlias(collection_name=_collection(lens, version), alias_name=_alias(lens, version))
    with _engine() as client:
        client.update_collection_aliases([CreateAliasOperation(create_alias=alias)])
    drop({(other, old) for other, old in known() if other == lens and old != version})


def take_out_of_service(lenses: set[tuple[str, str]] | None = None) -> None:
    """Answer no searches by some lenses, or by none; what is stored stays."""
    from qdrant_client.models import DeleteAlias, DeleteAliasOperation

    ready = in_service()
    names = [_alias(lens, version) for lens, version in (ready if lenses is None else ready & lenses)]
    if names:
        changes = [DeleteAliasOperation(delete_alias=DeleteAlias(alias_name=name)) for name in names]
        with _engine() as client:
            client.update_collection_aliases(changes)


def drop(collections: set[tuple[str, str]]) -> None:
    """Drop collections, by which no searches are answered any more."""
    if not collections:
        return
    take_out_of_service(collections)
    with _engine() as client:
        for lens, version in sorted(collections):
            client.delete_collection(_collection(lens, version))


# --- the client -----------------------------------------------------------------------------------------
def _client(seconds: int) -> QdrantClient:
    return _connected(settings.QDRANT_URL, settings.QDRANT_API_KEY, seconds)


@lru_cache(maxsize=8)
def _connected(url: str, key: str, seconds: int) -> QdrantClient:
    """Make the client of this process; it may be shared between threads."""
    import warnings

    from qdrant_client import QdrantClient

    with warnings.catch_warnings():
        # Of a key that goes over plain HTTP, as it may on a private network; docs/large-sites.md tells.
        warnings.simplefilter("ignore", UserWarning)
        return QdrantClient(url=url, api_key=key or None, timeout=seconds, check_compatibility=False)


@contextmanager
def _engine(seconds: int = WORK_SECONDS) -> Iterator[QdrantClient]:
    """Give the client for work that no search waits for; what it raises becomes an `EngineError`."""
    try:
        yield _client(seconds)
    except Exception as error:
        raise EngineError(_words_of(error)) from error


def _words_of(error: Exception) -> str:
    """Give what an error says as one line of a log."""
    return " ".join(str(error).split()) or type(error).__name__


def _is_not_found(error: Exception) -> bool:
    """Whether the engine answers, and has no such collection. Its local form has no status to tell by."""
    status: Any = getattr(error, "status_code", None)
    return status == 404 or (isinstance(error, ValueError) and "not found" in str(error))


def _alias(lens: str, version: str) -> str:
    return f"{_PREFIX}{lens}-{version}"


def _collection(lens: str, version: str) -> str:
    return f"{_alias(lens, version)}{_ROWS}"

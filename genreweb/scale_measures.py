"""What is measured on a site filled with synthetic tracks: searches, inserts, sizes and pages."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psutil
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, override_settings
from numpy.typing import NDArray
from pgvector import HalfVector

from classifier.core.lenses import SIZES, VERSION
from genreweb.accounts.models import User
from library.models import Track, TrackLens
from library.services import large_indexes, seeding
from library.services.lens_queries import query_of
from library.services.similar import similar
from training.services.releases import sync_release

QUERIES: Final = 200
_COMPARED: Final = 50
"""Queries whose answers are compared with an exact search."""
_WARM_UP: Final = 20
_ROUNDS: Final = 15
COLLECTION: Final = 10_000
"""Tracks of one person with many: the most that a site lets them have, unless it says otherwise."""
_PLAIN_STATIC: Final = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@dataclass(frozen=True)
class Searches:
    """Neighbours of `QUERIES` tracks.

    Attributes
    ----------
    visible
        Tracks that the asker sees, 200,000 at most.
    recall_3, recall_50
        Share of the nearest by an exact search that were found.
    fewest_3
        The fewest neighbours that were found where three were asked for.
    p50_ms, p95_ms
        Of the whole function, with reading what is asked about.
    database_p50_ms, database_p95_ms
        Of its queries, as it waits for them.
    around_p95_ms
        Of the function less its queries.
    cpu_ms, database_cpu_ms
        Mean CPU time of both processes, and of the database's alone: these depend less on what else runs.
    """

    visible: int
    recall_3: float
    recall_50: float
    fewest_3: int
    p50_ms: float
    p95_ms: float
    database_p50_ms: float
    database_p95_ms: float
    around_p95_ms: float
    cpu_ms: float
    database_cpu_ms: float


class _Clock:
    """Adds up the time that queries take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            self.seconds += time.perf_counter() - started


def prepare() -> None:
    """Make the tables, and put the shipped classifier into service."""
    call_command("migrate", verbosity=0)
    sync_release()


def publish(share: float) -> None:
    """Make so large a share of the tracks public, and the others the second person's.

    The first person's stay as they are, and the second one has at least `COLLECTION` of them or 1 %.
    """
    large_indexes.drop()
    total = seeding.count()
    asker = seeding.person(0).pk
    other = seeding.person(1).pk
    first = seeding.IDS[0].int
    bound = uuid.UUID(int=first + min(round(total * share), total - min(COLLECTION, total // 100)))
    with connection.cursor() as cursor:
        for condition, visibility, owner in (("<", "catalogue", None), (">=", "private", other)):
            cursor.execute(
                "UPDATE library_track SET visibility = %s, owner_id = %s "  # noqa: S608  # our own words
                f"WHERE id {condition} %s AND owner_id IS DISTINCT FROM %s "
                "AND (visibility <> %s OR owner_id IS DISTINCT FROM %s)",
                [visibility, owner, bound, asker, visibility, owner],
            )


def tidy() -> None:
    """Let the database clear away what updates have left, and count what there is."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def searches(*, lens: str) -> Searches:
    """Ask for the neighbours of tracks that the asker sees: the first person's, who has some of their own."""
    asker = seeding.person(0)
    rng = np.random.default_rng(7)
    visible = list(
        Track.objects.visible_to(asker)
        .filter(pk__range=seeding.IDS)
        .order_by()
        .values_list("pk", flat=True)[:200_000]
    )
    chosen = [visible[place] for place in rng.choice(len(visible), QUERIES, replace=len(visible) < QUERIES)]
    tracks = Track.objects.in_bulk(chosen)
    whole, inside, sets = [], [], []
    backend = psutil.Process(int(connection.connection.info.backend_pid))
    cpu = (0.0, 0.0)
    for turn, pk in enumerate([*chosen[:_WARM_UP], *chosen]):
        if turn == _WARM_UP:
            cpu = _cpu(backend)
        clock = _Clock()
        started = time.perf_counter()
        with connection.execute_wrapper(clock):
            found = similar(viewer=asker, query=query_of([tracks[pk]]), by=lens, k=3)
        if turn >= _WARM_UP:
            whole.append(1000 * (time.perf_counter() - started))
            inside.append(1000 * clock.seconds)
            sets.append([near.track.pk for near in found.neighbours])
    own, theirs = (1000 * (now - then) / len(whole) for now, then in zip(_cpu(backend), cpu, strict=True))
    exact = _exact(asker, chosen[:_COMPARED], lens)
    many = [
        [
            near.track.pk
            for near in similar(viewer=asker, query=query_of([tracks[pk]]), by=lens, k=50).neighbours
        ]
        for pk in chosen[:_COMPARED]
    ]
    around = [total - queries for total, queries in zip(whole, inside, strict=True)]
    return Searches(
        visible=len(visible),
        recall_3=_recall(sets, exact, 3),
        recall_50=_recall(many, exact, 50),
        fewest_3=min(len(found) for found in sets),
        p50_ms=_round(statistics.median(whole)),
        p95_ms=percentile(whole, 95),
        database_p50_ms=_round(statistics.median(inside)),
        database_p95_ms=percentile(inside, 95),
        around_p95_ms=percentile(around, 95),
        cpu_ms=_round(own + theirs),
        database_cpu_ms=_round(theirs),
    )


def _cpu(backend: psutil.Process) -> tuple[float, float]:
    times = backend.cpu_times()
    return time.process_time(), times.user + times.system


def _exact(asker: User, asked: Sequence[uuid.UUID], lens: str) -> list[list[uuid.UUID]]:
    """Compare tracks with all others that the asker sees, one by one."""
    rows = TrackLens.objects.filter(lens=lens, version=VERSION, track__in=Track.objects.visible_to(asker))
    queries = np.stack([_vector(TrackLens.objects.get(track=pk, lens=lens, version=VERSION)) for pk in asked])
    nearest: list[list[tuple[float, uuid.UUID]]] = [[] for _pk in asked]
    keys: list[uuid.UUID] = []
    vectors: list[NDArray[np.float32]] = []

    def compare() -> None:
        block = np.stack(vectors)
        distances = (queries**2).sum(1)[:, None] + (block**2).sum(1) - 2 * queries @ block.T
        for number, row in enumerate(distances):
            places = np.argpartition(row, min(51, len(row) - 1))[:52]
            merged = nearest[number] + [(float(row[place]), keys[place]) for place in places]
            nearest[number] = sorted(merged)[:52]
        keys.clear()
        vectors.clear()

    for pk, vector in rows.values_list("track_id", "vector").iterator(chunk_size=5_000):
        keys.append(pk)
        vectors.append(np.asarray(vector, np.float32))
        if len(keys) == 20_000:
            compare()
    if keys:
        compare()
    return [[pk for _far, pk in near if pk != own] for own, near in zip(asked, nearest, strict=True)]


def _vector(row: TrackLens) -> NDArray[np.float32]:
    return np.asarray(row.vector, np.float32)


def _recall(found: Sequence[Sequence[Any]], exact: Sequence[Sequence[Any]], k: int) -> float:
    shares = [
        len(set(some[:k]) & set(all_[:k])) / min(k, len(all_))
        for some, all_ in zip(found, exact, strict=False)
        if all_
    ]
    return round(statistics.fmean(shares), 4)


def inserts(lenses: Sequence[str]) -> dict[str, float]:
    """Time how long a new public track takes to be put into the indexes of all lenses; nothing stays."""
    rng = np.random.default_rng(11)
    times = []
    with transaction.atomic():
        for turn in range(_ROUNDS * 3):
            track = Track(
                id=uuid.uuid4(), visibility="catalogue", title="new", sound="new", sha256="0", size=1
            )
            track.save(force_insert=True)
            rows = [
                TrackLens(
                    track=track, public=True, lens=lens, version=VERSION, vector=_near_another(lens, rng)
                )
                for lens in lenses
            ]
            started = time.perf_counter()
            TrackLens.objects.bulk_create(rows)
            if turn >= _ROUNDS:
                times.append(1000 * (time.perf_counter() - started))
        transaction.set_rollback(True)
    return {
        "lenses": len(lenses),
        "p50": _round(statistics.median(times)),
        "p95": percentile(times, 95),
        "p50_per_row": _round(statistics.median(times) / len(lenses)),
    }


def _near_another(lens: str, rng: np.random.Generator) -> HalfVector:
    pk = uuid.UUID(int=seeding.IDS[0].int + int(rng.integers(seeding.count())))
    vector = _vector(TrackLens.objects.get(track=pk, lens=lens, version=VERSION))
    moved = vector + 0.3 * SIZES[lens] ** -0.5 * rng.standard_normal(len(vector))
    return HalfVector(moved / np.linalg.norm(moved))


def sizes(tracks: int) -> dict[str, float]:
    """Give the sizes of tables and of the large indexes, in MB per million tracks."""
    per_million = 1e6 / tracks / 2**20
    found = {}
    with connection.cursor() as cursor:
        for table in ("library_track", "library_analysis", "library_notabletag", "library_tracklens"):
            cursor.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", [table, table])
            rows, indexes = cursor.fetchone()
            found[table], found[f"{table} indexes"] = round(rows * per_million), round(indexes * per_million)
        cursor.execute("SELECT pg_database_size(current_database())")
        found["database"] = round(cursor.fetchone()[0] * per_million)
    for _model, index in large_indexes.indexes():
        found[index.name] = round(large_indexes.size(index.name) * per_million)
    return found


def pages() -> dict[str, dict[str, float]]:
    """Time pages and lists as the web server answers them."""
    person = seeding.person(1)
    title, artist = Track.objects.in_catalogue().values_list("title", "artist")[777]
    word = title.split()[-1]
    last = Track.objects.in_catalogue().order_by("title", "id").values_list("pk", flat=True)[9_000]
    addresses = {
        "catalogue": "/catalogue/",
        "catalogue, page 300": "/catalogue/?page=300",
        "catalogue, after a track": f"/catalogue/?after={last}",
        "catalogue, newest": "/catalogue/?sort=newest",
        "catalogue, by artist": "/catalogue/?sort=artist",
        "catalogue, one genre": "/catalogue/?genre=jazz",
        "catalogue, a tag, strongest first": "/catalogue/?tag=mellow&sort=tag",
        "search, a word": f"/catalogue/?q={word}",
        "search, an artist": f"/catalogue/?q={artist}",
        "search, two letters": "/catalogue/?q=zz",
        "search, nothing": "/catalogue/?q=xyzzyxyzzy",
        "history": "/tracks/",
        "moods": "/moods/",
        "API, mine": "/api/v1/tracks/",
        "API, catalogue": "/api/v1/tracks/?scope=catalogue",
        "API, catalogue by title": "/api/v1/tracks/?scope=catalogue&ordering=title",
        "API, all": "/api/v1/tracks/?scope=all",
        "API, search": f"/api/v1/tracks/?scope=all&search={word}",
    }
    found = {}
    with override_settings(STORAGES=_PLAIN_STATIC, ALLOWED_HOSTS=["*"]):
        client = Client()
        client.force_login(person)
        for name, address in addresses.items():
            times: list[float] = []
            cpu = (0.0, 0.0)
            for turn in range(_ROUNDS + 2):
                if turn == 2:
                    backend = psutil.Process(int(connection.connection.info.backend_pid))
                    cpu = _cpu(backend)
                started = time.perf_counter()
                response = client.get(address)
                if response.status_code != 200:
                    raise SystemExit(f"{address} answered {response.status_code}")
                if turn >= 2:
                    times.append(1000 * (time.perf_counter() - started))
            own, theirs = (
                1000 * (now - then) / _ROUNDS for now, then in zip(_cpu(backend), cpu, strict=True)
            )
            found[name] = {
                "p50": _round(statistics.median(times)),
                "p95": percentile(times, 95),
                "cpu": _round(own + theirs),
                "database_cpu": _round(theirs),
            }
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Give a percentile, rounded for people."""
    return _round(float(np.percentile(values, percent)))


def _round(value: float) -> float:
    return round(value, 2)

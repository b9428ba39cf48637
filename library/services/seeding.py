"""Synthetic tracks, to measure a large site with: rows and vectors without sound and pictures."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from classifier.core.chroma import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from classifier.core.lenses import LENSES, VERSION
from classifier.core.tags import DECIMALS, NOTABLE, TAGS
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Analysis, NotableTag, Track, TrackLens
from library.services import large_indexes
from library.services.bulk_copy import Copier, halfvec_bytes, keys
from library.services.seed_vectors import Made, Maker, models
from library.services.seed_words import Words

LOT: Final = 1_000
"""Tracks per transaction. Inserting their vectors into the large indexes takes seconds, or a minute."""
FEW: Final = 20
"""Real tracks that a site may have without being asked whether it is the right one."""
PEOPLE: Final = 10
_MANY: Final = 20_000
"""From so many tracks on it is quicker to build the large indexes anew than to insert into them."""
_PER_ARTIST: Final = 12
_SEED: Final = 13
_TAG_VERSION: Final = "synthetic"
_DOMAIN: Final = "synthetic.invalid"
"""Of the addresses of people whose tracks these are; no mail can be sent to it (RFC 2606)."""
# A UUID of version 8, whose bits are free to use (RFC 9562): "synt", and the track's number in the last 48.
_FIRST: Final = int.from_bytes(b"synt") << 96 | 8 << 76 | 2 << 62
_NUMBERS: Final = 2**48
IDS: Final = (uuid.UUID(int=_FIRST), uuid.UUID(int=_FIRST + _NUMBERS - 1))
"""The first and the last key that a synthetic track can have: by these they are told from real ones."""


class SeedingError(Exception):
    """Tracks cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made.

    Attributes
    ----------
    total
        Synthetic tracks that there are to be afterwards.
    public
        Share of them in the catalogue; the others are private.
    people
        Number of people to whom the private ones belong.
    lenses
        Those that get vectors.
    """

    total: int
    public: float = 0.9
    people: int = PEOPLE
    lenses: Sequence[str] = LENSES


def synthetic() -> Any:
    """Query the synthetic tracks."""
    return Track.objects.filter(pk__range=IDS)


def has_real_tracks() -> bool:
    """Whether the site holds more than a few tracks that are not synthetic."""
    return Track.objects.exclude(pk__range=IDS).order_by()[: FEW + 1].count() > FEW


def seed(
    plan: Plan,
    *,
    memory_mb: int = large_indexes.MEMORY_MB,
    on_lot: Callable[[int, int], None] = lambda done, total: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> int:
    """Make as many tracks as the plan's total still lacks; give their number.

    Each lot is a transaction, so that an interrupted run is continued by another. Where many are missing the
    large indexes are dropped and built again at the end. `on_step` is told in words what begins.

    Raises
    ------
    SeedingError
        If there is no classifier in service or no genre.
    """
    begin = count()
    missing = plan.total - begin
    if missing > 0:
        _make(plan, begin, missing, on_lot=on_lot, on_step=on_step)
    large_indexes.build(memory_mb=memory_mb, on_begin=lambda name: on_step(f"Building the index {name}"))
    return max(0, missing)


def _make(
    plan: Plan,
    begin: int,
    missing: int,
    *,
    on_lot: Callable[[int, int], None],
    on_step: Callable[[str], None],
) -> None:
    writer = _Writer(plan)
    if missing >= _MANY:
        on_step("Dropping the large indexes, to build them anew afterwards")
        large_indexes.drop(
            on_kept=lambda name: on_step(f"{name} is in use and is kept: making tracks takes longer")
        )
    on_step(f"Making {missing:,} tracks, {LOT:,} at a time")
    for start in range(begin, plan.total, LOT):
        end = min(start + LOT, plan.total)
        with transaction.atomic():
            writer.write(start, end)
        on_lot(end - begin, missing)


def count() -> int:
    """Give how many synthetic tracks there are, or were before some in the middle were deleted."""
    last = synthetic().order_by("-pk").values_list("pk", flat=True).first()
    return 0 if last is None else last.int - _FIRST + 1


def remove(*, on_lot: Callable[[int], None] = lambda done: None) -> int:
    """Delete all synthetic tracks and the people who own them; give the number of tracks.

    May be interrupted and run again.
    """
    removed = 0
    while lot := list(synthetic().order_by("pk").values_list("pk", flat=True)[:LOT]):
        with transaction.atomic():
            tracks = Track.objects.filter(pk__in=lot)
            for model in (TrackLens, NotableTag):
                rows = model._default_manager.filter(track__in=lot)
                rows._raw_delete(rows.db)
            # What else belongs to them goes the usual way; their files never were.
            tracks.delete()
        removed += len(lot)
        on_lot(removed)
    User.objects.filter(email__endswith=f"@{_DOMAIN}").delete()
    return removed


def person(number: int) -> User:
    """Give one of the people who own synthetic tracks; nobody can sign in as them."""
    email = f"person-{number}@{_DOMAIN}"
    found = User.objects.filter(email=email).first()
    return found or User.objects.create_user(email)


class _Writer:
    """Writes tracks by their numbers, which say all about them."""

    def __init__(self, plan: Plan) -> None:
        version = ModelVersion.objects.filter(is_in_service=True).first()
        genres = list(Genre.objects.values_list("slug", flat=True))
        if version is None or not genres:
            raise SeedingError("There is no classifier in service: start the site once, then run this again.")
        self._plan = plan
        self._genres = genres
        self._people = [person(number).pk for number in range(plan.people)]
        self._words = Words(_SEED)
        self._maker = Maker(models(genres, np.random.default_rng(_SEED)))
        self._now = timezone.now()
        self._strengths: dict[int, str] = {}
        descriptor = np.full(DESCRIPTOR_SIZE, DESCRIPTOR_SIZE**-0.5)
        self._tracks = Copier(_track())
        self._tags = Copier(NotableTag(track_id=IDS[0], tag="", strength=1.0), without=["id"])
        self._analyses = Copier(_analysis(version, descriptor))

    def write(self, start: int, end: int) -> None:
        rng = np.random.default_rng([_SEED, start])
        made = self._maker.make(end - start, rng)
        public = rng.random(end - start) < self._plan.public
        people = rng.integers(0, max(1, len(self._people)), end - start)
        owners = [
            self._people[person] if self._people and not is_public else None
            for person, is_public in zip(people, public, strict=True)
        ]
        ids = [uuid.UUID(int=_FIRST + number) for number in range(start, end)]
        analyses = keys(Analysis, end - start)
        # Before the tracks: a track's genre is written as its analysis has it.
        self._analyses.write(self._analysis_rows(ids, analyses, made, rng))
        self._tracks.write(self._track_rows(ids, analyses, owners, start, rng))
        self._write_lenses(ids, owners, made)
        self._tags.write(
            {"track_id": pk, "tag": tag, "strength": float(strength)}
            for pk, row in zip(ids, made.strengths, strict=True)
            for tag, strength in zip(TAGS, row, strict=True)
            if strength >= NOTABLE
        )

    def _track_rows(
        self,
        ids: Sequence[uuid.UUID],
        analyses: Sequence[int],
        owners: Sequence[int | None],
        start: int,
        rng: np.random.Generator,
    ) -> Any:
        titles = self._words.titles(len(ids), rng)
        # The square makes some artists known for many tracks and most for few.
        artists = (rng.random(len(ids)) ** 2 * max(1, self._plan.total // _PER_ARTIST)).astype(int)
        durations = rng.lognormal(5.3, 0.4, len(ids))
        for place, pk in enumerate(ids):
            owner = owners[place]
            yield {
                "id": pk,
                "owner_id": owner,
                "visibility": "catalogue" if owner is None else "private",
                "source": "catalogue" if owner is None else "upload",
                "title": titles[place],
                "artist": self._words.artist(int(artists[place])),
                "year": 1950 + int(artists[place]) % 75,
                "sha256": f"{start + place:064x}",
                "duration": round(float(durations[place]), 2),
                "created": self._now + timedelta(milliseconds=start + place),
                "current_id": analyses[place],
            }

    def _analysis_rows(
        self, ids: Sequence[uuid.UUID], analyses: Sequence[int], made: Made, rng: np.random.Generator
    ) -> Any:
        confidences = rng.beta(4, 2, len(ids))
        for place, pk in enumerate(ids):
            genre, confidence = self._genres[made.genres[place]], round(float(confidences[place]), 4)
            yield {
                "id": analyses[place],
                "track_id": pk,
                "genre": genre,
                "confidence": confidence,
                "unsure": confidence < 0.4,
                "probabilities": json.dumps({genre: confidence}),
                "tags": self._tags_of(int(made.models[place]), made.strengths[place]),
            }

    def _tags_of(self, model: int, strengths: np.ndarray[Any, np.dtype[np.float32]]) -> str:
        """Give the tags of the first track made after a model: writing them is what takes longest."""
        if model not in self._strengths:
            grouped: dict[str, dict[str, float]] = {}
            for tag, strength in zip(TAGS.values(), strengths, strict=True):
                grouped.setdefault(tag.group, {})[tag.slug] = round(float(strength), DECIMALS)
            self._strengths[model] = json.dumps(grouped)
        return self._strengths[model]

    def _write_lenses(self, ids: Sequence[uuid.UUID], owners: Sequence[int | None], made: Made) -> None:
        table = connection.ops.quote_name(TrackLens._meta.db_table)
        command = (
            f"COPY {table} (track_id, owner_id, public, lens, version, vector) FROM STDIN (FORMAT BINARY)"
        )
        with connection.cursor() as cursor, cursor.copy(command) as copy:
            # A vector is sent as the bytes of its binary form.
            copy.set_types(["uuid", "int8", "bool", "varchar", "varchar", "bytea"])
            for lens in self._plan.lenses:
                vectors = halfvec_bytes(made.vectors[lens])
                for pk, owner, vector in zip(ids, owners, vectors, strict=True):
                    copy.write_row((pk, owner, owner is None, lens, VERSION, vector))


def _track() -> Track:
    now = timezone.now()
    return Track(
        id=IDS[0],
        visibility=Track.Visibility.CATALOGUE,
        source=Track.Source.CATALOGUE,
        licence="synthetic",
        original_name="synthetic",
        sound="synthetic",
        size=1,
        sample_rate=22_050,
        channels=2,
        status=Track.Status.DONE,
        created=now,
        queued_at=now,
        finished_at=now,
    )


def _analysis(version: ModelVersion, descriptor: Any) -> Analysis:
    return Analysis(
        id=0,
        track_id=IDS[0],
        model_version=version,
        feature_version=version.feature_version,
        descriptor_version=DESCRIPTOR_VERSION,
        created=timezone.now(),
        confidence=0.0,
        unsure=False,
        probabilities={},
        timeline=[],
        tag_version=_TAG_VERSION,
        descriptor=descriptor,
        lens_version=VERSION,
        peaks=[-100, 100] * 100,
        **dict.fromkeys(Analysis.PICTURES, "synthetic"),
    )

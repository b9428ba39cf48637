"""No page and no call of the API loads a long column that it does not show."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from classifier.core.artifact import read_metadata
from classifier.core.chroma import DESCRIPTOR_SIZE
from classifier.core.tags import TAGS
from classifier.models import Genre, ModelVersion
from classifier.releases import current_release
from genreweb.accounts.models import User
from library.models import Analysis, Explanation, Reanalysis, Track
from library.models.analyses import TAG_EMBEDDING_SIZE
from training.models import LabelCheck, Promotion, Receipt, TrainingRun
from training.tests.clips import make_clip
from training.tests.versions import make_run

pytestmark = pytest.mark.django_db

LONG = 1500
"""Bytes from which on a value may be loaded only where it is shown."""
ROWS = 3

_SOUND = {"library_analysis.timeline", "library_analysis.peaks", "library_analysis.descriptor"}
_WHY = {"library_explanation.summary"}
_FIGURES = {"classifier_modelversion.metadata", "classifier_modelversion.files"}
_EVALUATED = {*_FIGURES, "training_trainingrun.judgement"}
_PREDICTED = {"training_clip.opinion"}
_REVIEWED = {"training_clip.embedding", *_PREDICTED}
SHOWN: dict[str, set[str]] = {
    # The sound over time, its neighbours, and what it was heard by.
    "library:track": {*_SOUND, *_WHY},
    "library:track-result": {*_SOUND, *_WHY},
    "library:track-why": _WHY,
    "library:track-data": {"library_analysis.timeline"},
    "library:track-timeline": {"library_analysis.timeline"},
    "training:contribute-track": {"library_analysis.peaks"},
    "api:track": {"library_analysis.timeline"},
    "api:track-similar": {"library_analysis.descriptor"},
    "api:track-pictures": {"library_analysis.peaks"},
    "api:track-explanation": _WHY,
    # What was measured of each version, and its size.
    "classifier:quality": _FIGURES,
    "training:versions": _FIGURES,
    "training:version": _EVALUATED,
    "api:model-versions": _EVALUATED,
    "api:model-version": _EVALUATED,
    "api:model-version-compare": _EVALUATED,
    "admin:classifier_modelversion_changelist": {"classifier_modelversion.metadata"},
    "admin:classifier_modelversion_change": {"classifier_modelversion.metadata"},
    "admin:classifier_modelversion_history": {"classifier_modelversion.metadata"},
    # Whether the files of the former version are there still.
    "training:versions-rollback": {"classifier_modelversion.files"},
    # Once, of the version in service.
    "training:runs": _FIGURES,
    "training:run-preflight": _FIGURES,
    "api:training-preflight": _FIGURES,
    # What was predicted for each clip; and the clips nearest to the one under review.
    "training:review": _REVIEWED,
    "training:review-next": _REVIEWED,
    "training:review-list": _PREDICTED,
    "training:review-health": _PREDICTED,
    "admin:training_clip_change": _PREDICTED,
}
"""By page, the long columns that it shows or computes with."""


@dataclass
class Loaded:
    """The longest value of each column that queries returned."""

    longest: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _tables: dict[int, str] = field(default_factory=dict)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        result = context["cursor"].cursor.pgresult
        for column in range(result.nfields if result else 0):
            name = f"{self._tables.get(result.ftable(column), '')}.{result.fname(column).decode()}"
            for row in range(result.ntuples):
                size = len(result.get_value(row, column) or b"")
                self.longest[name] = max(self.longest[name], size)
        return answer


@contextlib.contextmanager
def loading() -> Iterator[Loaded]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid, relname FROM pg_class WHERE relkind = 'r'")
        loaded = Loaded(_tables=dict(cursor.fetchall()))
    with connection.execute_wrapper(loaded):
        yield loaded


@dataclass(frozen=True)
class Site:
    """One row of every kind that a page may name in its address, each as long as on a real site."""

    person: User
    track: Track
    clips: list[Any]
    run: TrainingRun
    version: ModelVersion
    reanalysis: Reanalysis


@pytest.fixture
def site(
    staff: User,
    curator: User,
    genres: dict[str, Genre],
    version: ModelVersion,
    done_track: Callable[..., Track],
) -> Site:
    staff.groups.add(*curator.groups.all())
    version.metadata = read_metadata(current_release())
    version.files = {f"file-{number}": {"sha256": "0" * 64, "size": 1} for number in range(30)}
    version.save(update_fields=["metadata", "files"])
    tracks = [
        done_track(person, angle=angle, tags=dict.fromkeys(TAGS, 0.9))
        for person in (staff, None)
        for angle in range(ROWS)
    ]
    rng = np.random.default_rng(0)
    for analysis in Analysis.objects.all():
        analysis.timeline *= 100
        analysis.peaks = [-100, 100] * 1000
        analysis.descriptor = rng.normal(size=DESCRIPTOR_SIZE)
        analysis.embedding = rng.normal(size=256)
        analysis.tag_embedding = rng.normal(size=TAG_EMBEDDING_SIZE)
        analysis.save()
        summary = {"bands": [0.0, 11025.0], "slices": [0.0, 3.0], "effects": [[0.125] * 40] * 20}
        sides = ("bands_for", "bands_against", "moments_for", "moments_against")
        parts: dict[str, list[Any]] = {side: [] for side in sides}
        Explanation.objects.create(
            analysis=analysis, summary=summary | parts, status="done", picture="map.webp"
        )
    Analysis.objects.create(**_copy(Analysis.objects.get(track=tracks[0])))
    clips: list[Any] = []
    for number in range(3 * ROWS):
        clip = make_clip(
            staff,
            genres["blues"],
            version=version,
            opinion={f"genre-{place}": 0.01 for place in range(100)},
            seed=number,
            sound=False,
            status=["pending", "approved", "rejected"][number % 3],
            embedding=[0.123456] * 256,
            fingerprint=list(range(10**8, 10**8 + 200)),
            tags=bytes(4000),
            suspicion=0.9,
            suspected_genre="rock",
            doubted_genre="blues",
            track=tracks[0],
            duplicate_of=clips[0] if clips else None,
        )
        clips.append(clip)
    held_out = {str(number): {"genre": "blues", "candidate": ["blues", 0.5]} for number in range(100)}
    run = make_run(version, [(clip, "train") for clip in clips], holdout={"clips": held_out})
    run.requested_by = staff
    run.save(update_fields=["requested_by"])
    Promotion.objects.create(version=version, former=version, by=staff, reason="Better")
    Receipt.objects.create(user=staff, version=version, clips=3)
    LabelCheck.objects.create(version=version, status="done", requested_by=staff, finished_at=timezone.now())
    reanalysis = Reanalysis.objects.create(scope="mine", requested_by=staff, status="done")
    return Site(staff, tracks[0], clips, run, version, reanalysis)


def _copy(analysis: Analysis) -> dict[str, Any]:
    return {
        column.name: getattr(analysis, column.name)
        for column in Analysis._meta.fields
        if column.name not in ("id", "created")
    }


def _patterns(patterns: list[Any], spaces: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            space = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from _patterns(pattern.url_patterns, spaces + space)
        elif pattern.name:
            yield f"{spaces}{pattern.name}", pattern


def _addresses(site: Site) -> Iterator[tuple[str, str]]:
    """Every address of the site that the rows can fill, by its name."""
    admin_rows = {
        "library_track": site.track.pk,
        "classifier_modelversion": site.version.pk,
        "training_clip": site.clips[0].pk,
        "training_trainingrun": site.run.pk,
        "accounts_user": site.person.pk,
    }
    for name, pattern in _patterns(get_resolver().url_patterns):
        wanted = set(pattern.pattern.converters)
        filled: dict[str, Any] = {}
        if "pk" in wanted:
            filled["pk"] = next(
                (
                    row.pk
                    for word, row in (
                        ("track", site.track),
                        ("clip", site.clips[0]),
                        ("review", site.clips[0]),
                        ("withdraw", site.clips[0]),
                        ("version", site.version),
                        ("run", site.run),
                        ("reanalysis", site.reanalysis),
                        ("", site.track),
                    )
                    if word in name
                ),
            )
        if "object_id" in wanted:
            filled["object_id"] = admin_rows.get(name.removeprefix("admin:").rpartition("_")[0])
        filled |= {"slug": "mellow", "mood": "mellow", "scope": "mine"}
        filled = {key: value for key, value in filled.items() if key in wanted}
        if filled.keys() == wanted and None not in filled.values():
            with contextlib.suppress(Exception):
                yield name, reverse(name, kwargs=filled)


@pytest.mark.slow
def test_no_page_loads_a_long_column_that_it_does_not_show(site: Site, client: Client) -> None:
    client.force_login(site.person)
    found: dict[str, dict[str, int]] = {}
    answered: set[str] = set()
    for name, address in _addresses(site):
        if name == "account_logout" or "bundle" in name:
            # One would end the session, the other is a file.
            continue
        with loading() as loaded:
            response = client.get(address, {"scope": "all"} if name == "api:tracks" else {})
        if response.status_code != 200:
            continue
        answered.add(name)
        long = {column: size for column, size in loaded.longest.items() if size >= LONG}
        if unshown := long.keys() - SHOWN.get(name, set()):
            found[name] = {column: long[column] for column in unshown}
    assert found == {}
    # A list that did not answer would have loaded nothing.
    assert answered >= {
        *("library:home", "library:history", "library:catalogue", "library:moods", "library:mood"),
        *("library:track", "library:reanalysis", "library:rows", "training:contributions"),
        *("training:receipts", "training:review", "training:review-list", "training:review-health"),
        *("training:runs", "training:run", "training:versions", "training:data", "accounts:account"),
        *("api:tracks", "api:track-similar", "api:mood-tracks", "api:clips", "api:training-runs"),
        *("api:model-versions", "api:reanalyses", "admin:library_track_changelist"),
        *("admin:training_clip_changelist", "admin:training_promotion_changelist"),
        *("admin:training_receipt_changelist", "admin:training_trainingrun_changelist"),
    }


def test_lists_show_the_version_without_its_metadata(site: Site, client: Client) -> None:
    """The other side: what was left out is not fetched row by row either."""
    client.force_login(site.person)
    for address in (reverse("library:history"), reverse("library:catalogue"), reverse("api:tracks")):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        assert not [query for query in queries if '"metadata"' in query["sql"]]
        assert len(queries) < 20

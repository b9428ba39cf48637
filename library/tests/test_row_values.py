"""Rows that are kept: whatever changes what one shows, for whoever reads it, shows at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client, RequestFactory
from django.utils import timezone, translation

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from library.tests.conftest import Matrix
from library.views.row_values import drawn

pytestmark = pytest.mark.django_db
TEMPLATES = (
    "library/partials/track_row.html",
    "library/partials/catalogue_row.html",
    "library/track/neighbour_facts.html",
)


def rows(track: Track) -> list[str]:
    request = RequestFactory().get("/")
    fresh = Track.objects.for_rows().get(pk=track.pk)
    return [drawn(template, fresh, request, list="history") for template in TEMPLATES]


def changed(track: Track, do: Callable[[], object], words: str) -> list[bool]:
    """Tell for each template whether `words` stand in the row only after `do`."""
    before = rows(track)
    assert rows(track) == before
    do()
    return [words not in one and words in other for one, other in zip(before, rows(track), strict=True)]


def test_every_change_of_a_track_shows(
    owner: User, genres: dict[str, Genre], done_track: Callable[..., Track]
) -> None:
    track = done_track(owner, title="Before", genre="blues", confidence=0.82)
    tracks = Track.objects.filter(pk=track.pk)
    # Of a newer one it says how many seconds old it is.
    tracks.update(created=timezone.now() - timedelta(days=30))
    assert changed(track, lambda: tracks.update(title="After"), "After")[:2] == [True, True]
    assert changed(track, lambda: tracks.update(artist="Somebody", year=1984), "1984")[:2] == [True, True]
    assert changed(track, lambda: tracks.update(labelled_genre=genres["jazz"]), "Jazz")[1:] == [True, True]
    Genre.objects.filter(slug="jazz").update(name="Swing")
    assert all("Swing" in row for row in rows(track)[1:])
    cover = tracks.get().cover
    cover.save("cover.webp", ContentFile(b"RIFF"), save=False)
    assert changed(track, lambda: tracks.update(cover=cover.name), "track-row-cover")[:2] == [True, True]
    assert changed(track, lambda: ModelVersion.objects.update(is_in_service=False), "older classifier")[0]
    tracks.update(labelled_genre=None)
    assert (
        changed(track, lambda: track.current and type(track.current).objects.update(unsure=True), "is-unsure")
        == [True] * 3
    )
    failed = {"status": "failed", "error_code": "too_short", "error_params": {"minimum": 3}}
    assert changed(track, lambda: tracks.update(**failed), "state is-bad")[0]
    waiting = {"status": "queued", "error_code": "", "queued_at": timezone.now()}
    assert changed(track, lambda: tracks.update(**waiting), "data-watch")[0]


def test_a_row_is_in_the_language_of_whoever_reads(owner: User, done_track: Callable[..., Track]) -> None:
    track = done_track(owner)
    Track.objects.update(created=timezone.now() - timedelta(days=30))
    with translation.override("en"):
        english = rows(track)[0]
    with translation.override("ko"):
        assert "삭제" in rows(track)[0]
    with translation.override("en"):
        assert rows(track)[0] == english
    assert "삭제" not in english


def test_a_row_holds_nothing_of_its_first_reader(
    client: Client, matrix: Matrix, done_track: Callable[..., Track]
) -> None:
    done_track(matrix.owner, title="Published", visibility="catalogue")
    client.force_login(matrix.owner)
    first = client.get("/catalogue/").content.decode()
    assert "Published" in first
    for person in matrix.strangers:
        client.force_login(person)
        assert matrix.owner.email not in client.get("/catalogue/").content.decode()
    # Names that no row's template may ask for, as the first reader's answer would be kept for all.
    folder = Path(__file__).parents[2] / "templates"
    for name in (*TEMPLATES, "library/partials/mood_row.html", "library/track/neighbour_head.html"):
        source = (folder / name).read_text()
        assert not any(word in source for word in ("request", "user", "csrf", "perms", "messages")), name

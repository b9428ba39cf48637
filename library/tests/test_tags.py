"""What the tagger found is stored with the analysis, and lists find the track by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from classifier.core.analysis import TrackAnalysis, analyse
from classifier.core.lenses import BLEND, LENSES
from classifier.core.prediction import TrackTags
from classifier.core.tagger import MSD_TAGS, Tagger, TaggerError, default_folder
from classifier.core.tags import NOTABLE, TAGS, flattened
from genreweb.accounts.models import User
from library.models import TAG_EMBEDDING_SIZE, Analysis, NotableTag, Track, TrackLens, strength_column
from library.services import analysis
from library.services.tags import index_tags
from library.services.tracks import add_track, analyse_again, delete_tracks
from library.tests.conftest import grouped
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.django_db
Make = Callable[..., Track]


@dataclass
class Given:
    """What the next analyses find: outputs of the tagger, a style, and whether there is music."""

    strengths: dict[str, float] = field(default_factory=dict)
    style: str | None = None
    music: bool = True

    def update(self, **changed: Any) -> None:
        for name, value in changed.items():
            setattr(self, name, value)


@pytest.fixture
def tagged_analyses(monkeypatch: pytest.MonkeyPatch, classifier_in_service: object) -> Given:
    """Let analyses find what is returned."""
    given = Given()

    def analysed(file: BinaryIO, **options: object) -> TrackAnalysis:
        result = analyse(file, **options)  # type: ignore[arg-type]  # the service's own arguments
        embedding = np.arange(TAG_EMBEDDING_SIZE, dtype=np.float32)
        tags = TrackTags(given.strengths, embedding, embedding, "weights")
        label = "rock" if given.music else None
        prediction = replace(
            result.prediction,
            tags=tags,
            style=given.style,
            label=label,
            unsure=True,
            music=label is not None,
        )
        return replace(result, prediction=prediction)

    monkeypatch.setattr(analysis, "analyse", analysed)
    return given


def add(owner: User) -> Track:
    return add_track(owner=owner, file=ContentFile(wav(chords(5)), name="a.wav"), name="a.wav").track


def run(track: Track) -> Analysis:
    assert analysis.analyse_track(track_id=track.pk) is True
    track.refresh_from_db()
    assert track.current is not None
    return track.current


def rows(track: Track) -> dict[str, float]:
    return dict(track.notable_tags.values_list("tag", "strength"))


def test_an_analysis_keeps_calibrated_strengths_style_and_embedding(
    owner: User, tagged_analyses: Given
) -> None:
    tagged_analyses.update(strengths=dict.fromkeys(MSD_TAGS, 0.03), style="electronic")
    track = add(owner)
    current = run(track)
    assert (current.style, current.unsure, current.genre) == ("electronic", True, "rock")
    assert current.tag_version.startswith("weights-")
    assert current.tags["mood"]["sexy"] > 0.85
    assert list(current.tag_embedding) == list(range(TAG_EMBEDDING_SIZE))
    strong = {slug: value for slug, value in flattened(current.tags).items() if value >= NOTABLE}
    assert strong
    assert rows(track) == strong


@pytest.mark.slow
def test_a_new_analysis_replaces_what_the_track_is_found_by(owner: User, tagged_analyses: Given) -> None:
    tagged_analyses.update(strengths={"sad": 1.0})
    track = add(owner)
    run(track)
    assert rows(track) == {"sad": 1.0}
    tagged_analyses.update(strengths={"happy": 1.0})
    assert analyse_again(track=track)
    run(track)
    assert rows(track) == {"happy": 1.0}
    assert track.analyses.count() == 2
    delete_tracks(Track.objects.filter(pk=track.pk))
    assert not NotableTag.objects.exists()


def test_what_is_no_music_is_found_by_no_tag(owner: User, tagged_analyses: Given) -> None:
    tagged_analyses.update(strengths={"sad": 1.0}, music=False)
    track = add(owner)
    assert run(track).tags["mood"] == {"sad": 1.0}
    assert rows(track) == {}


def test_a_lost_claim_leaves_the_tags_as_they_were(
    owner: User, tagged_analyses: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged_analyses.update(strengths={"sad": 1.0})
    track = add(owner)
    run(track)
    tagged_analyses.update(strengths={"happy": 1.0})
    assert analyse_again(track=track)
    tagging = vars(analysis)["analyse"]

    def overtaken(file: BinaryIO, **options: object) -> TrackAnalysis:
        result: TrackAnalysis = tagging(file, **options)
        Track.objects.filter(pk=track.pk).update(attempt=9)
        return result

    monkeypatch.setattr(analysis, "analyse", overtaken)
    assert analysis.analyse_track(track_id=track.pk) is False
    assert rows(track) == {"sad": 1.0}


def test_the_installed_tagger_is_asked(owner: User, classifier_in_service: object) -> None:
    try:
        version = Tagger.load(default_folder()).version
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")
    current = run(add(owner))
    if not current.tag_version:
        pytest.skip("the version in service does not use the tagger")
    assert current.tag_version.startswith(f"{version}-")
    assert set(flattened(current.tags)) == set(TAGS)
    assert len(current.tag_embedding) == TAG_EMBEDDING_SIZE
    assert len(current.levelled_features) > TAG_EMBEDDING_SIZE
    lenses = {row.lens: row for row in TrackLens.objects.filter(track=current.track_id)}
    assert set(lenses) == set(LENSES)
    isolation = lenses[BLEND].isolation
    assert isolation is not None
    assert 0 < isolation <= 1
    assert all(row.isolation is None for lens, row in lenses.items() if lens != BLEND)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"tags": {}, "tag_version": "1"}, "tags_have_a_version"),
        ({"tags": {"mood": {"sad": 1.0}}, "tag_version": ""}, "tags_have_a_version"),
        ({"style": "house", "unsure": False}, "style_is_of_music_and_unsure"),
        ({"style": "house", "unsure": True, "genre": ""}, "style_is_of_music_and_unsure"),
    ],
)
def test_rows_that_cannot_be(
    owner: User, done_track: Make, fields: dict[str, object], constraint: str
) -> None:
    track = done_track(owner)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Analysis.objects.filter(track=track).update(**fields)


def test_a_tag_has_one_strength_that_is_a_share(owner: User, done_track: Make) -> None:
    track = done_track(owner, tags={"sad": 0.9})
    with pytest.raises(IntegrityError, match="one_strength_per_track_and_tag"), transaction.atomic():
        NotableTag.objects.create(track=track, tag="sad", strength=0.8)
    with pytest.raises(IntegrityError, match="strength_of_tag_is_a_share"), transaction.atomic():
        NotableTag.objects.create(track=track, tag="happy", strength=1.1)


def test_unknown_tags_of_another_release_are_not_indexed(owner: User, done_track: Make) -> None:
    track = done_track(owner, tags={"sad": 0.9})
    assert track.current is not None
    track.current.tags = {**grouped({"happy": 0.95}), "other": {"polka": 1.0}}
    index_tags(track.current)
    assert rows(track) == {"happy": 0.95}


def test_by_tag_the_strongest_first_and_only_once(owner: User, done_track: Make) -> None:
    for strength in (0.75, 0.99, 0.9, 0.3):
        done_track(owner, title=f"{strength}", tags={"sad": strength, "happy": 0.8})
    found = Track.objects.with_tag("sad", at_least=0.7).order_by(f"-{strength_column('sad')}")
    assert [track.title for track in found] == ["0.99", "0.9", "0.75"]
    both = Track.objects.with_tag("sad", at_least=0.95).with_tag("happy", at_least=0.7)
    assert [track.title for track in both] == ["0.99"]
    with pytest.raises(KeyError):
        Track.objects.with_tag("polka", at_least=0.7)

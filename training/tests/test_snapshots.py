"""Snapshots: the clips of a run and their sides of the split."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.jobs import ClaimLostError
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingRun
from training.services import snapshots
from training.services.snapshots import Candidate, Plan, split
from training.tests.clips import make_clip

Genres = dict[str, Genre]
LEARNT = ("train", "valid")


def candidate(**fields: Any) -> Candidate:
    pk = fields.pop("pk", uuid.uuid4())
    made: dict[str, Any] = {
        "features_sha256": pk.hex * 2,
        "genre": "blues",
        "part": "",
        "artist": "",
        "contributor": None,
        "dataset": None,
        "repetition_group": "",
        "links": (f"one:{pk}", *fields.pop("links", ())),
        **fields,
    }
    return Candidate(pk=pk, **made)


def sides(plan: Plan) -> dict[uuid.UUID, str]:
    return {entry.pk: str(entry.split) for entry in plan.entries}


def sides_by(plan: Plan, clips: Iterable[Candidate], key: str) -> dict[Any, set[str]]:
    found: dict[Any, set[str]] = defaultdict(set)
    where = sides(plan)
    for clip in clips:
        found[getattr(clip, key)].add(where[clip.pk])
    return found


def test_clips_of_one_artist_lie_on_one_side() -> None:
    clips = [candidate(artist=f"artist {n % 60}", contributor=n % 3) for n in range(600)]
    plan = split(clips)
    assert plan.grouping == "people"
    assert {len(found) for found in sides_by(plan, clips, "artist").values()} == {1}
    shares = Counter(sides(plan).values())
    assert set(shares) == {"train", "valid", "holdout"}
    assert 0.65 < shares["train"] / 600 < 0.95


def test_without_an_artist_clips_of_one_person_lie_on_one_side() -> None:
    clips = [candidate(contributor=n % 40) for n in range(400)]
    plan = split(clips)
    assert plan.grouping == "people"
    assert {len(found) for found in sides_by(plan, clips, "contributor").values()} == {1}


def test_one_recording_ties_artists_together() -> None:
    shared = candidate(artist="a cover band", links=("file:same",))
    other = candidate(artist="the original", links=("file:same",))
    rest = [candidate(artist="the original"), candidate(artist="a cover band")]
    many = [candidate(artist=f"artist {n}") for n in range(30)]
    where = sides(split([shared, other, *rest, *many]))
    assert len({where[clip.pk] for clip in (shared, other, *rest)}) == 1


def test_a_group_keeps_its_side_when_others_come() -> None:
    clips = [candidate(artist=f"artist {n}") for n in range(100)]
    before = sides(split(clips))
    after = sides(split([*clips, *(candidate(artist=f"newcomer {n}") for n in range(300))]))
    assert {pk: after[pk] for pk in before} == before


def test_the_order_of_clips_does_not_matter() -> None:
    clips = [candidate(artist=f"artist {n % 20}", links=(f"file:{n % 33}",)) for n in range(100)]
    assert split(clips).digest == split(reversed(clips)).digest


def test_parts_of_a_dataset_are_kept_and_decide_for_their_group() -> None:
    kept = {part: candidate(part=part, dataset=1, artist=f"of {part}") for part in ("train", "valid", "test")}
    follow = {part: candidate(artist=f"of {part}") for part in kept}
    many = [candidate(artist=f"artist {n}") for n in range(30)]
    where = sides(split([*kept.values(), *follow.values(), *many]))
    assert {part: where[clip.pk] for part, clip in kept.items()} == {part: part for part in kept}
    # An artist of the test set must not be trained on, but may be held out.
    assert {part: where[clip.pk] for part, clip in follow.items()} == {
        "train": "train",
        "valid": "valid",
        "test": "holdout",
    }


@pytest.mark.parametrize("count", [1, 5, 9])
def test_a_handful_of_clips_is_all_learnt(count: int) -> None:
    plan = split([candidate(contributor=1) for _ in range(count)])
    assert plan.all_in_training
    assert set(sides(plan).values()) == {"train"}


def test_few_people_are_split_by_recording_and_said_so() -> None:
    clips = [candidate(contributor=n % 2, links=(f"file:{n // 2}",)) for n in range(200)]
    plan = split(clips)
    # Artists would be next, but none is known: the finest grouping that differs is by recording.
    assert plan.grouping == "artists"
    assert {len(found) for found in sides_by(plan, clips, "links").values()} == {1}
    assert {"train", "valid"} <= set(sides(plan).values())


def test_one_artist_alone_is_split_by_recording() -> None:
    clips = [candidate(artist="the only one") for _ in range(100)]
    plan = split(clips)
    assert plan.grouping == "recordings"
    assert not plan.all_in_training
    assert set(sides(plan).values()) == {"train", "valid", "holdout"}


def test_a_new_genre_keeps_enough_to_learn_from() -> None:
    # All its clips come from one person, whose group would be held out as a whole.
    unlucky = next(n for n in range(1000) if snapshots._hashed_side(f"by:{n}") == "holdout")
    new = [candidate(genre="chiptune", contributor=unlucky) for _ in range(40)]
    old = [candidate(artist=f"artist {n}") for n in range(60)]
    grouped = split(old + [candidate(genre="chiptune", contributor=unlucky) for _ in range(4)])
    assert grouped.rescued == []
    plan = split([*old, *new])
    assert plan.rescued == ["chiptune"]
    assert {sides(plan)[clip.pk] for clip in new} == {"train"}


def test_something_is_left_to_validate_with() -> None:
    for seed in range(20):
        clips = [candidate(artist=f"{seed} {n}") for n in range(12)]
        assert "valid" in set(sides(split(clips)).values())


# --- rows ------------------------------------------------------------------------------------------------
@pytest.fixture
def run(curator: User) -> TrainingRun:
    return TrainingRun.objects.create(
        kind="quick", architecture="residual-cnn", epochs=0, requested_by=curator, status="running", attempt=1
    )


def attach(run: TrainingRun) -> Any:
    return lambda snapshot: bool(TrainingRun.objects.filter(pk=run.pk).update(snapshot=snapshot))


def test_only_usable_clips_are_in_a_snapshot(run: TrainingRun, owner: User, genres: Genres) -> None:
    blues = genres["blues"]
    used = make_clip(owner, blues, status="approved", seed=1)
    test = make_clip(None, blues, status="approved", part="test", seed=2)
    unusable: list[dict[str, Any]] = [
        {"status": "pending"},
        {"status": "rejected"},
        {"status": "approved", "leaks": True},
    ]
    for number, fields in enumerate(unusable):
        make_clip(owner, blues, seed=3 + number, **fields)
    snapshot, plan = snapshots.freeze(run, save=attach(run))
    entries = {entry.clip_key: entry for entry in snapshot.entries.all()}
    assert set(entries) == {used.pk, test.pk}
    assert entries[test.pk].split == "test"
    assert entries[used.pk].split == "train"
    assert entries[used.pk].features_sha256 == used.features_sha256
    assert snapshot.counts == {"blues": {"train": 1, "test": 1}} == plan.counts
    run.refresh_from_db()
    assert run.snapshot == snapshot


def test_the_digest_follows_the_content(run: TrainingRun, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], status="approved", seed=1)
    make_clip(owner, genres["rock"], status="approved", seed=2)
    first = snapshots.plan().digest
    assert snapshots.plan().digest == first
    Clip.objects.filter(pk=clip.pk).update(genre=genres["jazz"])
    relabelled = snapshots.plan().digest
    assert relabelled != first
    Clip.objects.filter(pk=clip.pk).update(genre=genres["blues"], features_sha256="0" * 64)
    assert snapshots.plan().digest not in {first, relabelled}


def test_a_withdrawn_clip_leaves_its_row(run: TrainingRun, owner: User, genres: Genres) -> None:
    clip = make_clip(owner, genres["blues"], status="approved", seed=1)
    snapshot, _plan = snapshots.freeze(run, save=attach(run))
    clip.delete()
    entry = snapshot.entries.get()
    assert entry.clip is None
    assert entry.genre == "blues"


def test_a_run_that_was_taken_over_freezes_nothing(run: TrainingRun, owner: User, genres: Genres) -> None:
    make_clip(owner, genres["blues"], status="approved", seed=1)
    with pytest.raises(ClaimLostError):
        snapshots.freeze(run, save=lambda _snapshot: False)
    assert not DatasetSnapshot.objects.exists()
    assert not SnapshotClip.objects.exists()

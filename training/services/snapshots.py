"""Snapshots: the clips of a run with their labels and their sides of the split.

Clips that belong together are never on two sides. The side of a group follows from a hash of its name alone,
so that it is the same in every snapshot, and clips that were held out once are not trained on later.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.db import IntegrityError, transaction

from genreweb.jobs import ClaimLostError
from training.models import Clip, DatasetSnapshot, SnapshotClip, TrainingRun
from training.services.training_data import LEAST_CLIPS

Split = SnapshotClip.Split
Grouping = Literal["people", "artists", "recordings"]

GROUPINGS: tuple[Grouping, ...] = ("people", "artists", "recordings")
"""Clips that are kept on one side, strictest first. ``people``: those of one artist or, if unknown, of one
contributor. ``artists``: those of one artist. ``recordings``: those of one recording."""
LEAST_GROUPS = 10
"""With fewer groups, a side of the split could be empty or come from a single person."""
TRAIN_SHARE, VALID_SHARE = 0.8, 0.1
LEAST_TRAIN = round(LEAST_CLIPS * TRAIN_SHARE)
"""Minimum number of training clips of a genre that has enough clips to be predictable."""

_SIDES = {
    Clip.Part.TRAIN: Split.TRAIN,
    Clip.Part.VALID: Split.VALID,
    Clip.Part.TEST: Split.TEST,
}
_BATCH = 1000
_ATTEMPTS = 3
_COLUMNS = (
    "features_sha256",
    "part",
    "artist",
    "contributor",
    "dataset",
    "repetition_group",
    "sha256",
    "track",
    "origin",
    "duplicate_of",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The fields of a clip that determine its side, and those that its entry stores."""

    pk: UUID
    features_sha256: str
    genre: str
    part: str
    artist: str
    contributor: int | None
    dataset: int | None
    repetition_group: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip with its label, side and group."""

    pk: UUID
    features_sha256: str
    genre: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Split of the currently usable clips.

    Attributes
    ----------
    grouping
        Which clips were kept together; see `GROUPINGS`.
    rescued
        Genres whose held-out clips were moved to training, because it had too few.
    all_in_training
        Whether there are too few clips to hold any out.
    """

    entries: list[Entry]
    grouping: Grouping
    rescued: list[str] = field(default_factory=list)
    all_in_training: bool = False

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Clips by genre and split."""
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in self.entries:
            counted[entry.genre][entry.split] += 1
        return {genre: dict(counted[genre]) for genre in sorted(counted)}

    @property
    def digest(self) -> str:
        """Hash of everything that a run would be trained and measured on."""
        lines = sorted(f"{e.pk} {e.features_sha256} {e.genre} {e.split}\n" for e in self.entries)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def plan() -> Plan:
    """Split all usable clips, without writing to the database."""
    return split(_candidates())


def freeze(run: TrainingRun, *, save: Callable[[DatasetSnapshot], bool]) -> tuple[DatasetSnapshot, Plan]:
    """Store the snapshot of `run`.

    Parameters
    ----------
    save
        Stores the snapshot in the run, in the same transaction; returns False if the claim on the run was
        lost, and then nothing is written.

    Raises
    ------
    ClaimLostError
        If `save` returned False.
    """
    for attempt in range(_ATTEMPTS):
        planned = plan()
        try:
            return _write(planned, run, save), planned
        except IntegrityError:
            # A clip was withdrawn between reading and writing.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


@transaction.atomic
def _write(planned: Plan, run: TrainingRun, save: Callable[[DatasetSnapshot], bool]) -> DatasetSnapshot:
    snapshot = DatasetSnapshot.objects.create(digest=planned.digest, counts=planned.counts)
    SnapshotClip.objects.bulk_create(
        (
            SnapshotClip(
                snapshot=snapshot,
                clip_id=entry.pk,
                clip_key=entry.pk,
                features_sha256=entry.features_sha256,
                genre=entry.genre,
                split=entry.split,
                group=entry.group,
            )
            for entry in planned.entries
        ),
        batch_size=_BATCH,
    )
    if not save(snapshot):
        raise ClaimLostError(str(run.pk))
    return snapshot


def split(candidates: Iterable[Candidate]) -> Plan:
    """Assign a side to every clip.

    A dataset's own parts are kept. A clip without one follows those of its group that have one; if these are
    in the test set it is held out, because a network must not be trained on an artist that it is tested on.
    Free groups are assigned by their hash: 80 % to training, 10 % each to validation and the held-out set. If
    there are fewer than `LEAST_GROUPS` free groups, the next finer grouping is used; if there are fewer
    recordings than that, all are for training.
    """
    clips = list(candidates)
    for grouping in GROUPINGS:
        groups = _group(clips, grouping)
        free = {name for name, members in groups.items() if all(not clip.part for clip in members)}
        if len(free) >= LEAST_GROUPS:
            break
    sides = {name: _hashed_side(name) if name in free else "" for name in groups}
    all_in_training = len(free) < LEAST_GROUPS
    rescued: list[str] = []
    if all_in_training:
        sides |= dict.fromkeys(free, Split.TRAIN)
    else:
        rescued = _rescue(groups, sides, free)
        _fill_validation(groups, sides, free)
    entries = [
        Entry(clip.pk, clip.features_sha256, clip.genre, _side(clip, members, sides[name]), name)
        for name, members in groups.items()
        for clip in members
    ]
    entries.sort(key=lambda entry: entry.pk)
    return Plan(entries, grouping, rescued, all_in_training and bool(free))


def _candidates() -> list[Candidate]:
    clips = (
        Clip.objects.usable()
        .select_related("genre")
        .only(*_COLUMNS, "genre__slug")
        .order_by("pk")
        .iterator(chunk_size=_BATCH)
    )
    return [
        Candidate(
            pk=clip.pk,
            features_sha256=clip.features_sha256,
            genre=clip.genre.slug,
            part=clip.part,
            artist=" ".join(clip.artist.casefold().split()),
            contributor=clip.contributor_id,
            dataset=clip.dataset_id,
            repetition_group=clip.repetition_group,
            links=tuple(_links(clip)),
        )
        for clip in clips
    ]


def _links(clip: Clip) -> Iterator[str]:
    """Keys of the clip's recording and of those that it was found to share."""
    yield f"one:{clip.pk}"
    if clip.sha256:
        yield f"file:{clip.sha256}"
    if clip.track_id:
        yield f"from:{clip.track_id}"
    for other in (clip.origin_id, clip.duplicate_of_id):
        if other:
            yield f"one:{other}"


def _keys(clip: Candidate, grouping: Grouping) -> list[str]:
    """Keys that a clip shares with others of its group."""
    keys = list(clip.links)
    if clip.repetition_group:
        keys.append(f"copy:{clip.dataset}:{clip.repetition_group}")
    if grouping != "recordings" and clip.artist:
        keys.append(f"artist:{clip.artist}")
    if grouping == "people" and not clip.artist and clip.contributor is not None:
        keys.append(f"by:{clip.contributor}")
    return keys


def _group(clips: list[Candidate], grouping: Grouping) -> dict[str, list[Candidate]]:
    """Group clips that share a key, directly or transitively (union-find), by the first key of each group."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for clip in clips:
        first, *rest = _keys(clip, grouping)
        for key in rest:
            # The alphabetically first key is the root, independent of the order of clips: the artist, then
            # the person, then the recording. So new clips do not change the name and side of a group.
            low, high = sorted((root(first), root(key)))
            parent[high] = low
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for clip in clips:
        groups[_short(root(clip.links[0]))].append(clip)
    return dict(sorted(groups.items()))


def _short(name: str) -> str:
    longest = SnapshotClip._meta.get_field("group").max_length or 0
    return name if len(name) <= longest else f"artist:{hashlib.sha256(name.encode()).hexdigest()}"


def _place(group: str) -> float:
    """Hash a name to a number in [0, 1)."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64


def _hashed_side(group: str) -> str:
    place = _place(group)
    if place < TRAIN_SHARE:
        return Split.TRAIN
    return Split.VALID if place < TRAIN_SHARE + VALID_SHARE else Split.HOLDOUT


def _side(clip: Candidate, members: list[Candidate], side: str) -> str:
    if clip.part:
        return _SIDES[Clip.Part(clip.part)]
    if side:
        return side
    parts = {member.part for member in members}
    if Clip.Part.TEST in parts:
        return Split.HOLDOUT
    return Split.TRAIN if Clip.Part.TRAIN in parts else Split.VALID


def _rescue(groups: dict[str, list[Candidate]], sides: dict[str, str], free: set[str]) -> list[str]:
    """Move held-out groups to training for genres with enough clips but too few in training."""
    rescued = []
    usable: Counter[str] = Counter()
    for members in groups.values():
        usable.update(clip.genre for clip in members if clip.part != Clip.Part.TEST)
    for genre in sorted(genre for genre, count in usable.items() if count >= LEAST_CLIPS):
        held_back = sorted(
            (name for name in free if sides[name] != Split.TRAIN and _has(groups[name], genre)), key=_place
        )
        while held_back and _in_training(groups, sides, genre) < LEAST_TRAIN:
            sides[held_back.pop(0)] = Split.TRAIN
            if genre not in rescued:
                rescued.append(genre)
    return rescued


def _in_training(groups: dict[str, list[Candidate]], sides: dict[str, str], genre: str) -> int:
    return sum(
        clip.genre == genre and _side(clip, members, sides[name]) == Split.TRAIN
        for name, members in groups.items()
        for clip in members
    )


def _has(members: list[Candidate], genre: str) -> bool:
    return any(clip.genre == genre for clip in members)


def _fill_validation(groups: dict[str, list[Candidate]], sides: dict[str, str], free: set[str]) -> None:
    """If validation is empty, move the group whose hash is nearest to it."""
    if any(
        _side(clip, members, sides[name]) == Split.VALID
        for name, members in groups.items()
        for clip in members
    ):
        return
    in_training = [name for name in free if sides[name] == Split.TRAIN]
    if in_training:
        sides[max(in_training, key=_place)] = Split.VALID

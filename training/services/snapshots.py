"""The clips of a run, frozen: which there were, under which label, and on which side of the split.

Clips that belong together never lie on two sides. Which side a group takes follows from a hash of its name
alone, so that it keeps its side from one snapshot to the next: what was held out once is not learnt later.
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
"""What must not lie on two sides, strictest first. ``people``: what one artist made, and where no artist is
known, what one person contributed. ``artists``: what one artist made. ``recordings``: one recording."""
LEAST_GROUPS = 10
"""With fewer groups than this, a split by them would leave a side empty or rest on one person's taste."""
TRAIN_SHARE, VALID_SHARE = 0.8, 0.1
LEAST_TRAIN = round(LEAST_CLIPS * TRAIN_SHARE)
"""Of a genre that could be taught, so many clips are to be learnt from."""

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
    """What decides the side of a clip, and what its entry keeps."""

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
    """A clip with its label, its side, and the group it belongs to."""

    pk: UUID
    features_sha256: str
    genre: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How the usable clips of now would be split.

    Attributes
    ----------
    grouping
        What was kept together; see `GROUPINGS`.
    rescued
        Genres whose held-back clips were put into training, because too few were left there.
    all_in_training
        Whether there is too little to hold anything back.
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
        """Hash of all that a run would learn and be measured from."""
        lines = sorted(f"{e.pk} {e.features_sha256} {e.genre} {e.split}\n" for e in self.entries)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def plan() -> Plan:
    """Split every usable clip; the database is only read."""
    return split(_candidates())


def freeze(run: TrainingRun, *, save: Callable[[DatasetSnapshot], bool]) -> tuple[DatasetSnapshot, Plan]:
    """Write down what `run` learns from.

    Parameters
    ----------
    save
        Notes the snapshot at the run, in the same transaction; False where the run is no longer ours, and
        then nothing is written.

    Raises
    ------
    ClaimLostError
        `save` gave False.
    """
    for attempt in range(_ATTEMPTS):
        planned = plan()
        try:
            return _write(planned, run, save), planned
        except IntegrityError:
            # A clip was withdrawn between our reading it and our writing it down.
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
    """Give every clip its side.

    A dataset's own parts are kept. A clip without one follows those of its group that have one; where these
    belong to the frozen test set it is held out, because a network must not learn an artist that it is
    tested on. Groups that are free go by their hash: 80 % into training, 10 % each into validation and the
    held-out set. Where there are fewer than `LEAST_GROUPS` free groups, the next finer grouping is taken; if
    even single recordings are fewer, all are for training.
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
    """Name the recording that a clip holds, and those that it was found to share."""
    yield f"one:{clip.pk}"
    if clip.sha256:
        yield f"file:{clip.sha256}"
    if clip.track_id:
        yield f"from:{clip.track_id}"
    for other in (clip.origin_id, clip.duplicate_of_id):
        if other:
            yield f"one:{other}"


def _keys(clip: Candidate, grouping: Grouping) -> list[str]:
    """Name everything that ties a clip to others."""
    keys = list(clip.links)
    if clip.repetition_group:
        keys.append(f"copy:{clip.dataset}:{clip.repetition_group}")
    if grouping != "recordings" and clip.artist:
        keys.append(f"artist:{clip.artist}")
    if grouping == "people" and not clip.artist and clip.contributor is not None:
        keys.append(f"by:{clip.contributor}")
    return keys


def _group(clips: list[Candidate], grouping: Grouping) -> dict[str, list[Candidate]]:
    """Join clips that share a key, directly or through others (union-find); a group goes by its first key."""
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
            # The alphabetically first key stays the root, whatever order clips come in: the artist, then the
            # person, then the recording, because a name that newcomers cannot change keeps the group's side.
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
    """Give a number in [0, 1) that follows from the name alone."""
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
    """Put held-back groups into training for genres that could be taught but have too few clips there."""
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
    """See that something is left to validate with: else the group nearest to that side changes over."""
    if any(
        _side(clip, members, sides[name]) == Split.VALID
        for name, members in groups.items()
        for clip in members
    ):
        return
    in_training = [name for name in free if sides[name] == Split.TRAIN]
    if in_training:
        sides[max(in_training, key=_place)] = Split.VALID

"""The clips of a run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.core import tag_storage
from classifier.core.dataset import Examples
from classifier.core.prediction import TrackTags
from classifier.fitting.data import tag_targets
from classifier.fitting.data.feature_store import FeatureStore

TRAINED_ON = ("train", "valid")
"""Sides whose clips a quick run fits on; a full run holds the second out for calibration."""


@dataclass(frozen=True, slots=True)
class RunClips:
    """The clips of a run, one row each.

    Attributes
    ----------
    rows
        Place in the feature store.
    targets
        Place of the label in those of the version, -1 where it is not among them.
    genres, sides
        Label and side of the split: train, valid, holdout or test.
    keys, names, groups
        Id of the clip, the name under which a release may store it, and the group that is not divided by the
        split.
    seen
        Whether the version in service was trained on it.
    embeddings
        (n, n_embedding) by the network in service; rows of NaN where there is none. May be (n, 0).
    tags
        (n, n_values) the tagger's output as `core.tag_storage` keeps it; rows of NaN where there is none. May
        be (n, 0).
    taggers
        Version of the tagger that made each row of `tags`; '' where there is none.
    """

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    genres: NDArray[np.str_]
    sides: NDArray[np.str_]
    keys: NDArray[np.str_]
    names: NDArray[np.str_]
    groups: NDArray[np.str_]
    seen: NDArray[np.bool_]
    embeddings: NDArray[np.float32]
    tags: NDArray[np.float16]
    taggers: NDArray[np.str_]

    @classmethod
    def read(cls, path: Path) -> RunClips:
        """Read what `write` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(**{field.name: archive[field.name] for field in fields(cls)})

    def write(self, path: Path) -> None:
        """Write the arrays under the names of the attributes."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(path, **arrays)

    def on(self, *sides: str) -> NDArray[np.intp]:
        """Places of the clips on these sides whose label the version has."""
        return np.flatnonzero(np.isin(self.sides, sides) & (self.targets >= 0))

    def unlabelled(self) -> NDArray[np.intp]:
        """Places of the clips to be trained on that have tags, but none of the version's labels."""
        return np.flatnonzero((self.sides == TRAINED_ON[0]) & (self.targets < 0) & (self.taggers != ""))

    def tags_of(self, place: int) -> TrackTags | None:
        """What is kept of the tagger's output for a clip; None where there is nothing."""
        version = str(self.taggers[place])
        return tag_storage.from_array(self.tags[place], version=version) if version else None

    def examples(self, features: FeatureStore, places: NDArray[np.intp]) -> Examples:
        """The features and targets of the clips at some places."""
        rows = self.rows[places]
        return Examples(
            db=features.rows(rows.tolist()),
            targets=self.targets[places].astype(np.intp),
            summary=features.summary[rows],
            tags=tag_targets.from_stored(self.tags[places], self.taggers[places]),
        )

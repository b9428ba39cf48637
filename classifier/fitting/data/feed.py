"""Training batches: random crops, channels and masks, all determined by (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.channels import random_channel
from classifier.core.dataset import Examples
from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeedParams:
    """How examples are augmented.

    Parameters
    ----------
    batch_size
        Crops of music in a batch.
    crops_per_epoch
        Crops of each track in an epoch, each at another place.
    outlier_share
        Sounds that are not music, per crop of music.
    channel_probability
        Share of crops that are changed by a random channel.
    shift
        Largest shift along frequency, in mel bands.
    masks, mask_bands, mask_columns
        SpecAugment (Park et al., 2019): stripes per direction and their largest widths.
    label_smoothing
        Probability taken from the true label and spread over all.
    """

    batch_size: int = 32
    crops_per_epoch: int = 2
    outlier_share: float = 0.0625
    channel_probability: float = 0.8
    shift: int = 2
    masks: int = 1
    mask_bands: int = 12
    mask_columns: int = 8
    label_smoothing: float = 0.05


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs (b, ...) as the network takes them, and what it is to give for them.

    Attributes
    ----------
    genres
        (b, n_labels); rows of zeros have no label and do not count.
    music
        (b, 1)
    tags
        (b, n_targets) from the tagger; rows of NaN do not count. None where there are no such targets.
    """

    inputs: FloatArray
    genres: FloatArray
    music: FloatArray
    tags: FloatArray | None = None


class Batches(Protocol):
    """The training batches of every epoch.

    Attributes
    ----------
    views
        Successive rows of a batch that are views of one crop; 1 where there is one view only.
    steps_per_epoch
        Batches.
    n_tags
        Targets from the tagger in each row; 0 where there are none.
    """

    views: int
    steps_per_epoch: int
    n_tags: int

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch; the same number always gives the same batches."""


def described_by(examples: Examples) -> dict[str, int]:
    """How many tracks there are, and how many of them have targets from the tagger, if any have."""
    tagged = 0 if examples.tags is None else int(np.isfinite(examples.tags[:, 0]).sum())
    return {"tracks": len(examples), **({"tagged": tagged} if tagged else {})}


def genre_targets(targets: NDArray[np.intp], *, n_rows: int, n_labels: int, smoothing: float) -> FloatArray:
    """(n_rows, n_labels) targets: smoothed labels, zeros for a label of -1, and even ones for what follows.

    Parameters
    ----------
    targets
        Of the first rows, which are music.
    """
    genres = np.full((n_rows, n_labels), 1 / n_labels, dtype=np.float32)
    music = genres[: len(targets)]
    music *= smoothing
    music[np.arange(len(targets)), targets] += 1 - smoothing
    music[targets < 0] = 0.0
    return genres


def music_targets(n_music: int, *, n_rows: int) -> FloatArray:
    """(n_rows, 1) ones for the first `n_music` rows and zeros for the others."""
    music = np.zeros((n_rows, 1), dtype=np.float32)
    music[:n_music] = 1.0
    return music


def tag_targets(examples: Examples, clips: NDArray[np.intp], *, n_rows: int) -> FloatArray | None:
    """(n_rows, n_targets) targets from the tagger: of each of `clips` one row, then rows of NaN."""
    if examples.tags is None:
        return None
    tags = np.full((n_rows, examples.tags.shape[1]), np.nan, dtype=np.float32)
    tags[: len(clips)] = examples.tags[clips]
    return tags


class Feed:
    """Augmented batches from a fixed set of examples.

    Attributes
    ----------
    views
        Successive rows that each crop gives, each with a channel and masks of its own.
    steps_per_epoch
        Batches.
    n_tags
        Targets from the tagger in each row.
    """

    def __init__(
        self,
        examples: Examples,
        outliers: list[FloatArray],
        *,
        n_labels: int,
        patch_params: PatchParams,
        params: FeedParams,
        seed: int,
        views: int = 1,
    ) -> None:
        self._examples = examples
        self._outliers = outliers
        self._n_labels = n_labels
        self._patch_params = patch_params
        self._params = params
        self._seed = seed
        self.views = views
        self.n_tags = 0 if examples.tags is None else examples.tags.shape[1]
        self.steps_per_epoch = max(len(examples) * params.crops_per_epoch // params.batch_size, 1)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch; the same number always gives the same batches."""
        rng = np.random.default_rng([self._seed, number])
        order = np.concatenate(
            [rng.permutation(len(self._examples)) for _ in range(self._params.crops_per_epoch)]
        )
        size = min(self._params.batch_size, len(order))
        for step in range(self.steps_per_epoch):
            yield self._batch(order[step * size : (step + 1) * size], rng)

    def _batch(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Batch:
        params = self._params
        n_outliers = round(len(rows) * params.outlier_share) if self._outliers else 0
        crops = [view for i in rows for view in self._vary(self._examples.db[i], rng)]
        n_music = len(crops)
        for _ in range(n_outliers):
            crops += self._vary(self._outliers[int(rng.integers(len(self._outliers)))], rng)
        inputs = patches.normalise(np.stack(crops), self._patch_params)
        self._mask(inputs, rng)
        clips = np.repeat(rows, self.views)
        return Batch(
            inputs=inputs[..., None],
            genres=genre_targets(
                self._examples.targets[clips],
                n_rows=len(crops),
                n_labels=self._n_labels,
                smoothing=params.label_smoothing,
            ),
            music=music_targets(n_music, n_rows=len(crops)),
            tags=tag_targets(self._examples, clips, n_rows=len(crops)),
        )

    def _vary(self, db: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
        """One crop of a sound, through a channel of its own for each view."""
        params, width = self._params, self._patch_params.n_columns
        source = patches.fill(db, width)
        start = int(rng.integers(0, source.shape[1] - width + 1))
        crop = source[:, start : start + width].copy()
        shift = int(rng.integers(-params.shift, params.shift + 1))
        if shift:
            crop = np.roll(crop, shift, axis=0)
            edge = slice(0, shift) if shift > 0 else slice(shift, None)
            crop[edge] = crop[shift if shift > 0 else shift - 1]
        return [self._through_channel(crop, rng) for _ in range(self.views)]

    def _through_channel(self, crop: FloatArray, rng: np.random.Generator) -> FloatArray:
        if rng.random() >= self._params.channel_probability:
            return crop
        return patches.to_db(random_channel(patches.db_to_power(crop), rng), self._patch_params)

    def _mask(self, inputs: FloatArray, rng: np.random.Generator) -> None:
        params = self._params
        for row in inputs:
            mean = row.mean()
            for _ in range(params.masks):
                bands, columns = (
                    rng.integers(0, params.mask_bands + 1),
                    rng.integers(0, params.mask_columns + 1),
                )
                first_band = rng.integers(0, row.shape[0] - bands + 1)
                first_column = rng.integers(0, row.shape[1] - columns + 1)
                row[first_band : first_band + bands] = mean
                row[:, first_column : first_column + columns] = mean

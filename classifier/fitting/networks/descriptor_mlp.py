"""The small network on descriptors that listens beside the members: what it is shown, and its fit.

A member meets every crop a few times at most, each time otherwise; it learns what genres sound like. This one
meets the same few copies of the same patches again and again; it learns what the known songs, albums and
studios sound like, clean and through channels. Of music by known artists it knows more than a member, of
other music less, and together they know more than either (figures: `docs/experiments.md`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import networks, patches
from classifier.core.channels import random_channel
from classifier.core.dataset import Examples
from classifier.core.networks import DescriptorMlpParams
from classifier.core.patches import PatchParams
from classifier.fitting.data.feed import Batch
from classifier.fitting.loop.epochs import EpochReport, FitParams, fit

FloatArray = NDArray[np.float32]

_COPIES_SEED: Final = 41
_VIEWS: Final = 2
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class CopiesParams:
    """What the network is shown.

    Parameters
    ----------
    copies
        Of each clip, each through a random channel of its own; 0 shows it as it is only.
    clean_share
        How often a patch is shown as it is, where there are copies.
    batch_size
        Patches in a batch; each gives two rows, two of its copies, that are to be heard as the same.
    outlier_share
        Patches that are not music, per patch of music.
    label_smoothing
        Probability taken from the true label and spread over all.
    """

    copies: int = 4
    clean_share: float = 0.2
    batch_size: int = 64
    outlier_share: float = 0.0625
    label_smoothing: float = 0.1


@dataclass(frozen=True, slots=True)
class DescriptorMlpRecipe:
    """Everything but the data, the seed and the patches that decides this network.

    Parameters
    ----------
    share
        Its weight beside the members in the logits of a release.
    """

    network: DescriptorMlpParams = field(default_factory=DescriptorMlpParams)
    copies: CopiesParams = field(default_factory=CopiesParams)
    fit: FitParams = field(default_factory=FitParams)
    share: float = 0.3


class Copies:
    """Endless batches of descriptors of the same patches, each time of other copies of them.

    Attributes
    ----------
    views
        Rows that each patch gives. They stand beside each other in a batch.
    steps_per_epoch
        Batches; every patch is shown once in an epoch.
    n_descriptors
        Of each patch.
    """

    def __init__(
        self,
        examples: Examples,
        outliers: Sequence[FloatArray],
        *,
        n_labels: int,
        patch_params: PatchParams,
        params: CopiesParams,
        seed: int,
    ) -> None:
        describer = networks.describer(patch_params)

        def described(tracks: Sequence[FloatArray]) -> FloatArray:
            """(n_patches, n_descriptors) of all patches of the tracks, one after another."""
            inputs = np.concatenate([_patches(db, patch_params) for db in tracks])[..., None]
            parts = [
                np.asarray(describer.predict_on_batch(inputs[first : first + _AT_ONCE]))
                for first in range(0, len(inputs), _AT_ONCE)
            ]
            return np.concatenate(parts)

        def copied(number: int) -> list[FloatArray]:
            chance = [np.random.default_rng([seed, _COPIES_SEED, i, number]) for i in range(len(examples))]
            heard = zip(examples.db, chance, strict=True)
            return [
                patches.to_db(random_channel(patches.db_to_power(db), rng), patch_params) for db, rng in heard
            ]

        clean = described(examples.db)
        versions = [clean, *(described(copied(number)) for number in range(params.copies))]
        self._versions = np.stack(versions)
        counts = [len(_starts(db, patch_params)) for db in examples.db]
        self._targets = np.repeat(examples.targets, counts)
        self._outliers = described(outliers) if len(outliers) else clean[:0]
        self._n_labels = n_labels
        self._params = params
        self._seed = seed
        self.views = _VIEWS
        self.n_descriptors = clean.shape[1]
        self.steps_per_epoch = max(-(-len(clean) // params.batch_size), 1)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch; the same number always gives the same batches."""
        rng = np.random.default_rng([self._seed, number])
        for rows in np.array_split(rng.permutation(len(self._targets)), self.steps_per_epoch):
            yield self._batch(rows, rng)

    def _batch(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Batch:
        params, count = self._params, len(self._versions) - 1
        shown = np.repeat(rows, self.views)
        version = np.zeros(len(shown), dtype=np.intp)
        if count:
            other = rng.random(len(shown)) >= params.clean_share
            version[other] = 1 + rng.integers(count, size=int(other.sum()))
        inputs = [self._versions[version, shown]]
        n_outliers = round(len(rows) * params.outlier_share) if len(self._outliers) else 0
        if n_outliers:
            picked = self._outliers[rng.integers(len(self._outliers), size=n_outliers)]
            inputs.append(np.repeat(picked, self.views, axis=0))
        n_rows = len(shown) + n_outliers * self.views
        genres = np.full((n_rows, self._n_labels), 1 / self._n_labels, dtype=np.float32)
        genres[: len(shown)] *= params.label_smoothing
        genres[np.arange(len(shown)), self._targets[shown]] += 1 - params.label_smoothing
        music = np.zeros((n_rows, 1), dtype=np.float32)
        music[: len(shown)] = 1.0
        return Batch(inputs=np.concatenate(inputs), genres=genres, music=music)


def fit_descriptor_mlp(
    examples: Examples,
    outliers: Sequence[FloatArray],
    *,
    n_labels: int,
    seed: int,
    patch_params: PatchParams,
    recipe: DescriptorMlpRecipe,
    checkpoint: Path,
    on_epoch: Callable[[EpochReport], None],
) -> Any:
    """Fit the network on any examples; continues what an interrupted call left.

    Parameters
    ----------
    outliers
        (n_mels, n_columns) decibels of sounds that are not music; of these it is to say nothing.
    checkpoint
        Folder for the state after each epoch; the caller removes it.
    """
    feed = Copies(
        examples, outliers, n_labels=n_labels, patch_params=patch_params, params=recipe.copies, seed=seed
    )
    model = networks.descriptor_mlp(
        n_labels=n_labels, n_descriptors=feed.n_descriptors, params=recipe.network, seed=seed
    )
    decides = {"patches": asdict(patch_params), "recipe": {**asdict(recipe), "share": None}}
    fit(
        model,
        feed,
        recipe.fit,
        checkpoint=checkpoint,
        identity=json.dumps({**decides, "seed": seed, "tracks": len(examples)}),
        on_epoch=on_epoch,
    )
    return model


def _starts(db: FloatArray, params: PatchParams) -> NDArray[np.intp]:
    return patches.patch_starts(db.shape[1], params)


def _patches(db: FloatArray, params: PatchParams) -> FloatArray:
    """(n_patches, n_mels, n_columns) network inputs at places that do not depend on what is heard there.

    `patches.cut` begins where sound begins, which a channel can move.
    """
    filled = np.ascontiguousarray(patches.fill(db, params.n_columns))
    windows = np.lib.stride_tricks.sliding_window_view(filled, params.n_columns, axis=1)
    return patches.normalise(windows[:, _starts(db, params)].transpose(1, 0, 2), params)

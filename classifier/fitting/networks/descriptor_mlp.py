"""The small network on descriptors, the other branch of the platform's network: its batches and its fit.

A member is trained on ever new crops. This network is trained on the same few copies of the same patches in
every epoch, clean and through channels, so that it fits the songs, albums and studios of the training set
closely. It is more accurate than a member on music by artists of the training set, less on other music, and
the weighted mean of both is more accurate than either (figures: `docs/experiments.md`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
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
from classifier.fitting.data.feed import Batch, described_by, genre_targets, music_targets, tag_targets
from classifier.fitting.loop.epochs import FitParams, NetworkFit, Part, fit_together, never_stop
from classifier.fitting.loop.reports import OnEpoch
from classifier.fitting.loop.task import ShouldStop, StoppedError

FloatArray = NDArray[np.float32]

_COPIES_SEED: Final = 41
_VIEWS: Final = 2
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class CopiesParams:
    """What the network is trained on.

    Parameters
    ----------
    copies
        Of each clip, each through a random channel of its own; with 0, the clean clip only.
    clean_share
        Share of rows that are clean patches, where there are copies.
    batch_size
        Patches in a batch; each gives two rows, the views, which are two of its copies.
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
        Its weight in the mean of its logits and those of the members.
    """

    network: DescriptorMlpParams = field(default_factory=DescriptorMlpParams)
    copies: CopiesParams = field(default_factory=CopiesParams)
    fit: FitParams = field(default_factory=FitParams)
    share: float = 0.3


class Copies:
    """Batches of descriptors of the same patches, drawn among copies of them.

    Parameters
    ----------
    should_stop
        Called before every clip whose descriptors are computed, which takes minutes for thousands of clips;
        `StoppedError` is raised where it is true.

    Attributes
    ----------
    views
        Successive rows that each patch gives.
    steps_per_epoch
        Batches; every patch occurs once in an epoch.
    n_descriptors
        Of each patch.
    n_tags
        Targets from the tagger in each row.
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
        should_stop: ShouldStop = never_stop,
    ) -> None:
        describer = networks.describer(patch_params)

        def described(tracks: Iterable[FloatArray]) -> FloatArray:
            return _described(tracks, describer, patch_params, should_stop)

        def copied(number: int) -> Iterator[FloatArray]:
            for i, db in enumerate(examples.db):
                rng = np.random.default_rng([seed, _COPIES_SEED, i, number])
                yield patches.to_db(random_channel(patches.db_to_power(db), rng), patch_params)

        clean = described(examples.db)
        versions = [clean, *(described(copied(number)) for number in range(params.copies))]
        self._versions = np.stack(versions)
        counts = [len(_starts(db, patch_params)) for db in examples.db]
        self._examples = examples
        self._clips = np.repeat(np.arange(len(examples)), counts)
        self._outliers = described(outliers) if len(outliers) else clean[:0]
        self._n_labels = n_labels
        self._params = params
        self._seed = seed
        self.views = _VIEWS
        self.n_tags = 0 if examples.tags is None else examples.tags.shape[1]
        self.n_descriptors = clean.shape[1]
        self.steps_per_epoch = max(-(-len(clean) // params.batch_size), 1)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch; the same number always gives the same batches."""
        rng = np.random.default_rng([self._seed, number])
        for rows in np.array_split(rng.permutation(len(self._clips)), self.steps_per_epoch):
            yield self._batch(rows, rng)

    def _batch(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Batch:
        params, count = self._params, len(self._versions) - 1
        drawn = np.repeat(rows, self.views)
        version = np.zeros(len(drawn), dtype=np.intp)
        if count:
            other = rng.random(len(drawn)) >= params.clean_share
            version[other] = 1 + rng.integers(count, size=int(other.sum()))
        inputs = [self._versions[version, drawn]]
        n_outliers = round(len(rows) * params.outlier_share) if len(self._outliers) else 0
        if n_outliers:
            picked = self._outliers[rng.integers(len(self._outliers), size=n_outliers)]
            inputs.append(np.repeat(picked, self.views, axis=0))
        n_rows = len(drawn) + n_outliers * self.views
        clips = self._clips[drawn]
        return Batch(
            inputs=np.concatenate(inputs),
            genres=genre_targets(
                self._examples.targets[clips],
                n_rows=n_rows,
                n_labels=self._n_labels,
                smoothing=params.label_smoothing,
            ),
            music=music_targets(len(drawn), n_rows=n_rows),
            tags=tag_targets(self._examples, clips, n_rows=n_rows),
        )


def descriptor_mlp_fit(
    examples: Examples,
    outliers: Sequence[FloatArray],
    *,
    n_labels: int,
    seed: int,
    patch_params: PatchParams,
    recipe: DescriptorMlpRecipe,
    checkpoint: Path,
    should_stop: ShouldStop = never_stop,
    share: int = 1,
) -> NetworkFit:
    """Fit of the network on any examples, not begun or as an interrupted one left it; see `NetworkFit`.

    Parameters
    ----------
    outliers
        (n_mels, n_columns) decibels of sounds that are not music.

    Raises
    ------
    StoppedError
        It was stopped while descriptors were computed.
    """
    feed = Copies(
        examples,
        outliers,
        n_labels=n_labels,
        patch_params=patch_params,
        params=recipe.copies,
        seed=seed,
        should_stop=should_stop,
    )
    model = networks.descriptor_mlp(
        n_labels=n_labels, n_descriptors=feed.n_descriptors, params=recipe.network, seed=seed
    )
    decides = {"patches": asdict(patch_params), "recipe": {**asdict(recipe), "share": None}}
    return NetworkFit(
        model,
        feed,
        recipe.fit,
        checkpoint=checkpoint,
        identity=json.dumps({**decides, "seed": seed, **described_by(examples)}),
        should_stop=should_stop,
        share=share,
    )


def fit_descriptor_mlp(
    examples: Examples,
    outliers: Sequence[FloatArray],
    *,
    n_labels: int,
    seed: int,
    patch_params: PatchParams,
    recipe: DescriptorMlpRecipe,
    checkpoint: Path,
    on_epoch: OnEpoch,
) -> Any:
    """Fit the network alone; continues what an interrupted call left.

    Parameters
    ----------
    outliers
        (n_mels, n_columns) decibels of sounds that are not music.
    checkpoint
        Folder for the state after each epoch; the caller removes it.
    """
    one = descriptor_mlp_fit(
        examples,
        outliers,
        n_labels=n_labels,
        seed=seed,
        patch_params=patch_params,
        recipe=recipe,
        checkpoint=checkpoint,
    )
    fit_together([Part(one, 1.0, None)], epochs=recipe.fit.epochs, on_epoch=on_epoch)
    return one.model


def patch_count(examples: Examples, params: PatchParams) -> int:
    """Number of patches of all clips together."""
    return sum(len(_starts(db, params)) for db in examples.db)


def _described(
    tracks: Iterable[FloatArray],
    describer: Any,
    params: PatchParams,
    should_stop: ShouldStop,
) -> FloatArray:
    """(n_patches, n_descriptors) of all patches of the tracks, one track after another."""

    def inputs() -> Iterator[FloatArray]:
        for db in tracks:
            if should_stop():
                raise StoppedError
            yield from _patches(db, params)

    stream, parts = inputs(), []
    while batch := list(itertools.islice(stream, _AT_ONCE)):
        parts.append(np.asarray(describer.predict_on_batch(np.stack(batch)[..., None])))
    return np.concatenate(parts)


def _starts(db: FloatArray, params: PatchParams) -> NDArray[np.intp]:
    return patches.patch_starts(db.shape[1], params)


def _patches(db: FloatArray, params: PatchParams) -> FloatArray:
    """(n_patches, n_mels, n_columns) network inputs at places that are the same for every copy of a clip.

    `patches.cut` begins where sound begins, which a channel can move.
    """
    filled = np.ascontiguousarray(patches.fill(db, params.n_columns))
    windows = np.lib.stride_tricks.sliding_window_view(filled, params.n_columns, axis=1)
    return patches.normalise(windows[:, _starts(db, params)].transpose(1, 0, 2), params)

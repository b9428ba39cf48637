"""The network on descriptors: its batches, its fit, and joining it with the members."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import networks, patches
from classifier.core.dataset import Examples
from classifier.core.networks import DescriptorMlpParams, ResidualCnnParams
from classifier.core.patches import PatchParams
from classifier.fitting.loop.epochs import FitParams, use_threads
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.networks.descriptor_mlp import (
    Copies,
    CopiesParams,
    DescriptorMlpRecipe,
    fit_descriptor_mlp,
)

# Networks are fitted here.
pytestmark = pytest.mark.slow

FloatArray = NDArray[np.float32]

PATCHES = PatchParams(n_columns=32, hop_columns=16)
SHAPE = DescriptorMlpParams(hidden=16, n_embedding=8, norm_momentum=0.5)
RECIPE = DescriptorMlpRecipe(
    network=SHAPE, copies=CopiesParams(copies=2, batch_size=8), fit=FitParams(epochs=6), share=0.25
)
MEMBER = ResidualCnnParams(stem=2, widths=(2, 4), n_embedding=4, statistics=4, descriptors=4)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    use_threads(1)


def tracks(count: int, *, seed: int = 0) -> Examples:
    """Noise that is louder in the lower half of the bands, or in the upper half."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    db = []
    for target in targets:
        levels = rng.normal(-40, 4, (128, 64))
        levels[64 * target : 64 * (target + 1)] += 25
        db.append(levels.astype(np.float32))
    return Examples(db=db, targets=targets.astype(np.intp))


def noises(count: int) -> list[FloatArray]:
    rng = np.random.default_rng(5)
    return [rng.normal(-40, 1, (128, 64)).astype(np.float32) for _ in range(count)]


def copies(examples: Examples, *, seed: int = 0, outliers: int = 4, **changed: Any) -> Copies:
    return Copies(
        examples,
        noises(outliers),
        n_labels=2,
        patch_params=PATCHES,
        params=replace(RECIPE.copies, **changed),
        seed=seed,
    )


def fitted(path: Path, on_epoch: Callable[[EpochReport], None] = lambda report: None) -> Any:
    return fit_descriptor_mlp(
        tracks(12),
        noises(4),
        n_labels=2,
        seed=1,
        patch_params=PATCHES,
        recipe=RECIPE,
        checkpoint=path,
        on_epoch=on_epoch,
    )


@pytest.fixture(scope="module")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fitted(tmp_path_factory.mktemp("mlp"))


def described(examples: Examples) -> FloatArray:
    """Descriptors of all patches, each by itself."""
    describer = networks.describer(PATCHES)
    inputs = np.concatenate([patches.cut(db, PATCHES).inputs for db in examples.db])[..., None]
    return np.asarray(describer.predict_on_batch(inputs))


def test_every_patch_occurs_once_in_an_epoch_with_two_views() -> None:
    examples = tracks(6)
    feed = copies(examples, copies=0, outliers=0, batch_size=5)
    batches = list(feed.epoch(1))
    # Three patches of 32 columns, 16 apart, fit into 64 columns.
    assert len(batches) == feed.steps_per_epoch == 4
    rows = np.concatenate([batch.inputs for batch in batches])
    assert rows.shape == (2 * 18, feed.n_descriptors)
    np.testing.assert_array_equal(rows[0::2], rows[1::2])
    expected = described(examples)
    order = np.abs(rows[0::2, None] - expected[None]).max(axis=2).argmin(axis=1)
    assert sorted(order.tolist()) == list(range(18))
    genres = np.concatenate([batch.genres for batch in batches])
    assert genres[0::2].argmax(axis=1).tolist() == np.repeat(examples.targets, 3)[order].tolist()
    np.testing.assert_allclose(genres.max(axis=1), 0.95)


def test_copies_come_through_other_channels_than_each_other() -> None:
    feed = copies(tracks(4), clean_share=0.0, outliers=0, batch_size=100)
    clean = described(tracks(4))
    batch = next(iter(feed.epoch(1)))
    first, second = batch.inputs[0::2], batch.inputs[1::2]
    away = np.abs(first[:, None] - clean[None]).max(axis=2).min(axis=1)
    assert (away > 1e-3).mean() > 0.8
    # Of two copies each pair holds the same one half of the time.
    differ = (np.abs(first - second).max(axis=1) > 1e-3).mean()
    assert 0.1 < differ < 0.9


def test_sounds_that_are_no_music_have_no_genre() -> None:
    batch = next(iter(copies(tracks(8), outlier_share=0.5, batch_size=8).epoch(1)))
    music = batch.music[:, 0] == 1
    assert (music.sum(), (~music).sum()) == (16, 8)
    np.testing.assert_allclose(batch.genres[~music], 0.5)


def test_an_epoch_is_decided_by_its_number_and_the_seed() -> None:
    feed = copies(tracks(6))
    first, again, other = (next(iter(feed.epoch(number))).inputs for number in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, next(iter(copies(tracks(6), seed=1).epoch(1))).inputs)


def test_it_learns_what_the_bands_tell(mlp: Any) -> None:
    model = networks.on_patches(mlp, PATCHES)
    held_out = tracks(10, seed=9)
    for db, target in zip(held_out.db, held_out.targets, strict=True):
        outputs = model.predict_on_batch(patches.cut(db, PATCHES).inputs[..., None])
        assert np.asarray(outputs["logits"]).mean(axis=0).argmax() == target


def test_an_interrupted_fit_ends_with_the_same_weights(mlp: Any, tmp_path: Path) -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(report: EpochReport) -> None:
        if report.epoch == 3:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        fitted(tmp_path, interrupt)
    epochs: list[int] = []
    resumed = fitted(tmp_path, lambda report: epochs.append(report.epoch))
    assert epochs == [3, 4, 5, 6]
    for one, other in zip(resumed.get_weights(), mlp.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_joined_with_members_the_logits_are_the_weighted_mean(mlp: Any) -> None:
    members = [
        networks.residual_cnn(n_labels=2, patches=PATCHES, params=MEMBER, seed=seed) for seed in (1, 2)
    ]
    joined = networks.assemble(members, mlp=mlp, mlp_share=0.25)
    inputs = np.concatenate([patches.cut(db, PATCHES).inputs for db in tracks(3).db])[..., None]
    outputs = joined.predict_on_batch(inputs)
    apart = [model.predict_on_batch(inputs) for model in (*members, networks.on_patches(mlp, PATCHES))]
    weights = (0.375, 0.375, 0.25)
    expected = sum(w * np.asarray(one["logits"]) for w, one in zip(weights, apart, strict=True))
    np.testing.assert_allclose(np.asarray(outputs["logits"]), expected, atol=1e-5)
    # Whether it is music at all is for the members to say.
    music = np.mean([np.asarray(one["music"]) for one in apart[:2]], axis=0)
    np.testing.assert_allclose(np.asarray(outputs["music"]), music, atol=1e-5)
    embeddings = np.concatenate([np.asarray(one["embedding"]) for one in apart], axis=1)
    np.testing.assert_allclose(np.asarray(outputs["embedding"]), embeddings, atol=1e-5)


def test_metadata_build_the_same_network_again(mlp: Any) -> None:
    member = networks.residual_cnn(n_labels=2, patches=PATCHES, params=MEMBER, seed=1)
    joined = networks.assemble([member], mlp=mlp, mlp_share=0.25)
    metadata = {
        "labels": ["low", "high"],
        "patches": asdict(PATCHES),
        "network": asdict(MEMBER),
        "descriptor_mlp": asdict(SHAPE),
    }
    built = networks.from_metadata(metadata, seed=7)
    built.set_weights(joined.get_weights())
    inputs = patches.cut(tracks(1).db[0], PATCHES).inputs[..., None]
    for name in ("logits", "music", "embedding"):
        np.testing.assert_allclose(
            np.asarray(built.predict_on_batch(inputs)[name]),
            np.asarray(joined.predict_on_batch(inputs)[name]),
            atol=1e-6,
        )

"""The rebuilt tagger gives what its checkpoint's own graph gives, and what the layers of its paper give."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Found but not imported: every process that collects the tests would wait for it.
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow has no wheel for this Python", allow_module_level=True)

from classifier.core.activations import sigmoid
from classifier.core.tagger import METADATA_FILE, MSD_TAGS, Tagger, TaggerError, default_folder
from classifier.core.tagger_input import N_MELS, PATCH_FRAMES
from classifier.fitting.tagger import checkpoints, conversion, musicnn, vgg
from classifier.fitting.tagger.checkpoints import (
    CHECKPOINTS,
    CheckpointError,
    copy_checkpoint,
    read_checkpoint,
)
from genreweb.embedded.paths import REPOSITORY

Arrays = dict[str, np.ndarray]
FILTERS = (6, 5, 3, 4, 5)
MIDDLE, UNITS = 6, 8
PENULTIMATE = {
    "musicnn": "model/batch_normalization_10/batchnorm/add_1:0",
    "vgg": "model/Flatten/flatten/Reshape:0",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    requirements = REPOSITORY / "requirements-tagger.txt"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"]
    command += ["--retries", "0", "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    files = list(folder.glob("musicnn-*.whl"))
    if done.returncode or not files:
        pytest.skip(f"the package index does not give the tagger's wheel: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(files[0]) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    """Log-mel of beating chords and noise, so that every kind of filter has something to answer."""
    from classifier.core.tagger_input import patches_of

    time = np.arange(7 * 16_000) / 16_000
    beat = np.exp(-((time * 2) % 1) * 6)
    sound = sum(np.sin(2 * np.pi * f * time) * beat for f in (110, 220, 277, 330, 660, 1320))
    sound = 0.1 * sound + np.random.default_rng(1).normal(0, 0.02, time.size) * beat
    return patches_of(sound.astype(np.float32), sample_rate=16_000).log_mel


def graph_outputs(
    name: str, prefix: Path, arrays: Arrays, patches: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tags and penultimate layer of the graph that was saved with the checkpoint, in inference."""
    import tensorflow as tf

    meta = tf.compat.v1.MetaGraphDef()
    meta.ParseFromString(Path(f"{prefix}.meta").read_bytes())
    graph = tf.compat.v1.graph_util.extract_sub_graph(meta.graph_def, ["model/Sigmoid"])
    for node in graph.node:
        node.attr.pop("_output_shapes", None)  # of 2019; today's importer refuses some
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(graph, name="")
        feed: dict[str, Any] = {f"{name}/read:0": value for name, value in arrays.items()}
        feed |= {"model/Placeholder:0": patches, "model/Placeholder_2:0": False}
        tags, embedding = session.run(["model/Sigmoid:0", PENULTIMATE[CHECKPOINTS[name].folder[4:]]], feed)
    return tags, embedding


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CHECKPOINTS))
def test_the_rebuilt_network_answers_as_the_checkpoints_own_graph(
    name: str, wheel: Path, patches: np.ndarray, tmp_path: Path
) -> None:
    arrays = read_checkpoint(wheel, name)
    prefix = copy_checkpoint(wheel, name, tmp_path)

    model = conversion.build(name, arrays)
    got = model.predict(patches[..., np.newaxis], verbose=0)
    tags, embedding = graph_outputs(name, prefix, arrays, patches)

    assert tags.max() > 0.1
    np.testing.assert_allclose(sigmoid(got["logits"]), tags, atol=1e-4)
    np.testing.assert_allclose(got["embedding"], embedding, atol=1e-4)


@pytest.mark.slow
def test_what_was_installed_answers_as_the_checkpoints_own_graph(
    wheel: Path, patches: np.ndarray, tmp_path: Path
) -> None:
    try:
        installed = Tagger.load(default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")
    for name, network in installed.networks.items():
        arrays = read_checkpoint(wheel, name)
        prefix = copy_checkpoint(wheel, name, tmp_path)
        tags, embedding = graph_outputs(name, prefix, arrays, patches)
        got = network.run(patches)
        np.testing.assert_allclose(got.probabilities, tags, atol=1e-4)
        np.testing.assert_allclose(got.embedding, embedding, atol=2e-4)


@pytest.mark.slow
def test_an_installation_is_whole_and_can_be_loaded(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "CHECKPOINTS", {"msd": CHECKPOINTS["msd"]})
    former = tmp_path / "share" / "tagger"
    former.mkdir(parents=True)
    (former / "left.over").touch()

    out = conversion.write(wheel, former)

    loaded = Tagger.load(out)
    assert loaded.tags == {"msd": MSD_TAGS}
    assert {path.name for path in out.iterdir()} == {"LICENSE.md", "msd.tflite", METADATA_FILE}
    assert [path.name for path in out.parent.iterdir()] == ["tagger"]
    assert sum(path.stat().st_size for path in out.iterdir()) < 5e6
    (out / "msd.tflite").write_bytes(b"\0" + (out / "msd.tflite").read_bytes()[1:])
    with pytest.raises(TaggerError, match="hash"):
        Tagger.load(out)


@pytest.mark.slow
def test_a_wheel_with_other_weights_is_refused(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"msd": replace(CHECKPOINTS["msd"], digest="0" * 64)}
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", other)

    with pytest.raises(CheckpointError, match="hash"):
        conversion.write(wheel, tmp_path / "tagger")
    assert list(tmp_path.iterdir()) == [], "nothing is left of the attempt"


def test_a_wheel_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(tmp_path, "msd")
    assert not (tmp_path / METADATA_FILE).exists()


def test_the_digest_depends_on_names_shapes_and_values() -> None:
    base = {"a": np.ones((2, 3), np.float32), "b": np.zeros(2, np.float32)}
    others = [
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"].reshape(3, 2), "b": base["b"]},
        {"a": base["a"], "b": base["b"] + np.float32(1e-7)},
    ]

    digests = {checkpoints.digest_of(arrays) for arrays in (base, *others)}

    assert len(digests) == 4
    assert checkpoints.digest_of(dict(reversed(base.items()))) == checkpoints.digest_of(base)


def made_arrays() -> Iterator[tuple[str, np.ndarray]]:
    """A checkpoint with few filters, of which some are zero and some scales negative."""
    rng = np.random.default_rng(7)
    front = sum(FILTERS)
    shapes = [(7, 38, 1), (7, 67, 1), (128, 1, 1), (64, 1, 1), (32, 1, 1)]
    shapes += [(7, front, 1), (7, MIDDLE, 1), (7, MIDDLE, 1)]
    sizes = [*FILTERS, MIDDLE, MIDDLE, MIDDLE]
    for i, (shape, size) in enumerate(zip(shapes, sizes, strict=True)):
        kernel = rng.normal(0, 1 / np.sqrt(np.prod(shape)), (*shape, size))
        if i <= 5:
            kernel[..., 1] = 0
        name = f"conv2d_{i}" if i else "conv2d"
        yield f"{name}/kernel", kernel
        yield f"{name}/bias", rng.normal(0.2, 0.3, size)
    pooled = 2 * (front + 3 * MIDDLE)
    yield from (
        ("dense/kernel", rng.normal(0, 0.1, (pooled, UNITS))),
        ("dense/bias", rng.normal(0, 1, UNITS)),
    )
    yield from (("dense_1/kernel", rng.normal(0, 1, (UNITS, 4))), ("dense_1/bias", rng.normal(0, 1, 4)))
    for i, size in enumerate([1, *sizes, pooled, UNITS]):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        yield f"{name}/gamma", rng.normal(0.5, 0.8, size)
        yield f"{name}/beta", rng.normal(0, 0.3, size)
        yield f"{name}/moving_mean", rng.normal(0, 0.3, size)
        yield f"{name}/moving_variance", rng.uniform(0.5, 2, size)


def layer_by_layer(arrays: Arrays, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embedding as the paper's figure reads, nothing folded, nothing left out."""
    import tensorflow as tf

    def normal(x: Any, i: int) -> Any:
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        mean, variance = arrays[f"{name}/moving_mean"], arrays[f"{name}/moving_variance"]
        return (x - mean) / np.sqrt(variance + 1e-3) * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]

    def conv(x: Any, i: int, padding: str) -> Any:
        name = f"conv2d_{i}" if i else "conv2d"
        y = tf.nn.conv2d(x, arrays[f"{name}/kernel"], 1, padding) + arrays[f"{name}/bias"]
        return normal(tf.nn.relu(y), i + 1)

    def padded(x: Any) -> Any:
        return tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])

    x = normal(patches[..., np.newaxis], 0)
    front = [conv(padded(x), i, "VALID") for i in (0, 1)] + [conv(x, i, "SAME") for i in (2, 3, 4)]
    layers = [tf.concat([tf.reduce_max(block, 2) for block in front], 2)]
    layers.append(conv(padded(layers[0][..., None]), 5, "VALID")[:, :, 0])
    for i in (6, 7):
        layers.append(layers[-1] + conv(padded(layers[-1][..., None]), i, "VALID")[:, :, 0])
    features = tf.concat(layers, 2)
    pooled = tf.stack([tf.reduce_max(features, 1), tf.reduce_mean(features, 1)], 2)
    flat = normal(tf.reshape(pooled, (len(patches), -1)), 9)
    embedding = normal(tf.nn.relu(flat @ arrays["dense/kernel"] + arrays["dense/bias"]), 10)
    return (embedding @ arrays["dense_1/kernel"] + arrays["dense_1/bias"]).numpy(), embedding.numpy()


@pytest.mark.slow
def test_what_is_left_out_and_rearranged_changes_nothing(patches: np.ndarray) -> None:
    arrays = {name: np.asarray(value, np.float32) for name, value in made_arrays()}
    assert any((arrays[f"batch_normalization_{i}/gamma"] < 0).any() for i in (1, 2))
    assert any((arrays[f"batch_normalization_{i}/gamma"] < 0).any() for i in (3, 4, 5))
    assert patches.shape[1:] == (PATCH_FRAMES, N_MELS)

    model = musicnn.build(arrays, constant=1e-5)
    got = model.predict(patches[..., np.newaxis], verbose=0)
    logits, embedding = layer_by_layer(arrays, patches)

    np.testing.assert_allclose(got["logits"], logits, atol=2e-4)
    np.testing.assert_allclose(got["embedding"], embedding, atol=1e-4)
    alive = sum(FILTERS) - len(FILTERS)
    assert got["pooled"].shape == (len(patches), 2 * (alive + 3 * MIDDLE)), "constants are not pooled"


def made_vgg() -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of a small ``vgg``, of which in each layer some filters are zero and some scales negative."""
    rng = np.random.default_rng(3)
    channels = 1
    for number, filters in enumerate([1, 5, 4, 4, 5, 4]):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        yield f"{name}/gamma", rng.normal(0.5, 0.8, filters)
        yield f"{name}/beta", rng.normal(0, 0.3, filters)
        yield f"{name}/moving_mean", rng.normal(0, 0.3, filters)
        yield f"{name}/moving_variance", rng.uniform(0.5, 2, filters)
        if number:
            kernel = rng.normal(0, 1 / np.sqrt(9 * channels), (3, 3, channels, filters))
            kernel[..., [1, 3]] = 0
            yield f"{number}CNN/kernel", kernel
            yield f"{number}CNN/bias", rng.normal(0.2, 0.3, filters)
            channels = filters
    yield from (("dense/kernel", rng.normal(0, 1, (2 * channels, 4))), ("dense/bias", rng.normal(0, 1, 4)))


def vgg_layer_by_layer(arrays: Arrays, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embedding with nothing left out."""
    import tensorflow as tf

    def normal(x: Any, i: int) -> Any:
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        mean, variance = arrays[f"{name}/moving_mean"], arrays[f"{name}/moving_variance"]
        return (x - mean) / np.sqrt(variance + 1e-3) * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]

    x = normal(patches[..., np.newaxis], 0)
    for i, (size, stride) in enumerate([((4, 1), 2), *[(2, 2)] * 3, (4, 4)], start=1):
        x = tf.nn.conv2d(x, arrays[f"{i}CNN/kernel"], 1, "SAME") + arrays[f"{i}CNN/bias"]
        x = tf.nn.max_pool2d(normal(tf.nn.relu(x), i), size, stride, "VALID")
    flat = tf.reshape(x, (len(patches), -1))
    return (flat @ arrays["dense/kernel"] + arrays["dense/bias"]).numpy(), flat.numpy()


@pytest.mark.slow
def test_constants_of_the_second_architecture_change_nothing(patches: np.ndarray) -> None:
    arrays = {name: np.asarray(value, np.float32) for name, value in made_vgg()}
    assert any((arrays[f"batch_normalization_{i}/gamma"] < 0).any() for i in range(1, 6))

    model = vgg.build(arrays, constant=1e-5, pools=CHECKPOINTS["mtt_vgg"].pools)
    got = model.predict(patches[..., np.newaxis], verbose=0)
    logits, embedding = vgg_layer_by_layer(arrays, patches)

    np.testing.assert_allclose(got["logits"], logits, atol=2e-4)
    np.testing.assert_allclose(got["embedding"], embedding, atol=1e-4)
    layers = [layer for layer in model.layers if hasattr(layer, "kernel_size")]
    assert [layer.filters for layer in layers] == [3, 2, 2, 3, 2], "constants are not computed"

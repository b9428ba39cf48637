"""Learning to predict the tagger's output beside the genre."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core.dataset import Examples
from classifier.core.tag_storage import EMBEDDING_SIZE, N_STRENGTHS
from classifier.core.tagger import MSD_TAGS
from classifier.fitting.data import tag_targets
from classifier.fitting.data.feed import Feed, genre_targets
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.loop.epochs import NetworkFit, Part, fit_together, use_threads
from classifier.fitting.loop.losses import mean_loss, tag_loss
from classifier.fitting.loop.validation import Validation
from classifier.tests import test_training as task

N_POOLED = 3
PLACES = np.arange(6)


def stored(count: int, *, seed: int = 0) -> NDArray[np.float16]:
    rng = np.random.default_rng(seed)
    strengths = rng.uniform(0.01, 0.99, (count, N_STRENGTHS))
    rest = rng.normal(3, 2, (count, N_POOLED + EMBEDDING_SIZE))
    return np.concatenate([strengths, rest], axis=1).astype(np.float16)


def test_targets_are_the_tags_and_the_embedding_on_one_scale() -> None:
    values = stored(40)
    taggers = np.array(["one"] * 40)
    targets = tag_targets.from_stored(values, taggers)
    assert targets is not None
    assert targets.shape == (40, tag_targets.N_TARGETS)
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(targets.std(axis=0), 1, atol=1e-2)
    for place, column in ((4, 4), (len(MSD_TAGS) + 7, N_STRENGTHS + N_POOLED + 7)):
        order = np.argsort(values[:, column], kind="stable")
        assert np.argsort(targets[:, place], kind="stable").tolist() == order.tolist()


def test_only_rows_of_one_tagger_are_targets() -> None:
    values = stored(60)
    values[3] = np.nan
    taggers = np.array(["one"] * 30 + ["two"] * 25 + [""] * 5)
    targets = tag_targets.from_stored(values, taggers)
    assert targets is not None
    known = np.isfinite(targets).all(axis=1)
    assert np.flatnonzero(known).tolist() == [place for place in range(30) if place != 3]
    assert np.isnan(targets[~known]).all()
    alone = tag_targets.from_stored(values[:30], taggers[:30])
    np.testing.assert_array_equal(targets[:30], alone)


@pytest.mark.parametrize(
    ("values", "taggers"),
    [
        (stored(30), [""] * 30),
        (stored(30), ["one"] * 19 + [""] * 11),
        (np.zeros((30, 0), np.float16), [""] * 30),
        (np.full((30, 700), np.nan, np.float16), ["one"] * 30),
    ],
    ids=["no tagger", "too few", "nothing stored", "nothing known"],
)
def test_without_enough_tags_there_are_no_targets(values: NDArray[np.float16], taggers: list[str]) -> None:
    assert tag_targets.from_stored(values, np.array(taggers)) is None


def test_a_clip_without_a_label_has_no_genre_target() -> None:
    genres = genre_targets(np.array([1, -1]), n_rows=3, n_labels=4, smoothing=0.2)
    expected = np.array([[0.05, 0.85, 0.05, 0.05], [0, 0, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(genres, expected, rtol=1e-5)


def test_clips_of_other_labels_are_named_where_they_have_tags() -> None:
    clips = RunClips(
        rows=PLACES,
        targets=np.array([0, 1, -1, -1, -1, -1]),
        genres=np.array(["blues", "rock", "polka", "polka", "polka", "polka"]),
        sides=np.array(["train", "train", "train", "train", "test", "valid"]),
        keys=PLACES.astype(np.str_),
        names=PLACES.astype(np.str_),
        groups=PLACES.astype(np.str_),
        seen=np.zeros(6, np.bool_),
        embeddings=np.zeros((6, 0), np.float32),
        tags=stored(6),
        taggers=np.array(["one", "", "one", "", "one", "one"]),
    )
    assert clips.unlabelled().tolist() == [2]
    assert clips.on("train").tolist() == [0, 1]


def with_tags(examples: Examples) -> Examples:
    """The tags say how much energy is high; nothing is known of the last clip."""
    tags = np.stack([db[64:].mean() - db[:64].mean() for db in examples.db]).astype(np.float32)
    tags = np.repeat(((tags - tags.mean()) / tags.std())[:, None], 3, axis=1)
    tags[-1] = np.nan
    return replace(examples, tags=tags)


def feed_of(examples: Examples) -> Feed:
    return Feed(examples, [], n_labels=2, patch_params=task.PATCHES, params=task.FEED, seed=0, views=2)


def fit_of(examples: Examples, folder: Path) -> NetworkFit:
    return NetworkFit(task.make_model(), feed_of(examples), task.FIT, checkpoint=folder, identity="tags")


@pytest.mark.slow
def test_losses_count_what_is_known() -> None:
    use_threads(1)
    nan = np.nan
    # Two branches, each with two targets.
    predicted = np.array([[1.0, 2.0, 1.0, 0.0], [5.0, 5.0, 5.0, 5.0]], np.float32)
    found = np.asarray(tag_loss(2)(np.array([[1.0, 0.0], [nan, nan]], np.float32), predicted))
    np.testing.assert_allclose(found, [1.0, 0.0])
    logits = np.array([[1.0, 3.0], [2.0, 0.0]], np.float32)
    loss = mean_loss(2, views=1, agreement_weight=1.0)
    found = np.asarray(loss(np.array([[0.0, 1.0], [0.0, 0.0]], np.float32), logits))
    np.testing.assert_allclose(found, [np.log1p(np.exp(-2.0)), 0.0], rtol=1e-5)


@pytest.mark.slow
def test_clips_without_a_label_do_not_move_the_logits_by_their_genre() -> None:
    """TensorFlow's own cross entropy gives such rows the gradient of their probabilities."""
    import tensorflow as tf

    use_threads(1)
    logits = tf.Variable([[1.0, 3.0], [2.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(mean_loss(2, views=1, agreement_weight=1.0)(tf.zeros((2, 2)), logits))
    assert np.abs(tape.gradient(loss, logits).numpy()).max() == 0


@pytest.mark.slow
def test_a_network_learns_the_tags_and_does_not_keep_their_layer(tmp_path: Path) -> None:
    examples = with_tags(task.examples(16))
    # Half of the clips have no label: only the tags say which of both they are.
    partly = replace(examples, targets=np.where(PLACES.size * np.arange(16) < 48, examples.targets, -1))
    one = fit_of(partly, tmp_path)
    batch = next(iter(feed_of(partly).epoch(1)))
    before = _tag_error(one, batch)
    valid = Validation(task.examples(6, seed=5), task.PATCHES)
    assert fit_together([Part(one, 1.0, valid)], epochs=task.FIT.epochs, on_epoch=task.ignore)
    assert _tag_error(one, batch) < before / 2
    assert set(one.model.output) == {"logits", "music", "embedding", "branches"}
    assert one.model.count_params() == task.make_model().count_params()
    assert valid.figures(valid.logits(one.model))[1] == 1.0


@pytest.mark.slow
def test_an_interrupted_fit_with_tags_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def cancel(report: Any) -> None:
        if report.epoch == 3:
            raise task.CancelledError

    examples = with_tags(task.examples(16))
    valid = Validation(task.examples(6, seed=5), task.PATCHES)
    whole = fit_of(examples, tmp_path / "whole")
    assert fit_together([Part(whole, 1.0, valid)], epochs=task.FIT.epochs, on_epoch=task.ignore)
    part = fit_of(examples, tmp_path / "part")
    with pytest.raises(task.CancelledError):
        fit_together([Part(part, 1.0, valid)], epochs=task.FIT.epochs, on_epoch=cancel)
    continued = fit_of(examples, tmp_path / "part")
    assert continued.done == 2
    assert fit_together([Part(continued, 1.0, valid)], epochs=task.FIT.epochs, on_epoch=task.ignore)
    for expected, found in zip(whole.model.get_weights(), continued.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def _tag_error(one: NetworkFit, batch: Any) -> float:
    predicted = one._trained.predict(batch.inputs, verbose=0)["tags"]
    return float(np.asarray(tag_loss(batch.tags.shape[1])(batch.tags, predicted)).mean())

"""The learning rate over a fit."""

from __future__ import annotations

from typing import Any

import pytest

from classifier.fitting.loop.schedule import warm_cosine

pytestmark = pytest.mark.slow


def test_it_is_that_of_keras_and_computed_once_in_a_graph() -> None:
    import keras
    import tensorflow as tf

    rate = warm_cosine(peak=0.1, steps=8, warm_up=4)
    expected = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.004, decay_steps=8, warmup_target=0.1, warmup_steps=4
    )
    step = tf.Variable(0)
    same = []

    def traced() -> Any:
        first = rate(step)
        same.append(rate(step) is first)
        return first

    graphs = [tf.function(traced), tf.function(traced)]
    for number in range(13):
        step.assign(number)
        wanted = pytest.approx(float(expected(number)), rel=1e-6)
        assert [float(graph()) for graph in graphs] == [wanted, wanted]
        assert float(rate(number)) == wanted
    assert same == [True, True]
    assert float(rate(4)) == pytest.approx(0.1)

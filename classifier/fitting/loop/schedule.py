"""The learning rate over a fit."""

from __future__ import annotations

from typing import Any


def warm_cosine(*, peak: float, steps: int, warm_up: int) -> Any:
    """A cosine schedule for a Keras optimizer.

    Its value is computed once in each graph that TensorFlow traces. AdamW asks for it anew for every variable
    that decays, and each time the graph would grow by both branches of a condition: of EfficientNet-B0, with
    two hundred variables, that was a third of the time of tracing a step.

    Parameters
    ----------
    peak
        The highest learning rate; the schedule begins at a twenty-fifth of it.
    steps
        Batches from the peak to the end.
    warm_up
        Batches up to the peak.
    """
    import keras

    class WarmCosine(keras.optimizers.schedules.CosineDecay):  # type: ignore[misc]
        """Keras' schedule with the value in the graph that was traced last."""

        _traced: tuple[Any, Any] = (None, None)

        def __call__(self, step: Any) -> Any:
            graph = _graph()
            if graph is None:
                return super().__call__(step)
            if self._traced[0] is not graph:
                self._traced = graph, super().__call__(step)
            return self._traced[1]

    return WarmCosine(
        initial_learning_rate=peak / 25, decay_steps=steps, warmup_target=peak, warmup_steps=warm_up
    )


def _graph() -> Any:
    """Give the graph that TensorFlow is tracing; None where nothing is traced, and with other backends."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

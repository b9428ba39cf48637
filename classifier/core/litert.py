"""LiteRT networks."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.outputs import NetworkOutput


class Network:
    """A LiteRT network. Safe to share between threads and to use after a fork.

    An interpreter is neither, so each thread of each process makes its own on first use.

    Parameters
    ----------
    model
        The content of a ``.tflite`` file.
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._local = threading.local()

    def run(self, inputs: NDArray[np.float32]) -> NetworkOutput:
        """Raw outputs of the network for (n_patches, n_mels, n_columns) inputs, one patch at a time.

        A convolution over one patch already fills a core, so batches would only cost memory.
        """
        runner = self._runner()
        rows = [runner(patches=patch[None, :, :, None]) for patch in inputs]
        return NetworkOutput(
            logits=np.concatenate([row["logits"] for row in rows]),
            music_logits=np.concatenate([row["music"] for row in rows])[:, 0],
            embeddings=np.concatenate([row["embedding"] for row in rows]),
        )

    def _runner(self) -> Any:
        if getattr(self._local, "pid", None) != os.getpid():
            from ai_edge_litert.interpreter import Interpreter

            self._local.interpreter = Interpreter(model_content=self._model, num_threads=1)
            self._local.runner = self._local.interpreter.get_signature_runner()
            self._local.pid = os.getpid()
        return self._local.runner

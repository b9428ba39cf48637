"""Check an untrusted version in a process with resource limits: ``-m classifier.core.verification``.

A damaged network can crash the interpreter that runs it, and a hostile one can allocate all memory, so this
program is run on a version before the version is imported.
"""

from __future__ import annotations

import io
import json
import math
import resource
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SECONDS = 12.0
SAMPLE_RATE = 22050
MOST_MEMORY = 4 * 1024**3
MOST_CPU_SECONDS = 60
MOST_DIMENSIONS = 16_000
"""Largest size of an embedding that the database can store."""


def verify(folder: Path) -> None:
    """Load a version and let it predict silence and noise.

    Raises
    ------
    ReleaseError
        If it does not load, fails, or gives an invalid prediction.
    """
    from classifier.core.analysis import classify
    from classifier.core.artifact import ReleaseError, arrays_from
    from classifier.core.inference import Classifier

    classifier = Classifier.load(folder)
    for path in sorted(folder.glob("*.npz")):
        arrays_from(path.read_bytes(), what=f"The arrays in {path.name}")
    rng = np.random.default_rng(0)
    n = int(SECONDS * SAMPLE_RATE)
    for what, samples in (("silence", np.zeros(n)), ("noise", rng.normal(0, 0.1, n))):
        try:
            prediction = classify(io.BytesIO(_wav(samples)), classifier=classifier)
        except Exception as error:  # an untrusted network can fail in any way
            raise ReleaseError(f"It cannot hear {what}: {error}") from error
        values = [*prediction.probabilities.values(), prediction.confidence]
        valid = (
            set(prediction.probabilities) == set(classifier.labels)
            and all(math.isfinite(value) and -1e-6 <= value <= 1 + 1e-6 for value in values)
            and math.isclose(sum(prediction.probabilities.values()), 1, abs_tol=1e-3)
            and prediction.embedding.ndim == 1
            and 1 <= prediction.embedding.size <= MOST_DIMENSIONS
            and bool(np.isfinite(prediction.embedding).all())
        )
        if not valid:
            raise ReleaseError(f"What it says about {what} is no verdict.")


def _wav(samples: NDArray[np.float64]) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return content.getvalue()


def _limit(what: int, most: int) -> None:
    _soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(arguments: Sequence[str]) -> int:
    """Print ``{}``, or ``{"error": …}`` with a sentence that says what is wrong."""
    _limit(resource.RLIMIT_AS, MOST_MEMORY)
    _limit(resource.RLIMIT_CPU, MOST_CPU_SECONDS)
    result: dict[str, Any] = {}
    try:
        verify(Path(arguments[0]))
    except (OSError, ValueError, MemoryError) as error:
        result["error"] = str(error) or type(error).__name__
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Compile what a summary of a track needs of librosa, so that the first one does not wait for it.

Numba compiles these functions when they are first used and keeps the result, beside librosa's files or in
``NUMBA_CACHE_DIR``. That takes half a minute or more; afterwards loading librosa takes two or three seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from classifier.core.summary import summarise


def main() -> int:
    summarise(np.random.default_rng(0).normal(scale=0.1, size=66150).astype(np.float32))
    return 0


if __name__ == "__main__":
    sys.exit(main())

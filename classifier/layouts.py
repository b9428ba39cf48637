"""Lay vectors out in a process of its own: workers would keep the hundred megabytes of scikit-learn."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

from classifier.core import layout
from classifier.core.layout import FloatArray, Layout

_SECONDS: Final = 280
"""Less than a job of the workers may take."""


def fit_apart(vectors: FloatArray) -> Layout:
    """Do `classifier.core.layout.fit`.

    Raises
    ------
    subprocess.SubprocessError
        The process failed, or took too long.
    """
    given = io.BytesIO()
    np.save(given, vectors[: layout.MOST], allow_pickle=False)
    done = subprocess.run(
        [sys.executable, "-m", "classifier.layouts"],
        input=given.getvalue(),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[1],
        timeout=_SECONDS,
        check=True,
    )
    return Layout.from_json(json.loads(done.stdout))


def main() -> None:
    """Read vectors as NumPy writes them; write their layout as JSON."""
    vectors = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    json.dump(layout.fit(vectors).to_json(), sys.stdout)


if __name__ == "__main__":
    main()

"""``python -m classifier.fitting.tagger WHEEL OUT``: the work of an installation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from classifier.fitting.tagger.checkpoints import CheckpointError
from classifier.fitting.tagger.conversion import ConversionError, write


def main() -> int:
    """Convert what the unpacked wheel holds; say what went wrong."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        write(Path(sys.argv[1]), Path(sys.argv[2]))
    except (CheckpointError, ConversionError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

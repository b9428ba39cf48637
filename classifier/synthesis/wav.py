"""Samples as a WAV file."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt

from classifier.synthesis.chiptune import RATE


def wav(samples: npt.NDArray[np.float32], *, rate: int = RATE) -> bytes:
    """Write (n,) samples between -1 and 1 as a mono WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()

"""Median filters and the masks made of them."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.core.harmonic import HALF_WINDOW, harmonic_mask, running_median


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 127, 128, 129, 300])
def test_the_running_median_is_the_median(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = rng.random((n + 2 * HALF_WINDOW, 7), np.float32)
    rows[rng.random(rows.shape) < 0.3] = 0.0  # many equal values

    medians = running_median(rows)

    windows = np.lib.stride_tricks.sliding_window_view(rows, 2 * HALF_WINDOW + 1, axis=0)
    assert (medians == np.median(windows, axis=-1)).all()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="31 rows"):
        running_median(np.zeros((30, 4), np.float32))


def test_the_mask_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    magnitude = np.random.default_rng(0).random((90, 200), np.float32) ** 4
    magnitude[40:, 150:] = 0.0
    mirrored = np.pad(magnitude, ((HALF_WINDOW, HALF_WINDOW), (0, 0)), mode="symmetric")

    mask = harmonic_mask(mirrored)

    expected, _ = librosa.decompose.hpss(magnitude.T, mask=True)
    assert mask == pytest.approx(expected.T, abs=1e-5)
    assert (mask[70:, 180:] == 0.5).all()


def test_a_line_in_time_sustains_and_a_line_in_frequency_strikes() -> None:
    magnitude = np.full((100, 100), 0.01, np.float32)
    magnitude[:, 20] = 1.0
    magnitude[60] = 1.0

    mask = harmonic_mask(magnitude)

    assert mask[10, 20] > 0.99
    assert mask[60 - HALF_WINDOW, 70] < 0.01


@pytest.mark.parametrize("scale", [1e-18, 1e15])
def test_the_mask_does_not_depend_on_loudness(scale: float) -> None:
    magnitude = np.random.default_rng(1).random((60, 40), np.float32)

    assert harmonic_mask(magnitude * np.float32(scale)) == pytest.approx(harmonic_mask(magnitude), abs=1e-5)

"""Descriptors of patches whose answers are known."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core.descriptors import N_CEPSTRA, describe

# Keras describes the patches.
pytestmark = pytest.mark.slow

FloatArray = NDArray[np.float32]
N_MELS, N_COLUMNS, N_OCTAVES, N_GROUPS = 128, 64, 5, 16
BLOCKS = {
    "mean": N_MELS,
    "deviation": N_MELS,
    "change": N_MELS,
    "slow change": N_MELS,
    "cepstra": N_CEPSTRA,
    "spread of cepstra": N_CEPSTRA,
    "correlation": N_CEPSTRA * (N_CEPSTRA - 1) // 2,
    "change of cepstra": N_CEPSTRA,
    "modulation of cepstra": N_CEPSTRA * N_OCTAVES,
    "modulation of groups": N_GROUPS * N_OCTAVES,
}


def described(rows: FloatArray) -> dict[str, FloatArray]:
    """The descriptors of one patch (n_mels, n_columns), by name."""
    values: Any = np.asarray(describe(rows[None].astype(np.float32)))[0]
    assert len(values) == sum(BLOCKS.values())
    parts = np.split(values, np.cumsum(list(BLOCKS.values()))[:-1])
    return dict(zip(BLOCKS, parts, strict=True))


def noise(seed: int = 0, columns: int = N_COLUMNS) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 0.3, (N_MELS, columns)).astype(np.float32)


def test_band_statistics_are_those_of_numpy() -> None:
    rows = noise()
    found = described(rows)
    np.testing.assert_allclose(found["mean"], rows.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(found["deviation"], rows.std(axis=1), atol=1e-5)
    np.testing.assert_allclose(found["change"], np.abs(np.diff(rows, axis=1)).mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(
        found["slow change"], np.abs(rows[:, 4:] - rows[:, :-4]).mean(axis=1), atol=1e-5
    )


def test_cepstra_that_move_together_are_correlated() -> None:
    """Two patterns over the bands, shaken by the same random numbers or by the opposite ones."""
    basis = np.cos(np.pi * (np.arange(N_MELS) + 0.5)[:, None] / N_MELS * np.arange(N_CEPSTRA))
    moved = np.random.default_rng(0).normal(size=N_COLUMNS)
    pairs = [(one, other) for one in range(N_CEPSTRA) for other in range(one + 1, N_CEPSTRA)]
    for sign in (1, -1):
        rows = np.outer(basis[:, 3], moved) + sign * np.outer(basis[:, 7], moved)
        found = described(rows.astype(np.float32))["correlation"]
        assert found[pairs.index((3, 7))] == pytest.approx(sign, abs=0.01)


@pytest.mark.parametrize(("period", "octave"), [(64, 0), (16, 2), (8, 3), (3, 4)])
def test_a_beat_is_found_in_its_octave(period: int, octave: int) -> None:
    beat = np.cos(2 * np.pi * np.arange(N_COLUMNS) / period)
    found = described(0.01 * noise() + np.tile(beat, (N_MELS, 1)).astype(np.float32))
    groups = found["modulation of groups"].reshape(N_GROUPS, N_OCTAVES)
    assert groups.argmax(axis=1).tolist() == [octave] * N_GROUPS
    assert found["modulation of cepstra"].reshape(N_CEPSTRA, N_OCTAVES)[0].argmax() == octave


@pytest.mark.parametrize("columns", [8, 32, 38, 64, 128])
def test_patches_of_any_width_are_described(columns: int) -> None:
    values = np.asarray(describe(noise(columns=columns)[None]))
    assert values.shape[0] == 1
    assert np.isfinite(values).all()


def test_what_does_not_move_is_described_by_finite_numbers() -> None:
    found = described(np.full((N_MELS, N_COLUMNS), -2.0, dtype=np.float32))
    assert all(np.isfinite(values).all() for values in found.values())
    np.testing.assert_allclose(found["change"], 0)
    np.testing.assert_allclose(found["correlation"], 0, atol=1e-3)

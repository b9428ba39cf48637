"""What a chroma descriptor says of harmony whatever the key: it is the same at every transposition."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from classifier.core.chroma import covariance_matrices, parts_of

Float32 = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]

SIZE: Final = 655

_N_INTERVALS = 6
_TINY = 1e-9
# How much the parts count that do not depend on the key anyway.
_WEIGHTS = {"ranked": 3.0, "interval_mean": 2.0, "interval_deviation": 4.0}


def key_invariants(descriptors: Float32) -> Float32:
    """Compute numbers of descriptors that do not change when the music is transposed.

    A transposition rolls every function of the pitch classes by the same number of semitones, which turns the
    phase of coefficient k of each one's Fourier transform by the same angle. So products of one's coefficient
    with the conjugate of another's stay as they are, and so do the triple products of one function (its
    bispectrum). The functions are the descriptor's mean, deviation and change, and its covariance at each
    interval from a semitone to a tritone.

    Parameters
    ----------
    descriptors : ndarray (n, DESCRIPTOR_SIZE) float32
        `classifier.core.chroma.descriptor`.

    Returns
    -------
    ndarray (n, SIZE) float32
    """
    parts = {name: part.astype(np.float64) for name, part in parts_of(descriptors).items()}
    pairs = parts["covariance"].astype(np.float32)
    covariance = covariance_matrices(pairs).astype(np.float64)
    pitch = np.arange(12)
    intervals = np.stack(
        [covariance[:, pitch, (pitch + interval) % 12] for interval in range(1, _N_INTERVALS + 1)], axis=1
    )
    scale = np.linalg.norm(intervals, axis=(1, 2))
    functions = np.concatenate(
        [
            np.stack([_unit(parts[name]) for name in ("mean", "deviation", "change")], axis=1),
            intervals / np.maximum(scale, _TINY)[:, None, None],
        ],
        axis=1,
    )
    spectra = np.fft.rfft(functions, axis=2)
    columns = [
        *_products(spectra),
        *_bispectrum(spectra[:, 0]),
        *_bispectrum(spectra[:, 1]),
        spectra[:, :, 0].real,
        *(weight * _unit(parts[name]) for name, weight in _WEIGHTS.items()),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _products(spectra: Complex) -> list[npt.NDArray[np.float64]]:
    """Products of every two functions' coefficients: real and imaginary part, (n, n_pairs) each."""
    first, second = np.triu_indices(spectra.shape[1])
    found = []
    for k in range(1, spectra.shape[2]):
        values = spectra[:, :, k]
        products = values[:, first] * values[:, second].conj()
        power = np.sqrt(np.maximum(np.square(np.abs(values)).sum(axis=1), _TINY))[:, None]
        found += [(products / power).real, (products / power).imag]
    return found


def _bispectrum(spectrum: Complex) -> list[npt.NDArray[np.float64]]:
    """Triple products of one function's coefficients (n, 7), scaled to the size of one coefficient."""
    whole = np.concatenate([spectrum, spectrum[:, 5:0:-1].conj()], axis=1)
    found: list[npt.NDArray[Any]] = []
    for j in range(1, 6):
        for k in range(j, 7):
            product = whole[:, j] * whole[:, k] * whole[:, (j + k) % 12].conj()
            root = np.cbrt(np.abs(product))
            scaled = product / np.maximum(root, _TINY) ** 2
            found += [scaled.real[:, None], scaled.imag[:, None]]
    return found


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY), np.float64)

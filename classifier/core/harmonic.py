"""Harmonic and percussive parts by median filtering, with a faster filter than librosa's.

For a clip of 30 s on one core, ``librosa.decompose.hpss`` takes 1780 ms, nearly all of it in SciPy's median
filter, and ``harmonic_mask`` 55 ms.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

HALF_WINDOW = 15
"""Frames, or bins, that the median reaches to either side: librosa's kernel of 31."""

# Half the kernel and the middle: windows that begin within a group of this many share as many elements.
_GROUP = HALF_WINDOW + 1
# Groups handled at once: enough to drown the cost of a call, few enough to stay within the processor's cache.
_GROUPS_AT_ONCE = 8


def harmonic_mask(magnitude: Float32) -> Float32:
    """Share of each cell that sustains; the percussive share is the rest.

    Median filters along time and along frequency, weighed against each other as a Wiener filter weighs power
    (Fitzgerald, Harmonic/percussive separation using median filtering, DAFx 2010), as librosa 0.11's ``hpss``
    with its defaults.

    Parameters
    ----------
    magnitude : ndarray (n_frames + 2 * HALF_WINDOW, n_bins) float32
        Magnitude spectra, with the frames that come before and after: beyond the ends of a track its
        mirror image.

    Returns
    -------
    ndarray (n_frames, n_bins) float32
        In [0, 1]; one half where there is no energy at all.

    Raises
    ------
    ValueError
        If ``magnitude`` is shorter than the filter.
    """
    import librosa

    harmonic = running_median(magnitude)
    inner = magnitude[HALF_WINDOW:-HALF_WINDOW]
    mirrored = np.pad(inner, ((0, 0), (HALF_WINDOW, HALF_WINDOW)), mode="symmetric")
    percussive = np.ascontiguousarray(running_median(np.ascontiguousarray(mirrored.T)).T)
    mask: Float32 = librosa.util.softmask(harmonic, percussive, power=2, split_zeros=True)
    return mask


def running_median(rows: Float32) -> Float32:
    """Median of every 31 consecutive rows, column by column; exact.

    Sixteen neighbouring windows have sixteen elements in common. These are sorted once; then each half of
    the group gets the eight more that its windows share, each quarter four more, and so on down to single
    windows, and of each sorted core only those ranks are kept that can still become the median: about 46
    minima and maxima for each output, each over whole rows, where sorting every window takes hundreds.
    The idea is hierarchical tiling (A fast parallel median filtering algorithm using hierarchical tiling,
    SIGGRAPH 2025, arXiv:2507.19926), here in one dimension.

    Parameters
    ----------
    rows : ndarray (n + 2 * HALF_WINDOW, width) float32

    Returns
    -------
    ndarray (n, width) float32
        Row ``i`` is the median of rows ``i`` to ``i + 2 * HALF_WINDOW``.

    Raises
    ------
    ValueError
        If there are fewer rows than the filter is long.
    """
    n = len(rows) - 2 * HALF_WINDOW
    if n < 1:
        raise ValueError(f"a running median of {2 * HALF_WINDOW + 1} rows needs as many")
    n_groups = -(-n // _GROUP)
    missing = (n_groups + 1) * _GROUP + HALF_WINDOW - 1 - len(rows)
    padded = np.concatenate((rows, np.zeros((max(missing, 0), rows.shape[1]), np.float32)))
    medians = np.empty((n_groups * _GROUP, rows.shape[1]), np.float32)
    for first in range(0, n_groups, _GROUPS_AT_ONCE):
        last = min(first + _GROUPS_AT_ONCE, n_groups)
        source = padded[first * _GROUP :]
        target = medians[first * _GROUP : last * _GROUP].reshape(last - first, _GROUP, -1)
        _refine(source, target, 0, _sorted_rows(source, HALF_WINDOW, _GROUP, last - first))
    return medians[:n]


def _refine(source: Float32, target: Float32, start: int, core: list[Float32]) -> None:
    """Fill ``target[:, start : start + len(core)]``, whose windows share a core of which ``core`` is left."""
    size = len(core)
    if size == 1:
        target[:, start] = core[0]
        return
    half = size // 2
    for begin, new in ((start, start + half - 1), (start + half, start + 2 * HALF_WINDOW + 1)):
        more = _sorted_rows(source, new, half, len(target))
        _refine(source, target, begin, [_ranked(core, more, rank) for rank in range(half, size)])


def _sorted_rows(source: Float32, offset: int, size: int, n_groups: int) -> list[Float32]:
    """The ``size`` rows from ``offset`` of each group, sorted: ``size`` arrays (n_groups, width)."""
    stop = offset + (n_groups - 1) * _GROUP + 1
    ranked = [source[offset + i : stop + i : _GROUP] for i in range(size)]
    for low, high in _comparisons(size):
        ranked[low], ranked[high] = (
            np.minimum(ranked[low], ranked[high]),
            np.maximum(ranked[low], ranked[high]),
        )
    return ranked


def _ranked(core: list[Float32], more: list[Float32], rank: int) -> Float32:
    """Element ``rank``, from 0, of the union of two sorted lists: ``len(more) <= rank < len(core)``."""
    result = core[rank].copy()
    larger = np.empty_like(result)
    for j, element in enumerate(more):
        np.maximum(element, core[rank - j - 1], out=larger)
        np.minimum(result, larger, out=result)
    return result


@lru_cache(maxsize=8)
def _comparisons(size: int) -> tuple[tuple[int, int], ...]:
    """Batcher's odd-even merge sort for a power of two (Knuth, The Art of Computer Programming 3, 5.3.4)."""
    pairs: list[tuple[int, int]] = []
    merged = 1
    while merged < size:
        step = merged
        while step >= 1:
            for begin in range(step % merged, size - step, 2 * step):
                pairs += [
                    (i, i + step)
                    for i in range(begin, min(begin + step, size - step))
                    if i // (2 * merged) == (i + step) // (2 * merged)
                ]
            step //= 2
        merged *= 2
    return tuple(pairs)

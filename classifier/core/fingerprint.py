"""Audio fingerprints: do two clips contain the same recording, despite another format, cut or level?

After Haitsma and Kalker, A Highly Robust Audio Fingerprinting System (ISMIR 2002): each moment of a
recording becomes a word of 32 bits, each of which tells whether the energy difference between two adjacent
bands rises or falls. Two recordings are the same if most bits agree at one alignment. Adapted to the stored
columns of clips, which are 77.6 ms apart: the paper takes windows of 370 ms every 11.6 ms; here energy is
averaged over ``WIDTH`` columns (326 ms with the length of the windows) and compared with that of ``STEP``
columns earlier, so that words agree even if the columns of two clips are offset against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]
Words = NDArray[np.int32]

VERSION = 1
N_BITS = 32
WIDTH = 4
STEP = 4
PHASES = 4
"""Column grids of a query from sound; on one of them its columns lie within 10 ms of a stored clip's."""
LEAST_OVERLAP = 24
"""Words, about two seconds, by which two clips must overlap to be compared."""
LEAST_AGREEMENT = 0.35
LEAST_EVIDENCE = 14.0

_FLOOR = 1e-6
_FLIPS = 3
# Words of silence.
_EMPTY = (0, -1)


@dataclass(frozen=True, slots=True)
class Match:
    """Agreement of two clips at the best alignment.

    Attributes
    ----------
    agreement
        1 if all bits agree, 0 if half of them do, as by chance.
    evidence
        The same in standard deviations of the agreement of independent random bits.
    lag
        Columns by which the first clip begins before the second one; negative if after it.
    """

    agreement: float
    evidence: float
    lag: int

    @property
    def same(self) -> bool:
        """Whether the two clips contain the same recording."""
        return self.agreement >= LEAST_AGREEMENT and self.evidence >= LEAST_EVIDENCE


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A search query: the words of a clip on several grids of columns.

    Attributes
    ----------
    grids
        One (n_words,) array per grid; the first is the one that is stored for the clip.
    keys
        Sorted unique words; a stored clip with the same recording very likely contains one of them.
    """

    grids: Sequence[Words]
    keys: Words

    @property
    def stored(self) -> Words:
        return self.grids[0]


def from_power(mel_power: FloatArray, params: PatchParams | None = None) -> Query:
    """Fingerprint a sound from all frames of its spectrogram.

    Parameters
    ----------
    mel_power
        (n_mels, n_frames) linear power, as `features.extract` gives it.
    """
    step = (params or PatchParams()).frames_per_column
    return _query([_slopes(_columns(mel_power, step, phase=phase)) for phase in range(PHASES)])


def words_of(mel_power: FloatArray, params: PatchParams | None = None, *, most: int | None = None) -> Words:
    """Compute the words to store for a sound, without what a search needs.

    Parameters
    ----------
    mel_power
        As for `from_power`.
    most
        Words to keep, those in the middle; all where None.
    """
    step = (params or PatchParams()).frames_per_column
    words = _words(_slopes(_columns(mel_power, step, phase=0)))
    if most is None or words.size <= most:
        return words
    begin = (words.size - most) // 2
    return words[begin : begin + most].copy()


def from_columns(db: FloatArray) -> Query:
    """Fingerprint a clip from its stored (n_mels, n_columns) decibels, relative to any reference."""
    return _query([_slopes(np.power(10.0, (db - db.max(initial=-np.inf)) / 10.0, dtype=np.float32))])


def from_stored(words: Words) -> Query:
    """Look for a clip of which only the fingerprint is there: (n_words,), as `Query.stored` gave it."""
    keys = np.unique(words)
    return Query(grids=[words], keys=keys[~np.isin(keys, _EMPTY)])


def compare(first: Words, second: Words) -> Match:
    """Find the alignment with the best agreement of two clips.

    Parameters
    ----------
    first, second
        (n_words,) each.
    """
    if min(first.size, second.size) < LEAST_OVERLAP:
        return Match(0.0, 0.0, 0)
    size = 1 << (first.size + second.size - 2).bit_length()
    spectrum = np.fft.rfft(_signs(first), size) * np.conj(np.fft.rfft(_signs(second), size))
    agreeing = np.fft.irfft(spectrum.sum(axis=0), size)
    lags = np.arange(LEAST_OVERLAP - second.size, first.size - LEAST_OVERLAP + 1)
    overlap = np.minimum(first.size - lags, second.size) - np.maximum(0, -lags)
    evidence = agreeing[lags] / np.sqrt(overlap * N_BITS)
    best = int(evidence.argmax())
    return Match(
        agreement=float(agreeing[lags[best]] / (overlap[best] * N_BITS)),
        evidence=float(evidence[best]),
        lag=int(lags[best]),
    )


def best_match(query: Query, words: Words) -> Match:
    """Compare a stored clip with every grid of a query."""
    return max((compare(grid, words) for grid in query.grids), key=lambda match: match.evidence)


def _columns(mel_power: FloatArray, step: float, *, phase: int) -> FloatArray:
    """Columns on the grid of `patches.column_frames`, shifted by a fraction of a column."""
    n_frames = mel_power.shape[1]
    places = np.arange(0.5 + phase / PHASES, n_frames / step, 1.0) * step
    return mel_power[:, np.minimum(places.astype(np.intp), n_frames - 1)]


def _query(slopes: Sequence[FloatArray]) -> Query:
    grids = [_words(each) for each in slopes]
    audible = [~np.isin(grid, _EMPTY) for grid in grids]
    near = [_near(grid[kept], each[:, kept]) for grid, each, kept in zip(grids, slopes, audible, strict=True)]
    keys = np.unique(np.concatenate(near))
    return Query(grids=grids, keys=keys[~np.isin(keys, _EMPTY)])


def _near(words: Words, slopes: FloatArray) -> Words:
    """Each word and its variants with the least certain bits flipped, as the paper proposes."""
    weakest = np.argsort(np.abs(slopes), axis=0)[:_FLIPS].astype(np.uint32)
    near = [words.view(np.uint32)]
    for bit in weakest:
        near += [each ^ (np.uint32(1) << bit) for each in near]
    return np.concatenate(near).view(np.int32)


def _slopes(power: FloatArray) -> FloatArray:
    """Change over time of the difference between neighbouring bands: (N_BITS, n_words), in decibels."""
    edges = np.round(np.linspace(0, power.shape[0], N_BITS + 2)).astype(np.intp)
    energy = np.add.reduceat(power, edges[:-1], axis=0, dtype=np.float64)
    if energy.shape[1] < WIDTH + STEP:
        return np.zeros((N_BITS, 0), np.float32)
    sums = np.cumsum(np.pad(energy, ((0, 0), (1, 0))), axis=1)
    energy = sums[:, WIDTH:] - sums[:, :-WIDTH]
    # Energy far below the loudest is noise of codecs and does not identify the recording.
    level = 10.0 * np.log10(energy + max(float(energy.max()) * _FLOOR, 1e-12))
    between = level[:-1] - level[1:]
    return np.asarray(between[:, STEP:] - between[:, :-STEP], dtype=np.float32)


def _words(slopes: FloatArray) -> Words:
    bits = np.packbits(slopes > 0, axis=0, bitorder="little")
    return np.ascontiguousarray(bits.T).view("<i4")[:, 0].astype(np.int32)


def _signs(words: Words) -> FloatArray:
    """(N_BITS, n_words) of 1 and -1."""
    bits = np.unpackbits(words.astype("<i4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    return np.asarray(bits.T * np.float32(2) - np.float32(1), dtype=np.float32)

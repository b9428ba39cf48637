"""Cut a mel power spectrogram into the fixed-size inputs of the network.

Training reads quantised decibels, serving reads power from audio: both are converted to decibels and pass
through the same `cut`, so that inputs in service are the same as in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_ABOVE_FLOOR_DB = 0.01
NEARLY_SILENT_DB = 40.0
"""A stretch this far under the level of its track is nearly silent: a fade-out, or the noise of a room."""
_TRACK_LEVEL_PERCENTILE = 90.0

PATCH_VERSION = 1


@dataclass(frozen=True, slots=True)
class PatchParams:
    """How a mel spectrogram is cut and scaled; stored with every release.

    Parameters
    ----------
    sample_rate, hop_length
        Of the spectrogram the columns are taken from, in Hz and samples.
    n_mels
        Mel bands.
    frames_per_column
        Spectrogram frames between two columns. The default is that of the training set: 387.5 columns for the
        1,293 frames of a 30 s clip.
    n_columns, hop_columns
        Width of a patch and the largest distance between two of them, in columns.
    reference_percentile
        A patch is scaled relative to this percentile of its own cells, which, unlike the maximum, a single
        knock on a microphone does not move.
    floor_db, ceiling_db
        Range kept around the reference, in dB.
    silence_db
        A column whose loudest cell lies below this, relative to a mel power of 1, is silent: about -75 dB of
        full scale.
    dynamic_range_db
        Cells further below the loudest cell of the track are raised to this floor, as in training.
    """

    sample_rate: int = 22_050
    hop_length: int = 512
    n_mels: int = 128
    frames_per_column: float = 1293 / 387.5
    n_columns: int = 64
    hop_columns: int = 32
    reference_percentile: float = 95.0
    floor_db: float = -50.0
    ceiling_db: float = 25.0
    silence_db: float = -55.0
    dynamic_range_db: float = 80.0
    version: int = PATCH_VERSION

    @property
    def column_seconds(self) -> float:
        """Seconds between two columns."""
        return self.frames_per_column * self.hop_length / self.sample_rate


@dataclass(frozen=True, slots=True)
class Patches:
    """The inputs cut from one track.

    Attributes
    ----------
    inputs
        (n_patches, n_mels, n_columns) float32, between floor_db / ceiling_db and 1.
    sounding
        (n_patches,) share of each patch's columns that are not silent; valid if the decibels are absolute. 0
        also for a patch that is nearly silent beside the rest of its track.
    start, end
        (n_patches,) position of each patch in the track, in seconds. A track shorter than one patch has a
        single patch that ends where the track does.
    """

    inputs: FloatArray
    sounding: FloatArray
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def column_frames(n_frames: int, frames_per_column: float) -> NDArray[np.intp]:
    """Indices of the spectrogram frames that become columns: ``floor((k + 0.5) * frames_per_column)``.

    For a spectrogram too short for one column, the index of its middle frame.
    """
    if n_frames < 1:
        raise ValueError("a spectrogram needs at least one frame")
    count = max(int(np.ceil(n_frames / frames_per_column - 0.5)), 1)
    frames = np.floor((np.arange(count) + 0.5) * frames_per_column).astype(np.intp)
    return np.asarray(np.minimum(frames, n_frames - 1), dtype=np.intp)


def columns_db(mel_power: FloatArray, params: PatchParams) -> FloatArray:
    """Decibels of the columns of a mel power spectrogram.

    Parameters
    ----------
    mel_power
        (n_mels, n_frames) linear power.

    Returns
    -------
    (n_mels, n_columns) float32, relative to a mel power of 1, with the floor ``params.dynamic_range_db``
    below the track's loudest cell.

    Raises
    ------
    ValueError
        If the array does not have ``params.n_mels`` rows or has no frame.
    """
    if mel_power.ndim != 2 or mel_power.shape[0] != params.n_mels:
        raise ValueError(f"expected ({params.n_mels}, n_frames), got {mel_power.shape}")
    columns = mel_power[:, column_frames(mel_power.shape[1], params.frames_per_column)]
    return power_to_db(columns, float(mel_power.max()) * 10 ** (-params.dynamic_range_db / 10))


def power_to_db(power: FloatArray, floor: float = 0.0) -> FloatArray:
    """``10 log10`` of a power, limited below by `floor` and, for digital silence, by 1e-12."""
    return np.asarray(10.0 * np.log10(np.maximum(power, max(floor, 1e-12))), dtype=np.float32)


def to_db(power: FloatArray, params: PatchParams) -> FloatArray:
    """Decibels with the floor ``params.dynamic_range_db`` below the loudest cell."""
    return power_to_db(power, float(power.max()) * 10 ** (-params.dynamic_range_db / 10))


def db_to_power(db: FloatArray) -> FloatArray:
    """The inverse of `power_to_db`."""
    return np.asarray(np.power(10.0, db / 10.0), dtype=np.float32)


def patch_starts(n_columns: int, params: PatchParams) -> NDArray[np.intp]:
    """First columns of evenly spread patches that cover a track from its first column to its last."""
    room = n_columns - params.n_columns
    if room <= 0:
        return np.zeros(1, dtype=np.intp)
    count = -(-room // params.hop_columns) + 1
    return np.round(np.linspace(0, room, count)).astype(np.intp)


def fill(db: FloatArray, n_columns: int) -> FloatArray:
    """Pad a track shorter than `n_columns` by reflection, which adds no discontinuity."""
    missing = n_columns - db.shape[1]
    if missing <= 0:
        return db
    return np.pad(db, ((0, 0), (0, missing)), mode="symmetric")


def normalise(db: FloatArray, params: PatchParams) -> FloatArray:
    """Scale patches relative to their own reference, which makes them invariant to gain.

    Parameters
    ----------
    db
        (n_patches, n_mels, n_columns) decibels.

    Returns
    -------
    (n_patches, n_mels, n_columns) float32
    """
    flat = db.reshape(len(db), -1)
    rank = round((flat.shape[1] - 1) * params.reference_percentile / 100)
    reference = np.partition(flat, rank, axis=1)[:, rank]
    inputs = np.clip(db - reference[:, None, None], params.floor_db, params.ceiling_db) / params.ceiling_db
    return np.asarray(inputs, dtype=np.float32)


def cut(db: FloatArray, params: PatchParams) -> Patches:
    """Cut the columns of a track into overlapping patches.

    One of them begins where the sound begins, so that leading silence does not shift the others.

    Parameters
    ----------
    db
        (n_mels, n_columns) decibels, from `columns_db` or from a training set. The reference of 0 dB affects
        only what counts as silence, not the inputs.
    """
    total = db.shape[1]
    filled = np.ascontiguousarray(fill(db, params.n_columns))
    sounding = _sounding(filled, params)
    starts = _starts(total, int(sounding.argmax()), params)
    windows = np.lib.stride_tricks.sliding_window_view(filled, params.n_columns, axis=1)
    inputs = normalise(windows[:, starts].transpose(1, 0, 2), params)
    windows = np.lib.stride_tricks.sliding_window_view(sounding, params.n_columns)
    share = windows[starts].mean(axis=1, dtype=np.float32)
    share[nearly_silent(filled, starts, params)] = 0.0
    seconds = np.asarray(starts * params.column_seconds, dtype=np.float64)
    width = min(total, params.n_columns) * params.column_seconds
    return Patches(
        inputs=inputs,
        sounding=share,
        start=seconds,
        end=seconds + width,
    )


def _sounding(db: FloatArray, params: PatchParams) -> NDArray[np.bool_]:
    """(n_columns,) which columns are not silent, absolutely or relative to a loud track.

    The dynamic range's floor in a loud track can exceed the absolute threshold; a column at it is silent too.
    """
    loudest = db.max(axis=0)
    audible = loudest >= params.silence_db
    above_floor = audible & (loudest > db.min() + _ABOVE_FLOOR_DB)
    return np.asarray(above_floor if above_floor.any() else audible)


def nearly_silent(db: FloatArray, starts: NDArray[np.intp], params: PatchParams) -> NDArray[np.bool_]:
    """Which patches are `NEARLY_SILENT_DB` or more under the level of their track.

    Of each patch only the middle half counts, for that is what it stands for in the timeline: a fade-out is
    not excused by the end of the loud part before it. The track's level is a high percentile of its columns,
    which a few knocks do not raise.

    Parameters
    ----------
    db
        (n_mels, n_columns) decibels, n_columns at least that of a patch.
    starts
        (n_patches,) first columns.

    Returns
    -------
    (n_patches,) bool
    """
    power = db_to_power(db).mean(axis=0, dtype=np.float64)
    quarter = params.n_columns // 4
    middle = np.lib.stride_tricks.sliding_window_view(power, params.n_columns)[starts, quarter : 3 * quarter]
    limit = np.percentile(power, _TRACK_LEVEL_PERCENTILE) * 10 ** (-NEARLY_SILENT_DB / 10)
    return np.asarray(middle.mean(axis=1) <= limit)


def _starts(total: int, first: int, params: PatchParams) -> NDArray[np.intp]:
    """First columns of the patches: those of `patch_starts` from column `first` on, and evenly before it."""
    before = np.arange(first % params.hop_columns, first, params.hop_columns, dtype=np.intp)
    starts = np.concatenate((before, first + patch_starts(total - first, params)))
    return np.unique(np.minimum(starts, max(total - params.n_columns, 0)))


def from_power(mel_power: FloatArray, params: PatchParams) -> Patches:
    """Cut the patches of a track from its mel power spectrogram (n_mels, n_frames)."""
    return cut(columns_db(mel_power, params), params)

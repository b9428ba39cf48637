"""Pictures of the sound without margins, so that a page can align them on one time axis."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.core import filters
from classifier.core.features import DEFAULT_PARAMS, Features, power_to_db

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]

WIDTH = 1600
MEDIA_TYPE = "image/jpeg"
PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")

# JPEG: WebP would save a fifth of the bytes but take eight times as long to encode.
_HEIGHTS = {"spectrogram": 256, "mel": 256, "chroma": 192, "mfcc": 200}
DYNAMIC_RANGE_DB = 80.0
LEAST_APART = 0.08
"""Share of a picture's height between two ticks, at which their labels do not touch on a phone either."""
_MARKED_HZ = (64, 128, 256, 512, 1024, 2048, 4096, 8192)

# From dark to bright in even steps of lightness (CIELAB L* from 0 to 97), through violet and orange: readable
# in greyscale and with colour blindness.
COLOURS = (
    (0, 0, 4),
    (20, 14, 54),
    (59, 15, 112),
    (100, 26, 128),
    (140, 41, 129),
    (183, 55, 121),
    (222, 73, 104),
    (247, 112, 92),
    (254, 159, 109),
    (254, 207, 146),
    (252, 253, 191),
)


# Orange for, blue against: they differ in hue with every kind of colour blindness, and in lightness.
_FOR = (255, 159, 28)
_AGAINST = (64, 136, 255)
_MOST_OPAQUE = 215


@dataclass(frozen=True)
class Tick:
    """A mark on the vertical axis: ``position`` from 0 (bottom edge) to 1 (top edge)."""

    position: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded image whose width is the whole track, and the marks of its vertical axis."""

    data: bytes
    width: int
    height: int
    media_type: str
    ticks: tuple[Tick, ...]


def waveform_peaks(samples: Float32, n: int = 1200) -> Int8:
    """Reduce a waveform to the minimum and maximum of ``n`` slices of equal length.

    Parameters
    ----------
    samples : ndarray (n_samples,) float32
    n : int
        Slices; a track with fewer samples than that repeats some.

    Returns
    -------
    ndarray (n, 2) int8
        Minimum and maximum of each slice, scaled so that the loudest sample of the track is 127.
    """
    starts = (np.arange(n) * samples.size) // n
    low = np.minimum.reduceat(samples, starts)
    high = np.maximum.reduceat(samples, starts)
    peak = max(float(-low.min()), float(high.max()))
    scale = 127.0 / peak if peak > 0 else 0.0
    return np.rint(np.stack((low, high), axis=1) * scale).clip(-127, 127).astype(np.int8)


class PeaksJson(TypedDict):
    """Peaks for wavesurfer.js, so that it need not decode: minima and maxima in turn, in [-1, 1]."""

    version: int
    length: int
    peaks: list[list[float]]


def peaks_to_json(peaks: Int8) -> PeaksJson:
    """Convert peaks (n, 2) int8 to the form that wavesurfer.js reads, with one channel."""
    values = [float(value) for value in np.round(peaks.ravel() / 127.0, 3)]
    return {"version": 1, "length": len(peaks), "peaks": [values]}


def draw(features: Features) -> dict[str, Picture]:
    """Draw every picture of a track: ``spectrogram``, ``mel``, ``chroma`` and ``mfcc``."""
    return {
        "spectrogram": spectrogram(features),
        "mel": mel(features),
        "chroma": chroma(features),
        "mfcc": mfcc(features),
    }


@lru_cache(maxsize=1)
def spectrogram_range() -> tuple[float, float]:
    """Lowest and highest frequency of the vertical axis of `spectrogram`, in hertz."""
    _starts, centres = filters.bands(DEFAULT_PARAMS.sample_rate, DEFAULT_PARAMS.n_fft)
    return float(centres[0]), float(centres[-1])


def spectrogram(features: Features) -> Picture:
    """Power in decibels on a logarithmic frequency axis."""
    frequencies = features.spectrogram_frequencies
    height = _HEIGHTS["spectrogram"]
    axis = np.geomspace(frequencies[0], frequencies[-1], height)
    rows = np.clip(np.round(np.interp(axis, frequencies, np.arange(frequencies.size))), 0, None).astype(
        np.intp
    )
    marks = [
        Tick(round(float(np.log(hz / axis[0]) / np.log(axis[-1] / axis[0])), 4), _hertz(hz))
        for hz in _MARKED_HZ
        if axis[0] <= hz <= axis[-1]
    ]
    return _picture(_brightness(features.spectrogram)[rows], height, legible(marks))


def mel(features: Features) -> Picture:
    """Mel spectrogram in decibels."""
    power = _pool(features.mel_power)
    return _picture(_brightness(power), _HEIGHTS["mel"], _mel_ticks(features.params.sample_rate / 2.0))


def mel_columns(db: Float32, sample_rate: int) -> Picture:
    """Draw a mel spectrogram from the stored columns of a clip.

    Parameters
    ----------
    db : ndarray (n_mels, n_columns) float32
        Decibels relative to the loudest cell.
    sample_rate : int
        Of the original sound, in hertz.
    """
    levels = (np.clip(db / DYNAMIC_RANGE_DB + 1.0, 0.0, 1.0) * 255).astype(np.uint8)
    return _picture(levels, _HEIGHTS["mel"], mel_axis(sample_rate))


def legible(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Leave out ticks whose labels would touch those of the ticks above them.

    Parameters
    ----------
    ticks : sequence of Tick
        From the lowest to the highest.

    Returns
    -------
    tuple of Tick
        In the same order, each at least `LEAST_APART` above the one before.
    """
    kept: list[Tick] = []
    for tick in reversed(ticks):
        if not kept or kept[-1].position - tick.position >= LEAST_APART:
            kept.append(tick)
    return tuple(reversed(kept))


def mel_axis(sample_rate: int) -> tuple[Tick, ...]:
    """Ticks of the frequency axis of a mel spectrogram of sound with that sample rate."""
    return _mel_ticks(sample_rate / 2.0)


def loudness_peaks(db: Float32) -> Int8:
    """Outline a sound by the amplitude of its mel columns, for clips whose audio is not kept.

    Parameters
    ----------
    db : ndarray (n_mels, n_columns) float32

    Returns
    -------
    ndarray (n_columns, 2) int8
        As from `waveform_peaks`, but symmetrical: the root of each column's power, the loudest one is 127.
    """
    power = np.power(10.0, db / 10.0).sum(axis=0)
    amplitude = np.rint(np.sqrt(power / power.max()) * 127.0).astype(np.int8)
    return np.stack((-amplitude, amplitude), axis=1)


def chroma(features: Features) -> Picture:
    """Chromagram with each frame scaled to its strongest pitch class."""
    energy = _pool(features.chroma)
    peak = energy.max(axis=0, keepdims=True)
    relative = energy / np.maximum(peak, np.float32(1e-10))
    ticks = tuple(Tick(round((i + 0.5) / 12, 4), name) for i, name in enumerate(PITCH_CLASSES))
    return _picture((relative * 255).astype(np.uint8), _HEIGHTS["chroma"], ticks, smooth=False)


def mfcc(features: Features) -> Picture:
    """Mel-frequency cepstral coefficients with each row scaled to its own range."""
    coefficients = features.mfcc
    low, high = np.percentile(coefficients[:, :: max(1, coefficients.shape[1] // 2000)], (1, 99), axis=1)
    span = np.maximum(high - low, 1.0)[:, np.newaxis]
    scaled = (_pool(coefficients, mean=True) - low[:, np.newaxis]) / span
    n = len(coefficients)
    ticks = tuple(Tick(round((i + 0.5) / n, 4), str(i)) for i in range(0, n, 5))
    levels = (np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)
    return _picture(levels, _HEIGHTS["mfcc"], ticks, smooth=False)


def occlusion(effects: Float32, bands: npt.NDArray[np.float64], *, least: float = 0.1) -> Picture:
    """Draw the effect of each region as an overlay on the mel spectrogram, transparent where there is none.

    Parameters
    ----------
    effects : ndarray (n_bands, n_slices) float32
        Positive (orange) where a region supports the genre, negative (blue) where it counts against it.
        Slices have equal lengths.
    bands : ndarray (n_bands + 1,)
        Borders in hertz; the last one is the top edge of the mel spectrogram.
    least : float
        The colours are scaled to the strongest region, but at least to this effect, so that noise is not
        amplified.

    Notes
    -----
    PNG, because JPEG has no transparency.
    """
    height = _HEIGHTS["mel"]
    n_slices = effects.shape[1]
    mels = filters.hz_to_mel(bands)
    from_bottom = mels[-1] * (np.arange(height)[::-1] + 0.5) / height
    rows = np.clip(np.searchsorted(mels, from_bottom, side="right") - 1, 0, len(effects) - 1)
    columns = np.arange(WIDTH) * n_slices // WIDTH
    strength = np.clip(effects / max(float(np.abs(effects).max()), least), -1.0, 1.0)
    # Less than linear, so that weaker regions stay visible.
    opacity = (np.abs(strength) ** 0.75 * _MOST_OPAQUE).astype(np.uint8)
    cells = np.empty((*effects.shape, 4), np.uint8)
    cells[..., :3] = np.where((effects >= 0)[..., np.newaxis], _FOR, _AGAINST)
    cells[..., 3] = opacity
    output = io.BytesIO()
    Image.fromarray(cells[rows][:, columns]).save(output, "PNG")
    return Picture(
        data=output.getvalue(),
        width=WIDTH,
        height=height,
        media_type="image/png",
        ticks=_mel_ticks(float(bands[-1])),
    )


def _mel_ticks(top_hz: float) -> tuple[Tick, ...]:
    top = filters.hz_to_mel(np.array([top_hz]))[0]
    marks = [
        Tick(round(float(filters.hz_to_mel(np.array([hz]))[0] / top), 4), _hertz(hz))
        for hz in _MARKED_HZ
        if hz >= 256
    ]
    return legible(marks)


def _hertz(hz: int) -> str:
    return f"{hz / 1000:.0f} kHz" if hz >= 1000 else f"{hz} Hz"


def _pool(rows: Float32, *, mean: bool = False) -> Float32:
    """Reduce the columns of a long track to a few thousand, by their maximum or mean."""
    factor = rows.shape[1] // WIDTH
    if factor < 2:
        return rows
    starts = np.arange(0, rows.shape[1], factor)
    if mean:
        lengths = np.diff(np.append(starts, rows.shape[1])).astype(np.float32)
        averaged: Float32 = np.divide(np.add.reduceat(rows, starts, axis=1), lengths, dtype=np.float32)
        return averaged
    return np.maximum.reduceat(rows, starts, axis=1)


def _brightness(power: Float32) -> npt.NDArray[np.uint8]:
    # Anything more than 75 dB under full scale stays dark, also in a track that is silent throughout.
    db = power_to_db(power, ref=max(float(power.max()), 1e-2))
    levels: npt.NDArray[np.uint8] = (np.clip(db / DYNAMIC_RANGE_DB + 1.0, 0.0, 1.0) * 255).astype(np.uint8)
    return levels


@lru_cache(maxsize=1)
def _palette() -> list[int]:
    at = np.linspace(0, 255, len(COLOURS))
    channels = [np.interp(np.arange(256), at, [anchor[i] for anchor in COLOURS]) for i in range(3)]
    colours = np.stack(channels, axis=1).round().astype(int)
    return [int(value) for value in colours.ravel()]


def _picture(
    levels: npt.NDArray[np.uint8], height: int, ticks: tuple[Tick, ...], *, smooth: bool = True
) -> Picture:
    """Colour ``levels`` (rows from the lowest, columns in time), stretched over the picture."""
    image = Image.fromarray(levels[::-1])
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    image = image.resize((WIDTH, height), how)
    image.putpalette(_palette())
    output = io.BytesIO()
    image.convert("RGB").save(output, "JPEG", quality=80, subsampling=2 if smooth else 0)
    return Picture(data=output.getvalue(), width=WIDTH, height=height, media_type=MEDIA_TYPE, ticks=ticks)

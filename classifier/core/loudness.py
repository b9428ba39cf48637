"""Loudness and true peak of a recording after ITU-R BS.1770-4, measured block by block while it is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_STEP_SECONDS: Final = 0.1
_STEPS_PER_BLOCK: Final = 4
"""Gating blocks of 400 ms that overlap by three quarters."""
_OFFSET: Final = -0.691
_ABSOLUTE_GATE: Final = -70.0
_RELATIVE_GATE: Final = -10.0
# After this time the impulse response of the K-weighting filter is more than 100 dB down.
_RESPONSE_SECONDS: Final = 0.1
# Left, right, centre, low frequency effects, left and right surround: FFmpeg's order of 5.1 channels.
_SURROUND: Final = (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)
_OVERSAMPLED_BELOW: Final = 192_000
_ROW: Final = 16

# Annex 2 of the recommendation: the four phases of the interpolating filter; the last two mirror the first.
_FIRST_PHASE: Final = (
    *(0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625),
    *(0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
)
_SECOND_PHASE: Final = (
    *(-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250),
    *(0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)
_PHASES: Final = np.array(
    [_FIRST_PHASE, _SECOND_PHASE, _SECOND_PHASE[::-1], _FIRST_PHASE[::-1]], dtype=np.float32
)
_N_TAPS: Final = _PHASES.shape[1]


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a recording is.

    Attributes
    ----------
    integrated
        Programme loudness in LUFS, over the whole; None where nothing passes the gate of -70 LUFS or the
        recording is shorter than 0.4 s.
    true_peak
        The highest peak between and at the samples, in dBTP; None of digital silence.
    """

    integrated: float | None
    true_peak: float | None


def k_weighting(rate: int) -> tuple[Float64, Float64]:
    """Coefficients of the K-weighting filter: a high shelf, and a high-pass.

    Parameters
    ----------
    rate
        Sample rate in hertz.

    Returns
    -------
    numerators, denominators : ndarray (2, 3)
        Of the two biquads, in powers of 1/z. At 48 kHz those that the recommendation tabulates; at other
        rates the same analogue filters by the bilinear transform (De Man, Evaluation of implementations of
        the EBU R128 loudness measurement, AES 145, 2018).
    """
    frequency, gain, quality = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    # The shelf lies above the band of very low rates.
    k = math.tan(math.pi * min(frequency / rate, 0.49))
    high = 10.0 ** (gain / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / quality + k * k
    shelf_b = [high + band * k / quality + k * k, 2.0 * (k * k - high), high - band * k / quality + k * k]
    shelf_a = [a0, 2.0 * (k * k - 1.0), 1.0 - k / quality + k * k]
    frequency, quality = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * frequency / rate)
    p0 = 1.0 + k / quality + k * k
    pass_a = [1.0, 2.0 * (k * k - 1.0) / p0, (1.0 - k / quality + k * k) / p0]
    numerators = np.array([np.array(shelf_b) / a0, [1.0, -2.0, 1.0]])
    return numerators, np.array([np.array(shelf_a) / a0, pass_a])


def measure(channels: Float32, rate: int) -> Loudness:
    """Measure a whole recording.

    Parameters
    ----------
    channels : ndarray (n_channels, n) float32
        Full scale is 1.
    rate
        Sample rate in hertz.
    """
    meter = LoudnessMeter()
    meter.add(rate, channels)
    return meter.result()


class LoudnessMeter:
    """Takes a recording in blocks, in memory that grows by 80 bytes a second."""

    def __init__(self) -> None:
        self._powers: list[Float64] = []
        self._peak = 0.0
        self._filter: _Filter | None = None
        self._shape = (0, 0)

    def add(self, rate: int, channels: Float32) -> None:
        """Take account of a block (n_channels, n) at ``rate`` hertz."""
        if channels.shape[1] == 0:
            return
        shape = (rate, len(channels))
        if self._filter is None or shape != self._shape:
            self._finish()
            self._shape, self._filter = shape, _Filter(rate, len(channels))
        powers, peak = self._filter.push(np.asarray(channels, np.float32))
        self._powers.append(powers)
        self._peak = max(self._peak, peak)

    def result(self) -> Loudness:
        """Give the loudness of everything that was added."""
        self._finish()
        powers = np.concatenate(self._powers) if self._powers else np.zeros(0)
        peak = 20.0 * math.log10(self._peak) if self._peak > 0 else None
        return Loudness(_integrated(powers), peak)

    def _finish(self) -> None:
        if self._filter is not None:
            powers, peak = self._filter.finish()
            self._powers.append(powers)
            self._peak = max(self._peak, peak)
            self._filter = None


def _integrated(powers: Float64) -> float | None:
    """Programme loudness by the mean square (n_steps,) of steps of 100 ms: BS.1770-4, equations 5 to 7."""
    if powers.size < _STEPS_PER_BLOCK:
        return None
    blocks = np.convolve(powers, np.full(_STEPS_PER_BLOCK, 1.0 / _STEPS_PER_BLOCK), "valid")
    with np.errstate(divide="ignore"):
        levels = _OFFSET + 10.0 * np.log10(np.maximum(blocks, 0.0))
    kept = levels > _ABSOLUTE_GATE
    if not kept.any():
        return None
    relative = _OFFSET + 10.0 * math.log10(blocks[kept].mean()) + _RELATIVE_GATE
    kept &= levels > relative
    return _OFFSET + 10.0 * math.log10(blocks[kept].mean())


class _Filter:
    """K-weighting by overlap-save, and the peaks between samples, for one sample rate and number of channels."""

    def __init__(self, rate: int, n_channels: int) -> None:
        self._step = max(1, round(rate * _STEP_SECONDS))
        self._weights = np.array(_SURROUND if n_channels == len(_SURROUND) else (1.0,) * n_channels)
        self._oversampled = rate < _OVERSAMPLED_BELOW
        self._response, self._size = _response(rate)
        self._overlap = int(rate * _RESPONSE_SECONDS)
        self._input = np.zeros((n_channels, self._overlap), np.float32)
        self._edge = np.zeros((n_channels, _N_TAPS - 1), np.float32)
        self._squares = np.zeros(0)

    def push(self, channels: Float32) -> tuple[Float64, float]:
        """Give the mean square of each step that is complete, and the highest peak."""
        self._input = np.concatenate((self._input, channels), axis=1)
        hop = self._size - self._overlap
        count = (self._input.shape[1] - self._overlap) // hop
        return self._filtered(count), self._peak_of(channels)

    def finish(self) -> tuple[Float64, float]:
        """Give what is left at the end; a step that is not complete is left out."""
        left = self._input.shape[1] - self._overlap
        hop = self._size - self._overlap
        padding = np.zeros((len(self._input), hop - left % hop), np.float32)
        self._input = np.concatenate((self._input, padding), axis=1)
        powers = self._filtered((left + padding.shape[1]) // hop, length=left)
        return powers, self._peak_of(np.zeros((len(self._edge), _N_TAPS), np.float32))

    def _filtered(self, count: int, *, length: int | None = None) -> Float64:
        hop = self._size - self._overlap
        filtered = [
            np.fft.irfft(
                np.fft.rfft(self._input[:, i * hop : i * hop + self._size]) * self._response, self._size
            )[:, self._overlap :]
            for i in range(count)
        ]
        self._input = self._input[:, count * hop :]
        squares = [np.einsum("cn,cn,c->n", part, part, self._weights) for part in filtered]
        whole = np.concatenate([np.zeros(0), *squares])[:length]
        self._squares = np.concatenate((self._squares, whole))
        steps = self._squares.size // self._step
        powers = self._squares[: steps * self._step].reshape(steps, self._step).mean(axis=1)
        self._squares = self._squares[steps * self._step :]
        return np.asarray(powers, np.float64)

    def _peak_of(self, channels: Float32) -> float:
        peak = max(float(channels.max()), -float(channels.min()))
        if not self._oversampled:
            return peak
        around = np.concatenate((self._edge, channels), axis=1)
        self._edge = around[:, 1 - _N_TAPS :]
        for channel in around:
            rows = -(-(channel.size - _N_TAPS + 1) // _ROW)
            padded = np.zeros(rows * _ROW + _N_TAPS - 1, np.float32)
            padded[: channel.size] = channel
            windows = np.lib.stride_tricks.sliding_window_view(padded, _ROW + _N_TAPS - 1)[::_ROW]
            between = np.ascontiguousarray(windows) @ _interpolation()
            peak = max(peak, float(between.max()), -float(between.min()))
        return peak


@lru_cache(maxsize=1)
def _interpolation() -> Float32:
    """The four phases as one matrix (_ROW + _N_TAPS - 1, 4 * _ROW): a product is faster than 12 sums."""
    matrix = np.zeros((_ROW + _N_TAPS - 1, _ROW, len(_PHASES)), np.float32)
    for place in range(_ROW):
        matrix[place : place + _N_TAPS, place] = _PHASES.T[::-1]
    return matrix.reshape(len(matrix), -1)


@lru_cache(maxsize=8)
def _response(rate: int) -> tuple[npt.NDArray[np.complex64], int]:
    """The K-weighting filter's frequency response, cut to `_RESPONSE_SECONDS`, and the size of its FFT."""
    n_taps = int(rate * _RESPONSE_SECONDS) + 1
    size = 1 << (4 * n_taps - 1).bit_length()
    numerators, denominators = k_weighting(rate)
    response = np.ones(size // 2 + 1, np.complex128)
    for above, below in zip(numerators, denominators, strict=True):
        response *= np.fft.rfft(above, size) / np.fft.rfft(below, size)
    impulse = np.fft.irfft(response, size)[:n_taps]
    return np.fft.rfft(impulse, size).astype(np.complex64), size

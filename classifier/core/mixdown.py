"""Mix the channels of a recording down to one.

The plain mean is what librosa and the data sets of the field use, and it is wrong for one kind of file: where
one channel is inverted (a fault of mastering or of a cable) the channels cancel, and what a codec or a
converter left of them is heard instead. A first pass gathers, per stretch of some seconds and per octave, how
alike the channels are; where they cancel, a second pass inverts the channel back before the mean is taken,
and in those octaves alone where it is inverted, since codecs lose the sign of high bands (intensity stereo).
Everything else is the plain mean, bit by bit.

The measure is the in-phase share 2 Re<a, b> / (<a, a> + <b, b>), the similarity of Avendano (Frequency-domain
source identification and manipulation in stereo mixes, WASPAA 2003) with its sign: 1 where two channels are
equal, 0 where they are unlike or one of them is faint, -1 where their sum is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Shape = tuple[int, int]  # sample rate, number of channels

FRAME = 4096
STRETCH_SECONDS = 6.0
# Lower edges in hertz of the octaves that are compared, and the end of the last.
BAND_EDGES = (40.0, 88.0, 177.0, 354.0, 707.0, 1414.0, 2828.0, 5657.0, 11025.0)

# A whole recording of which this much is lost is inverted: long-term values of music are positive.
_INVERTED = -0.3
# So is one of which the bass is lost, which music has in the middle, and whose rest is too wide to tell.
_N_BASS_BANDS = 2
_INVERTED_BASS = -0.9
_TOO_WIDE = 0.1
_LEAST_BASS = 0.01
# Less than half of a recording, which is told by half a minute of it.
_INVERTED_PART = -0.5
_STRETCHES_AROUND = 5
# A stretch that differs from the rest of a recording, and an octave that does: wide music has both.
_INVERTED_STRETCH = -0.9
_UPRIGHT_STRETCH = 0.5
_INVERTED_BAND = -0.97
_UPRIGHT_BAND = 0.5
# Octaves fainter than this, of the loudest, say nothing.
_FAINT = 1e-6
_MAX_CHANNELS = 8
_MAX_SHAPES = 16


def mean(channels: Float32) -> Float32:
    """Average channels (n_channels, n) to (n,)."""
    if len(channels) == 1:
        return np.ascontiguousarray(channels[0])
    mono: Float32 = channels[0] + channels[1]
    for other in channels[2:]:
        mono += other
    mono *= np.float32(1.0 / len(channels))
    return mono


@dataclass(slots=True)
class _Gathered:
    """Cross-products of the channels of all sound of one shape, per stretch: each (n_bands, n, n)."""

    stretches: list[Float64] = field(default_factory=list)
    seconds: float = 0.0


class PhaseMeter:
    """The first pass: gathers how alike the channels are, in memory that grows with the stretches alone."""

    def __init__(self) -> None:
        self._gathered: dict[Shape, _Gathered] = {}

    def add(self, rate: int, channels: Float32) -> None:
        """Take account of a block (n_channels, n) at ``rate`` hertz."""
        shape = (rate, len(channels))
        if not 2 <= len(channels) <= _MAX_CHANNELS:
            return
        if shape not in self._gathered and len(self._gathered) == _MAX_SHAPES:
            return
        gathered = self._gathered.setdefault(shape, _Gathered())
        place = int(gathered.seconds / STRETCH_SECONDS)
        gathered.seconds += channels.shape[1] / rate
        while len(gathered.stretches) <= place:
            gathered.stretches.append(np.zeros((len(BAND_EDGES) - 1, *shape[1:] * 2)))
        gathered.stretches[place] += _cross_products(rate, channels)

    def correction(self) -> Correction | None:
        """What the second pass has to invert; None where the plain mean is right."""
        gains = {}
        for shape, gathered in self._gathered.items():
            found = _gains(np.array(gathered.stretches))
            if (found < 0).any():
                gains[shape] = found
        return Correction(gains) if gains else None


def _cross_products(rate: int, channels: Float32) -> Float64:
    """Real cross-spectra (n_bands, n, n), summed per octave, of one frame in the middle of a block."""
    n_channels, n = channels.shape
    start = max(0, (n - FRAME) // 2)
    part = channels[:, start : start + FRAME]
    spectra = np.fft.rfft(part * _window(part.shape[1]), FRAME)
    edges = _edges(rate)
    sums = np.empty((len(BAND_EDGES) - 1, n_channels, n_channels))
    for one in range(n_channels):
        for other in range(one, n_channels):
            product = spectra[one].real * spectra[other].real + spectra[one].imag * spectra[other].imag
            # The last sum is of what lies above the octaves.
            sums[:, one, other] = np.add.reduceat(product, edges)[:-1]
            sums[:, other, one] = sums[:, one, other]
    return sums


@lru_cache(maxsize=4)
def _window(n: int) -> Float32:
    return np.hanning(n).astype(np.float32)


@lru_cache(maxsize=4)
def _edges(rate: int) -> list[int]:
    """Bins at which the octaves begin and the last ends; of low rates the last ones hold one bin each."""
    n_bins = FRAME // 2 + 1
    return [min(math.ceil(hertz * FRAME / rate), n_bins - 1) for hertz in BAND_EDGES]


def _gains(stretches: Float64) -> NDArray[np.int8]:
    """Signs (n_stretches, n_bands, n_channels) that make each channel add to those before it."""
    n_stretches, n_bands, n_channels, _ = stretches.shape
    gains = np.ones((n_stretches, n_bands, n_channels), np.int8)
    for channel in range(1, n_channels):
        signs = gains[:, :, :channel]
        # The sum of the channels before this one, as they are added.
        cross = np.einsum("sbj,sbj->sb", signs, stretches[:, :, :channel, channel])
        before = np.einsum("sbi,sbij,sbj->sb", signs, stretches[:, :, :channel, :channel], signs)
        own = stretches[:, :, channel, channel]
        gains[:, :, channel] = _signs(2.0 * cross, before + own)
    return gains


def _signs(cross: Float64, power: Float64) -> NDArray[np.int8]:
    """Signs (n_stretches, n_bands) of a channel of which ``cross`` / ``power`` is the in-phase share."""
    local = _share(cross.sum(axis=1), power.sum(axis=1))
    if _is_inverted(cross.sum(axis=0), power.sum(axis=0)):
        inverted = local < _UPRIGHT_STRETCH
    else:
        around = np.ones(min(_STRETCHES_AROUND, len(local)))
        nearby = _share(
            np.convolve(cross.sum(axis=1), around, "same"), np.convolve(power.sum(axis=1), around, "same")
        )
        inverted = (local <= _INVERTED_STRETCH) | ((nearby <= _INVERTED_PART) & (local < 0))
    signs = np.where(inverted, -1, 1).astype(np.int8)[:, np.newaxis].repeat(cross.shape[1], axis=1)
    for group, sign in ((inverted, -1), (~inverted, 1)):
        band_power = power[group].sum(axis=0)
        share = _share(cross[group].sum(axis=0), band_power)
        counts = band_power > _FAINT * max(float(band_power.max(initial=0.0)), 1e-30)
        other = share >= _UPRIGHT_BAND if sign < 0 else share <= _INVERTED_BAND
        signs[np.ix_(group, counts & other)] = -sign
    return signs


def _is_inverted(cross: Float64, power: Float64) -> bool:
    """Whether a channel is inverted by its cross-products and power (n_bands,) over a whole recording."""
    whole = _share(cross.sum(), power.sum())
    bass = power[:_N_BASS_BANDS].sum()
    has_bass = bass > _LEAST_BASS * power.sum()
    lost_bass = has_bass and _share(cross[:_N_BASS_BANDS].sum(), bass) <= _INVERTED_BASS
    return bool(whole <= _INVERTED or (lost_bass and whole <= _TOO_WIDE))


def _share(cross: Float64 | float, power: Float64 | float) -> Float64:
    return np.asarray(np.divide(cross, np.maximum(power, 1e-30)))


class Correction:
    """The second pass: inverts the channels, or octaves of them, that the first found inverted."""

    def __init__(self, gains: dict[Shape, NDArray[np.int8]]) -> None:
        self._gains = gains

    def mix(self, blocks: Iterable[tuple[int, Float32]]) -> Iterator[tuple[int, Float32]]:
        """Mix blocks (sample rate, channels (n_channels, n)), the same as `PhaseMeter.add` was given."""
        seconds: dict[Shape, float] = {}
        current: Shape = (0, 0)
        octaves: _OctaveFilter | None = None
        for rate, channels in blocks:
            shape = (rate, len(channels))
            if octaves is not None and shape != current:
                yield current[0], octaves.finish()
                octaves = None
            current = shape
            if shape not in self._gains:
                yield rate, mean(channels)
                continue
            octaves = octaves or _OctaveFilter(*shape)
            before = seconds.get(shape, 0.0)
            seconds[shape] = before + channels.shape[1] / rate
            yield rate, octaves.push(channels, self._gains[shape][int(before / STRETCH_SECONDS)])
        if octaves is not None:
            yield current[0], octaves.finish()


class _OctaveFilter:
    """Overlap-add of Hann windows, which sum to 1, with a sign for each octave of each channel."""

    def __init__(self, rate: int, n_channels: int) -> None:
        self._edges = [math.ceil(hertz * FRAME / rate) for hertz in BAND_EDGES[1:-1]]
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
        # Half a frame of silence before the sound, so that its beginning lies under two windows too.
        self._input = np.zeros((n_channels, FRAME // 2), np.float32)
        self._tail = np.zeros(FRAME // 2, np.float32)
        self._skip = FRAME // 2
        self._length = 0
        self._given = 0
        self._signs: NDArray[np.int8] | None = None

    def push(self, channels: Float32, signs: NDArray[np.int8]) -> Float32:
        self._signs = signs
        self._length += channels.shape[1]
        self._input = np.concatenate((self._input, channels), axis=1)
        return self._ready(signs)

    def finish(self) -> Float32:
        if self._signs is None:
            return np.zeros(0, np.float32)
        padding = np.zeros((len(self._input), 2 * FRAME), np.float32)
        missing = self._length - self._given
        self._input = np.concatenate((self._input, padding), axis=1)
        return self._ready(self._signs)[:missing]

    def _ready(self, signs: NDArray[np.int8]) -> Float32:
        half = FRAME // 2
        count = (self._input.shape[1] - half) // half
        if count < 1:
            return np.zeros(0, np.float32)
        mono = self._mix(np.stack([self._input[:, i * half : i * half + FRAME] for i in range(count)]), signs)
        out = np.zeros((count + 1) * half, np.float32)
        out[:half] = self._tail
        for i in range(count):
            out[i * half : i * half + FRAME] += mono[i]
        self._input = self._input[:, count * half :]
        self._tail = out[count * half :]
        ready = out[self._skip : count * half]
        self._skip = max(0, self._skip - count * half)
        self._given += ready.size
        return ready

    def _mix(self, frames: Float32, signs: NDArray[np.int8]) -> Float32:
        """Mix frames (n_frames, n_channels, FRAME) to (n_frames, FRAME)."""
        scale = np.float32(1.0 / frames.shape[1])
        if (signs == signs[0]).all():
            mixed = np.einsum("ncf,c->nf", frames, signs[0].astype(np.float32) * scale)
            return np.asarray(mixed * self._window, np.float32)
        spectra = np.fft.rfft(frames * self._window)
        per_bin = self._per_bin(signs, spectra.shape[2])
        mixed = np.einsum("ncf,cf->nf", spectra, per_bin * scale)
        return np.asarray(np.fft.irfft(mixed, FRAME), np.float32)

    def _per_bin(self, signs: NDArray[np.int8], n_bins: int) -> Float32:
        """Signs (n_channels, n_bins): the first and last octave reach to the ends of the spectrum."""
        bounds: Sequence[int] = [0, *(min(edge, n_bins) for edge in self._edges), n_bins]
        widths = np.diff(bounds)
        return np.repeat(signs.T, widths, axis=1).astype(np.float32)

"""What a pre-trained tagger is given: patches of a track's log-mel spectrogram at 16 kHz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters
from classifier.core.level import gain_for
from classifier.core.resampling import TAGGER_RATE, resampled

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

SAMPLE_RATE: Final = TAGGER_RATE
N_FFT: Final = 512
HOP_LENGTH: Final = 256
N_MELS: Final = 96
PATCH_FRAMES: Final = 187
PATCH_SECONDS: Final = PATCH_FRAMES * HOP_LENGTH / SAMPLE_RATE
MOST_PATCHES: Final = 24
"""Of one track, however long."""

EMPTIED_FROM_BAND: Final = 92
"""The first mel band whose centre is above 7 kHz. What lies there is kept from the networks: they were
trained on previews with little of it, and take the treble of a modern master for another genre."""
_FIRST_TREBLE_BAND = 78
"""The first mel band whose centre is well above 4 kHz (4.5 kHz)."""
_NARROW = 0.004
"""Telephones: 0.001; recordings of small loudspeakers: 0.005 and more."""
FRAME_POWER: Final = 33.7
"""Sum of the mel bands of a frame at the common level, on average: the median of recorded music."""
_POWER_SCALE: Final = 10_000.0
"""What the power is multiplied by before its logarithm is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class CutPatches:
    """Inputs of the networks: (n, PATCH_FRAMES, N_MELS) log-mel, usually 0 from `EMPTIED_FROM_BAND` on; (n,)
    starts in seconds; (n,) RMS."""

    log_mel: FloatArray
    start: NDArray[np.float64]
    level: FloatArray


def patches_of(
    samples: FloatArray,
    *,
    sample_rate: int,
    most: int = MOST_PATCHES,
    step: int = PATCH_FRAMES,
    treble: bool = False,
) -> CutPatches:
    """Cut and transform only those stretches of a track that are going to be tagged.

    A track shorter than a patch is repeated until it fills one, as in training.

    Raises
    ------
    ValueError
        The track is empty or the rate is another one.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError("samples must be a non-empty array of one dimension")
    if sample_rate not in (22_050, SAMPLE_RATE):
        raise ValueError(f"samples at {sample_rate} Hz cannot be tagged")
    shortest = math.ceil(PATCH_FRAMES * HOP_LENGTH * sample_rate / SAMPLE_RATE)
    if samples.size < shortest:
        samples = np.tile(samples, -(-shortest // samples.size))
    n_samples = samples.size * SAMPLE_RATE // sample_rate
    first_frames = patch_starts(1 + n_samples // HOP_LENGTH, most=most, step=step)
    log_mel = np.empty((len(first_frames), PATCH_FRAMES, N_MELS), np.float32)
    level = np.empty(len(first_frames), np.float32)
    gain = gain_for(samples)
    for i, frame in enumerate(first_frames):
        begin = int(frame) * HOP_LENGTH - N_FFT // 2
        part = resampled(samples, sample_rate, begin, begin + (PATCH_FRAMES - 1) * HOP_LENGTH + N_FFT)
        log_mel[i] = log_mel_of(part * gain)
        level[i] = np.sqrt(np.square(part).mean())
    if not treble:
        log_mel[:, :, EMPTIED_FROM_BAND:] = 0
    return CutPatches(log_mel=log_mel, start=first_frames * HOP_LENGTH / SAMPLE_RATE, level=level)


def patches_of_spectrogram(
    log_mel: FloatArray, *, most: int = MOST_PATCHES, step: int = PATCH_FRAMES, treble: bool = False
) -> CutPatches:
    """Cut the patches of a track of which only its spectrogram was kept.

    Their level is that of the mel bands, which is comparable within the track only.

    Parameters
    ----------
    log_mel
        (n_frames, N_MELS) ``log10(1 + 10000 power)``, frames of N_FFT samples at SAMPLE_RATE centred
        HOP_LENGTH apart from the first sample on.

    Raises
    ------
    ValueError
        It has another shape or no frame.
    """
    if log_mel.ndim != 2 or log_mel.shape[1] != N_MELS or not len(log_mel):
        raise ValueError(f"expected (n_frames, {N_MELS}), got {log_mel.shape}")
    if len(log_mel) < PATCH_FRAMES:
        log_mel = np.tile(log_mel, (-(-PATCH_FRAMES // len(log_mel)), 1))
    first_frames = patch_starts(len(log_mel), most=most, step=step)
    cut = np.stack([log_mel[frame : frame + PATCH_FRAMES] for frame in first_frames]).astype(np.float32)
    level = np.sqrt(np.expm1(cut * np.float32(math.log(10))).mean(axis=(1, 2)))
    if not treble:
        cut[:, :, EMPTIED_FROM_BAND:] = 0
    return CutPatches(log_mel=cut, start=first_frames * HOP_LENGTH / SAMPLE_RATE, level=level)


def patch_starts(n_frames: int, *, most: int = MOST_PATCHES, step: int = PATCH_FRAMES) -> IntArray:
    """First frames of the patches of a track of at least PATCH_FRAMES frames.

    They lie side by side, centred, as long as there are no more than `most`; else evenly spread, each in the
    middle of its part of the track.

    Parameters
    ----------
    step
        Frames from one patch to the next; where fewer than PATCH_FRAMES, patches overlap, the first begins
        and the last ends with the track.
    """
    if step < PATCH_FRAMES:
        last = max(n_frames - PATCH_FRAMES, 0)
        return np.asarray(np.linspace(0, last, min(1 + last // step, most)).round(), dtype=np.intp)
    count = max(1, min(n_frames // PATCH_FRAMES, most))
    part = max(n_frames, PATCH_FRAMES) / count
    return np.asarray(np.floor((np.arange(count) + 0.5) * part - PATCH_FRAMES / 2), dtype=np.intp)


def log_mel_of(samples: FloatArray) -> FloatArray:
    """``log10(1 + 10000 power)`` of a mel spectrogram without padding.

    Parameters
    ----------
    samples
        (N_FFT + (n - 1) HOP_LENGTH,) at SAMPLE_RATE.

    Returns
    -------
    (n, N_MELS) float32, as librosa 0.11's ``melspectrogram(center=False)``.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_LENGTH]
    spectrum = np.fft.rfft(frames * filters.hann(N_FFT), axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    mel: FloatArray = power @ filters.mel(SAMPLE_RATE, N_FFT, N_MELS).T
    mel *= np.float32(10_000.0)
    return np.asarray(np.log1p(mel) * np.float32(1 / math.log(10)), np.float32)


def at_common_level(log_mel: FloatArray) -> FloatArray:
    """Bring the patches of a track by one gain to the level of `FRAME_POWER`.

    Parameters
    ----------
    log_mel
        (n, PATCH_FRAMES, N_MELS) ``log10(1 + 10000 power)``.

    Returns
    -------
    (n, PATCH_FRAMES, N_MELS) float32; a silent track stays silent.
    """
    power = np.expm1(log_mel * np.float32(math.log(10)))
    mean = float(power.sum(axis=2, dtype=np.float64).mean()) / _POWER_SCALE
    if mean <= 0:
        return log_mel
    return np.asarray(np.log1p(power * np.float32(FRAME_POWER / mean)) / np.float32(math.log(10)), np.float32)


def is_narrow(log_mel: FloatArray) -> bool:
    """Whether the mel bands above 4 kHz are empty beside the others."""
    treble = float(log_mel[:, :, _FIRST_TREBLE_BAND:EMPTIED_FROM_BAND].mean())
    return treble < _NARROW * float(log_mel[:, :, :_FIRST_TREBLE_BAND].mean())

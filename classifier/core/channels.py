"""Acoustic and recording channels (loudspeaker, room, noise, codec) simulated on mel power spectrograms.

A channel is ``H(f) P(f, t) + N(f, t)`` in the power domain, so no audio is needed. Every function takes
(n_mels, n_columns) linear power and a generator, and returns a new array of that shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.patches import PatchParams

FloatArray = NDArray[np.float32]
Channel = Callable[[FloatArray, np.random.Generator], FloatArray]


def mel_frequencies(n_mels: int, sample_rate: int) -> NDArray[np.float64]:
    """Centres of the bands of Slaney's mel scale between 0 and half the sample rate, in Hz."""
    break_hz, linear_step, log_step = 1000.0, 200.0 / 3.0, np.log(6.4) / 27.0
    break_mel = break_hz / linear_step
    top = break_mel + np.log(sample_rate / 2 / break_hz) / log_step
    mels = np.linspace(0.0, top, n_mels + 2)[1:-1]
    return np.where(mels < break_mel, mels * linear_step, break_hz * np.exp(log_step * (mels - break_mel)))


_DEFAULTS: Final = PatchParams()
FREQUENCIES: Final = mel_frequencies(_DEFAULTS.n_mels, _DEFAULTS.sample_rate)
COLUMN_SECONDS: Final = _DEFAULTS.column_seconds


def _gain(power: FloatArray, db: NDArray[np.floating]) -> FloatArray:
    return np.asarray(power * np.power(10.0, db / 10.0)[:, None], dtype=np.float32)


def _smooth_curve(rng: np.random.Generator, *, knots: int, deviation_db: float) -> NDArray[np.float64]:
    places = np.linspace(0, len(FREQUENCIES) - 1, knots)
    return np.interp(np.arange(len(FREQUENCIES)), places, rng.normal(0.0, deviation_db, knots))


def _pass_db(*, low: float, high: float, low_slope: float, high_slope: float) -> NDArray[np.float64]:
    """Response of a band pass: slopes in dB per octave outside `low` to `high` Hz."""
    below = np.maximum(np.log2(low / FREQUENCIES), 0.0) * low_slope
    above = np.maximum(np.log2(FREQUENCIES / high), 0.0) * high_slope
    return -(below + above)


def _fluctuating(spectrum: NDArray[np.floating], n_columns: int, rng: np.random.Generator) -> FloatArray:
    """Stationary noise of a given spectrum: power is gamma distributed, with less variance in wider bands."""
    width_bins = np.maximum(np.gradient(FREQUENCIES) / (_DEFAULTS.sample_rate / 2048), 1.0)
    shape = width_bins[:, None]
    return (spectrum[:, None] * rng.gamma(shape, 1.0 / shape, (len(spectrum), n_columns))).astype(np.float32)


def _loudness(power: FloatArray) -> float:
    return float(power.sum(axis=0).mean())


def _mix(power: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    scale = _loudness(power) / max(_loudness(noise), 1e-20) * 10 ** (-snr_db / 10)
    return (power + scale * noise).astype(np.float32)


def equaliser(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Tone controls, mastering or old records: a smooth curve plus a tilt."""
    tilt = np.linspace(-1.0, 1.0, len(FREQUENCIES)) * rng.normal(0.0, 6.0)
    return _gain(power, _smooth_curve(rng, knots=int(rng.integers(3, 9)), deviation_db=4.0) + tilt)


def loudspeaker(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A small loudspeaker: high-pass between 200 Hz and 1.2 kHz, resonances above."""
    response = _pass_db(
        low=float(np.exp(rng.uniform(np.log(200), np.log(1200)))),
        high=float(rng.uniform(5000, 12000)),
        low_slope=float(rng.uniform(12, 36)),
        high_slope=float(rng.uniform(6, 24)),
    )
    return _gain(power, response + _smooth_curve(rng, knots=12, deviation_db=4.0))


def room(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Late reverberation: bands decay exponentially, high ones faster, 0 to 8 dB below the direct sound."""
    seconds = rng.uniform(0.3, 1.2) * np.interp(FREQUENCIES, [100.0, 10_000.0], [1.3, 0.6])
    decay = np.power(10.0, -6.0 * COLUMN_SECONDS / seconds)
    level = 10 ** (-rng.uniform(0.0, 8.0) / 10) * (1 - decay)
    tail = np.zeros(len(FREQUENCIES))
    result = np.empty_like(power)
    for column in range(power.shape[1]):
        tail = decay * tail + power[:, column]
        result[:, column] = power[:, column] + level * tail
    return _gain(result, _smooth_curve(rng, knots=16, deviation_db=3.0))


def noise_floor(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Steady noise of a device or room, with a tilt from hiss to traffic, 0 to 35 dB below the music."""
    tilt = np.log2(FREQUENCIES / 1000.0) * rng.uniform(-8.0, 1.0)
    spectrum = np.power(10.0, (tilt + _smooth_curve(rng, knots=6, deviation_db=3.0)) / 10)
    return _mix(power, _fluctuating(spectrum, power.shape[1], rng), float(rng.uniform(0.0, 35.0)))


def babble(power: FloatArray, rng: np.random.Generator, *, snr_db: float | None = None) -> FloatArray:
    """People talking, 0 to 20 dB below the music: several voices, each changing formants at its syllables."""
    columns = power.shape[1]
    voices = np.zeros_like(power)
    for _ in range(int(rng.integers(2, 8))):
        rate = rng.uniform(0.2, 0.6)
        syllable = np.cumsum(rng.random(columns) < rate)
        formants = np.exp(rng.uniform(np.log(250), np.log(3500), (syllable[-1] + 1, 3)))
        width = rng.uniform(0.2, 0.5)
        distance = np.log2(FREQUENCIES[None, None, :] / formants[:, :, None]) / width
        spectra = np.exp(-0.5 * distance**2) * np.array([1.0, 0.3, 0.1])[None, :, None]
        strength = rng.exponential(1.0, syllable[-1] + 1) * (rng.random(syllable[-1] + 1) < 0.75)
        voices += (spectra.sum(axis=1) * strength[:, None])[syllable].T.astype(np.float32)
    voices = _fluctuating(np.ones(len(FREQUENCIES)), columns, rng) * voices
    voices += float(voices.mean()) * 1e-2
    return _mix(power, voices, float(rng.uniform(0.0, 20.0)) if snr_db is None else snr_db)


def knocks(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Handling noise: a few short bursts, mostly low, 10 to 35 dB above the music."""
    result = power.copy()
    for _ in range(int(rng.integers(1, 5))):
        column = int(rng.integers(0, power.shape[1]))
        spectrum = np.power(10.0, -np.log2(FREQUENCIES / 60.0) * rng.uniform(0.1, 0.9))
        spectrum *= _loudness(power) / spectrum.sum() * 10 ** (rng.uniform(10.0, 35.0) / 10)
        for delay in range(min(4, power.shape[1] - column)):
            result[:, column + delay] += spectrum * 10 ** (-delay * 2.0)
    return result


def hum(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Mains hum: steady harmonics of 50 or 60 Hz, 5 to 30 dB below the music."""
    base = float(rng.choice([50.0, 60.0]))
    spectrum = np.full(len(FREQUENCIES), 1e-9)
    for harmonic in range(1, 9):
        band = int(np.abs(FREQUENCIES - base * harmonic).argmin())
        spectrum[band] += rng.exponential(1.0) / harmonic
    noise = np.repeat(spectrum[:, None], power.shape[1], axis=1).astype(np.float32)
    return _mix(power, noise, float(rng.uniform(5.0, 30.0)))


def codec(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Low bit rate: a steep low-pass, and random holes in cells far below the maximum of their frame."""
    cutoff = float(rng.uniform(3500, 11_000))
    kept = np.where(cutoff < FREQUENCIES, 1e-8, 1.0)[:, None]
    threshold = power.max(axis=0, keepdims=True) * 10 ** (-rng.uniform(30.0, 50.0) / 10)
    holes = np.where((power < threshold) & (rng.random(power.shape) < 0.7), 10**-1.5, 1.0)
    return (power * kept * holes).astype(np.float32)


def lossy_codec(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A transform or speech codec at a low bit rate: low-pass, level fluctuation and masked noise.

    Fitted by eye to Opus, MP3 and AAC at 12 to 48 kbit/s: the further a cell lies below its neighbours, the
    more its level fluctuates, and noise masked by the louder cells is added to it.
    """
    near = _loudest_near(power, int(rng.integers(4, 17)))
    depth_db = 10 * np.log10(np.maximum(near, 1e-12) / np.maximum(power, 1e-12))
    wavering_db = rng.uniform(0.3, 2.0) + rng.uniform(0.0, 3.0) * np.minimum(depth_db, 45.0) / 30
    result = power * np.power(10.0, rng.normal(size=power.shape) * wavering_db / 10)
    if rng.random() < 0.6:
        masked = 10 ** (-rng.uniform(18.0, 45.0) / 10)
        result += near * masked * rng.gamma(2.0, 0.5, power.shape)
    return _cut_above(
        np.asarray(result, dtype=np.float32),
        hertz=float(np.exp(rng.uniform(np.log(3500), np.log(12_000)))),
        slope=float(rng.uniform(60, 400)),
    )


def band_limit(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Low-pass with a slope from that of a tone control to a steep cut: old records, cables, encoders."""
    return _cut_above(
        power,
        hertz=float(np.exp(rng.uniform(np.log(3500), np.log(11_000)))),
        slope=float(np.exp(rng.uniform(np.log(12), np.log(400)))),
    )


def _cut_above(power: FloatArray, *, hertz: float, slope: float) -> FloatArray:
    """Attenuate by `slope` dB per octave above a frequency, by at most 80 dB."""
    return _gain(power, -np.minimum(np.maximum(np.log2(FREQUENCIES / hertz), 0.0) * slope, 80.0))


def _loudest_near(power: FloatArray, reach: int) -> FloatArray:
    """Running maximum over the cells up to `reach` bands away, in each column."""
    filled = np.pad(power, ((reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(filled, 2 * reach + 1, axis=0)
    return np.asarray(windows.max(axis=-1))


def distortion(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Overdrive: second and third harmonics, and a noise floor in all bands that follows the loudness."""
    result = power.astype(np.float64)
    for harmonic in (2, 3):
        source = np.interp(FREQUENCIES / harmonic, FREQUENCIES, np.arange(len(FREQUENCIES)))
        audible = (FREQUENCIES / harmonic >= FREQUENCIES[0])[:, None]
        level = 10 ** (rng.uniform(-30.0, -11.0) / 10)
        result += level * np.where(audible, power[np.round(source).astype(int)], 0.0)
    floor = np.power(10.0, -np.log2(FREQUENCIES / 500.0) * rng.uniform(0.0, 6.0) / 10)
    level = 10 ** (-rng.uniform(12.0, 35.0) / 10)
    result += level * power.sum(axis=0) * (floor / floor.sum())[:, None]
    return result.astype(np.float32)


def telephone(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """8 kHz sampling: a steep low-pass near 4 kHz and, on a telephone line, a high-pass at 300 Hz."""
    low = float(rng.choice([30.0, 300.0]))
    return _gain(
        power, _pass_db(low=low, high=float(rng.uniform(3400, 3900)), low_slope=24.0, high_slope=200.0)
    )


def automatic_gain(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Automatic gain control of a recorder: slow compression of the level."""
    seconds = rng.uniform(0.3, 3.0)
    keep = np.exp(-COLUMN_SECONDS / seconds)
    frames = power.sum(axis=0)
    level = np.empty_like(frames)
    state = float(frames.mean())
    for column, frame in enumerate(frames):
        state = keep * state + (1 - keep) * float(frame)
        level[column] = state
    gain = np.power(np.maximum(level, 1e-12), -rng.uniform(0.2, 0.8))
    return np.asarray(power * gain, dtype=np.float32)


CHANNELS: Final[Mapping[str, Channel]] = {
    "equaliser": equaliser,
    "loudspeaker": loudspeaker,
    "room": room,
    "noise floor": noise_floor,
    "babble": babble,
    "knocks": knocks,
    "hum": hum,
    "codec": codec,
    "lossy codec": lossy_codec,
    "distortion": distortion,
    "band limit": band_limit,
    "telephone": telephone,
    "automatic gain": automatic_gain,
}

# In physical order (playback, room, other sources, recorder, file), with probabilities.
_ORDER: Final[Sequence[tuple[str, float]]] = (
    ("distortion", 0.08),
    ("loudspeaker", 0.2),
    ("room", 0.15),
    ("babble", 0.15),
    ("noise floor", 0.1),
    ("hum", 0.05),
    ("knocks", 0.1),
    ("automatic gain", 0.05),
    ("telephone", 0.1),
    ("codec", 0.05),
    ("lossy codec", 0.1),
)
_MOST_AT_ONCE: Final = 3
_EQUALISED: Final = 0.5
_BAND_LIMITED: Final = 0.35


def random_channel(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Apply a random chain of one to three channels, half of the time after an equaliser.

    In about a third of all cases a low-pass comes first: most real channels lose the treble, and a network
    that relies on it then predicts another genre.
    """
    if rng.random() < _EQUALISED:
        power = equaliser(power, rng)
    if rng.random() < _BAND_LIMITED:
        power = band_limit(power, rng)
    names = [name for name, _ in _ORDER]
    weights = np.array([weight for _, weight in _ORDER])
    count = int(rng.integers(1, _MOST_AT_ONCE + 1))
    for place in sorted(rng.choice(len(names), count, replace=False, p=weights / weights.sum()).tolist()):
        power = CHANNELS[names[place]](power, rng)
    return power


def _at_10_db(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    return babble(power, rng, snr_db=10.0)


# In physical order, like `_ORDER`.
_FIXED: Final[Sequence[tuple[str, Channel]]] = (
    ("loudspeaker", loudspeaker),
    ("room", room),
    ("babble", _at_10_db),
    ("knocks", knocks),
    ("8 kHz", telephone),
    ("codec", codec),
)

ROBUSTNESS: Final[Mapping[str, tuple[Channel, ...]]] = {
    **{name: (channel,) for name, channel in _FIXED},
    **{
        f"{first} + {second}": (channel, other)
        for place, (first, channel) in enumerate(_FIXED)
        for second, other in _FIXED[place + 1 :]
    },
}
"""Channels under which the robustness of every version is measured: six, each alone and in pairs."""

_ROBUSTNESS_SEED: Final = 2026


def through_fixed(power: FloatArray, name: str, *, clip: int) -> FloatArray:
    """Apply one entry of `ROBUSTNESS`; deterministic for a given name and clip.

    Parameters
    ----------
    clip
        Index of the clip in its set; it seeds the channel's random parameters.
    """
    rng = np.random.default_rng([_ROBUSTNESS_SEED, list(ROBUSTNESS).index(name), clip])
    for channel in ROBUSTNESS[name]:
        power = channel(power, rng)
    return power

"""Loudspeakers, rooms, noise and codecs on samples: what they remove and what they keep."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.fitting.data import sound_channels
from classifier.fitting.data.sound_channels import SOUND_CHANNELS, Samples
from classifier.tests import sounds

RATE = sounds.RATE


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def tones(*hertz: float, seconds: float = 2.0) -> Samples:
    return np.asarray(
        np.sum([sounds.sine(each, seconds, amplitude=0.2) for each in hertz], axis=0), np.float64
    )


def level_db(samples: Samples, hertz: float) -> float:
    """Level at one frequency, relative to all of the sound."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    place = round(hertz * len(samples) / RATE)
    return float(10 * np.log10(power[place - 3 : place + 4].sum() / power.sum() + 1e-12))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND_CHANNELS)
def test_the_sound_stays_as_long_and_is_another(name: str) -> None:
    clean = sounds.tune(3.0).astype(np.float64)
    degraded = SOUND_CHANNELS[name](clean, rng())
    assert np.isfinite(degraded).all()
    # Codecs may add what their frames need.
    assert abs(len(degraded) - len(clean)) < 0.1 * RATE
    n = min(len(degraded), len(clean))
    assert np.abs(degraded[:n] - clean[:n]).max() > 0.01
    again = SOUND_CHANNELS[name](clean, rng())
    assert np.array_equal(degraded, again)


def test_a_small_loudspeaker_has_no_bass_and_no_treble() -> None:
    heard = sound_channels.loudspeaker(tones(60, 2500, 10_000), rng(), low=800, high=6000)
    assert level_db(heard, 2500) > -3
    assert level_db(heard, 60) < -40
    assert level_db(heard, 10_000) < -15


def test_a_room_goes_on_sounding() -> None:
    click = np.zeros(RATE)
    click[100] = 1.0
    heard = sound_channels.room(click, rng(), seconds=0.5)
    assert heard[100] == pytest.approx(1.0, abs=0.01)
    early, late = (np.abs(heard[100 + int(s * RATE) :][:500]).mean() for s in (0.05, 0.4))
    assert early > 10 * late > 0
    assert np.abs(heard[100 + RATE // 2 + 1 :]).max() < 1e-6


@pytest.mark.parametrize("add", [sound_channels.babble, sound_channels.noise])
def test_what_is_added_is_as_loud_as_asked(add: sound_channels.SoundChannel) -> None:
    clean = sounds.tune(4.0).astype(np.float64)
    for snr_db in (0.0, 12.0):
        added = add(clean, rng(), snr_db=snr_db) - clean  # type: ignore[call-arg]
        measured = 10 * np.log10((clean**2).mean() / (added**2).mean())
        assert measured == pytest.approx(snr_db, abs=0.01)


def test_knocks_are_louder_than_the_music_and_few() -> None:
    clean = sounds.tune(8.0).astype(np.float64)
    heard = sound_channels.knocks(clean, rng())
    assert np.abs(heard).max() > 1.5 * np.abs(clean).max()
    assert np.mean(np.abs(heard - clean) > 0.01) < 0.2
    # Shorter than a knock: nothing fails.
    assert len(sound_channels.knocks(clean[:1000], rng())) == 1000


def test_8_khz_holds_nothing_above_4_khz() -> None:
    heard = SOUND_CHANNELS["8 kHz"](tones(1000, 6000), rng())
    assert level_db(heard, 1000) > -3
    assert level_db(heard, 6000) < -50


def test_an_encoder_leaves_what_it_has_bits_for() -> None:
    clean = (0.3 * sounds.noise(3.0)).astype(np.float64)

    def treble_db(samples: Samples) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float(10 * np.log10(power[int(0.8 * len(power)) :].sum() / power.sum()))

    assert treble_db(SOUND_CHANNELS["opus"](clean, rng())) < treble_db(clean) - 20

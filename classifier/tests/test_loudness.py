"""Loudness of sounds whose loudness is known."""

from __future__ import annotations

import io

import numpy as np
import pytest

from classifier.core.audio import decode
from classifier.core.loudness import Float32, Loudness, LoudnessMeter, k_weighting, measure
from classifier.tests.sounds import RATE, encode


def sine(hertz: float, dbfs: float, seconds: float, rate: int, phase: float = 0.0) -> Float32:
    t = np.arange(int(seconds * rate)) / rate
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * t + phase)).astype(np.float32)


def test_the_filter_at_48_khz_is_the_one_that_the_recommendation_tabulates() -> None:
    numerators, denominators = k_weighting(48_000)
    np.testing.assert_allclose(numerators[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], 1e-8)
    np.testing.assert_allclose(denominators[0], [1.0, -1.69065929318241, 0.73248077421585], 1e-8)
    np.testing.assert_allclose(numerators[1], [1.0, -2.0, 1.0])
    np.testing.assert_allclose(denominators[1], [1.0, -1.99004745483398, 0.99007225036621], 1e-8)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("n_channels", "expected"), [(1, -23.01), (2, -20.0)])
def test_997_hertz_at_minus_20_dbfs(rate: int, n_channels: int, expected: float) -> None:
    tone = sine(997, -20.0, 3.0, rate)
    found = measure(np.stack([tone] * n_channels), rate)
    assert found.integrated == pytest.approx(expected, abs=0.06)
    assert found.true_peak == pytest.approx(-20.0, abs=0.2)


def test_quiet_and_silent_parts_are_gated_out() -> None:
    # EBU Tech 3341, case 3: 10 s at -36, 60 s at -23, 10 s at -36 dBFS are -23 LUFS.
    rate = 16_000
    parts = [sine(997, level, seconds, rate) for level, seconds in ((-36, 10), (-23, 60), (-36, 10))]
    stereo = np.stack([np.concatenate(parts)] * 2)
    assert measure(stereo, rate).integrated == pytest.approx(-23.0, abs=0.1)
    silence = np.zeros((2, 5 * rate), np.float32)
    assert measure(np.concatenate((stereo, silence), axis=1), rate).integrated == pytest.approx(
        -23.0, abs=0.1
    )


def test_the_peak_between_samples_is_found() -> None:
    # A quarter of the sample rate, sampled at 45 degrees: no sample is higher than -3 dB.
    tone = sine(12_000, -6.0, 1.0, 48_000, phase=np.pi / 4)
    assert 20 * np.log10(np.abs(tone).max()) == pytest.approx(-9.0, abs=0.02)
    assert measure(tone[None], 48_000).true_peak == pytest.approx(-6.0, abs=0.3)


def test_surround_counts_more_and_low_effects_nothing() -> None:
    tone, nothing = sine(997, -20.0, 2.0, 48_000), np.zeros(96_000, np.float32)
    surround = np.stack([nothing, nothing, nothing, nothing, tone, nothing])
    assert measure(surround, 48_000).integrated == pytest.approx(-23.01 + 1.49, abs=0.05)
    effects = np.stack([nothing, nothing, nothing, tone, nothing, nothing])
    assert measure(effects, 48_000).integrated is None


@pytest.mark.parametrize("seconds", [0.0, 0.3, 3.0])
def test_silence_and_what_is_too_short_have_no_loudness(seconds: float) -> None:
    assert measure(np.zeros((2, int(seconds * 44_100)), np.float32), 44_100) == Loudness(None, None)


def test_blocks_of_any_length_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(1)
    noise = (rng.standard_normal((2, 200_000)) * 0.1).astype(np.float32)
    meter = LoudnessMeter()
    place = 0
    while place < noise.shape[1]:
        size = int(rng.integers(1, 40_000))
        meter.add(44_100, noise[:, place : place + size])
        place += size
    whole, parts = measure(noise, 44_100), meter.result()
    assert parts.integrated == pytest.approx(whole.integrated, abs=1e-4)
    assert parts.true_peak == pytest.approx(whole.true_peak, abs=1e-4)


def test_a_file_is_measured_only_where_it_is_asked_for() -> None:
    content = encode(sine(997, -20.0, 2.0, RATE))
    assert decode(io.BytesIO(content)).loudness is None
    found = decode(io.BytesIO(content), loudness=True).loudness
    assert found is not None
    assert found.integrated == pytest.approx(-23.01, abs=0.1)


@pytest.mark.parametrize(("place", "gain"), [(2, 0.0), (4, 0.0), (6, 1.49)])
def test_seven_channels_and_low_effects(place: int, gain: float) -> None:
    """A tone in the centre, behind and aside; what else there is are low frequency effects."""
    tone = sine(997, -20.0, 3.0, 48_000)
    channels = np.zeros((8, tone.size), np.float32)
    channels[place] = channels[3] = tone
    assert measure(channels, 48_000).integrated == pytest.approx(-23.01 + gain, abs=0.05)


def test_what_rounding_left_has_no_peak() -> None:
    assert measure(np.full((1, 48_000), 1e-38, np.float32), 48_000) == Loudness(None, None)

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import channels
from classifier.core.channels import CHANNELS, FREQUENCIES

FloatArray = NDArray[np.float32]


def music(seed: int = 0) -> FloatArray:
    """A falling spectrum with a beat."""
    rng = np.random.default_rng(seed)
    beat = 1 + 9 * (np.arange(128) % 8 == 0)
    power = (1000 / FREQUENCIES)[:, None] * beat * rng.exponential(1.0, (len(FREQUENCIES), 128))
    return np.asarray(power, dtype=np.float32)


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_gives_finite_power_of_the_same_shape_and_leaves_its_input_alone(name: str) -> None:
    power = music()
    before = power.copy()
    result = CHANNELS[name](power, np.random.default_rng(3))
    assert result.shape == power.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    assert not np.allclose(result, before)
    np.testing.assert_array_equal(power, before)


@pytest.mark.parametrize("name", CHANNELS)
def test_the_same_seed_gives_the_same_channel_and_another_one_does_not(name: str) -> None:
    first, again, other = (CHANNELS[name](music(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", CHANNELS)
def test_digital_silence_passes_every_channel(name: str) -> None:
    silence = np.zeros((len(FREQUENCIES), 40), dtype=np.float32)
    assert np.isfinite(CHANNELS[name](silence, np.random.default_rng(0))).all()


def test_band_centres_are_slaneys() -> None:
    assert FREQUENCIES[0] == pytest.approx(25.82, abs=0.05)
    assert FREQUENCIES[-1] == pytest.approx(10_683, rel=0.005)


def test_a_small_loudspeaker_takes_the_bass_away() -> None:
    for seed in range(20):
        power = music(seed)
        change = 10 * np.log10(channels.loudspeaker(power, np.random.default_rng(seed)) / power)
        bass, middle = (
            change[FREQUENCIES < 60].mean(),
            change[(FREQUENCIES > 1500) & (FREQUENCIES < 4000)].mean(),
        )
        assert bass < middle - 10


def test_8_khz_sampling_leaves_nothing_above_4_khz() -> None:
    power = np.ones_like(music())
    result = channels.telephone(power, np.random.default_rng(0))
    assert result[FREQUENCIES > 5000].max() < 1e-4 * result[(FREQUENCIES > 800) & (FREQUENCIES < 3000)].min()


def test_babble_keeps_its_signal_to_noise_ratio() -> None:
    power = music()
    added = channels.babble(power, np.random.default_rng(0), snr_db=10.0) - power
    assert 10 * np.log10(power.sum() / added.sum()) == pytest.approx(10.0, abs=0.1)


def test_a_room_fills_the_gaps_between_beats() -> None:
    power = music()
    result = channels.room(power, np.random.default_rng(0))

    def contrast(x: FloatArray) -> float:
        frames = x.sum(axis=0)
        return float(frames[8::8].mean() / frames[10::8].mean())

    assert contrast(result) < 0.8 * contrast(power)


def test_automatic_gain_evens_out_a_change_of_level() -> None:
    power = np.ones((len(FREQUENCIES), 256), dtype=np.float32)
    power[:, 128:] *= 100
    result = channels.automatic_gain(power, np.random.default_rng(0))
    assert result[0, 250] / result[0, 120] < 50


def test_a_random_channel_is_decided_by_its_seed() -> None:
    results = [channels.random_channel(music(), np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_the_fixed_set_is_six_channels_alone_and_in_pairs_and_never_changes() -> None:
    assert len(channels.ROBUSTNESS) == 6 + 15
    assert [len(chain) for chain in channels.ROBUSTNESS.values()] == [1] * 6 + [2] * 15
    first, again, other_clip, other_channel = (
        channels.through_fixed(music(), name, clip=clip)
        for name, clip in (("room", 1), ("room", 1), ("room", 2), ("room + codec", 1))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other_clip)
    assert not np.array_equal(first, other_channel)


def test_a_band_limit_takes_the_treble_and_leaves_the_rest() -> None:
    for seed in range(20):
        power = music(seed)
        change = 10 * np.log10(channels.band_limit(power, np.random.default_rng(seed)) / power)
        np.testing.assert_allclose(change[FREQUENCIES < 3400], 0, atol=1e-3)
        assert -81 < change[-1].mean() <= 0
        assert (np.diff(change.mean(axis=1)) <= 1e-3).all()


def test_a_lossy_codec_fills_what_lies_far_under_its_neighbours() -> None:
    """A few bands of a steady sound are silent; masked noise fills them in three cases of five."""
    power = np.full((len(FREQUENCIES), 200), 1.0, dtype=np.float32)
    power[30:33] = 1e-8
    filled = 0
    for seed in range(40):
        result = channels.lossy_codec(power, np.random.default_rng(seed))
        gap, beside = 10 * np.log10(result[31].mean()), 10 * np.log10(result[20].mean())
        assert beside == pytest.approx(0, abs=1.5)
        assert gap < -15
        filled += gap > -50
    assert 15 <= filled <= 33


def test_distortion_adds_harmonics_and_a_floor_that_follows_the_loudness() -> None:
    power = np.full((len(FREQUENCIES), 60), 1e-6, dtype=np.float32)
    band = int(np.abs(FREQUENCIES - 500).argmin())
    power[band, 30:] = 1.0
    result = channels.distortion(power, np.random.default_rng(0))
    second, between = (int(np.abs(FREQUENCIES - hertz).argmin()) for hertz in (1000, 1250))
    assert result[second - 1 : second + 2, 45].max() > 2 * result[between, 45]
    assert result[between, 45] > 100 * result[between, 15]
    assert result[band, 45] == pytest.approx(1.0, rel=0.1)

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.core import patches
from classifier.core.patches import PatchParams

PARAMS = PatchParams()
FloatArray = NDArray[np.float32]


def spectrogram(n_frames: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).exponential(1.0, (PARAMS.n_mels, n_frames)).astype(np.float32)


def test_columns_of_a_30_s_clip_are_those_of_the_training_set() -> None:
    frames = patches.column_frames(1293, PARAMS.frames_per_column)
    expected = [int(np.floor((k + 0.5) / 387.5 * 1293)) for k in range(387)]
    assert frames.tolist() == expected


@pytest.mark.parametrize("n_frames", [1, 2, 3, 44, 1293, 51_680])
def test_columns_stay_inside_and_reach_the_end(n_frames: int) -> None:
    frames = patches.column_frames(n_frames, PARAMS.frames_per_column)
    assert frames[0] >= 0
    assert n_frames - 1 - PARAMS.frames_per_column <= frames[-1] <= n_frames - 1
    assert (np.diff(frames) > 0).all()


def test_no_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        patches.column_frames(0, PARAMS.frames_per_column)


def test_wrong_number_of_bands_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected \\(128, n_frames\\)"):
        patches.from_power(np.ones((64, 100), dtype=np.float32), PARAMS)


@pytest.mark.parametrize("gain", [1e-6, 0.01, 300.0])
def test_gain_changes_nothing(gain: float) -> None:
    power = spectrogram(1293)
    plain, louder = patches.from_power(power, PARAMS), patches.from_power(power * np.float32(gain), PARAMS)
    np.testing.assert_allclose(louder.inputs, plain.inputs, atol=1e-5)


def test_a_knock_barely_changes_the_rest() -> None:
    power = spectrogram(1293)
    knocked = power.copy()
    knocked[:, 600:604] += 1e5
    before, after = patches.from_power(power, PARAMS), patches.from_power(knocked, PARAMS)
    assert np.median(np.abs(before.inputs - after.inputs)) * PARAMS.ceiling_db < 0.5


def test_decibels_and_power_give_the_same_patches() -> None:
    power = spectrogram(1293)
    from_power = patches.from_power(power, PARAMS)
    from_db = patches.cut(patches.columns_db(power, PARAMS) - 17.0, PARAMS)
    np.testing.assert_allclose(from_power.inputs, from_db.inputs, atol=1e-5)
    np.testing.assert_allclose(patches.db_to_power(patches.power_to_db(power)), power, rtol=1e-4)


@pytest.mark.parametrize("n_columns", [129, 200, 387, 15_480])
def test_patches_cover_a_track_evenly(n_columns: int) -> None:
    starts = patches.patch_starts(n_columns, PARAMS)
    assert starts[0] == 0
    assert starts[-1] == n_columns - PARAMS.n_columns
    steps = np.diff(starts)
    assert steps.max() <= PARAMS.hop_columns
    assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("n_frames", [1, 5, 44, 150])
def test_a_track_shorter_than_a_patch_is_mirrored(n_frames: int) -> None:
    cut = patches.from_power(spectrogram(n_frames), PARAMS)
    assert cut.inputs.shape == (1, PARAMS.n_mels, PARAMS.n_columns)
    assert np.isfinite(cut.inputs).all()
    width = len(patches.column_frames(n_frames, PARAMS.frames_per_column))
    mirrored = cut.inputs[0][:, width : 2 * width][:, ::-1]
    np.testing.assert_array_equal(cut.inputs[0][:, width - mirrored.shape[1] : width], mirrored)
    assert cut.end[0] == pytest.approx(width * PARAMS.column_seconds)


def test_sounding_tells_silence_from_sound() -> None:
    power = spectrogram(1293)
    power[:, :650] = 0
    cut = patches.from_power(power, PARAMS)
    assert cut.sounding[0] == 0
    assert cut.sounding[-1] == 1
    assert (np.diff(cut.sounding) >= 0).all()


def test_digital_silence_is_finite() -> None:
    cut = patches.from_power(np.zeros((PARAMS.n_mels, 400), dtype=np.float32), PARAMS)
    assert np.isfinite(cut.inputs).all()
    assert (cut.sounding == 0).all()


@pytest.mark.parametrize("level", [1.0, 1e4], ids=["soft", "loud"])
def test_silence_before_the_music_moves_no_patch(level: float) -> None:
    music = level * spectrogram(1292)
    silent_frames = round(50 * PARAMS.frames_per_column)
    late = np.concatenate((np.zeros((PARAMS.n_mels, silent_frames), dtype=np.float32), music), axis=1)
    plain, moved = patches.from_power(music, PARAMS), patches.from_power(late, PARAMS)
    full = moved.sounding == 1
    assert full.sum() == len(plain.inputs)
    assert moved.sounding[0] < 1
    np.testing.assert_allclose(moved.start[full] - plain.start, 50 * PARAMS.column_seconds, atol=0.2)


def _with_quiet_end(decibels: float) -> tuple[FloatArray, PatchParams]:
    """Forty seconds of sound, of which the second half is quieter."""
    power = spectrogram(1720)
    power[:, 860:] *= 10 ** (decibels / 10)
    return power, PatchParams()


def test_a_nearly_silent_part_does_not_sound() -> None:
    cut = patches.from_power(*_with_quiet_end(-50))
    centre = (cut.start + cut.end) / 2
    boundary = 860 * 512 / 22_050
    assert (cut.sounding[centre > boundary + 1.3] == 0).all()
    assert (cut.sounding[centre < boundary - 1.3] == 1).all()


def test_a_quiet_part_of_music_still_sounds() -> None:
    assert (patches.from_power(*_with_quiet_end(-30)).sounding == 1).all()


def test_a_knock_silences_nothing() -> None:
    power = spectrogram(860)
    power[:, 400:404] *= 1e6
    cut = patches.from_power(power, PatchParams())
    assert (cut.sounding > 0.9).all()


def test_sparse_beats_are_not_nearly_silent() -> None:
    power = spectrogram(1720)
    quiet = np.arange(1720) % 40 >= 4
    power[:, quiet] *= 1e-5
    assert (patches.from_power(power, PatchParams()).sounding > 0).all()

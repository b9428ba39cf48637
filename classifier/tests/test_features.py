"""Features agree with librosa, and with sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.core import filters
from classifier.core.audio import decode
from classifier.core.features import FeatureParams, extract, power_to_db
from classifier.tests import sounds

SHARED = sounds.shared_data()
SOUNDS = {
    "tune": sounds.tune(4.0),
    "noise": sounds.noise(2.0),
    "tone": sounds.sine(440.0),
    "one second": sounds.tune(1.0),
    "odd length": sounds.tune(2.0)[:30011],
}


@pytest.fixture(params=SOUNDS)
def sound(request: pytest.FixtureRequest) -> sounds.Float32:
    return SOUNDS[request.param]


@pytest.mark.slow
def test_mel_power_is_librosas(sound: sounds.Float32) -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.feature.melspectrogram(y=sound, sr=22050)

    actual = extract(sound).mel_power

    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    difference = power_to_db(actual, top_db=80.0) - power_to_db(expected, top_db=80.0)
    assert np.abs(difference).max() < 0.01


def test_mfcc_is_librosas(sound: sounds.Float32) -> None:
    librosa = pytest.importorskip("librosa")

    assert np.abs(extract(sound).mfcc - librosa.feature.mfcc(y=sound, sr=22050)).max() < 0.01


def test_chroma_is_librosas_for_the_same_tuning(sound: sounds.Float32) -> None:
    librosa = pytest.importorskip("librosa")
    features = extract(sound)

    expected = librosa.feature.chroma_stft(y=sound, sr=22050, tuning=features.tuning)

    assert np.abs(features.chroma / features.chroma.max(axis=0) - expected).max() < 1e-3


def test_rms_is_librosas(sound: sounds.Float32) -> None:
    librosa = pytest.importorskip("librosa")

    assert np.abs(extract(sound).rms - librosa.feature.rms(y=sound)[0]).max() < 1e-5


@pytest.mark.skipif(SHARED is None, reason="needs the shared music (GENREWEB_SHARED)")
@pytest.mark.slow
def test_log_mel_of_real_clips_is_the_training_sets() -> None:
    assert SHARED is not None
    table = np.load(SHARED / "logmel_999.npz")
    names = [str(name) for name in table["name"]]
    clips = sorted((SHARED / "lossless").glob("*.flac"))
    assert len(clips) == 10
    for path in clips:
        row = names.index(path.stem)
        with path.open("rb") as file:
            power = extract(decode(file).samples).mel_power
        n_frames = int(table["nframes"][row])
        assert power.shape[1] == n_frames
        columns = np.floor((np.arange(387) + 0.5) / 387.5 * n_frames).astype(int)
        stored = float(table["vmin_db"][row]) * (1.0 - (table["idx"][row].astype(float) + 0.5) / 256.0)
        db = power_to_db(power, ref=float(power.max()), top_db=80.0)
        assert np.abs(db[:, columns] - stored).max() < 0.16, path.stem


@pytest.mark.parametrize("cents", [-40, -20, 0, 15, 30, 45])
def test_tuning_of_a_detuned_chord(cents: int) -> None:
    root = sounds.C4 * 2 ** (cents / 1200)
    detuned = sounds.chord(0, 4, 7, 12, 16, root=root)

    assert extract(detuned).tuning == pytest.approx(cents / 100, abs=0.05)


def test_a_detuned_chord_has_the_same_chroma() -> None:
    straight = extract(sounds.c_major()).chroma.mean(axis=1)
    detuned = extract(sounds.chord(0, 4, 7, root=sounds.C4 * 2 ** (35 / 1200))).chroma.mean(axis=1)

    assert np.abs(straight / straight.max() - detuned / detuned.max()).max() < 0.1


def test_blocks_leave_no_seams() -> None:
    """A tone is the same in every frame, wherever the blocks of the transform begin."""
    features = extract(sounds.sine(1000.0, 30.0))
    inner = features.mel_power[:, 4:-4]

    assert np.abs(inner / inner[:, :1] - 1)[inner[:, 0] > 1e-3].max() < 1e-2
    assert np.abs(features.rms[4:-4] / features.rms[100] - 1).max() < 1e-2


@pytest.mark.slow
def test_gain_scales_power_and_nothing_else() -> None:
    tune = sounds.tune(3.0)
    loud, quiet = extract(tune), extract(tune * np.float32(0.1))

    assert quiet.mel_power == pytest.approx(loud.mel_power * 0.01, rel=1e-3, abs=1e-9)
    assert quiet.rms == pytest.approx(loud.rms * 0.1, rel=1e-4)
    assert quiet.tuning == loud.tuning


def test_silence_has_finite_features() -> None:
    features = extract(sounds.silence())

    for array in (features.mel_power, features.mfcc, features.chroma, features.rms, features.spectrogram):
        assert np.isfinite(array).all()
    assert features.mel_power.max() == 0
    assert features.tuning == 0.0


@pytest.mark.slow
def test_a_long_track_has_a_bounded_spectrogram() -> None:
    tone = np.tile(sounds.sine(1000.0, 1.0), 300)
    tone[150 * 22050 : 151 * 22050] += sounds.sine(5000.0, 1.0)

    features = extract(tone)

    n_bands, n_columns = features.spectrogram.shape
    assert n_bands == features.spectrogram_frequencies.size
    assert 1600 <= n_columns < 3200
    assert n_columns == -(-features.mel_power.shape[1] // features.frames_per_column)
    band = int(np.argmin(np.abs(features.spectrogram_frequencies - 5000.0)))
    assert np.argmax(features.spectrogram[band]) == pytest.approx(n_columns * 150.5 / 300, abs=8)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((2, 22050), np.float32)])
def test_what_is_no_mono_sound_is_refused(samples: sounds.Float32) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        extract(samples)


@pytest.mark.slow
def test_filters_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    params = FeatureParams()

    mel = filters.mel(params.sample_rate, params.n_fft, params.n_mels)
    assert mel == pytest.approx(librosa.filters.mel(sr=22050, n_fft=2048), abs=1e-7)
    chroma = filters.chroma(params.sample_rate, params.n_fft, 0.25)
    assert chroma == pytest.approx(librosa.filters.chroma(sr=22050, n_fft=2048, tuning=0.25), abs=1e-6)
    hz = np.array([0.0, 440.0, 999.0, 1000.0, 8000.0])
    assert filters.hz_to_mel(hz) == pytest.approx(librosa.hz_to_mel(hz))
    assert filters.mel_to_hz(filters.hz_to_mel(hz)) == pytest.approx(hz)

"""The 57 summary features agree with the table that people know, with librosa, and with known sounds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core.audio import decode
from classifier.core.summary import COLUMNS, TOLERANCES, segments, summarise
from classifier.tests import sounds

SHARED = sounds.shared_data()
needs_music = pytest.mark.skipif(SHARED is None, reason="needs the shared music (GENREWEB_SHARED)")

# How far Opus at 40 kbit/s moves a column: median over clips, then any clip. It adds noise near the floor and
# leaves the highest frequencies out, which the spectral moments and MFCCs hear most. Relative to the table's
# value, but absolute for the means of MFCCs, which hover around zero. The means of the waveform's parts are
# left out: the codec removes a recording's offset, and with it all that they are.
OPUS_RELATIVE = {
    **dict.fromkeys(("chroma_stft_mean", "chroma_stft_var", "rms_mean", "rms_var"), (0.02, 0.1)),
    **dict.fromkeys(("spectral_centroid_mean", "spectral_bandwidth_mean"), (0.04, 0.15)),
    **dict.fromkeys(("rolloff_mean", "zero_crossing_rate_mean"), (0.04, 0.15)),
    **dict.fromkeys(("spectral_centroid_var", "spectral_bandwidth_var"), (0.1, 0.4)),
    **dict.fromkeys(("rolloff_var", "zero_crossing_rate_var"), (0.1, 0.4)),
    "harmony_var": (0.04, 0.1),
    "perceptr_var": (0.06, 0.6),
    **{f"mfcc{i}_var": (0.12, 0.7) for i in range(1, 21)},
}
OPUS_ABSOLUTE = {f"mfcc{i}_mean": (5.0, 12.0) for i in range(1, 21)}


def table() -> dict[str, dict[str, str]]:
    assert SHARED is not None
    with (SHARED / "features_30_sec.csv").open(newline="") as file:
        return {Path(row["filename"]).stem: row for row in csv.DictReader(file)}


def tracks() -> list[dict[str, str]]:
    assert SHARED is not None
    with (SHARED / "tracks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def named(samples: sounds.Float32) -> dict[str, float]:
    return dict(zip(COLUMNS, summarise(samples).tolist(), strict=True))


@needs_music
def test_columns_are_the_tables() -> None:
    row = next(iter(table().values()))

    assert [*row] == ["filename", "length", *COLUMNS, "label"]
    assert len(COLUMNS) == 57


@needs_music
@pytest.mark.slow
def test_bit_exact_clips_give_the_tables_values() -> None:
    assert SHARED is not None
    rows = table()
    clips = sorted((SHARED / "lossless").glob("*.flac"))
    assert len(clips) == 10
    for path in clips:
        with path.open("rb") as file:
            samples = decode(file).samples
        row = rows[path.stem]
        assert samples.size == int(row["length"])
        for column, value in named(samples).items():
            relative, absolute = TOLERANCES[column]
            assert value == pytest.approx(float(row[column]), rel=relative, abs=absolute), (path.stem, column)


@needs_music
@pytest.mark.slow
def test_clips_from_a_lossy_codec_stay_near_the_table() -> None:
    assert SHARED is not None
    rows = table()
    full = {row["name"] for row in tracks() if row["audio"] == "full"}
    clips = [path for path in sorted((SHARED / "audio").glob("*/*.opus")) if path.stem in full][::40]
    errors: dict[str, list[float]] = {column: [] for column in (*OPUS_RELATIVE, *OPUS_ABSOLUTE)}
    tempos = []
    for path in clips:
        with path.open("rb") as file:
            values = named(decode(file).samples)
        row = rows[path.stem]
        tempos.append(values["tempo"] == pytest.approx(float(row["tempo"])))
        for column, found in errors.items():
            unit = abs(float(row[column])) if column in OPUS_RELATIVE else 1.0
            found.append(abs(values[column] - float(row[column])) / unit)

    assert len(clips) >= 10
    for column, (median, worst) in (OPUS_RELATIVE | OPUS_ABSOLUTE).items():
        assert np.median(errors[column]) < median, column
        assert max(errors[column]) < worst, column
    assert np.mean(tempos) > 0.75


def librosas(samples: sounds.Float32) -> dict[str, float]:
    """What librosa 0.11 says, told to treat the ends of a track as its version 0.7 did."""
    librosa: Any = pytest.importorskip("librosa")
    transform = librosa.stft(samples, pad_mode="reflect")
    magnitude = np.abs(transform)
    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=magnitude**2, sr=22050))
    harmonic, percussive = (
        librosa.util.fix_length(librosa.istft(part), size=samples.size)
        for part in librosa.decompose.hpss(transform)
    )
    onsets = librosa.onset.onset_strength(S=mel_db, sr=22050, aggregate=np.median)
    over_time = {
        "chroma_stft": librosa.feature.chroma_stft(S=magnitude**2, sr=22050),
        "rms": librosa.feature.rms(y=samples, pad_mode="reflect"),
        "spectral_centroid": librosa.feature.spectral_centroid(S=magnitude),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=magnitude),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(samples),
        "harmony": harmonic,
        "perceptr": percussive,
        **{f"mfcc{i}": row for i, row in enumerate(librosa.feature.mfcc(S=mel_db), start=1)},
    }
    values = {"tempo": float(np.atleast_1d(librosa.beat.beat_track(onset_envelope=onsets, sr=22050)[0])[0])}
    for name, array in over_time.items():
        values[f"{name}_mean"] = float(np.mean(array, dtype=np.float64))
        values[f"{name}_var"] = float(np.var(array, dtype=np.float64))
    return values


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(sounds.tune(8.0), id="tune"),
        pytest.param(sounds.tune(3.0, seed=3)[:66149], id="segment"),
        pytest.param(sounds.noise(2.0), id="noise"),
        pytest.param(np.concatenate((sounds.silence(1.0), sounds.tune(2.0))), id="silence first"),
        pytest.param(sounds.tune(1.0)[:22063], id="one second"),
    ],
)
@pytest.mark.slow
def test_every_column_is_librosas(sound: sounds.Float32) -> None:
    expected = librosas(sound)

    for column, value in named(sound).items():
        assert value == pytest.approx(expected[column], rel=2e-4, abs=1e-4 if "mfcc" in column else 1e-6), (
            column
        )


def test_a_tone_has_its_own_centroid_and_nothing_strikes() -> None:
    values = named(sounds.sine(1000.0, 4.0, amplitude=0.5))

    assert values["spectral_centroid_mean"] == pytest.approx(1000.0, rel=0.02)
    assert values["rolloff_mean"] == pytest.approx(1000.0, abs=30.0)
    assert values["zero_crossing_rate_mean"] == pytest.approx(2000.0 / 22050.0, rel=0.02)
    assert values["rms_mean"] == pytest.approx(0.5 / np.sqrt(2.0), rel=0.02)
    assert values["harmony_var"] == pytest.approx(0.125, rel=0.02)
    assert values["perceptr_var"] < 0.001


@pytest.mark.parametrize("bpm", [80, 100, 120, 140])
def test_clicks_strike_at_their_tempo(bpm: int) -> None:
    clicks = sounds.silence(20.0)
    burst = sounds.noise(0.02, amplitude=0.5)
    for beat in np.arange(0.25, 19.0, 60.0 / bpm):
        first = round(beat * sounds.RATE)
        clicks[first : first + burst.size] += burst

    values = named(clicks)

    step = 60.0 * 22050 / 512
    assert step / values["tempo"] == pytest.approx(step / bpm, abs=1.0)
    assert values["perceptr_var"] > 5 * values["harmony_var"]


def test_silence_is_finite_and_has_no_tempo() -> None:
    values = named(sounds.silence(2.0))

    assert all(np.isfinite(value) for value in values.values())
    assert values["tempo"] == 0.0
    assert values["rms_mean"] == values["harmony_var"] == values["spectral_centroid_mean"] == 0.0


@pytest.mark.parametrize("n_samples", [1, 2, 511, 512, 513, 3000])
def test_the_shortest_sounds_have_a_summary(n_samples: int) -> None:
    assert np.isfinite(summarise(sounds.noise(1.0)[:n_samples])).all()


@pytest.mark.slow
def test_length_changes_no_average() -> None:
    """Blocks leave no seams: a tone of 30 s is the tone of 5 s."""
    long, short = (named(sounds.sine(440.0, seconds)) for seconds in (30.0, 5.0))

    for column in ("harmony_var", "rms_mean", "spectral_centroid_mean", "chroma_stft_mean", "mfcc1_mean"):
        assert long[column] == pytest.approx(short[column], rel=0.02), column


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((2, 22050), np.float32)])
def test_what_is_no_mono_sound_is_refused(samples: sounds.Float32) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        summarise(samples)


@pytest.mark.parametrize(("seconds", "pieces"), [(2.0, 1), (3.0, 1), (5.9, 1), (6.0, 2), (30.0, 10)])
def test_segments_are_whole_and_of_three_seconds(seconds: float, pieces: int) -> None:
    sound = sounds.noise(seconds)

    found = list(segments(sound))

    assert len(found) == pieces
    assert all(piece.size == min(66150, sound.size) for piece in found)
    assert (np.concatenate(found) == sound[: sum(piece.size for piece in found)]).all()

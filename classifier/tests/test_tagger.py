"""The tagger in service: its spectrogram, where it looks, and files that cannot be trusted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classifier.core import tagger, tagger_input
from classifier.core.tagger import Tagger, TaggerError
from classifier.core.tagger_input import EMPTIED_FROM_BAND, HOP_LENGTH, N_MELS, PATCH_FRAMES, SAMPLE_RATE
from classifier.core.verdict import pool_tags
from classifier.synthesis import styles


def noise(seconds: float, *, rate: int = SAMPLE_RATE) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.1, int(seconds * rate)).astype(np.float32)


@pytest.fixture(scope="module")
def installed() -> Tagger:
    try:
        return Tagger.load(tagger.default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")


def test_log_mel_is_what_librosa_gives() -> None:
    import librosa

    samples = noise(7.0)
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=512, hop_length=HOP_LENGTH, n_mels=N_MELS
    )
    expected = np.log10(1 + 10_000 * power).T

    cut = tagger_input.patches_of(samples, sample_rate=SAMPLE_RATE)

    assert len(cut.log_mel) == 2
    for patch, start in zip(cut.log_mel, cut.start, strict=True):
        first = round(start * SAMPLE_RATE / HOP_LENGTH)
        heard = expected[first : first + PATCH_FRAMES, :EMPTIED_FROM_BAND]
        np.testing.assert_allclose(patch[:, :EMPTIED_FROM_BAND], heard, atol=1e-4)
        assert not patch[:, EMPTIED_FROM_BAND:].any(), "nothing above 7 kHz"

    whole = tagger_input.patches_of(samples, sample_rate=SAMPLE_RATE, treble=True)
    first = round(whole.start[0] * SAMPLE_RATE / HOP_LENGTH)
    np.testing.assert_allclose(whole.log_mel[0], expected[first : first + PATCH_FRAMES], atol=1e-4)


def test_a_sound_at_the_platforms_rate_gives_what_it_gives_at_the_taggers() -> None:
    seconds, tones = 3.5, (110.0, 440.0, 2_500.0, 6_800.0)

    def sound(rate: int) -> np.ndarray:
        time = np.arange(int(seconds * rate)) / rate
        return np.asarray(np.sum([0.1 * np.sin(2 * np.pi * f * time) for f in tones], axis=0), np.float32)

    expected = tagger_input.patches_of(sound(SAMPLE_RATE), sample_rate=SAMPLE_RATE).log_mel
    got = tagger_input.patches_of(sound(22_050), sample_rate=22_050).log_mel

    assert got.max() > 1
    np.testing.assert_allclose(got, expected, atol=0.01)


def test_what_lies_above_the_taggers_range_does_not_fold_into_it() -> None:
    time = np.arange(4 * 22_050) / 22_050
    samples = (0.5 * np.sin(2 * np.pi * 9_000 * time)).astype(np.float32)

    assert tagger_input.patches_of(samples, sample_rate=22_050).log_mel.max() < 0.01


@pytest.mark.parametrize("n_frames", [PATCH_FRAMES, 400, 1876, 15_000])
def test_patches_cover_the_track_evenly(n_frames: int) -> None:
    starts = tagger_input.patch_starts(n_frames, most=12)

    assert len(starts) == min(n_frames // PATCH_FRAMES, 12)
    assert starts[0] >= 0
    assert starts[-1] + PATCH_FRAMES <= n_frames
    assert abs((starts[0] + starts[-1] + PATCH_FRAMES) - n_frames) <= 2, "as much is left before as after"
    assert np.ptp(np.diff(starts)) <= 1 if len(starts) > 1 else True
    assert (np.diff(starts) >= PATCH_FRAMES).all(), "no frame counts twice"


def test_a_sound_shorter_than_a_patch_is_repeated() -> None:
    short = noise(0.5, rate=22_050)

    cut = tagger_input.patches_of(short, sample_rate=22_050)

    assert cut.log_mel.shape == (1, PATCH_FRAMES, N_MELS)
    assert cut.log_mel[0, :, :EMPTIED_FROM_BAND].min(axis=1).max() > 0, "no frame is silent"


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((2, 50_000), np.float32)])
def test_what_is_no_sound_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        tagger_input.patches_of(samples, sample_rate=SAMPLE_RATE)


def test_a_rate_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        tagger_input.patches_of(noise(4), sample_rate=44_100)


def written(folder: Path, **changes: object) -> Path:
    """A folder like an installed one, with a file that is no network."""
    folder.mkdir()
    (folder / "msd.tflite").write_bytes(b"anything")
    entry = {"sha256": "0" * 64, "checkpoint_sha256": "0" * 64, "tags": list(tagger.MSD_TAGS)}
    metadata = {"format_version": tagger.FORMAT_VERSION, "networks": {"msd": entry}} | changes
    (folder / tagger.METADATA_FILE).write_text(json.dumps(metadata))
    return folder


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="cannot be read"):
        Tagger.load(tmp_path / "nowhere")


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="hash"):
        Tagger.load(written(tmp_path / "tagger"))


@pytest.mark.parametrize(
    "changes", [{"format_version": 99}, {"networks": ["msd"]}, {"networks": {"msd": {}}}]
)
def test_metadata_of_another_kind_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(TaggerError):
        Tagger.load(written(tmp_path / "tagger", **changes))


def test_a_track_is_tagged(installed: Tagger) -> None:
    output = installed.tag(noise(11, rate=22_050))

    assert output.start.tolist() == sorted(output.start.tolist())
    assert len(output.start) == len(output.level) == 3
    assert {name: places.tolist() for name, places in output.asked.items()} == {"msd": [0, 1, 2], "mtt": [1]}
    for name, places in output.asked.items():
        given = output.networks[name]
        assert given.logits.shape == (len(places), len(installed.tags[name])) == (len(places), 50)
        assert given.embedding.shape == (len(places), 200)
        assert given.pooled.shape[0] == len(places)
        assert np.isfinite(given.pooled).all()
        assert ((given.probabilities > 0) & (given.probabilities < 1)).all()


def test_the_common_level_does_not_depend_on_the_sounds_own() -> None:
    loud = tagger_input.patches_of(noise(7.0), sample_rate=SAMPLE_RATE).log_mel
    soft = tagger_input.patches_of((0.05 * noise(7.0)).astype(np.float32), sample_rate=SAMPLE_RATE).log_mel
    levelled = tagger_input.at_common_level(loud)
    np.testing.assert_allclose(tagger_input.at_common_level(soft), levelled, atol=1e-3)
    power = np.expm1(levelled * np.log(10)) / 10_000
    assert power.sum(axis=2).mean() == pytest.approx(tagger_input.FRAME_POWER, rel=1e-3)
    assert not tagger_input.at_common_level(np.zeros_like(loud)).any()


def test_a_softer_copy_has_the_same_embedding_at_the_common_level(installed: Tagger) -> None:
    sound = styles.rock(1, 8.0)
    loud, soft = (installed.tag(gain * sound, levelled=True) for gain in (1.0, 0.1))
    assert loud.levelled is not None
    assert soft.levelled is not None
    own = np.abs(loud.networks["msd"].embedding - soft.networks["msd"].embedding).mean()
    assert np.abs(loud.levelled.embedding - soft.levelled.embedding).mean() < 0.1 * own
    tags = pool_tags(loud, version="v")
    assert tags.levelled is not None
    assert tags.levelled.shape == tags.row.shape
    np.testing.assert_allclose(tags.levelled[-200:], loud.levelled.embedding.mean(axis=0), rtol=1e-5)
    assert installed.tag(sound).levelled is None


def test_a_network_that_is_not_wanted_is_not_asked(installed: Tagger) -> None:
    assert set(installed.tag(noise(4), sample_rate=SAMPLE_RATE, networks=("msd",)).networks) == {"msd"}


def test_the_shortest_track_is_tagged_by_all(installed: Tagger) -> None:
    output = installed.tag(noise(1), sample_rate=SAMPLE_RATE)

    assert {name: len(given.logits) for name, given in output.networks.items()} == {"msd": 1, "mtt": 1}


def test_most_bounds_the_work(installed: Tagger) -> None:
    assert len(installed.tag(noise(40), sample_rate=SAMPLE_RATE, most=4).start) == 4


def test_it_knows_metal_from_classical(installed: Tagger, gtzan: Path) -> None:
    from classifier.core.audio import decode

    def tags(genre: str) -> dict[str, float]:
        with (gtzan / "lossless" / f"{genre}.00000.flac").open("rb") as file:
            output = installed.tag(decode(file).samples)
        means = output.networks["msd"].probabilities.mean(axis=0)
        also = output.networks["mtt"].probabilities.mean(axis=0)
        return {
            **{f"mtt {tag}": float(p) for tag, p in zip(tagger.MTT_TAGS, also, strict=True)},
            **{tag: float(p) for tag, p in zip(tagger.MSD_TAGS, means, strict=True)},
        }

    metal, classical = tags("metal"), tags("classical")
    assert metal["metal"] > 10 * classical["metal"]
    assert classical["mtt classical"] > 10 * metal["mtt classical"]


def test_very_quiet_sound_is_raised_and_silence_is_not() -> None:
    usual = noise(4)
    usual *= np.float32(10 ** (-25 / 20) / np.sqrt(np.square(usual).mean()))
    expected = tagger_input.patches_of(usual, sample_rate=SAMPLE_RATE).log_mel
    for decibels in (-24, -35, -60):
        quiet = usual * np.float32(10 ** (decibels / 20))
        raised = tagger_input.patches_of(quiet, sample_rate=SAMPLE_RATE).log_mel
        if decibels == -60:
            # No more than 40 dB: what is left of silence stays quiet.
            assert raised.max() < expected.max() - 1.0
        else:
            np.testing.assert_allclose(raised, expected, atol=1e-3)
    own = tagger_input.patches_of(usual * np.float32(0.1), sample_rate=SAMPLE_RATE).log_mel
    assert own.mean() < expected.mean() - 0.5
    assert tagger_input.patches_of(np.zeros(64_000, np.float32), sample_rate=SAMPLE_RATE).log_mel.max() == 0

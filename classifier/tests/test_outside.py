"""Measuring a release outside its training set: figures with known answers, files, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.core import tagger as taggers
from classifier.core import tagger_input
from classifier.core.audio import decode
from classifier.core.dataset import DatasetError
from classifier.core.ensemble import entry_for
from classifier.core.inference import Classifier, Prediction
from classifier.core.recordings import recording_row, tag_equalised, tag_equalised_spectrogram
from classifier.core.tagger import Tagger, TaggerError
from classifier.core.tagger_input import N_MELS, patches_of_spectrogram
from classifier.core.verdict import DEFAULT_PARAMS
from classifier.fitting.artifact.outside_text import card_section, evaluation_section, weaknesses
from classifier.fitting.evaluation.outside import figures, measuring, speech
from classifier.fitting.evaluation.outside.figures import Answers, counted_share, range_without_each, share
from classifier.fitting.evaluation.outside.measuring import Sources
from classifier.releases import outside
from classifier.tests import sounds
from classifier.tests.datasets import write_dataset
from classifier.tests.shipped import network_alone


def prediction(label: str | None, *, unsure: bool = False, style: str | None = None) -> Prediction:
    return Prediction(
        label=label,
        confidence=0.9,
        unsure=unsure or label is None,
        music=label is not None,
        probabilities={"jazz": 0.5, "rock": 0.5},
        timeline=[],
        embedding=np.zeros(2, np.float32),
        style=style,
    )


def test_shares_count_what_is_right_sure_and_both() -> None:
    answers = Answers(
        [
            prediction("jazz"),
            prediction("rock"),
            prediction("rock", unsure=True),
            prediction(None),
            prediction("pop", unsure=True, style="house"),
        ],
        [["jazz"], ["jazz", "rock"], ["rock"], ["rock"], ["jazz"]],
        ["a", "a", "b", "c", "d"],
    )
    found = answers.figures()
    assert (found["n"], found["groups"]) == (5, 4)
    assert found["right"]["value"] == 0.6
    assert found["sure"]["value"] == 0.4
    assert (found["right_when_sure"]["value"], found["right_when_sure"]["n"]) == (1.0, 2)
    assert answers.strictly.tolist() == [True, False, True, False, False]
    assert answers.style.tolist() == [False, False, False, False, True]
    assert answers.figures(np.zeros(5, bool))["right"] is None


def test_an_interval_draws_whole_groups() -> None:
    hits = np.array([True] * 50 + [False] * 50)
    by_row = share(hits, list(range(100)))
    by_artist = share(hits, [0] * 50 + [1] * 50)
    assert by_row is not None
    assert by_artist is not None
    assert by_row["value"] == by_artist["value"] == 0.5
    assert 0.38 < by_row["low"] < 0.45
    assert 0.55 < by_row["high"] < 0.62
    # Two artists, of whom either may be drawn twice.
    assert (by_artist["low"], by_artist["high"]) == (0.0, 1.0)
    assert share(hits, list(range(100)), among=np.zeros(100, bool)) is None


def test_nothing_of_a_few_is_no_certainty() -> None:
    found = counted_share(0, 30)
    assert found is not None
    assert (found["value"], found["low"]) == (0.0, 0.0)
    assert found["high"] == pytest.approx(0.1135, abs=1e-3)
    assert counted_share(0, 0) is None


def test_leaving_each_artist_out_tells_who_carries_the_figure() -> None:
    hits = np.array([True, True, False, True])
    assert range_without_each(hits, ["a", "a", "b", "c"]) == [0.5, 1.0]
    assert range_without_each(hits, ["a"] * 4) is None


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return network_alone(tmp_path / "release")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six spectrograms by four artists, three recordings of two clips, and the sound of three test clips."""
    folder = tmp_path / "data"
    (folder / "modern").mkdir(parents=True)
    rng = np.random.default_rng(2)
    np.savez(
        folder / "modern" / "logmel_dev.npz",
        label=np.array(["rock", "rock", "jazz", "pop", "electronic", "folk"]),
        also_acceptable=np.array(["", "metal,pop", "", "", "", "country"]),
        era=np.array(["2010s"] * 6),
        artist_group=np.array([0, 0, 1, 2, 3, 3]),
        idx=rng.integers(0, 256, (6, 128, 387)).astype(np.uint8),
        vmin_db=np.full(6, -80, np.float32),
        mel96=rng.integers(0, 256, (6, N_MELS, 800)).astype(np.uint8),
        mel96_max=np.full(6, 2.5, np.float32),
    )
    rows = [(f"{g}.0000{i}", g, f"{g} {i}", "", "test") for g in ("blues", "jazz") for i in range(2)]
    gtzan = write_dataset(folder / "gtzan", rows, np.zeros((4, 128, 40), np.uint8))
    (folder / "mic").mkdir()
    for place, (name, genre, _, _, _) in enumerate(rows[:3]):
        path = gtzan / "audio" / genre / f"{name}.opus"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sounds.encode(sounds.tune(16.0, seed=place), "opus"))
        played = decode(io.BytesIO(path.read_bytes())).samples
        starts = (0, 5) if place == 0 else (5,) if place == 2 else ()
        for start in starts:
            part = played[start * sounds.RATE :][: 10 * sounds.RATE]
            (folder / "mic" / f"{name}.at{start}s.flac").write_bytes(sounds.encode(part, "flac"))
    return folder


def run(release: Path, data: Path, *words: str) -> dict[str, Any]:
    call_command("evaluate", "--data", str(data), "--out", str(release), "--threads", "1", *words)
    content: dict[str, Any] = json.loads((release / outside.JSON_FILE).read_text())
    return content


def measure(release: Path, data: Path, *protocols: str, **options: Any) -> dict[str, Any]:
    sources = Sources(data, options.pop("sounds", None))
    return measuring.measure(release, sources, protocols, on_progress=lambda *progress: None, **options)


@pytest.mark.slow
def test_the_figures_of_songs_are_those_of_the_single_answers(release: Path, data: Path) -> None:
    content = run(release, data / "gtzan", "--protocol", "modern")
    part = content["parts"]["modern"]
    classifier = Classifier.load(release)
    archive = np.load(data / "modern" / "logmel_dev.npz")
    accepted: Sequence[set[str]] = [{"rock"}, {"rock", "metal", "pop"}, {"jazz"}, {"pop"}]
    expected = []
    for levels in archive["idx"]:
        answer = classifier.predict_stored(-80 * (1 - (levels.astype(np.float32) + 0.5) / 256))
        assert answer is not None
        expected.append(answer)
    ten, others = part["genres"], part["others"]
    assert (ten["n"], ten["groups"], others["n"], others["groups"]) == (4, 3, 2, 1)
    right = [answer.label in labels for answer, labels in zip(expected, accepted, strict=False)]
    assert ten["right"]["value"] == np.mean(right)
    assert others["sure"]["value"] == np.mean([figures.is_sure(answer) for answer in expected[4:]])
    assert set(part["by_genre"]) == {"jazz", "pop", "rock"}
    assert set(part["by_style"]) == {"electronic", "folk"}
    assert content["identity"] == outside.identity_of(classifier.metadata)
    assert "## Outside the benchmark" in (release / "EVALUATION.md").read_text()
    card = (release / "MODEL_CARD.md").read_text()
    assert f"| Modern songs of its genres | {100 * np.mean(right):.1f} %" in card
    assert "carries no licence" in card


@pytest.mark.slow
def test_parts_of_the_same_release_stay_and_those_of_another_do_not(release: Path, data: Path) -> None:
    measure(release, data, "modern")
    content = measure(release, data, "microphone")
    assert list(content["parts"]) == ["modern", "microphone"]
    assert (content["parts"]["microphone"]["recordings"], content["parts"]["microphone"]["clips"]) == (3, 2)
    # The recordings are the clips themselves, but for their encoding.
    assert content["parts"]["microphone"]["as_clean"]["value"] == 1

    metadata = json.loads((release / "metadata.json").read_text())
    metadata["calibration"]["unsure_below"] = 0.99
    (release / "metadata.json").write_text(json.dumps(metadata))
    assert outside.read(release) is not None
    assert outside.read_valid(release, metadata) is None
    assert list(measure(release, data, "microphone")["parts"]) == ["microphone"]


@pytest.mark.slow
def test_speech_and_sounds_are_counted_and_unreadable_files_too(
    release: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "is_installed", lambda: False)
    with pytest.raises(CommandError, match="nothing to measure"):
        run(release, data, "--protocol", "non-music")
    folder = tmp_path / "sounds"
    folder.mkdir()
    with pytest.raises(CommandError, match="no sound in"):
        run(release, data, "--protocol", "non-music", "--sounds", str(folder))
    (folder / "silence.wav").write_bytes(sounds.encode(sounds.silence(3.0), "wav16"))
    (folder / "noise.wav").write_bytes(sounds.encode(sounds.noise(3.0), "wav16"))
    (folder / "broken.ogg").write_bytes(b"no sound at all")
    (folder / "notes.txt").write_text("not asked about")
    part = run(release, data, "--protocol", "non-music", "--sounds", str(folder))["parts"]["non-music"]
    assert part.keys() == {"date", "sounds"}
    assert (part["sounds"]["n"], part["sounds"]["refused"]) == (2, 1)
    assert part["sounds"]["sure"]["value"] == 0
    assert part["sounds"]["no_music"]["value"] == 1


@pytest.mark.slow
@pytest.mark.skipif(not speech.is_installed(), reason="espeak-ng is not installed")
def test_speech_is_spoken_by_every_voice(tmp_path: Path) -> None:
    spoken = list(speech.spoken(tmp_path))
    assert len(spoken) == len(speech.utterances())
    assert all(path.stat().st_size > 4 * sounds.RATE for _, path in spoken)


@pytest.mark.slow
def test_what_makes_no_sense_is_refused(release: Path, data: Path) -> None:
    for words, message in (
        (("--protocol", "modern", "--sounds", "x"), "read by --protocol non-music only"),
        (("--protocol", "non-music", "--sounds", "nowhere"), "no folder"),
        (("--protocol", "modern", "--method", "release"), "protocols that divide"),
        (("--protocol", "filtered-sound"), "not joined"),
    ):
        with pytest.raises(CommandError, match=message):
            run(release, data, *words)
    assert not (release / outside.JSON_FILE).exists()


@pytest.mark.slow
def test_data_that_do_not_hold_together_are_refused(release: Path, data: Path) -> None:
    path = data / "modern" / "logmel_dev.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"mel96": arrays["mel96"][:3]})
    with pytest.raises(CommandError, match="do not hold together"):
        run(release, data, "--protocol", "modern")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CommandError, match="cannot be read"):
        run(release, data, "--protocol", "modern")
    (data / "gtzan" / "audio" / "blues" / "blues.00000.opus").unlink()
    with pytest.raises(CommandError, match=r"blues\.00000.* cannot be read"):
        run(release, data, "--protocol", "microphone")
    shutil.rmtree(data / "mic")
    with pytest.raises(CommandError, match="no recording"):
        run(release, data, "--protocol", "microphone")


@pytest.fixture(scope="module")
def installed() -> Tagger:
    try:
        return Tagger.load(taggers.default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")


@pytest.mark.slow
def test_a_kept_spectrogram_is_tagged_as_its_sound(installed: Tagger) -> None:
    import librosa

    samples = sounds.tune(9.0, rate=16_000)
    power = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=512, hop_length=256, n_mels=N_MELS)
    cut = patches_of_spectrogram(np.log10(1 + 10_000 * power).T)
    kept, whole = installed.tag_patches(cut), installed.tag(samples, sample_rate=16_000)
    np.testing.assert_allclose(kept.start, whole.start)
    for name, patches in whole.networks.items():
        np.testing.assert_allclose(kept.networks[name].logits, patches.logits, atol=2e-2)
    # Bands hold less than the whole, alike in every patch.
    np.testing.assert_allclose(kept.level / kept.level.max(), whole.level / whole.level.max(), atol=0.15)


@pytest.mark.slow
def test_a_kept_spectrogram_goes_the_way_of_recordings_as_its_sound_does(installed: Tagger) -> None:
    import librosa

    samples = sounds.tune(9.0, rate=16_000)
    power = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=512, hop_length=256, n_mels=N_MELS)
    kept = tag_equalised_spectrogram(installed, np.log10(1 + 10_000 * power).T.astype(np.float32))
    whole = tag_equalised(installed, samples, sample_rate=16_000)
    np.testing.assert_allclose(kept.start, whole.start)
    assert len(kept.start) > 9, "every half second, not side by side"
    np.testing.assert_allclose(recording_row(kept), recording_row(whole), atol=5e-2)


def test_a_short_spectrogram_is_repeated_and_a_strange_one_refused() -> None:
    cut = patches_of_spectrogram(np.ones((50, N_MELS), np.float32))
    assert cut.log_mel.shape == (1, tagger_input.PATCH_FRAMES, N_MELS)
    assert (cut.log_mel[:, :, : tagger_input.EMPTIED_FROM_BAND] == 1).all()
    assert not cut.log_mel[:, :, tagger_input.EMPTIED_FROM_BAND :].any()
    for strange in (np.ones((N_MELS, 50)), np.ones((0, N_MELS)), np.ones(N_MELS)):
        with pytest.raises(ValueError, match="expected"):
            patches_of_spectrogram(strange.astype(np.float32))


@pytest.mark.slow
def test_the_test_part_is_looked_at_once_unless_asked(release: Path, data: Path, installed: Tagger) -> None:
    metadata = json.loads((release / "metadata.json").read_text())
    metadata["ensemble"] = entry_for(DEFAULT_PARAMS, tagger=installed.version, head_sha256=None)
    (release / "metadata.json").write_text(json.dumps(metadata))
    content = measure(release, data, "filtered-sound", tagger=installed)
    part = content["parts"]["filtered-sound"]
    # Three of the four clips have sound.
    assert (part["clips"], content["test_looks"], content["tagger"]) == (3, 1, installed.version)
    assert part["by_genre"]["blues"]["n"] == 2
    with pytest.raises(DatasetError, match="second look"):
        measure(release, data, "filtered-sound", tagger=installed)
    assert measure(release, data, "filtered-sound", tagger=installed, again=True)["test_looks"] == 2
    # The joint verdict on songs differs from the network's own, which is kept beside it.
    modern = measure(release, data, "modern", tagger=installed)["parts"]["modern"]
    assert modern["network_alone"]["genres"]["n"] == 4


def part_of(genres: dict[str, float], others: float, *, n: int = 20) -> dict[str, Any]:
    def value(number: float) -> dict[str, float | int]:
        return {"value": number, "low": number, "high": number, "n": n}

    row = {"n": n, "groups": 5, "right": value(0.8), "sure": value(others), "right_when_sure": value(0.9)}
    more = {"strictly_right": value(0.7), "strictly_right_when_sure": value(0.8), "none_said": value(0.3)}
    return {
        "date": "2026-01-01",
        "genres": row | more,
        "others": row | more,
        "by_genre": {
            label: {"n": n, "right": right, "sure": 0.5, "right_when_sure": None, "none_said": 0.0}
            for label, right in genres.items()
        },
        "by_style": {},
        "without_each_artist": {"right": [0.7, 0.9], "right_when_sure": None, "others_sure": [0.1, 0.2]},
    }


def test_the_card_says_what_is_weak() -> None:
    parts = {"modern": part_of({"rock": 0.4, "pop": 0.8, "metal": 0.5}, 0.25)}
    weak = weaknesses(parts)
    assert weak[0].startswith("Of modern rock it names 40.0 %")
    assert weak[1].startswith("Of modern metal it names 50.0 %")
    assert "25.0 % of songs of other kinds" in weak[2]
    assert not any("pop" in words for words in weak)
    assert "Too few modern songs to tell how good it is at pop" in str(
        weaknesses({"modern": part_of({"pop": 0.1}, 0.0, n=9)})
    )
    content = {"parts": parts, "tagger": None, "test_looks": 1}
    assert "Where it is weak" in card_section(content)
    text = "\n".join(evaluation_section(content))
    assert "70.0 % to 90.0 %" in text
    assert "right when sure " not in text.split("left out in turn")[1].split("\n")[0]
    assert "looked at 1 time." in text


def test_without_figures_the_card_says_so_and_the_evaluation_nothing() -> None:
    assert "was not measured" in card_section(None)
    assert "was not measured" in card_section({"parts": {}, "tagger": None})
    assert evaluation_section(None) == []

"""Recordings in which music is hard to hear: how they are recognised, evaluated, simulated and fitted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.core import tagger, tagger_input
from classifier.core.ensemble import Ensemble
from classifier.core.music_detection import MusicDetector
from classifier.core.prediction import Prediction, Segment
from classifier.core.recordings import (
    LEVELLED,
    NETWORKS,
    RECORDING_HEAD_FILE,
    input_version,
    recording_row,
    tag_equalised,
)
from classifier.core.tagger import MSD_TAGS, PatchTags, Tagger, TagOutput
from classifier.core.verdict import DEFAULT_PARAMS as VERDICT_PARAMS
from classifier.core.verdict import TaggerHead
from classifier.fitting.data.recordings import simulated_recording
from classifier.fitting.recording_head import fit_recording_head, write_recording_head
from classifier.fitting.tagger_head import HeadExamples
from classifier.tests import sounds

LABELS = ("jazz", "metal", "rock")
EMBEDDING = 200


def output(
    score: float, *, jazz: float = 0.0, tag: str = "rock", equalised: TagOutput | None = None
) -> TagOutput:
    """The tagger's output whose music is heard with `score`, and whose embedding speaks for jazz."""
    logits = np.full((1, len(MSD_TAGS)), -4.0, np.float32)
    logits[0, MSD_TAGS.index("rock")] = 0.0
    embedding = np.zeros((1, EMBEDDING), np.float32)
    embedding[0, :2] = score, jazz
    return TagOutput(
        start=np.zeros(1),
        level=np.ones(1, np.float32),
        networks={"msd": PatchTags(logits, embedding, np.zeros((1, 4), np.float32))},
        asked={"msd": np.zeros(1, np.intp)},
        missing_bass_db=9.0,
        equalised=equalised,
    )


def ensemble() -> Ensemble:
    """One whose detector reads the first value of the embedding, and whose head for recordings the second."""
    of_row = np.zeros(4 + EMBEDDING, np.float32)
    of_row[4] = 1.0
    weights = np.zeros((EMBEDDING, len(LABELS)), np.float32)
    weights[1, 0] = 1.0
    return Ensemble(
        None,
        VERDICT_PARAMS,
        "v",
        MusicDetector(of_row, 0.0, "v"),
        TaggerHead(weights, np.zeros(len(LABELS)), LABELS, "v"),
    )


def rock() -> Prediction:
    shares = {"jazz": 0.1, "metal": 0.1, "rock": 0.8}
    return Prediction(
        label="rock",
        confidence=0.8,
        unsure=False,
        music=True,
        probabilities=shares,
        timeline=[Segment(0.0, 3.0, shares)],
        embedding=np.zeros(2, np.float32),
    )


@pytest.mark.parametrize(
    ("score", "missing_bass_db", "expected"),
    [(-5.0, 9.0, False), (-0.5, 0.0, True), (1.0, 0.0, False), (1.0, 9.0, True), (2.7, 9.0, False)],
)
def test_what_is_worth_equalising(score: float, missing_bass_db: float, expected: bool) -> None:
    found = replace(output(score), missing_bass_db=missing_bass_db)
    assert ensemble().is_recording(found) is expected


def test_a_telephones_band_is_not_equalised() -> None:
    assert not ensemble().is_recording(replace(output(0.2), narrow=True))


def test_a_version_without_a_head_for_recordings_equalises_nothing() -> None:
    joined = ensemble()
    joined.recording_head = None
    assert not joined.is_recording(output(0.2))
    found = joined.refine(rock(), output(0.2, equalised=output(3.0, jazz=9.0)))
    assert found.label == "rock"


def test_drowned_music_has_the_verdict_on_the_equalised_sound() -> None:
    found = ensemble().refine(rock(), output(0.6, equalised=output(2.4, jazz=5.0)))
    assert (found.label, found.unsure, found.music) == ("jazz", False, True)
    assert found.confidence == found.probabilities["jazz"] > 0.9
    assert sum(found.probabilities.values()) == pytest.approx(1)
    # The tags stay those of the sound as it is.
    assert found.tags is not None
    assert found.tags.embedding[1] == 0
    (segment,) = found.timeline
    assert sum(segment.probabilities.values()) == pytest.approx(1)
    assert segment.probabilities["jazz"] > 0.45


@pytest.mark.parametrize(
    ("before", "after", "jazz"), [(0.2, 3.0, 5.0), (0.6, 2.2, 5.0), (0.6, 3.0, 0.01)], ids=str
)
def test_what_is_not_heard_is_unsure(before: float, after: float, jazz: float) -> None:
    found = ensemble().refine(rock(), output(before, equalised=output(after, jazz=jazz)))
    assert found.label == "jazz"
    assert found.unsure


def test_a_sure_verdict_on_audible_music_stays() -> None:
    found = ensemble().refine(rock(), output(2.3, equalised=output(3.0, jazz=5.0)))
    assert (found.label, found.unsure) == ("rock", False)
    with_bass = replace(output(1.0, equalised=output(3.0, jazz=5.0)), missing_bass_db=0.0)
    assert ensemble().refine(rock(), with_bass).label == "rock"


def test_without_music_nothing_is_named() -> None:
    found = ensemble().refine(rock(), output(-3.0, equalised=output(3.0, jazz=5.0)))
    assert (found.label, found.music, found.unsure) == (None, False, True)


def test_the_head_reads_what_several_networks_give() -> None:
    """The second network's embedding speaks for metal, and only a head that reads it says so."""
    equalised = output(3.0)
    other = PatchTags(
        np.zeros((1, 50), np.float32), np.full((1, 3), 9.0, np.float32), np.zeros((1, 0), np.float32)
    )
    equalised = replace(
        equalised,
        networks={"msd_vgg": other, **equalised.networks},
        asked={"msd_vgg": np.zeros(1, np.intp), **equalised.asked},
    )
    assert recording_row(equalised).shape == (EMBEDDING + 3,)
    assert recording_row(equalised)[-3:].tolist() == [9.0, 9.0, 9.0]
    joined = ensemble()
    weights = np.zeros((EMBEDDING + 3, len(LABELS)), np.float32)
    weights[-1, 1] = 1.0
    joined.recording_head = TaggerHead(weights, np.zeros(len(LABELS)), LABELS, "v")
    assert joined.refine(rock(), output(0.2, equalised=equalised)).label == "metal"
    # A head from before reads the first network alone.
    former = ensemble()
    same = replace(equalised, networks={**output(3.0, jazz=5.0).networks, "msd_vgg": other})
    assert former.refine(rock(), output(0.2, equalised=same)).label == "jazz"


def test_a_head_of_another_size_is_not_used() -> None:
    joined = ensemble()
    joined.recording_head = TaggerHead(np.zeros((3, 3)), np.zeros(3), LABELS, "v")
    assert joined.refine(rock(), output(0.2, equalised=output(3.0, jazz=5.0))).label == "rock"


def test_a_label_that_the_head_does_not_know_keeps_what_the_network_gives() -> None:
    shares = {"jazz": 0.02, "metal": 0.04, "rock": 0.04, "chiptune": 0.9}
    own = replace(rock(), probabilities=shares, timeline=[])
    found = ensemble().refine(own, output(0.2, equalised=output(3.0, jazz=5.0)))
    assert found.label == "chiptune"


# --- simulation and fitting ------------------------------------------------------------------------------
def test_a_simulated_recording_is_music_under_noise() -> None:
    music = sounds.tune(3.2).astype(np.float64)
    crowd = [sounds.noise(12.0).astype(np.float64)]
    made = [simulated_recording(music, crowd, np.random.default_rng(seed)) for seed in range(6)]
    for recording in made:
        assert recording.shape == music.shape
        assert np.isfinite(recording).all()
        assert -44 < 20 * np.log10(np.sqrt(np.mean(np.square(recording)))) < -12
    again = simulated_recording(music, crowd, np.random.default_rng(0))
    np.testing.assert_array_equal(again, made[0])
    assert not np.array_equal(made[0], made[1])


def test_a_head_is_fitted_stored_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), 30)
    rows = rng.normal(size=(90, EMBEDDING)).astype(np.float32)
    rows[np.arange(90), targets] += 4
    head = fit_recording_head(HeadExamples(rows, targets, np.ones(90), LABELS), tagger="v")
    stored = write_recording_head(head, tmp_path, examples=90)
    assert [path.name for path in tmp_path.iterdir()] == [RECORDING_HEAD_FILE]
    read = TaggerHead.from_bytes((tmp_path / RECORDING_HEAD_FILE).read_bytes())
    assert read.labels == LABELS
    assert read.tagger == stored["tagger"] == input_version("v")
    for target, label in enumerate(LABELS):
        row = np.zeros(EMBEDDING, np.float32)
        row[target] = 4
        shares = read.probabilities(row)
        assert max(shares, key=shares.__getitem__) == label


# --- the tagger ------------------------------------------------------------------------------------------
def test_overlapping_patches_reach_from_the_first_frame_to_the_last() -> None:
    assert tagger_input.patch_starts(tagger_input.PATCH_FRAMES, step=31).tolist() == [0]
    starts = tagger_input.patch_starts(10 * tagger_input.SAMPLE_RATE // tagger_input.HOP_LENGTH, step=31)
    assert starts[0] == 0
    assert starts[-1] == 625 - tagger_input.PATCH_FRAMES
    assert len(starts) == 15
    assert np.ptp(np.diff(starts)) <= 1
    assert len(tagger_input.patch_starts(100_000, most=24, step=31)) == 24


def test_the_tagger_is_given_drowned_music_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tagger.installed()
    if found is None:
        pytest.skip("the tagger is not installed")
    from classifier.core.inference import Classifier
    from classifier.releases import current_release

    classifier = Classifier.load(current_release(), tagger=found)
    assert classifier.ensemble is not None
    assert classifier.ensemble.recording_head is not None
    samples = sounds.tune(6.0)
    monkeypatch.setattr(classifier.ensemble, "is_recording", lambda _output: True)
    output = classifier.tag(samples)
    assert output is not None
    assert output.equalised is not None
    assert tuple(output.equalised.networks) == (*NETWORKS, LEVELLED)
    assert recording_row(output.equalised).size == len(classifier.ensemble.recording_head.weights)
    assert tuple(output.networks) == tagger.TAGGING, "only recordings are given to all"
    assert len(output.equalised.start) > len(output.start)
    monkeypatch.setattr(classifier.ensemble, "is_recording", lambda _output: False)
    clear = classifier.tag(samples)
    assert clear is not None
    assert clear.equalised is None


def test_an_older_installation_of_the_tagger_gives_what_it_has() -> None:
    found = tagger.installed()
    if found is None:
        pytest.skip("the tagger is not installed")
    older = Tagger({name: found.networks[name] for name in tagger.TAGGING}, found.tags, found.version)
    assert older.version == found.version
    equalised = tag_equalised(older, sounds.tune(6.0))
    assert tuple(equalised.networks) == tagger.TAGGING
    assert recording_row(equalised).shape == (2 * EMBEDDING,)

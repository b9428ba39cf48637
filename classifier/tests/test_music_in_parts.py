"""Tracks that are music in parts only, as a broadcast is: where the music is, and which it is."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from classifier.core import tagger
from classifier.core.analysis import classify
from classifier.core.audio import decode
from classifier.core.ensemble import Ensemble
from classifier.core.inference import Classifier
from classifier.core.music_detection import MusicDetector
from classifier.core.prediction import Prediction, Segment
from classifier.core.tagger import MSD_TAGS, PatchTags, TagOutput
from classifier.core.verdict import DEFAULT_PARAMS
from classifier.fitting.evaluation.outside import speech
from classifier.releases import current_release
from classifier.tests import sounds

LABELS = ("jazz", "metal", "rock")
TALK, UNCLEAR, MUSIC = -4.0, 0.5, 3.0


def output(*scores: float) -> TagOutput:
    """Patches of three seconds with these logits of music, and the tag of jazz where they are music."""
    logits = np.full((len(scores), len(MSD_TAGS)), -4.0, np.float32)
    embedding = np.zeros((len(scores), 200), np.float32)
    embedding[:, 0] = scores
    logits[embedding[:, 0] > 0, MSD_TAGS.index("jazz")] = 1.0
    return TagOutput(
        start=np.arange(0, 3 * len(scores), 3, dtype=np.float64),
        level=np.ones(len(scores), np.float32),
        networks={"msd": PatchTags(logits, embedding, np.zeros((len(scores), 4), np.float32))},
        asked={"msd": np.arange(len(scores))},
    )


def ensemble() -> Ensemble:
    """One whose detector reads the first value of the embedding."""
    of_row = np.zeros(204, np.float32)
    of_row[4] = 1.0
    return Ensemble(None, DEFAULT_PARAMS, "v", MusicDetector(of_row, 0.0, "v"))


def own(n_segments: int) -> Prediction:
    shares = {"jazz": 0.2, "metal": 0.5, "rock": 0.3}
    return Prediction(
        label="metal",
        confidence=0.5,
        unsure=False,
        music=False,
        probabilities=shares,
        timeline=[Segment(3.0 * n, 3.0 * n + 3, shares) for n in range(n_segments)],
        embedding=np.zeros(2, np.float32),
    )


def decided(found: Prediction) -> list[bool]:
    return [len(set(segment.probabilities.values())) > 1 for segment in found.timeline]


def test_the_music_between_talk_is_named_but_never_for_sure() -> None:
    found = ensemble().refine(own(8), output(*[TALK] * 3, MUSIC, MUSIC, *[TALK] * 3))
    assert (found.label, found.music, found.unsure, found.reason) == ("jazz", True, True, "talk_and_noise")
    assert found.confidence == found.probabilities["jazz"]
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert decided(found) == [False] * 3 + [True] * 2 + [False] * 3
    # What is stored of the track is of all of it.
    assert found.tags is not None
    assert found.tags.row[4] == pytest.approx((6 * TALK + 2 * MUSIC) / 8)


def test_what_the_network_says_of_talk_has_no_part_in_it() -> None:
    scores = (*[TALK] * 3, MUSIC, MUSIC, *[TALK] * 3)
    whole = ensemble().refine(own(8), output(*scores))
    of_music = {"jazz": 0.9, "metal": 0.05, "rock": 0.05}
    timeline = [
        replace(segment, probabilities=of_music) if score == MUSIC else segment
        for segment, score in zip(own(8).timeline, scores, strict=True)
    ]
    found = ensemble().refine(replace(own(8), timeline=timeline), output(*scores))
    alone = ensemble().refine(
        replace(own(2), probabilities=of_music, timeline=timeline[3:5]), output(MUSIC, MUSIC)
    )
    assert found.probabilities["jazz"] > whole.probabilities["jazz"]
    assert found.probabilities == pytest.approx(alone.probabilities)


@pytest.mark.parametrize(
    "scores",
    [[TALK] * 8, [*[TALK] * 7, MUSIC], [*[TALK] * 6, UNCLEAR, UNCLEAR], [*[TALK] * 28, MUSIC, MUSIC]],
    ids=["talk", "one patch", "unclear", "too small a share"],
)
def test_talk_alone_is_no_music_at_any_time(scores: list[float]) -> None:
    found = ensemble().refine(own(len(scores)), output(*scores))
    assert (found.label, found.music, found.unsure, found.reason) == (None, False, True, "no_music")
    assert decided(found) == [score >= 0 for score in scores]


def test_music_with_an_announcement_keeps_its_verdict() -> None:
    prediction = ensemble().refine(own(8), output(*[MUSIC] * 7, TALK))
    assert decided(prediction) == [True] * 7 + [False]


@pytest.mark.slow
def test_a_real_broadcast(tmp_path: Path) -> None:
    if tagger.installed() is None or not speech.is_installed():
        pytest.skip("the tagger or espeak-ng is not installed")
    text = "Good evening, and welcome. Tonight we speak of the harvest, of the weather, and of the sea. " * 4
    spoken = tmp_path / "talk.wav"
    subprocess.run(["espeak-ng", "-w", str(spoken), text], check=True)
    with spoken.open("rb") as file:
        talk = decode(file).samples
    music = sounds.tune(15.0)
    mixed = BytesIO(sounds.encode(np.concatenate([talk, music, talk])))
    found = classify(mixed, classifier=Classifier.load(current_release(), tagger=tagger.installed()))
    assert found.music
    assert found.unsure
    begin, end = len(talk) / 22_050, (len(talk) + len(music)) / 22_050
    flags = list(zip(found.timeline, decided(found), strict=True))
    within = [flag for segment, flag in flags if segment.start > begin + 3 and segment.end < end - 3]
    outside = [flag for segment, flag in flags if segment.end < begin - 3 or segment.start > end + 3]
    assert within
    assert all(within)
    assert np.mean(outside) < 0.2

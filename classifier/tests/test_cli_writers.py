"""What ``python -m classifier`` writes of a verdict."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping

import numpy as np
import pytest

from classifier.cli.predictions import FileResult
from classifier.cli.writers import writer
from classifier.core.audio_info import AudioInfo
from classifier.core.prediction import Prediction, Segment, TrackTags
from classifier.core.tagger import MSD_TAGS, MTT_TAGS

SHARES = {"jazz": 0.7, "rock": 0.3}


def tags(**strong: float) -> TrackTags:
    every = dict.fromkeys((*MSD_TAGS, *(f"mtt:{tag}" for tag in MTT_TAGS)), 0.001) | strong
    return TrackTags(every, np.zeros(4, np.float32), np.zeros(2, np.float32), "v")


def written(form: str, **more: object) -> str:
    given: dict[str, object] = {
        "label": "jazz",
        "confidence": 0.7,
        "unsure": False,
        "music": True,
        "probabilities": SHARES,
        "timeline": [Segment(0.0, 5.0, SHARES)],
        "embedding": np.zeros(1, np.float32),
        "tags": tags(electronic=0.99),
    }
    prediction = Prediction(**(given | more))  # type: ignore[arg-type]
    info = AudioInfo(duration=5.0, sample_rate=44_100, channels=2, codec="mp3", container="mp3")
    stream = io.StringIO()
    writer(stream, form=form, features=None, labels=list(SHARES)).write(
        FileResult(name="a.mp3", info=info, prediction=prediction, summaries=())
    )
    return stream.getvalue()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "jazz (70%)"),
        ({"unsure": True}, "unsure: jazz or rock"),
        ({"unsure": True, "style": "electronic"}, "none of the 2 genres: sounds electronic"),
        (
            {"unsure": True, "reason": "talk_and_noise"},
            "unsure: mostly talk and noise; the music may be jazz or rock",
        ),
        ({"unsure": True, "reason": "too_short"}, "unsure: less than three seconds; may be jazz or rock"),
        ({"unsure": True, "music": False, "label": None, "reason": "no_music"}, "no music found"),
    ],
    ids=["sure", "unsure", "style", "talk", "short", "none"],
)
def test_text_says_what_the_verdict_is(more: Mapping[str, object], said: str) -> None:
    lines = written("text", **more).splitlines()

    assert lines[1] == f"  {said}"
    assert ("  tags: electronic" in lines) == bool(more.get("music", True))


def test_text_without_a_tagger_has_no_tags() -> None:
    assert "tags" not in written("text", tags=None)


def test_json_and_csv_hold_style_reason_and_tags() -> None:
    more: dict[str, object] = {"unsure": True, "style": "electronic", "reason": None}

    answer = json.loads(written("json", **more))
    (row,) = csv.DictReader(io.StringIO(written("csv", **more)))

    assert (answer["style"], answer["reason"]) == ("electronic", None)
    assert answer["tags"]["style"]["electronic"] > 0.9
    assert (row["style"], row["reason"], row["tags"]) == ("electronic", "", "electronic")
    assert json.loads(written("json", tags=None))["tags"] == {}

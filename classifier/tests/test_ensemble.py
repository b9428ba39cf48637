"""A version's own network joined with the tagger: what the metadata must hold, and what the join gives."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core.artifact import read_metadata, read_model
from classifier.core.ensemble import Ensemble, entry_for
from classifier.core.errors import ReleaseError
from classifier.core.inference import Classifier
from classifier.core.prediction import Prediction, Segment, TrackTags
from classifier.core.recordings import RECORDING_HEAD_FILE, input_version
from classifier.core.tagger import MSD_TAGS, PatchTags, TagOutput
from classifier.core.tagger_input import PATCH_SECONDS
from classifier.core.verdict import DEFAULT_PARAMS, HEAD_FILE, TaggerHead, pool_tags
from classifier.releases import current_release

LABELS = ("jazz", "metal", "rock")


def prediction(*leaders: str | None, music: bool = True) -> Prediction:
    """One whose segments of three seconds lean towards `leaders`; None is a silent one."""
    shares = [
        dict.fromkeys(LABELS, 1 / 3) if leader is None else {x: 0.8 if x == leader else 0.1 for x in LABELS}
        for leader in leaders
    ]
    return Prediction(
        label=leaders[0],
        confidence=0.8,
        unsure=False,
        music=music,
        probabilities=shares[0],
        timeline=[Segment(3.0 * i, 3.0 * i + 3.0, share) for i, share in enumerate(shares)],
        embedding=np.zeros(2, np.float32),
    )


def tagged(*tags: str) -> TagOutput:
    """The tagger's output for patches of three seconds that are each sure of one tag."""
    logits = np.full((len(tags), len(MSD_TAGS)), -6.0, np.float32)
    for patch, tag in enumerate(tags):
        logits[patch, MSD_TAGS.index(tag)] = 3.0
    n = len(tags)
    patches = PatchTags(logits, np.zeros((n, 200), np.float32), np.zeros((n, 4), np.float32))
    return TagOutput(
        start=np.asarray(PATCH_SECONDS * np.arange(n), np.float64),
        level=np.ones(n, np.float32),
        networks={"msd": patches},
        asked={"msd": np.arange(n)},
    )


def ensemble() -> Ensemble:
    return Ensemble(None, DEFAULT_PARAMS, "v")


def test_clear_tags_outweigh_the_network() -> None:
    joined = ensemble().refine(prediction("metal"), tagged("jazz"))

    assert joined.label == "jazz"
    assert joined.confidence == joined.probabilities["jazz"] == max(joined.probabilities.values())
    assert joined.tags is not None
    assert joined.tags.strengths["jazz"] > 0.9
    assert joined.tags.version == "v"


def test_the_timeline_follows_the_tags_in_time() -> None:
    joined = ensemble().refine(prediction("rock", "rock", "rock"), tagged("jazz", "rock", "metal"))

    shares = [segment.probabilities for segment in joined.timeline]
    assert shares[0]["jazz"] > shares[2]["jazz"]
    assert shares[2]["metal"] > shares[0]["metal"]
    assert max(shares[1], key=shares[1].__getitem__) == "rock"
    assert all(sum(share.values()) == pytest.approx(1) for share in shares)


def test_a_silent_segment_stays_undecided() -> None:
    joined = ensemble().refine(prediction("rock", None), tagged("jazz", "jazz"))

    assert set(joined.timeline[1].probabilities.values()) == {1 / 3}


@pytest.mark.parametrize(("seconds", "reason"), [(2.9, "too_short"), (3.0, None)])
def test_less_than_a_patch_gives_no_genre_for_sure(seconds: float, reason: str | None) -> None:
    own = prediction("jazz")
    own = replace(own, timeline=[replace(own.timeline[0], end=seconds)])

    joined = ensemble().refine(own, tagged("jazz"))

    assert (joined.label, joined.unsure, joined.reason) == ("jazz", reason is not None, reason)


def test_without_music_no_genre_is_named_whatever_the_tags_are() -> None:
    joined = ensemble().refine(prediction("rock", music=False), tagged("jazz"))

    assert joined.label is None
    assert joined.unsure
    assert joined.style is None


def head_bytes(tagger: str = "v") -> bytes:
    content = io.BytesIO()
    metadata = json.dumps({"labels": list(LABELS), "tagger": tagger})
    np.savez(content, weights=np.zeros((4, 3)), biases=np.zeros(3), metadata=np.array(metadata))
    return content.getvalue()


def metadata_with(**changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(head_bytes()).hexdigest()
    return {"ensemble": {**entry_for(DEFAULT_PARAMS, tagger="v", head_sha256=digest), **changes}}


def test_a_version_with_a_head_is_read(tmp_path: Path) -> None:
    (tmp_path / HEAD_FILE).write_bytes(head_bytes())

    loaded = Ensemble.load(tmp_path, metadata_with())

    assert loaded is not None
    assert loaded.head is not None
    assert loaded.head.labels == LABELS
    assert loaded.params == DEFAULT_PARAMS


@pytest.mark.parametrize(
    ("tagger", "used"),
    [(input_version("v"), True), ("v.equalised", True), ("v", False), ("w.equalised", False)],
)
def test_a_head_for_recordings_that_were_prepared_otherwise_is_not_used(
    tmp_path: Path, tagger: str, used: bool
) -> None:
    content = head_bytes(tagger)
    (tmp_path / HEAD_FILE).write_bytes(head_bytes())
    (tmp_path / RECORDING_HEAD_FILE).write_bytes(content)
    named = metadata_with(recording_head_sha256=hashlib.sha256(content).hexdigest())

    loaded = Ensemble.load(tmp_path, named)

    assert loaded is not None
    assert (loaded.recording_head is not None) is used


def test_a_version_without_the_entry_is_not_joined(tmp_path: Path) -> None:
    assert Ensemble.load(tmp_path, {}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"params": None},
        {"params": {"network": 1.0}},
        {"params": {**asdict(DEFAULT_PARAMS), "tags": "much"}},
        {"params": {**asdict(DEFAULT_PARAMS), "tags": -1.0}},
        {"params": {**asdict(DEFAULT_PARAMS), "temperature": 0.0}},
        {"params": {**asdict(DEFAULT_PARAMS), "temperature": float("inf")}},
        {"head_sha256": "0" * 64},
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / HEAD_FILE).write_bytes(head_bytes())

    with pytest.raises(ReleaseError):
        Ensemble.load(tmp_path, metadata_with(**changes))


def test_a_missing_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="cannot be read"):
        Ensemble.load(tmp_path, metadata_with())


def stored_tags(tag: str, *, version: str = "v") -> TrackTags:
    """What was kept of a track that is sure of one tag."""
    return pool_tags(tagged(tag, tag), version=version)


def test_a_stored_clip_is_joined_as_its_sound_is() -> None:
    of_sound = ensemble().refine(prediction("metal", "rock"), tagged("jazz", "jazz"))

    of_features = ensemble().refine_stored(prediction("metal", "rock"), stored_tags("jazz"))

    assert of_features.label == of_sound.label == "jazz"
    assert of_features.probabilities == pytest.approx(of_sound.probabilities)
    assert of_features.timeline[1].probabilities == pytest.approx(of_sound.timeline[1].probabilities)


def test_tags_of_another_tagger_or_for_another_head_do_not_fit() -> None:
    headed = Ensemble(TaggerHead.from_bytes(head_bytes()), DEFAULT_PARAMS, "v")

    assert ensemble().takes(stored_tags("jazz"))
    assert not ensemble().takes(stored_tags("jazz", version="w"))
    assert not headed.takes(stored_tags("jazz"))
    # A head of an invalid version does not stop an analysis.
    own = prediction("metal")
    assert headed.refine(own, tagged("jazz")) is own


def test_a_version_predicts_a_stored_clip_with_tags_that_fit() -> None:
    shipped = current_release()
    metadata = read_metadata(shipped)
    network = read_model(shipped, metadata)
    joined = Classifier(model=network, metadata=metadata, ensemble=ensemble())
    alone = Classifier(model=network, metadata=metadata)
    db = np.random.default_rng(0).uniform(-60, 0, (128, 80)).astype(np.float32)

    own = alone.predict_stored(db, tags=stored_tags("jazz"))
    with_tags = joined.predict_stored(db, tags=stored_tags("jazz"))
    other_tagger = joined.predict_stored(db, tags=stored_tags("jazz", version="w"))

    assert own is not None
    assert with_tags is not None
    assert other_tagger is not None
    assert with_tags.probabilities["jazz"] > max(own.probabilities["jazz"], 0.5)
    assert with_tags.tags is not None
    assert other_tagger.probabilities == own.probabilities
    assert own.tags is other_tagger.tags is None

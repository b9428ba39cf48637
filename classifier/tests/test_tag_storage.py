"""The tagger's output as an array of half precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifier.core import tag_storage
from classifier.core.prediction import TrackTags
from classifier.core.tag_storage import EMBEDDING_SIZE, MOST_VALUES, N_STRENGTHS
from classifier.core.tagger import MSD_TAGS, MTT_TAGS


def tags(*, mtt: bool = True, pooled: int = 4, seed: int = 0) -> TrackTags:
    rng = np.random.default_rng(seed)
    names = [*MSD_TAGS, *(f"mtt:{tag}" for tag in MTT_TAGS if mtt)]
    row = rng.normal(0, 50, pooled + EMBEDDING_SIZE).astype(np.float32)
    strengths = dict(zip(names, rng.random(len(names)).tolist(), strict=True))
    return TrackTags(strengths, row, row[-EMBEDDING_SIZE:], "v")


@pytest.mark.parametrize("mtt", [True, False])
def test_tags_come_back_at_half_precision(mtt: bool) -> None:  # a parameter of the test
    given = tags(mtt=mtt)

    content = tag_storage.to_bytes(given)
    back = tag_storage.from_bytes(content, version="v")

    assert len(content) == 2 * (N_STRENGTHS + 4 + EMBEDDING_SIZE)
    assert back.strengths == pytest.approx(dict(given.strengths), rel=1e-3, abs=1e-6)
    assert back.row == pytest.approx(given.row, rel=1e-3)
    assert np.array_equal(back.embedding, back.row[-EMBEDDING_SIZE:])
    assert back.version == "v"


def test_values_beyond_half_precision_stay_finite() -> None:
    given = tags()
    row = given.row.copy()
    row[0] = 1e6

    back = tag_storage.from_bytes(tag_storage.to_bytes(replace(given, row=row)), version="v")

    assert back.row[0] == pytest.approx(65_504)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 3,
        b"\0" * 2 * (N_STRENGTHS + EMBEDDING_SIZE - 1),
        b"\0" * 2 * (MOST_VALUES + 1),
        np.full(N_STRENGTHS + EMBEDDING_SIZE, np.nan, "<f2").tobytes(),
        np.full(N_STRENGTHS + EMBEDDING_SIZE, 2.0, "<f2").tobytes(),
        np.concatenate([np.zeros(N_STRENGTHS), np.full(EMBEDDING_SIZE, np.inf)]).astype("<f2").tobytes(),
    ],
)
def test_what_is_no_output_of_a_tagger_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"tag|expected|buffer"):
        tag_storage.from_bytes(content, version="v")

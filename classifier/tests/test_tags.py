"""Calibrated strengths of tags, the table behind them, and their words."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from django.utils import translation

from classifier import tag_words
from classifier.core.prediction import TrackTags
from classifier.core.tagger import MSD_TAGS, MTT_TAGS, Tagger, TaggerError, default_folder
from classifier.core.tags import (
    GROUPS,
    MOODS,
    TAGS,
    calibrated,
    flattened,
    in_order,
    outstanding,
    reference,
    version_of,
)
from classifier.core.verdict import STYLE_TAGS
from classifier.fitting import tag_reference


def outputs(level: float) -> dict[str, float]:
    """Outputs of the tagger for a song of which `level` of the reference songs have less, in every tag."""
    table = reference()
    return {tag: float(np.interp(level, table.levels, row)) for tag, row in table.quantiles.items()}


def test_every_tag_of_msd_is_kept_once_and_every_source_exists() -> None:
    sources = [source for tag in TAGS.values() for source in tag.sources]
    assert len(sources) == len(set(sources))
    assert set(MSD_TAGS) <= set(sources)
    assert {source.removeprefix("mtt:") for source in sources if source not in MSD_TAGS} <= set(MTT_TAGS)
    assert set(reference().quantiles) == set(sources)
    assert {TAGS[mood].group for mood in MOODS} == {"mood"}


def test_the_table_ascends() -> None:
    table = reference()
    assert table.levels[0] == 0
    assert table.levels[-1] == 1
    for row in (table.levels, *table.quantiles.values()):
        assert all(before <= after for before, after in pairwise(row))
        assert 0 <= row[0] <= row[-1] <= 1


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_strength_is_the_share_of_songs_with_less(level: float) -> None:
    strengths = flattened(calibrated(outputs(level)))
    assert set(strengths) == set(TAGS)
    assert list(strengths.values()) == pytest.approx([level] * len(TAGS), abs=0.02)


def test_the_same_output_means_much_for_one_tag_and_little_for_another() -> None:
    strengths = flattened(calibrated(dict.fromkeys(MSD_TAGS, 0.03)))
    assert strengths["sexy"] > 0.85
    assert strengths["rock"] < 0.4


def test_what_was_not_asked_is_left_out_and_beyond_the_table_is_0_or_1() -> None:
    strengths = calibrated(dict.fromkeys(MSD_TAGS, 1.0))
    assert set(strengths) == set(GROUPS)
    assert "classical" not in strengths["style"]
    assert set(flattened(strengths).values()) == {1.0}
    assert set(flattened(calibrated(dict.fromkeys(MSD_TAGS, 0.0))).values()) == {0.0}
    assert flattened(calibrated({})) == {}


def test_only_the_few_strongest_stand_out_and_near_synonyms_once() -> None:
    strengths = {
        "style": {"rock": 0.97, "classic-rock": 0.99, "jazz": 0.91, "pop": 0.9, "folk": 0.89, "polka": 1.0},
        "mood": {"sad": 0.5},
        "era": {"60s": 0.95, "oldies": 0.93},
        "voices_instruments": {"harpsichord": 0.95, "guitar": 0.92},
    }
    assert outstanding(strengths) == {
        "style": ["classic-rock", "jazz"],
        "era": ["60s"],
        "voices_instruments": ["guitar"],
    }
    strengths["voices_instruments"]["harpsichord"] = 0.98
    assert outstanding(strengths)["voices_instruments"] == ["harpsichord", "guitar"]
    assert outstanding({}) == {}


def test_order_is_restored_after_a_database_lost_it() -> None:
    strengths = calibrated(outputs(0.5))
    shuffled = {group: dict(sorted(tags.items(), reverse=True)) for group, tags in sorted(strengths.items())}
    assert json.dumps(in_order(shuffled)) == json.dumps(strengths)


def test_the_version_names_weights_and_table() -> None:
    row = np.zeros(3, np.float32)
    assert version_of(TrackTags({}, row, row, "abc")) == f"abc-{reference().version}"


def test_the_table_was_made_with_the_tagger_that_is_installed() -> None:
    try:
        tagger = Tagger.load(default_folder())
    except TaggerError as error:
        pytest.skip(f"the tagger is not installed: {error}")
    assert reference().tagger == tagger.version


def test_quantiles_count_by_weight() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    found = tag_reference.weighted_quantiles(values, weights, [0.0, 0.5, 1.0])
    assert list(found) == [1.0, 2.0, 3.0]
    heavy = tag_reference.weighted_quantiles(values, np.array([98.0, 1.0, 1.0]), [0.5])
    assert heavy[0] > 2.4


def test_a_written_table_is_read_again(tmp_path: Path) -> None:
    rows = [dict.fromkeys(reference().quantiles, n / 10) for n in range(11)]
    table = tag_reference.table_of(rows, [1.0] * len(rows), tagger="t")
    tag_reference.write(table, tmp_path / "table.json")
    assert json.loads((tmp_path / "table.json").read_text()) == table
    assert table["quantiles"]["rock"][tag_reference.LEVELS.index(0.5)] == pytest.approx(0.5)
    assert table["clips"] == 11


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_tag_and_style_has_words(language: str) -> None:
    with translation.override(language):
        names = [tag_words.named(slug).name for slug in TAGS]
        assert len(set(names)) == len(names)
        assert all(tag_words.named(slug).meaning for slug in TAGS)
        assert all(tag_words.group_name(group) for group in GROUPS)
        said = {style: tag_words.sounds(style) for style in STYLE_TAGS}
        assert len(set(said.values())) == len(STYLE_TAGS)
        assert "polka" in tag_words.sounds("polka")
        assert sum(len(names) for _group, names in tag_words.choices()) == len(TAGS)
    assert said["electronic"] == {"en": "sounds electronic", "ko": "일렉트로닉처럼 들림"}[language]

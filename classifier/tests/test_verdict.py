"""Three voices joined: who decides when, and when nobody should."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.core.artifact import ReleaseError
from classifier.core.prediction import TrackTags
from classifier.core.tagger import MSD_TAGS, MTT_TAGS, PatchTags, TagOutput
from classifier.core.verdict import (
    DEFAULT_PARAMS,
    GENRE_TAGS,
    STYLE_TAGS,
    TaggerHead,
    join,
    pool_tags,
)

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
EVEN = dict.fromkeys(GENRES, 0.1)


def tags(**strengths: float) -> TrackTags:
    """Tags of a track, all weak but the named ones; `_` stands for a space or a hyphen."""
    every = {**dict.fromkeys(MSD_TAGS, 0.01), **{f"mtt:{tag}": 0.01 for tag in MTT_TAGS}}
    named = {"hip_hop": "hip-hop", "classic_rock": "classic rock"}
    for name, strength in strengths.items():
        tag = f"mtt:{name.removeprefix('mtt_')}" if name.startswith("mtt_") else named.get(name, name)
        assert tag in every
        every[tag] = strength
    return TrackTags(every, np.zeros(4, np.float32), np.zeros(2, np.float32), "v")


def leaning(label: str, p: float, labels: tuple[str, ...] = GENRES) -> dict[str, float]:
    return {name: p if name == label else (1 - p) / (len(labels) - 1) for name in labels}


def test_every_tag_that_is_used_exists() -> None:
    known = {*MSD_TAGS, *(f"mtt:{tag}" for tag in MTT_TAGS)}
    used = [tag for names in (*GENRE_TAGS.values(), *STYLE_TAGS.values()) for tag in names]

    assert set(used) <= known
    assert len(used) == len(set(used)), "no tag speaks for two"


@pytest.mark.parametrize(
    ("strong", "label"),
    [("hip_hop", "hiphop"), ("classic_rock", "rock"), ("jazz", "jazz"), ("mtt_opera", "classical")],
)
def test_tags_decide_where_the_network_does_not_know(strong: str, label: str) -> None:
    verdict = join(EVEN, tags(**{strong: 0.6}))

    assert verdict.label == label
    assert not verdict.unsure
    assert verdict.style is None
    assert verdict.confidence == pytest.approx(verdict.probabilities[label] * verdict.inside)
    assert sum(verdict.probabilities.values()) == pytest.approx(1)


def test_the_network_decides_where_no_tag_is_strong() -> None:
    verdict = join(leaning("reggae", 0.8), tags())

    assert verdict.label == "reggae"
    others = [p for label, p in verdict.probabilities.items() if label != "reggae"]
    assert verdict.probabilities["reggae"] > 2 * max(others)


def test_a_genre_without_tags_is_not_pushed_down_by_weak_ones() -> None:
    """Disco has no tag: what little others have must not count against it."""
    verdict = join(leaning("disco", 0.7), tags(pop=0.06, rock=0.06))

    assert verdict.label == "disco"


def test_strong_tags_outweigh_a_network_that_is_not_sure() -> None:
    assert join(leaning("reggae", 0.5), tags(hip_hop=0.7)).label == "hiphop"


def test_without_signs_of_anything_it_is_unsure() -> None:
    verdict = join(EVEN, tags())

    assert verdict.unsure
    assert verdict.confidence < DEFAULT_PARAMS.unsure_below


def test_styles_outside_the_genres_take_the_confidence() -> None:
    alone = join(leaning("pop", 0.6), tags(pop=0.3))
    beside = join(leaning("pop", 0.6), tags(pop=0.3, house=0.5, electronic=0.6))

    assert not alone.unsure
    assert beside.unsure
    assert beside.probabilities == alone.probabilities
    assert beside.inside < alone.inside


def test_where_they_clearly_outweigh_the_strongest_is_named() -> None:
    verdict = join(leaning("pop", 0.3), tags(pop=0.05, house=0.3, electronic=0.6, folk=0.1))

    assert verdict.style == "electronic"
    assert verdict.unsure
    assert verdict.label in GENRES, "the bars stay"


def test_a_genre_of_the_site_that_has_a_styles_name_takes_its_tags() -> None:
    labels = (*GENRES, "folk")
    strong = join(leaning("rock", 0.1, labels), tags(folk=0.6))
    weak = join(leaning("rock", 0.1, labels), tags(folk=0.01))

    assert strong.label == "folk"
    assert strong.style is None
    assert weak.probabilities["folk"] < 0.5 < strong.probabilities["folk"]


def test_a_genre_of_the_site_without_tags_can_win() -> None:
    verdict = join(leaning("trot", 0.9, (*GENRES, "trot")), tags())

    assert verdict.label == "trot"


def test_without_mtt_classical_is_a_genre_without_tags() -> None:
    few = tags()
    few = replace(few, strengths={k: v for k, v in few.strengths.items() if not k.startswith("mtt:")})

    assert join(leaning("classical", 0.8), few).label == "classical"


def head(labels: tuple[str, ...] = GENRES) -> TaggerHead:
    """One that says the genre at whose place the row is 1."""
    return TaggerHead(8.0 * np.eye(len(labels)), np.zeros(len(labels)), labels, "v")


def row(place: int, size: int = 10) -> np.ndarray:
    return np.asarray(np.eye(size)[place], np.float32)


def test_the_head_has_a_say() -> None:
    heard = replace(tags(), row=row(GENRES.index("country")))

    assert head().probabilities(heard.row)["country"] > 0.9
    assert join(EVEN, heard, head()).label == "country"
    assert join(EVEN, heard, head()).probabilities["country"] > join(EVEN, heard).probabilities["country"]


def test_what_the_head_does_not_know_is_the_networks() -> None:
    heard = replace(tags(), row=row(0))

    with_head = join(leaning("trot", 0.9, (*GENRES, "trot")), heard, head())

    assert with_head.label == "trot"


def test_a_genre_that_a_site_added_is_named_though_no_tag_means_it() -> None:
    labels = (*GENRES, "trot")
    strong = replace(tags(pop=0.6, rock=0.4), row=row(len(GENRES), 11))

    verdict = join(leaning("trot", 0.8, labels), strong, head(labels))

    assert verdict.label == "trot"
    assert not verdict.unsure
    assert sum(verdict.probabilities.values()) == pytest.approx(1)


def test_how_the_others_compare_does_not_depend_on_an_added_genre() -> None:
    strong = replace(tags(pop=0.6, rock=0.4), row=row(GENRES.index("rock")))
    leans = leaning("metal", 0.5)
    without = join(leans, strong, head()).probabilities

    beside = {label: 0.7 * p for label, p in leans.items()} | {"trot": 0.3}
    with_added = join(beside, strong, head()).probabilities

    assert 0.01 < with_added["trot"] < 0.5
    share = 1 - with_added["trot"]
    assert {label: with_added[label] / share for label in GENRES} == pytest.approx(without)


def test_each_of_two_added_genres_is_weighed_against_the_others_alone() -> None:
    one, both = (*GENRES, "trot"), (*GENRES, "trot", "fado")
    heard = replace(tags(pop=0.1), row=row(len(GENRES), 11))

    alone = join(leaning("trot", 0.6, one), heard, head(one))
    beside = join(
        {label: 0.8 * p for label, p in leaning("trot", 0.6, one).items()} | {"fado": 0.2},
        replace(heard, row=row(len(GENRES), 12)),
        head(both),
    )

    assert (alone.label, beside.label) == ("trot", "trot")
    assert beside.probabilities["fado"] < beside.probabilities["trot"]
    odds = [
        v.probabilities["trot"] / sum(v.probabilities[label] for label in GENRES) for v in (alone, beside)
    ]
    assert odds[0] == pytest.approx(odds[1], rel=0.01)


def test_a_site_without_any_of_the_ten_compares_its_own_genres() -> None:
    labels = ("trot", "fado", "folk")

    assert join(leaning("trot", 0.8, labels), tags(folk=0.2)).label == "trot"
    assert join(leaning("trot", 0.4, labels), tags(folk=0.9)).label == "folk"


def test_the_head_decides_on_an_added_genre_rather_than_the_network() -> None:
    """The network was fitted on older songs and takes newer ones for an added genre."""
    labels = (*GENRES, "trot")
    of_pop, of_trot = (replace(tags(pop=0.3), row=row(place, 11)) for place in (GENRES.index("pop"), 10))

    assert join(leaning("trot", 0.9, labels), of_pop, head(labels)).label == "pop"
    assert join(leaning("pop", 0.9, labels), of_trot, head(labels)).label == "trot"


def test_the_tags_of_another_genre_count_against_an_added_one() -> None:
    labels = (*GENRES, "trot")
    leans = leaning("trot", 0.4, labels)

    assert join(leans, tags(pop=0.05)).label == "trot"
    assert join(leans, tags(pop=0.9)).label == "pop"


def test_an_added_genre_is_sure_only_where_it_is_clearly_likelier() -> None:
    labels = (*GENRES, "trot")
    heard = replace(tags(pop=0.1), row=row(len(GENRES), 11))

    sure = join(leaning("trot", 0.8, labels), heard, head(labels))
    doubtful = join(leaning("trot", 0.3, labels), replace(tags(pop=0.2), row=row(GENRES.index("pop"), 11)))

    assert (sure.label, sure.unsure) == ("trot", False)
    assert doubtful.unsure


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        head().probabilities(np.zeros(3, np.float32))


def stored(**changes: object) -> bytes:
    content = io.BytesIO()
    metadata = json.dumps({"labels": ["a", "b"], "tagger": "v"})
    arrays = {"weights": np.zeros((3, 2)), "biases": np.zeros(2), "metadata": np.array(metadata)} | changes
    np.savez(content, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})
    return content.getvalue()


def test_a_stored_head_is_read() -> None:
    assert TaggerHead.from_bytes(stored()).labels == ("a", "b")


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.zeros((3, 3))},
        {"biases": np.array([0, np.nan])},
        {"metadata": np.array("no JSON")},
        {"metadata": np.array('{"labels": ["a"], "tagger": "v"}')},
        {"metadata": np.array('{"labels": ["a", "a"], "tagger": "v"}')},
        {"metadata": np.array('{"labels": [1, 2], "tagger": "v"}')},
        {"metadata": np.array("[]")},
    ],
)
def test_a_head_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ReleaseError):
        TaggerHead.from_bytes(stored(**changes))


def patch_tags(logits: np.ndarray) -> PatchTags:
    ones = np.ones((len(logits), 2), np.float32)
    return PatchTags(logits.astype(np.float32), ones * np.arange(len(logits))[:, np.newaxis], ones)


def test_patches_are_pooled_and_silent_ones_are_left_out() -> None:
    msd, mtt = np.full((3, 50), -9.0), np.full((1, 50), -9.0)
    msd[0, MSD_TAGS.index("jazz")] = msd[1, MSD_TAGS.index("jazz")] = 9.0
    msd[2, MSD_TAGS.index("ambient")] = 9.0
    mtt[0, MTT_TAGS.index("piano")] = 9.0
    output = TagOutput(
        start=np.arange(3.0),
        level=np.array([0.1, 0.2, 0.0001], np.float32),
        networks={"msd": patch_tags(msd), "mtt": patch_tags(mtt)},
        asked={"msd": np.arange(3), "mtt": np.array([1])},
    )

    pooled = pool_tags(output, version="v")

    assert pooled.strengths["jazz"] > 0.99
    assert pooled.strengths["ambient"] < 0.01
    assert pooled.strengths["mtt:piano"] > 0.99
    np.testing.assert_allclose(pooled.row, [1, 1, 0.5, 0.5])


def test_a_silent_track_is_pooled_all_the_same() -> None:
    output = TagOutput(
        start=np.zeros(1),
        level=np.zeros(1, np.float32),
        networks={"msd": patch_tags(np.zeros((1, 50)))},
        asked={"msd": np.arange(1)},
    )

    assert pool_tags(output, version="v").strengths["rock"] == pytest.approx(0.5)

"""Lenses: unit vectors of what an analysis holds, near where tracks are alike in that respect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifier.core import keys, retrieval
from classifier.core.chroma import DESCRIPTOR_VERSION, descriptor, transposed
from classifier.core.features import extract
from classifier.core.key_invariants import SIZE, key_invariants
from classifier.core.lenses import (
    HARMONY,
    HARMONY_ANY_KEY,
    LENSES,
    SIZES,
    Facts,
    constants,
    corrected_distance,
    isolation_of,
    spacing,
    vectors_of,
)
from classifier.core.tags import TAGS, Strengths
from classifier.core.timbre import TIMBRE_SIZE, timbre
from classifier.fitting.lenses import Halves, facts_of, fit
from classifier.synthesis import styles


def strengths(rng: np.random.Generator) -> Strengths:
    groups: Strengths = {}
    for slug, tag in TAGS.items():
        groups.setdefault(tag.group, {})[slug] = float(rng.uniform())
    return groups


def facts(seed: int) -> Facts:
    rng = np.random.default_rng(seed)
    chroma = rng.gamma(1.0, size=(12, 50)).astype(np.float32)
    return Facts(
        descriptor=descriptor(chroma),
        descriptor_version=DESCRIPTOR_VERSION,
        embedding=rng.normal(size=200).astype(np.float32),
        levelled=rng.normal(size=len(constants().projections["sound"].mean)).astype(np.float32),
        tagger_version=f"{constants().tagger}-1",
        timbre=rng.normal(size=TIMBRE_SIZE).astype(np.float32),
        strengths=strengths(rng),
    )


def test_every_lens_gives_a_unit_vector_of_its_size() -> None:
    vectors = vectors_of(facts(1))
    assert list(vectors) == list(LENSES)
    for lens, vector in vectors.items():
        assert vector.shape == (SIZES[lens],)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_the_blend_adds_up_squared_distances_by_its_weights() -> None:
    first, second = vectors_of(facts(1)), vectors_of(facts(2))
    apart = {lens: float(np.square(first[lens] - second[lens]).sum()) for lens in LENSES}
    same_tags = replace(facts(2), strengths=facts(1).strengths)
    blended = float(np.square(first["blend"] - vectors_of(same_tags)["blend"]).sum())
    sound, harmony, tags, timbre = np.square([1.0, 0.4, 1.1, 0.7])
    expected = sound * apart["sound"] + harmony * apart["harmony"] + timbre * apart["timbre"]
    assert blended == pytest.approx(expected / (sound + harmony + tags + timbre), rel=1e-4)


def test_sound_is_estimated_for_analyses_from_before_the_common_level() -> None:
    now, before = facts(1), replace(facts(1), levelled=None)
    assert list(vectors_of(before)) == list(LENSES)
    assert np.linalg.norm(vectors_of(before)["sound"]) == pytest.approx(1.0, abs=1e-5)
    assert not np.allclose(vectors_of(now)["sound"], vectors_of(before)["sound"])


def test_a_track_among_many_reference_songs_is_moved_away() -> None:
    fitted = constants()
    own = spacing(fitted.reference, among=fitted.reference)
    crowded, apart = fitted.reference[own.argmin()], fitted.reference[own.argmax()]
    assert isolation_of(crowded) < 0.8
    assert isolation_of(apart) == 1.0
    assert corrected_distance(0.5, isolation_of(apart)) == 0.5
    assert corrected_distance(0.5, isolation_of(crowded)) > 0.52
    assert corrected_distance(0.0, isolation_of(crowded)) == 0.0
    # However crowded it is, and however far.
    assert corrected_distance(1.9, 1e-9) == 2.0


def test_spacing_leaves_the_track_itself_out() -> None:
    rng = np.random.default_rng(5)
    songs = rng.normal(size=(12, 4)).astype(np.float32)
    squared = np.square(songs[0] - songs[1:]).sum(axis=1)
    assert spacing(songs[:1], among=songs)[0] == pytest.approx(np.sort(squared)[:10].mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (
            {"embedding": None, "levelled": None, "tagger_version": "", "strengths": {}},
            ["harmony", "harmony_any_key", "timbre"],
        ),
        ({"tagger_version": "another-1"}, ["harmony", "harmony_any_key", "timbre", "mood"]),
        # Other inputs of the same weights: near enough to be compared.
        ({"tagger_version": f"{constants().tagger.partition('.')[0]}-1"}, list(LENSES)),
        ({"timbre": None}, ["sound", "harmony", "harmony_any_key", "mood"]),
        ({"descriptor_version": "0"}, ["sound", "timbre", "mood"]),
        ({"strengths": {"mood": {"happy": 0.5}}}, ["sound", "harmony", "harmony_any_key", "timbre"]),
    ],
)
def test_a_lens_lacks_where_the_analysis_lacks_what_it_needs(
    change: dict[str, object], left: list[str]
) -> None:
    assert list(vectors_of(replace(facts(1), **change))) == left  # type: ignore[arg-type]


def test_harmony_in_any_key_does_not_change_with_the_key() -> None:
    made = facts(3)
    for shift in range(1, 12):
        moved = replace(made, descriptor=transposed(made.descriptor[None], shift)[0])
        before, after = vectors_of(made), vectors_of(moved)
        assert np.linalg.norm(before[HARMONY_ANY_KEY] - after[HARMONY_ANY_KEY]) < 1e-3
        assert np.linalg.norm(before[HARMONY] - after[HARMONY]) > 0.1


def test_a_descriptor_is_transposed_as_its_chroma_is_rolled() -> None:
    chroma = np.random.default_rng(4).gamma(1.0, size=(12, 60)).astype(np.float32)
    rolled = descriptor(np.roll(chroma, 5, axis=0))
    assert transposed(descriptor(chroma)[None], 5)[0] == pytest.approx(rolled, abs=1e-5)
    assert key_invariants(descriptor(chroma)[None]).shape == (1, SIZE)


def test_silence_has_finite_vectors_and_no_key() -> None:
    quiet = facts_of(np.zeros(22_050 * 2, np.float32), None)
    assert all(np.isfinite(vector).all() for vector in vectors_of(quiet).values())
    assert keys.key_of(quiet.descriptor) is None


@pytest.mark.parametrize(("tonic", "mode"), [(0, "major"), (9, "minor"), (3, "minor"), (7, "major")])
def test_the_key_of_a_cadence(tonic: int, mode: str) -> None:
    third = 4 if mode == "major" else 3
    chroma = np.full((12, 40), 1e-3, np.float32)
    for frame in range(40):
        root = (0, 5, 7, 0)[frame // 10]
        for interval in (0, third, 7):
            chroma[(tonic + root + interval) % 12, frame] = 1.0
    assert keys.key_of(descriptor(chroma)) == keys.Key(tonic, mode)


def test_keys_are_read_and_scored_as_mirex_does() -> None:
    c_major, a_minor = keys.parsed("C major"), keys.parsed("A minor")
    assert c_major is not None
    assert a_minor is not None
    assert keys.parsed("D# minor") == keys.parsed("Eb minor") == keys.Key(3, "minor")
    assert keys.parsed("H major") is keys.parsed("") is None
    scores = [keys.weighted_score(found, c_major) for found in (c_major, keys.Key(7, "major"), a_minor)]
    scores += [keys.weighted_score(keys.Key(t, m), c_major) for t, m in ((0, "minor"), (1, "major"))]
    assert scores == [1.0, 0.5, 0.3, 0.2, 0.0]
    assert keys.weighted_score(c_major, a_minor) == 0.3


def test_timbre_does_not_change_with_the_level_and_tells_sounds_apart() -> None:
    rock, ambient = (extract(make(1, 4.0)).mfcc for make in (styles.rock, styles.ambient))
    louder = extract(2 * styles.rock(1, 4.0)).mfcc
    assert timbre(louder) == pytest.approx(timbre(rock), abs=0.05)
    assert np.abs(timbre(rock) - timbre(ambient)).max() > 5
    assert timbre(rock[:, :1]).shape == (TIMBRE_SIZE,)


def test_what_differs_within_songs_counts_less_once_fitted() -> None:
    rng = np.random.default_rng(5)
    songs = rng.normal(size=(80, 57))
    within = rng.normal(size=(2, 80, 57)) * np.where(np.arange(57) < 20, 3.0, 0.1)
    first, second = (songs + each for each in within)
    whole, one, other = (part.astype(np.float32) for part in (songs, first, second))
    fitted = fit("timbre", Halves(whole=whole, first=one, second=other))

    def found(a: np.ndarray, b: np.ndarray) -> float:
        return float((retrieval.ranks(retrieval.distances(a, b), range(80)) == 1).mean())

    projected = [fitted(part.astype(np.float32)).astype(np.float64) for part in (first, second)]
    assert found(*projected) > found(first, second) + 0.3


# --- figures --------------------------------------------------------------------------------------------
def test_ranks_precision_and_hubs() -> None:
    points = np.array([[0.0], [1.0], [2.5], [10.0]])
    between = retrieval.distances(points, points)
    assert between[0, 3] == pytest.approx(10)
    assert list(retrieval.ranks(between[[0, 0]], [1, 3])) == [2, 4]
    found = retrieval.nearest(between, ["a", "b", "a", "c"], 1)
    assert found[:, 0].tolist() == [1, 0, 1, 2]
    assert retrieval.precision(found, ["x", "x", "x", "y"]).tolist() == [1, 1, 1, 0]
    hubs = retrieval.hubs(found, 4)
    assert (hubs.never, hubs.most) == (0.25, 2)

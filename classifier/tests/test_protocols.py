"""Divisions of clips: nothing leaks that a protocol promises to keep apart, and genres are spread evenly."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from classifier.core import dataset, protocols
from classifier.core.dataset import Clip, LogMelDataset
from classifier.core.protocols import PROTOCOLS, Split

GENRES = ("jazz", "metal", "rock")


def a_set(*, per_genre: int = 40) -> LogMelDataset:
    """Clips with artists of several songs, some unknown, a few recordings twice, one band in two genres."""
    clips = []
    for genre in GENRES:
        for i in range(per_genre):
            artist = "" if i % 8 == 7 else f"{genre} artist {i % 9}"
            group = f"{genre} r{i % 5}" if i < 10 else ""
            clips.append(Clip(f"{genre}.{i}", genre, artist, group, ""))
    clips.append(Clip("metal.q", "metal", "Queen", "", ""))
    clips.append(Clip("rock.q", "rock", "Queen", "", ""))
    # The artist of this copy is unknown, but that of the other is not.
    clips.append(Clip("rock.c1", "rock", "", "copies", ""))
    clips.append(Clip("rock.c2", "rock", "rock artist 3", "copies", ""))
    return LogMelDataset(
        clips=clips,
        levels=np.zeros((len(clips), 4, 57), np.uint8),
        floor_db=np.full(len(clips), -80, np.float32),
        labels=GENRES,
    )


def test_parts_are_disjoint_and_cross_validations_ask_for_every_clip_once() -> None:
    whole = a_set()
    for name in ("track", "artist", "segment"):
        split = PROTOCOLS[name](whole, seed=3)
        for fold in split.folds:
            places = np.concatenate([fold.train, fold.valid, fold.test])
            assert len(places) == len(set(places.tolist()))
    asked = np.concatenate([fold.test for fold in protocols.track(whole).folds])
    assert sorted(asked.tolist()) == list(range(len(whole.clips)))


@pytest.mark.parametrize("name", ["track", "artist"])
def test_one_recording_is_in_one_fold(name: str) -> None:
    whole = a_set()
    for fold in PROTOCOLS[name](whole, seed=1).folds:
        learnt = {whole.clips[i].repetition_group for i in fold.train} - {""}
        assert not learnt & {whole.clips[i].repetition_group for i in fold.test}


def test_no_artist_is_learnt_and_asked_for() -> None:
    whole = a_set()
    split = protocols.artist(whole, seed=1)
    assert len(split.folds) == 5
    for fold in split.folds:
        learnt = {whole.clips[i].artist for i in fold.train} - {""}
        assert not learnt & {whole.clips[i].artist for i in fold.test}


def test_clips_of_unknown_artists_are_left_out_unless_a_copy_names_the_artist() -> None:
    whole = a_set()
    used = {
        whole.clips[i].name
        for fold in protocols.artist(whole).folds
        for part in (fold.train, fold.test)
        for i in part
    }
    named_by_a_copy = {"jazz.7", "metal.7", "rock.7", "rock.c1"}
    unknown = {clip.name for clip in whole.clips if not clip.artist}
    assert unknown & used == named_by_a_copy
    assert {clip.name for clip in whole.clips if clip.artist} <= used


def test_genres_are_spread_evenly() -> None:
    whole = a_set()
    for fold in protocols.track(whole, seed=5).folds:
        counts = Counter(whole.clips[i].genre for i in fold.test)
        assert max(counts.values()) - min(counts.values()) <= 2
    for fold in protocols.segment(whole, seed=5).folds:
        for part, share in zip((fold.train, fold.valid, fold.test), (0.8, 0.1, 0.1), strict=True):
            pieces = protocols.segment(whole, seed=5).pieces
            counts = Counter(whole.clips[pieces[i].clip].genre for i in part)
            for genre in GENRES:
                clips = sum(clip.genre == genre for clip in whole.clips)
                assert counts[genre] == pytest.approx(share * 10 * clips, abs=1)


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(getattr(a, part), getattr(b, part))
        for a, b in zip(one.folds, other.folds, strict=True)
        for part in ("train", "valid", "test")
    )


@pytest.mark.parametrize("name", ["track", "artist", "segment"])
def test_the_seed_alone_decides(name: str) -> None:
    divide = PROTOCOLS[name]
    assert same(divide(a_set(), seed=2), divide(a_set(), seed=2))
    assert not same(divide(a_set(), seed=2), divide(a_set(), seed=3))


def test_segments_are_equally_long_and_do_not_overlap() -> None:
    split = protocols.segment(a_set())
    assert not split.whole_clips
    of_first = sorted((piece.start, piece.stop) for piece in split.pieces if piece.clip == 0)
    assert len(of_first) == 10
    assert {stop - start for start, stop in of_first if stop is not None} == {5}
    assert all(a[1] is not None and a[1] <= b[0] for a, b in pairwise(of_first))


def test_the_leaky_protocol_leaks() -> None:
    split = protocols.segment(a_set())
    fold = split.folds[0]
    learnt = {split.pieces[i].clip for i in fold.train}
    assert {split.pieces[i].clip for i in fold.test} <= learnt


@pytest.mark.slow
def test_the_real_clips_are_divided_as_the_protocols_say(gtzan: Path) -> None:
    real = dataset.load(gtzan)
    fold = protocols.filtered(real).folds[0]
    assert [len(part) for part in (fold.train, fold.valid, fold.test)] == [442, 197, 290]
    for fold in protocols.track(real).folds:
        counts = Counter(real.clips[i].genre for i in fold.test)
        assert set(counts.values()) <= {9, 10, 11}
        learnt = {real.clips[i].repetition_group for i in fold.train} - {""}
        assert not learnt & {real.clips[i].repetition_group for i in fold.test}
    artist_folds = protocols.artist(real).folds
    assert sum(len(fold.test) for fold in artist_folds) >= 918
    for fold in artist_folds:
        learnt = {real.clips[i].artist for i in fold.train} - {""}
        assert not learnt & {real.clips[i].artist for i in fold.test}
        assert len({real.clips[i].genre for i in fold.test}) == 10
    segments = protocols.segment(real).folds[0]
    assert (len(segments.train), len(segments.valid), len(segments.test)) == (7992, 999, 999)

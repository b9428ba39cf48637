"""The head on the tagger that the candidate of a run is given."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core import tag_storage
from classifier.core.artifact import read_metadata
from classifier.core.ensemble import Ensemble, entry_for
from classifier.core.errors import ReleaseError
from classifier.core.tag_storage import EMBEDDING_SIZE, N_STRENGTHS
from classifier.core.verdict import DEFAULT_PARAMS, HEAD_FILE, HEAD_REPLAY_FILE, TaggerHead
from classifier.fitting.artifact.metadata import amend_metadata
from classifier.fitting.head_replay import read_head_replay, write_head_replay
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.jobs.description import JobDescription, Kind
from classifier.fitting.jobs.ensemble import LEAST_EXAMPLES, write_ensemble
from classifier.fitting.music_detection import fit_detector, write_detector
from classifier.fitting.recording_head import fit_recording_head, write_recording_head
from classifier.fitting.tagger_head import HeadExamples, fit_head, write_head
from classifier.releases import current_release

LABELS = ("blues", "rock", "house")
OLD = LABELS[:2]
WIDTH = 4 + EMBEDDING_SIZE
EACH = 12


def row_of(label: str, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A row that tells its label."""
    row = np.random.default_rng([seed, LABELS.index(label)]).normal(0, 0.1, WIDTH)
    row[LABELS.index(label)] += 3
    return row.astype(np.float32)


def known_as(label: str, number: int) -> str:
    return f"{label}.{number:05}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The shipped version, joined with a tagger by a head of two labels."""
    folder = tmp_path / "base"
    shutil.copytree(current_release(), folder)
    stored = HeadExamples(
        rows=np.stack([row_of(label, number) for label in OLD for number in range(EACH)]),
        targets=np.repeat([0, 1], EACH),
        shares=np.ones(2 * EACH),
        labels=OLD,
        names=tuple(known_as(label, number) for label in OLD for number in range(EACH)),
    )
    replay = write_head_replay(stored, folder, tagger="v")
    head = write_head(fit_head(stored, tagger="v"), folder, trained_on={})
    entry = entry_for(
        replace(DEFAULT_PARAMS, head=0.7), tagger="v", head_sha256=head["sha256"], replay_sha256=replay
    )
    amend_metadata(folder, ensemble=entry)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A candidate that is not joined yet."""
    folder = tmp_path / "out"
    shutil.copytree(current_release(), folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata.pop("ensemble", None)
    (folder / "metadata.json").write_text(json.dumps(metadata))
    (folder / HEAD_FILE).unlink(missing_ok=True)
    return folder


def job(base: Path | None, *, kind: Kind = "quick", labels: tuple[str, ...] = LABELS) -> JobDescription:
    return JobDescription(
        kind=kind,
        architecture="residual-cnn",
        epochs=0,
        seed=0,
        name="candidate",
        labels=labels,
        snapshot="0" * 64,
        base=base,
        base_pk=1,
        features=Path("/somewhere"),
        threads=1,
    )


def run_clips(*entries: tuple[str, str, str, str], labels: tuple[str, ...] = LABELS) -> RunClips:
    """Clips by name, label, side and version of the tagger, '' where they came without sound.

    The label of a row is told by the name up to the dot.
    """
    n = len(entries)
    names, genres, sides, taggers = (np.array(column) for column in zip(*entries, strict=True))
    tags = np.full((n, N_STRENGTHS + WIDTH), np.nan, np.float16)
    for place, name in enumerate(names.tolist()):
        if taggers[place]:
            label, number = name.split(".")
            tags[place] = np.concatenate([np.full(N_STRENGTHS, 0.1), row_of(label, int(number))])
    return RunClips(
        rows=np.arange(n),
        targets=np.array([labels.index(genre) if genre in labels else -1 for genre in genres.tolist()]),
        genres=genres,
        sides=sides,
        keys=names,
        names=names,
        groups=names,
        seen=np.zeros(n, np.bool_),
        embeddings=np.zeros((n, 0), np.float32),
        tags=tags,
        taggers=taggers,
    )


def taught(n: int = EACH, *, side: str = "train", tagger: str = "v") -> list[tuple[str, str, str, str]]:
    return [(known_as("house", 100 + number), "house", side, tagger) for number in range(n)]


def head_in(folder: Path) -> TaggerHead:
    ensemble = Ensemble.load(folder, read_metadata(folder))
    assert ensemble is not None
    assert ensemble.params.head == 0.7
    assert ensemble.head is not None
    return ensemble.head


def answer(head: TaggerHead, label: str) -> str:
    shares = head.probabilities(row_of(label, 999))
    return max(shares, key=shares.__getitem__)


def trained_on(folder: Path) -> dict[str, int]:
    with np.load(folder / HEAD_FILE) as archive:
        counts: dict[str, int] = json.loads(str(archive["metadata"]))["trained_on"]
    return counts


def test_a_quick_run_teaches_the_head_a_new_genre(base: Path, out: Path) -> None:
    write_ensemble(job(base), run_clips(*taught()), out)

    assert [answer(head_in(out), label) for label in LABELS] == list(LABELS)
    assert trained_on(out) == {"blues": EACH, "rock": EACH, "house": EACH}
    # What is passed on is the release's clips alone.
    replay = read_head_replay(out, read_metadata(out)["ensemble"])
    assert replay is not None
    assert replay.labels == OLD
    assert not any(name.startswith("house") for name in replay.names)
    assert (out / HEAD_REPLAY_FILE).read_bytes() == (base / HEAD_REPLAY_FILE).read_bytes()


def test_what_was_taught_twice_holds_and_what_was_withdrawn_does_not(base: Path, out: Path) -> None:
    write_ensemble(job(base), run_clips(*taught()), out)
    second, third = base.parent / "second", base.parent / "third"
    shutil.copytree(current_release(), second)
    shutil.copytree(current_release(), third)

    write_ensemble(job(out), run_clips(*taught(EACH + 3)), second)
    # Now they are said to be rock.
    write_ensemble(job(out), run_clips(*[(name, "rock", side, by) for name, _, side, by in taught()]), third)

    assert trained_on(second)["house"] == EACH + 3
    assert answer(head_in(second), "house") == "house"
    assert trained_on(third) == {"blues": EACH, "rock": 2 * EACH}
    assert head_in(third).labels == OLD
    assert answer(head_in(third), "house") == "rock"


@pytest.mark.parametrize(
    "clips",
    [
        taught(LEAST_EXAMPLES - 1),
        taught(tagger=""),
        taught(tagger="another"),
        taught(side="holdout"),
        [*taught(LEAST_EXAMPLES - 1), *taught(tagger="another")],
    ],
)
def test_a_label_with_too_few_rows_is_left_to_the_network(
    clips: list[tuple[str, str, str, str]], base: Path, out: Path
) -> None:
    write_ensemble(job(base), run_clips(*clips), out)

    assert head_in(out).labels == OLD
    assert answer(head_in(out), "rock") == "rock"


def test_clips_of_the_release_have_the_label_and_side_that_they_have_here(base: Path, out: Path) -> None:
    here = [(known_as("rock", number), "house", "train", "") for number in range(EACH - 2)]
    held_out = [(known_as("blues", 0), "blues", "holdout", "")]

    write_ensemble(job(base), run_clips(*here, *held_out), out)

    assert trained_on(out) == {"blues": EACH - 1, "house": EACH - 2}


def test_without_the_stored_examples_the_head_in_service_stays(base: Path, out: Path) -> None:
    metadata = read_metadata(base)
    amend_metadata(base, ensemble={**metadata["ensemble"], "replay_sha256": None})
    (base / HEAD_REPLAY_FILE).unlink()

    write_ensemble(job(base), run_clips(*taught()), out)

    assert head_in(out).labels == OLD
    assert (out / HEAD_FILE).read_bytes() == (base / HEAD_FILE).read_bytes()


@pytest.mark.parametrize("with_examples", [True, False])
def test_the_music_detector_in_service_is_passed_on(base: Path, out: Path, *, with_examples: bool) -> None:
    rows = np.stack([row_of(label, number) for label in OLD for number in range(EACH)])
    detector = fit_detector(rows + 5, rows, tagger="v")
    stored = write_detector(detector, base, trained_on={})
    entry = {**read_metadata(base)["ensemble"], "detector_sha256": stored["sha256"]}
    if not with_examples:
        entry["replay_sha256"] = None
    amend_metadata(base, ensemble=entry)

    write_ensemble(job(base), run_clips(*taught()), out)

    joined = Ensemble.load(out, read_metadata(out))
    assert joined is not None
    assert joined.detector is not None
    assert joined.detector.score(rows[0]) == pytest.approx(detector.score(rows[0]), rel=1e-4)


def test_the_head_for_recordings_in_service_is_passed_on(base: Path, out: Path) -> None:
    recordings = fit_recording_head(
        HeadExamples(np.eye(4, dtype=np.float32), np.arange(4) % 2, np.ones(4), OLD), tagger="v"
    )
    stored = write_recording_head(recordings, base, examples=4)
    entry = {**read_metadata(base)["ensemble"], "recording_head_sha256": stored["sha256"]}
    amend_metadata(base, ensemble=entry)

    write_ensemble(job(base), run_clips(*taught()), out)

    joined = Ensemble.load(out, read_metadata(out))
    assert joined is not None
    assert joined.recording_head is not None
    np.testing.assert_array_equal(joined.recording_head.weights, recordings.weights)


def test_a_full_run_has_a_head_for_its_own_labels(base: Path, out: Path) -> None:
    labels = ("house", "rock")
    write_ensemble(job(base, kind="full", labels=labels), run_clips(*taught(), labels=labels), out)

    assert trained_on(out) == {"house": EACH, "rock": EACH}
    assert [answer(head_in(out), label) for label in labels] == list(labels)


def test_a_full_run_of_another_kind_is_not_joined(base: Path, out: Path) -> None:
    labels = ("house", "techno")
    write_ensemble(job(base, kind="full", labels=labels), run_clips(*taught(), labels=labels), out)
    assert "ensemble" not in read_metadata(out)
    assert not (out / HEAD_FILE).exists()

    amend_metadata(out, architecture="mfcc-knn")
    write_ensemble(job(base, kind="full"), run_clips(*taught()), out)
    assert "ensemble" not in read_metadata(out)


def test_a_run_on_a_version_that_is_not_joined_gives_one_that_is_not(base: Path, out: Path) -> None:
    shutil.rmtree(base)
    shutil.copytree(out, base)

    write_ensemble(job(base), run_clips(*taught()), out)
    assert "ensemble" not in read_metadata(out)
    write_ensemble(job(None, kind="full"), run_clips(*taught()), out)
    assert "ensemble" not in read_metadata(out)


@pytest.mark.parametrize("file", [HEAD_FILE, HEAD_REPLAY_FILE])
def test_a_base_with_a_damaged_file_is_refused(file: str, base: Path, out: Path) -> None:
    (base / file).write_bytes(b"nonsense")

    with pytest.raises(ReleaseError, match="hash"):
        write_ensemble(job(base), run_clips(*taught()), out)


def test_tags_of_clips_go_through_the_folder_of_a_job(tmp_path: Path) -> None:
    clips = run_clips(*taught(1), *taught(1, tagger=""))
    clips.write(tmp_path / "clips.npz")

    back = RunClips.read(tmp_path / "clips.npz")

    tags: Any = back.tags_of(0)
    assert tags.version == "v"
    assert tags.row == pytest.approx(row_of("house", 100), rel=1e-3, abs=1e-3)
    assert back.tags_of(1) is None
    assert len(tag_storage.to_array(tags)) == N_STRENGTHS + WIDTH

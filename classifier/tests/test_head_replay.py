"""The stored examples of the head on the tagger: reading, hostile files, and joining them with new ones."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core.errors import ReleaseError
from classifier.core.verdict import HEAD_REPLAY_FILE
from classifier.fitting.head_replay import merge, read_head_replay, without_rare, write_head_replay
from classifier.fitting.tagger_head import HeadExamples

LABELS = ("blues", "rock")


def examples(labels: tuple[str, ...] = LABELS, **targets: str) -> HeadExamples:
    """One for each name, of the label it is given; the row tells the place."""
    n = len(targets)
    return HeadExamples(
        rows=np.repeat(np.arange(n, dtype=np.float32)[:, np.newaxis], 3, axis=1),
        targets=np.array([labels.index(label) for label in targets.values()], np.intp),
        shares=np.full(n, 0.5),
        labels=labels,
        names=tuple(targets),
    )


def labels_of(given: HeadExamples) -> dict[str, str]:
    return {name: given.labels[target] for name, target in zip(given.names, given.targets, strict=True)}


def test_stored_examples_come_back_and_are_bound_to_tagger_and_hash(tmp_path: Path) -> None:
    digest = write_head_replay(examples(a="blues", b="rock"), tmp_path, tagger="v")
    entry = {"tagger": "v", "replay_sha256": digest}

    back = read_head_replay(tmp_path, entry)

    assert back is not None
    assert labels_of(back) == {"a": "blues", "b": "rock"}
    assert back.rows.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert back.shares.tolist() == [0.5, 0.5]
    assert [path.name for path in tmp_path.iterdir()] == [HEAD_REPLAY_FILE]
    assert read_head_replay(tmp_path, {"tagger": "v"}) is None
    with pytest.raises(ReleaseError, match="another tagger"):
        read_head_replay(tmp_path, entry | {"tagger": "w"})
    with pytest.raises(ReleaseError, match="hash"):
        read_head_replay(tmp_path, entry | {"replay_sha256": "0" * 64})
    (tmp_path / HEAD_REPLAY_FILE).unlink()
    with pytest.raises(ReleaseError, match="cannot be read"):
        read_head_replay(tmp_path, entry)


def test_the_file_may_lie_in_the_folder_for_training(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    digest = write_head_replay(examples(a="blues"), tmp_path / "training", tagger="v")

    assert read_head_replay(tmp_path, {"tagger": "v", "replay_sha256": digest}) is not None


def test_examples_without_names_are_not_stored(tmp_path: Path) -> None:
    nameless = HeadExamples(np.zeros((1, 2), np.float32), np.zeros(1, np.intp), np.ones(1), LABELS)

    with pytest.raises(ValueError, match="name"):
        write_head_replay(nameless, tmp_path, tagger="v")
    assert not list(tmp_path.iterdir())


def described(labels: object = LABELS, tagger: object = "v") -> Any:
    return np.array(json.dumps({"labels": labels, "tagger": tagger}))


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("rows"),
        lambda arrays: arrays.pop("metadata"),
        lambda arrays: arrays.update(rows=np.zeros((3, 3), np.float16)),
        lambda arrays: arrays.update(rows=np.zeros((2, 3), np.int64)),
        lambda arrays: arrays.update(rows=np.full((2, 3), np.nan, np.float16)),
        lambda arrays: arrays.update(rows=np.zeros((2, 5000), np.float16)),
        lambda arrays: arrays.update(targets=np.array([0, 2])),
        lambda arrays: arrays.update(targets=np.array([0, -1])),
        lambda arrays: arrays.update(targets=np.array([0.0, 1.0])),
        lambda arrays: arrays.update(shares=np.array([1.0, -1.0])),
        lambda arrays: arrays.update(shares=np.array([1.0, 1e30])),
        lambda arrays: arrays.update(names=np.array([1, 2])),
        lambda arrays: arrays.update(names=np.array([{}, {}], dtype=object)),
        lambda arrays: arrays.update(metadata=np.array("[" * 100_000)),
        lambda arrays: arrays.update(metadata=np.array("[]")),
        lambda arrays: arrays.update(metadata=described(labels=["blues", "blues"])),
        lambda arrays: arrays.update(metadata=described(labels=["blues", 2])),
        lambda arrays: arrays.update(metadata=described(labels="blues")),
        lambda arrays: arrays.update({name: arrays[name][:0] for name in arrays.keys() - {"metadata"}}),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    write_head_replay(examples(a="blues", b="rock"), tmp_path, tagger="v")
    with np.load(tmp_path / HEAD_REPLAY_FILE) as archive:
        arrays: dict[str, Any] = dict(archive)
    change(arrays)
    content = io.BytesIO()
    np.savez(content, **arrays)
    (tmp_path / HEAD_REPLAY_FILE).write_bytes(content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()

    with pytest.raises(ReleaseError):
        read_head_replay(tmp_path, {"tagger": "v", "replay_sha256": digest})


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / HEAD_REPLAY_FILE).write_bytes(b"nonsense")
    digest = hashlib.sha256(b"nonsense").hexdigest()

    with pytest.raises(ReleaseError, match="cannot be read"):
        read_head_replay(tmp_path, {"tagger": "v", "replay_sha256": digest})


def test_new_examples_are_joined_under_the_labels_that_clips_have_now() -> None:
    stored = examples(LABELS, a="blues", b="rock", c="rock", d="blues", e="rock")
    new = examples(("rock", "house"), b="house", x="house")

    together = merge(stored, new, known={"c": "house", "e": "jazz"}, without=["d"])

    # The blues are no label any more, b is given anew, c was relabelled, d is held out, and e has no label.
    assert labels_of(together) == {"c": "house", "b": "house", "x": "house"}
    assert together.rows[:, 0].tolist() == [2, 0, 1]
    assert together.labels == ("rock", "house")


def test_rows_of_another_length_are_not_joined() -> None:
    other = HeadExamples(np.zeros((1, 2), np.float32), np.zeros(1, np.intp), np.ones(1), LABELS, ("x",))

    with pytest.raises(ValueError, match="features"):
        merge(examples(a="blues"), other, known={})


def test_labels_with_few_examples_are_left_out() -> None:
    kept = without_rare(examples(a="blues", b="rock", c="rock"), least=2)

    assert labels_of(kept) == {"b": "rock", "c": "rock"}
    assert kept.labels == LABELS
    assert len(kept.rows) == len(kept.shares) == 2

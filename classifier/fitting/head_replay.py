"""The examples that a release's head on the tagger was fitted on, kept to fit it anew beside new clips."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.arrays import arrays_from, shaped
from classifier.core.artifact import MOST_LABELS, file_in
from classifier.core.errors import ReleaseError
from classifier.core.verdict import HEAD_REPLAY_FILE
from classifier.fitting.tagger_head import HeadExamples

_WHAT: Final = "The examples of the tagger's head"
_MOST_EXAMPLES: Final = 20_000
_MOST_FEATURES: Final = 4096


def write_head_replay(examples: HeadExamples, folder: Path, *, tagger: str) -> str:
    """Store examples with their names beside a release and give the file's SHA-256.

    Rows are kept in half precision.

    Parameters
    ----------
    folder
        Of the release, or its folder for training.
    tagger
        `Tagger.version` of what made the rows.

    Raises
    ------
    ValueError
        The examples have no names.
    """
    if len(examples.names) != len(examples.rows):
        raise ValueError("every example needs the name of its clip")
    content = io.BytesIO()
    np.savez_compressed(
        content,
        rows=examples.rows.astype(np.float16),
        targets=examples.targets.astype(np.int16),
        shares=examples.shares.astype(np.float32),
        names=np.array(examples.names, dtype=np.str_),
        metadata=np.array(json.dumps({"labels": list(examples.labels), "tagger": tagger})),
    )
    partial = folder / f".{HEAD_REPLAY_FILE}.partial"
    partial.write_bytes(content.getvalue())
    partial.replace(folder / HEAD_REPLAY_FILE)
    return hashlib.sha256(content.getvalue()).hexdigest()


def read_head_replay(folder: Path, entry: Mapping[str, Any]) -> HeadExamples | None:
    """Read what `write_head_replay` wrote; anybody may have made it.

    Parameters
    ----------
    folder
        Of the version.
    entry
        ``ensemble`` of its metadata.

    Returns
    -------
    HeadExamples or None
        None where the entry names no such file.

    Raises
    ------
    ReleaseError
        The file is missing, does not match its hash, was made by another tagger, or is something else.
    """
    digest = entry.get("replay_sha256")
    if digest is None:
        return None
    try:
        content = file_in(folder, HEAD_REPLAY_FILE).read_bytes()
    except OSError as error:
        raise ReleaseError(f"{_WHAT} cannot be read: {error}.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseError(f"{_WHAT} do not match the hash in the metadata.")
    arrays = arrays_from(content, what=_WHAT)
    shapes: dict[str, tuple[int | str, ...]] = {"rows": ("n", "d"), "metadata": ()}
    sizes = shaped(arrays, shapes | dict.fromkeys(("targets", "shares", "names"), ("n",)), what=_WHAT)
    labels = _labels(arrays["metadata"], tagger=str(entry.get("tagger", "")))
    if not (1 <= sizes["n"] <= _MOST_EXAMPLES and 1 <= sizes["d"] <= _MOST_FEATURES):
        raise ReleaseError(f"{_WHAT} are none, or too many.")
    _check(arrays, n_labels=len(labels))
    return HeadExamples(
        rows=arrays["rows"].astype(np.float32),
        targets=arrays["targets"].astype(np.intp),
        shares=arrays["shares"].astype(np.float64),
        labels=labels,
        names=tuple(map(str, arrays["names"].tolist())),
    )


def _labels(metadata: NDArray[Any], *, tagger: str) -> tuple[str, ...]:
    try:
        described = json.loads(str(metadata))
        labels, made_by = described["labels"], described["tagger"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReleaseError(f"{_WHAT} do not say what they are.") from error
    if made_by != tagger:
        raise ReleaseError(f"{_WHAT} were made by another tagger.")
    texts = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    if not texts or not 1 <= len(labels) <= MOST_LABELS or len(set(labels)) != len(labels):
        raise ReleaseError(f"{_WHAT} do not name their genres.")
    return tuple(labels)


def _check(arrays: Mapping[str, NDArray[Any]], *, n_labels: int) -> None:
    kinds = {name: arrays[name].dtype.kind for name in ("rows", "targets", "shares", "names")}
    numbers = kinds["rows"] == kinds["shares"] == "f" and kinds["targets"] in "iu" and kinds["names"] == "U"
    if not numbers:
        raise ReleaseError(f"{_WHAT} hold something other than rows, places and names.")
    if not 0 <= arrays["targets"].min() <= arrays["targets"].max() < n_labels:
        raise ReleaseError(f"{_WHAT} are of genres that they do not name.")
    if not (arrays["shares"] >= 0).all() or not (arrays["shares"] <= 1).all():
        raise ReleaseError(f"{_WHAT} have shares out of range.")


def merge(
    replayed: HeadExamples, new: HeadExamples, *, known: Mapping[str, str], without: Collection[str] = ()
) -> HeadExamples:
    """Put stored examples and new ones together, under the labels of the new ones.

    Parameters
    ----------
    known
        Labels that clips have now, by name; stored examples of these take them. A new example takes the
        place of a stored one of the same name.
    without
        Names of stored examples to be left out. Those whose label is not among the new ones are left out
        too.

    Raises
    ------
    ValueError
        The rows have different lengths.
    """
    if new.rows.size and new.rows.shape[1] != replayed.rows.shape[1]:
        raise ValueError(f"rows of {new.rows.shape[1]} features beside {replayed.rows.shape[1]}")
    place = {label: number for number, label in enumerate(new.labels)}
    dropped = {*new.names, *without}
    found = [
        (row, place[label])
        for row, (name, target) in enumerate(zip(replayed.names, replayed.targets.tolist(), strict=True))
        if name not in dropped and (label := known.get(name, replayed.labels[target])) in place
    ]
    rows = np.array([row for row, _ in found], np.intp)
    new_rows = new.rows.reshape(len(new.names), replayed.rows.shape[1])
    return replace(
        new,
        rows=np.concatenate([replayed.rows[rows], new_rows]),
        targets=np.concatenate([np.array([target for _, target in found], np.intp), new.targets]),
        shares=np.concatenate([replayed.shares[rows], new.shares]),
        names=(*(replayed.names[row] for row in rows), *new.names),
    )


def without_rare(examples: HeadExamples, *, least: int) -> HeadExamples:
    """Leave out the examples of labels that have fewer than `least`."""
    counts = np.bincount(examples.targets, minlength=len(examples.labels))
    kept = np.flatnonzero(counts[examples.targets] >= least)
    return replace(
        examples,
        rows=examples.rows[kept],
        targets=examples.targets[kept],
        shares=examples.shares[kept],
        names=tuple(examples.names[place] for place in kept),
    )

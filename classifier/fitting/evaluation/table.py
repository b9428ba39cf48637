"""The table of an evaluation, from its finished cells."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import softmax
from classifier.core.artifact import read_metadata
from classifier.core.metrics import measure
from classifier.core.protocols import PROTOCOLS
from classifier.fitting.evaluation.calibration import fit_temperature
from classifier.fitting.evaluation.runner import Cell, Outcome, Workspace, logits_of
from classifier.fitting.evaluation.text import PROTOCOL_WORDS, markdown
from classifier.fitting.methods import METHODS
from classifier.releases import outside
from classifier.releases.evaluation import FORMAT_VERSION, JSON_FILE, MARKDOWN_FILE, read

FloatArray = NDArray[np.floating[Any]]


def table(workspace: Workspace, *, carry: Iterable[Path | None] = ()) -> dict[str, Any]:
    """The table of everything that is finished.

    Parameters
    ----------
    carry
        Release folders whose own tables, where they have one, give rows for what is not finished here. A row
        is taken over if all that decides its figures is the same: data, division, method and settings. Of two
        rows the one that rests on more fits stays.
    """
    rows = {(row["method"], row["protocol"]): row for row in _rows(workspace)}
    for folder in carry:
        for row in _former_rows(folder):
            key = (row["method"], row["protocol"])
            if key[0] not in METHODS or key[1] not in PROTOCOLS:
                continue
            if row["identity"] != workspace.identity(*key):
                continue
            if key not in rows or _fits(row) > _fits(rows[key]):
                rows[key] = row
    order = [(method, protocol) for protocol in PROTOCOLS for method in METHODS]
    return {
        "format_version": FORMAT_VERSION,
        "release": read_metadata(workspace.release)["name"],
        "sha256": read_metadata(workspace.release)["sha256"],
        "date": datetime.now(UTC).date().isoformat(),
        "labels": list(workspace.dataset.labels),
        "data": {"clips": len(workspace.dataset.clips), "sha256": workspace.data_digest},
        "methods": {
            name: {"title": entry.title, "of_release": entry.of_release} for name, entry in METHODS.items()
        },
        "protocols": {name: PROTOCOL_WORDS[name] for name in PROTOCOLS},
        "results": [rows[key] for key in order if key in rows],
        "unfit": [
            {"method": name, "protocol": protocol, "reason": reason}
            for name, entry in METHODS.items()
            for protocol, reason in entry.unfit.items()
        ],
    }


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write both files of a table into a release folder."""
    text = json.dumps(content, indent=1, allow_nan=False)
    found = outside.read_valid(folder, read_metadata(folder))
    words = markdown(content, content["release"], outside=found)
    for name, written in ((JSON_FILE, text + "\n"), (MARKDOWN_FILE, words)):
        partial = folder / f".{name}.partial"
        partial.write_text(written, encoding="utf-8")
        partial.replace(folder / name)


def _former_rows(folder: Path | None) -> list[dict[str, Any]]:
    content = read(folder) if folder else None
    return list(content["results"]) if content else []


def _fits(row: Mapping[str, Any]) -> int:
    return len(row["seeds"]) * len(row["folds"])


def _rows(workspace: Workspace) -> Iterable[dict[str, Any]]:
    for protocol in PROTOCOLS:
        n_folds = len(workspace.split(protocol).folds)
        for method in METHODS:
            by_seed = _finished(workspace, method, protocol, n_folds)
            if not by_seed:
                continue
            # Seeds are comparable on the same folds only: those with the most folds count.
            folds = max((tuple(outcomes) for outcomes in by_seed.values()), key=len)
            kept = {seed: outcomes for seed, outcomes in by_seed.items() if tuple(outcomes) == folds}
            yield _row(workspace, method, protocol, folds, kept)


def _finished(
    workspace: Workspace, method: str, protocol: str, n_folds: int
) -> dict[int, dict[int, Outcome]]:
    found: dict[int, dict[int, Outcome]] = {}
    if protocol in METHODS[method].unfit:
        return found
    for seed in workspace.seeds(method, protocol):
        for fold in range(n_folds):
            if outcome := workspace.finished(Cell(method, protocol, fold, seed)):
                found.setdefault(seed, {})[fold] = outcome
    return found


def _row(
    workspace: Workspace,
    method: str,
    protocol: str,
    folds: Sequence[int],
    by_seed: Mapping[int, Mapping[int, Outcome]],
) -> dict[str, Any]:
    split, labels = workspace.split(protocol), workspace.dataset.labels
    targets = {fold: _targets(workspace, protocol, split.folds[fold].test) for fold in folds}
    probabilities, calibration, temperatures = [], "none", []
    for outcomes in by_seed.values():
        parts = []
        for fold in folds:
            if METHODS[method].calibrated:
                calibration, temperature = "own", 1.0
            elif len(split.folds[fold].valid):
                calibration = "validation"
                temperature = fit_temperature(
                    logits_of(outcomes[fold].valid), _targets(workspace, protocol, split.folds[fold].valid)
                )
            elif others := [other for other in folds if other != fold]:
                calibration = "other folds"
                temperature = fit_temperature(
                    np.concatenate([logits_of(outcomes[other].test) for other in others]),
                    np.concatenate([targets[other] for other in others]),
                )
            else:
                temperature = 1.0
            temperatures.append(temperature)
            parts.append(softmax(logits_of(outcomes[fold].test) / temperature))
        probabilities.append(np.concatenate(parts))
    clips = np.concatenate([[split.pieces[place].clip for place in split.folds[fold].test] for fold in folds])
    measured = asdict(
        measure(
            np.concatenate([targets[fold] for fold in folds]),
            np.stack(probabilities),
            labels,
            clusters=None if split.whole_clips else clips,
        )
    )
    measured["recall"] = {k: None if math.isnan(v) else v for k, v in measured["recall"].items()}
    seconds = [outcome.seconds for outcomes in by_seed.values() for outcome in outcomes.values()]
    return {
        "method": method,
        "protocol": protocol,
        "identity": workspace.identity(method, protocol),
        "settings": workspace.settings(method, protocol),
        "seeds": list(by_seed),
        "folds": [fold + 1 for fold in folds],
        "n_folds": len(split.folds),
        "calibrated_on": calibration,
        "temperature": float(np.median(temperatures)),
        "seconds": float(np.median(seconds)),
        **measured,
    }


def _targets(workspace: Workspace, protocol: str, places: NDArray[np.intp]) -> NDArray[np.intp]:
    pieces, whole = workspace.split(protocol).pieces, workspace.dataset
    return np.array(
        [whole.labels.index(whole.clips[pieces[place].clip].genre) for place in places], dtype=np.intp
    )

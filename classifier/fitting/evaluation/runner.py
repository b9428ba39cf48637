"""Running every method under every protocol on the same divisions of the clips.

A cell is one method under one protocol with one fold and one seed: the unit of work. Its probabilities are
stored with the identity of all that decided them, so that an interrupted evaluation continues, and one with
another recipe or other data starts anew. `table` summarises the cells.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core import dataset
from classifier.core.activations import softmax
from classifier.core.baselines import FEATURES_FILE, Sounds
from classifier.core.dataset import Examples, LogMelDataset
from classifier.core.protocols import PROTOCOLS, Piece, Split
from classifier.fitting.methods import METHODS, Average, Context

FloatArray = NDArray[np.floating[Any]]

SPLIT_SEED = 0
_CELL_VERSION = 1
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Cell:
    """One fit: a method under a protocol, on one fold, from one seed."""

    method: str
    protocol: str
    fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.method}, {self.protocol}, fold {self.fold + 1}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a cell: probabilities for the valid and test parts, and the seconds it took."""

    valid: FloatArray
    test: FloatArray
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation is.

    Attributes
    ----------
    done, total
        Cells.
    cell
        The current one.
    word
        Its own report; empty when it begins and when it is done.
    seconds_left
        For all cells, by the time that others of their method took; None while there are none.
    """

    done: int
    total: int
    cell: Cell
    word: str
    seconds_left: float | None


class Workspace:
    """A data set, a release and the folder in which finished cells are kept."""

    def __init__(self, *, data: Path, release: Path, work: Path) -> None:
        self.data = data
        self.release = release
        self.dataset: LogMelDataset = dataset.load(data)
        self.data_digest = _digest(data / name for name in ("tracks.csv", "logmel_999.npz", FEATURES_FILE))
        self._work = work
        self._splits: dict[str, Split] = {}

    def split(self, protocol: str) -> Split:
        """The folds of a protocol; always the same."""
        if protocol not in self._splits:
            self._splits[protocol] = PROTOCOLS[protocol](self.dataset, seed=SPLIT_SEED)
        return self._splits[protocol]

    def context(
        self, protocol: str, checkpoint: Path, report: Callable[[str], None] = lambda word: None
    ) -> Context:
        """The surroundings of a method under a protocol."""
        piece = self.split(protocol).pieces[0]
        columns = None if piece.stop is None else piece.stop - piece.start
        return Context(
            data=self.data, release=self.release, columns=columns, checkpoint=checkpoint, report=report
        )

    def settings(self, method: str, protocol: str) -> Mapping[str, Any]:
        """All that decides the outputs of a method under a protocol, but the data and the seed."""
        entry = METHODS[method]
        if entry.average is None:
            return entry.make(self.context(protocol, self._work)).settings
        members = {name: self.settings(name, protocol) for name in entry.average.weights}
        return {"networks": len(members), "weights": dict(entry.average.weights), "members": members}

    def identity(self, method: str, protocol: str) -> str:
        """Names all that decides the figures of a method under a protocol, but the seed."""
        everything = {
            "version": _CELL_VERSION,
            "method": method,
            "settings": self.settings(method, protocol),
            "protocol": protocol,
            "split_seed": SPLIT_SEED,
            "data": self.data_digest,
        }
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

    def sounds(self, protocol: str, places: Iterable[int]) -> Sounds:
        """The pieces at the given places of a protocol's split."""
        pieces = [self.split(protocol).pieces[place] for place in places]
        clips = [self.dataset.clips[piece.clip] for piece in pieces]
        targets = [self.dataset.labels.index(clip.genre) for clip in clips]
        return Sounds(
            names=[clip.name for clip in clips],
            examples=Examples(
                db=[self._columns(piece) for piece in pieces], targets=np.array(targets, dtype=np.intp)
            ),
            n_labels=len(self.dataset.labels),
        )

    def finished(self, cell: Cell) -> Outcome | None:
        """What was kept of a cell, if it was decided by what decides it now."""
        try:
            with np.load(self._file(cell)) as kept:
                if str(kept["identity"]) != self.identity(cell.method, cell.protocol):
                    return None
                return Outcome(valid=kept["valid"], test=kept["test"], seconds=float(kept["seconds"]))
        except FileNotFoundError:
            return None

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Keep what a cell gave, whole or not at all."""
        file = self._file(cell)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npz")
        np.savez_compressed(
            partial,
            identity=self.identity(cell.method, cell.protocol),
            valid=outcome.valid.astype(np.float32),
            test=outcome.test.astype(np.float32),
            seconds=outcome.seconds,
        )
        partial.replace(file)

    def forget(self, cell: Cell) -> None:
        """Remove what was kept of a cell."""
        self._file(cell).unlink(missing_ok=True)

    def seeds(self, method: str, protocol: str) -> list[int]:
        """The seeds of which anything was kept."""
        names = (file.stem.split("-") for file in (self._work / method).glob(f"{protocol}-*.npz"))
        return sorted({int(name[2]) for name in names if len(name) == 3 and name[2].isdecimal()})

    def compute(self, cell: Cell, report: Callable[[str], None]) -> Outcome:
        """Fit and predict; seconds to hours."""
        average = METHODS[cell.method].average
        return self._averaged(cell, average, report) if average else self._fitted(cell, report)

    def _averaged(self, cell: Cell, average: Average, report: Callable[[str], None]) -> Outcome:
        members, weights = [], list(average.weights.values())
        for name in average.weights:
            member = replace(cell, method=name)
            members.append(self.finished(member) or self.compute(member, report))
        outcome = Outcome(
            valid=mean_of_logits([member.valid for member in members], weights),
            test=mean_of_logits([member.test for member in members], weights),
            seconds=sum(member.seconds for member in members),
        )
        self.keep(cell, outcome)
        return outcome

    def _fitted(self, cell: Cell, report: Callable[[str], None]) -> Outcome:
        began = time.monotonic()
        fold = self.split(cell.protocol).folds[cell.fold]
        checkpoint = self._file(cell).with_suffix(".checkpoint")
        method = METHODS[cell.method].make(self.context(cell.protocol, checkpoint, report))
        method.fit(self.sounds(cell.protocol, fold.train), seed=cell.seed)

        def predict(places: NDArray[np.intp]) -> FloatArray:
            if not len(places):
                return np.zeros((0, len(self.dataset.labels)))
            return method.predict_proba(self.sounds(cell.protocol, places))

        valid, test = predict(fold.valid), predict(fold.test)
        outcome = Outcome(valid=valid, test=test, seconds=time.monotonic() - began)
        # Before the state is removed: who is killed in between has lost nothing.
        self.keep(cell, outcome)
        for left in checkpoint.glob("*"):
            left.unlink()
        if checkpoint.exists():
            checkpoint.rmdir()
        return outcome

    def _columns(self, piece: Piece) -> NDArray[np.float32]:
        return self.dataset.db(piece.clip)[:, piece.start : piece.stop]

    def _file(self, cell: Cell) -> Path:
        return self._work / cell.method / f"{cell.protocol}-{cell.fold}-{cell.seed}.npz"


def cells(
    workspace: Workspace, *, methods: Sequence[str], protocols: Sequence[str], seeds: int
) -> Iterator[Cell]:
    """The cells of the given methods and protocols, less those that cannot be measured."""
    for protocol in protocols:
        folds = range(len(workspace.split(protocol).folds))
        for method in methods:
            entry = METHODS[method]
            if protocol in entry.unfit:
                continue
            for seed in range(seeds if entry.seeded else 1):
                yield from (Cell(method, protocol, fold, seed) for fold in folds)


def run(workspace: Workspace, chosen: Sequence[Cell], *, on_progress: Callable[[Progress], None]) -> None:
    """Compute what is not finished. Interrupted at any time, a later call continues.

    Raises
    ------
    DatasetError
        A method needs a file that the data set lacks.
    ReleaseError
        The release cannot be used.
    """
    taken: dict[tuple[str, str], list[float]] = {}
    waiting = []
    for cell in chosen:
        if outcome := workspace.finished(cell):
            taken.setdefault((cell.method, cell.protocol), []).append(outcome.seconds)
        else:
            waiting.append(cell)
    for place, cell in enumerate(waiting):
        done = len(chosen) - len(waiting) + place
        left = _seconds_left(waiting[place:], taken)

        def report(word: str, done: int = done, cell: Cell = cell, left: float | None = left) -> None:
            on_progress(Progress(done, len(chosen), cell, word, left))

        report("")
        outcome = workspace.compute(cell, report)
        taken.setdefault((cell.method, cell.protocol), []).append(outcome.seconds)
    if waiting:
        on_progress(Progress(len(chosen), len(chosen), waiting[-1], "", 0.0))


def _seconds_left(waiting: Sequence[Cell], taken: Mapping[tuple[str, str], list[float]]) -> float | None:
    total = 0.0
    for cell in waiting:
        alike = taken.get((cell.method, cell.protocol)) or [
            seconds for (method, _), several in taken.items() if method == cell.method for seconds in several
        ]
        if not alike:
            return None
        total += float(np.median(alike))
    return total


def mean_of_logits(probabilities: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """Probabilities (n, n_labels) whose logits are the weighted mean of others'.

    That is the output of joined networks, but for the weights of a clip's patches, which are each network's
    own here.
    """
    return softmax(np.average([logits_of(each) for each in probabilities], axis=0, weights=weights))


def logits_of(probabilities: FloatArray) -> FloatArray:
    """Logits that `softmax` takes back to `probabilities`."""
    return np.log(np.maximum(probabilities, _LEAST))


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        if path.exists():
            digest.update(path.name.encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

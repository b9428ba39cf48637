"""Classify one file and compute its features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from classifier.core import summary, tagger
from classifier.core.audio import AudioError, AudioInfo, AudioLimits, decode
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction

Scope = Literal["track", "segment"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Options for each file; picklable, to be sent to other processes."""

    release: Path
    max_minutes: float
    features: Scope | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary:
    """The features ``summary.COLUMNS`` of a track or of one piece of it, ``length`` samples long."""

    name: str
    length: int
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FileResult:
    """Results of one file; ``summaries`` is empty unless features were requested."""

    name: str
    info: AudioInfo
    prediction: Prediction
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file that could not be read, with the reason in one sentence."""

    name: str
    reason: str


class FilePredictor:
    """Applies a task to files, with its classifier loaded once.

    Raises
    ------
    ReleaseError
        If the task's release cannot be used.
    """

    def __init__(self, task: Task) -> None:
        self.classifier = Classifier.load(task.release, tagger=tagger.installed())
        self._features = task.features
        self._limits = AudioLimits(max_duration=task.max_minutes * 60.0, max_bytes=2**40)

    def predict_file(self, path: Path) -> FileResult | Failure:
        """Decode and classify one file, and compute its summary features if the task includes them."""
        try:
            with path.open("rb") as file:
                audio = decode(file, limits=self._limits)
        except AudioError as error:
            return Failure(name=str(path), reason=error.message)
        except OSError as error:
            return Failure(name=str(path), reason=error.strerror or str(error))
        except Exception:  # noqa: BLE001  # one file must not end the walk through a folder of thousands
            return Failure(name=str(path), reason=AudioError("undecodable").message)
        mel_power, duration = extract(audio.samples).mel_power, audio.info.duration
        return FileResult(
            name=str(path),
            info=audio.info,
            prediction=self.classifier.predict(mel_power, duration=duration, samples=audio.samples),
            summaries=tuple(self._summaries(path, audio.samples)),
        )

    def _summaries(self, path: Path, samples: npt.NDArray[np.float32]) -> list[Summary]:
        if self._features is None:
            return []
        if self._features == "track":
            return [Summary(name=str(path), length=samples.size, values=summary.summarise(samples))]
        return [
            Summary(
                name=str(path.with_name(f"{path.stem}.{i}{path.suffix}")),
                length=piece.size,
                values=summary.summarise(piece),
            )
            for i, piece in enumerate(summary.segments(samples))
        ]

"""Robustness of a release: its figures on samples degraded by convolution, noise and codecs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import dataset
from classifier.core.audio import SAMPLE_RATE, decode
from classifier.core.dataset import DatasetError, LogMelDataset
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction
from classifier.core.metrics import accuracy, bootstrap
from classifier.fitting.data.sound_channels import SOUND_CHANNELS
from classifier.fitting.evaluation.figures import shares, summary
from classifier.releases.real_channels import FORMAT_VERSION, JSON_FILE

SECONDS: Final = 15
_PEAK: Final = 0.5
_CHOICE_SEED: Final = 5
_CHANNEL_SEED: Final = 9


def measure(
    *, data: Path, release: Path, most: int | None, on_progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Measure a release on clips that have sound, clean and after each of `SOUND_CHANNELS`.

    There are figures for the test part, on which a release is not trained, and for all clips together.

    Parameters
    ----------
    most
        Clips to use, as many of each genre as there are; None is all.

    Raises
    ------
    DatasetError
        The data set cannot be read, has no sound, or a genre that the release does not know.
    ReleaseError
        The release cannot be used.
    """
    whole = dataset.load(data)
    classifier = Classifier.load(release)
    if strange := set(whole.labels) - set(classifier.labels):
        raise DatasetError(f"Release {classifier.name} does not know {', '.join(sorted(strange))}.")
    chosen = _choose(whole, data, most)
    test = np.isin(chosen, whole.part("test"))
    if not test.any():
        raise DatasetError(f"No clip of the test part has sound under {data / 'audio'}.")
    verdicts, sure = _predict_all(classifier, whole, data, chosen, on_progress)
    targets = np.array([whole.labels.index(whole.clips[index].genre) for index in chosen])

    def figures(rows: NDArray[np.bool_]) -> dict[str, Any]:
        return _figures(verdicts[:, rows], sure[:, rows], targets[rows], whole.labels)

    return {
        "format_version": FORMAT_VERSION,
        "release": classifier.name,
        "sha256": classifier.metadata["sha256"],
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": SECONDS,
        "test": figures(test),
        "all": figures(np.ones_like(test)),
    }


def _predict_all(
    classifier: Classifier,
    whole: LogMelDataset,
    data: Path,
    chosen: Sequence[int],
    on_progress: Callable[[int, int], None],
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Verdicts and whether they are confident, both (1 + n_channels, n_clips); the first row: clean clips."""
    verdicts = np.zeros((1 + len(SOUND_CHANNELS), len(chosen)), dtype=np.intp)
    sure = np.zeros(verdicts.shape, dtype=np.bool_)
    for place, index in enumerate(chosen):
        on_progress(place, len(chosen))
        samples = _samples(_sound(data, whole, index))
        for row, name in enumerate(("clean", *SOUND_CHANNELS)):
            prediction = _predict(classifier, _after(samples, name, clip=index))
            verdicts[row, place] = np.argmax([prediction.probabilities[label] for label in whole.labels])
            sure[row, place] = not prediction.unsure
    on_progress(len(chosen), len(chosen))
    return verdicts, sure


def _figures(
    verdicts: NDArray[np.intp],
    sure: NDArray[np.bool_],
    targets: NDArray[np.intp],
    labels: Sequence[str],
) -> dict[str, Any]:
    n_clips = verdicts.shape[1]
    clean, degraded = verdicts[0], verdicts[1:]
    agreement = bootstrap(
        accuracy,
        np.tile(clean, len(degraded)),
        degraded.ravel(),
        len(labels),
        clusters=np.tile(np.arange(n_clips), len(degraded)),
    )
    rows = [shares(verdict, certain, targets, clean) for verdict, certain in zip(verdicts, sure, strict=True)]
    return {
        "clips": n_clips,
        "genres": {label: int((targets == place).sum()) for place, label in enumerate(labels)},
        "clean": rows[0],
        **summary(dict(zip(SOUND_CHANNELS, rows[1:], strict=True))),
        "agreement": asdict(agreement),
    }


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write what `measure` gave into a release folder."""
    partial = folder / f".{JSON_FILE}.partial"
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(folder / JSON_FILE)


def _choose(whole: LogMelDataset, data: Path, most: int | None) -> list[int]:
    """Clips with sound, one genre after the other until there are enough; always the same."""
    rng = np.random.default_rng(_CHOICE_SEED)
    by_genre: dict[str, list[int]] = {}
    with_sound = [index for index in range(len(whole.clips)) if _sound(data, whole, index).exists()]
    for index in rng.permutation(with_sound).tolist():
        by_genre.setdefault(whole.clips[int(index)].genre, []).append(int(index))
    enough = len(with_sound) if most is None else min(most, len(with_sound))
    chosen: list[int] = []
    while len(chosen) < enough:
        for genre in sorted(by_genre):
            if by_genre[genre] and len(chosen) < enough:
                chosen.append(by_genre[genre].pop())
    return chosen


def _sound(data: Path, whole: LogMelDataset, index: int) -> Path:
    clip = whole.clips[index]
    return data / "audio" / clip.genre / f"{clip.name}.opus"


def _samples(path: Path) -> NDArray[np.float64]:
    with path.open("rb") as file:
        return decode(file).samples.astype(np.float64)[: SAMPLE_RATE * SECONDS]


def _after(samples: NDArray[np.float64], name: str, *, clip: int) -> NDArray[np.float64]:
    """The clip through one channel, whose parameters differ from clip to clip, or as it is."""
    if name == "clean":
        return samples
    return SOUND_CHANNELS[name](samples, np.random.default_rng([_CHANNEL_SEED, clip]))


def _predict(classifier: Classifier, samples: NDArray[np.float64]) -> Prediction:
    level = np.asarray(_PEAK * samples / (np.abs(samples).max() + 1e-9), dtype=np.float32)
    features = extract(level)
    return classifier.predict(features.mel_power, duration=features.duration, samples=level)

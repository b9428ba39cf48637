"""What a release says of real music after real convolution, noise and codecs; none of them taught it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import dataset
from classifier.core.audio import SAMPLE_RATE, decode
from classifier.core.dataset import DatasetError, LogMelDataset, Part
from classifier.core.evaluate import accuracy, bootstrap
from classifier.core.features import extract
from classifier.core.inference import Classifier, Prediction
from classifier.fitting.judge import shares, summary
from classifier.fitting.sound_channels import SOUND_CHANNELS
from classifier.releases.real_channels import FORMAT_VERSION, JSON_FILE

SECONDS: Final = 15
_PEAK: Final = 0.5
_CHOICE_SEED: Final = 5
_CHANNEL_SEED: Final = 9


def measure(
    *, data: Path, release: Path, part: Part, most: int, on_progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Ask a release about clips that have sound, clean and after each of `SOUND_CHANNELS`.

    Parameters
    ----------
    part
        Part of the filtered partition.
    most
        Clips to use, as many of each genre as there are.

    Raises
    ------
    DatasetError
        The data set cannot be read, has no sound, or a genre that the release does not know.
    ReleaseError
        The release cannot be used.
    """
    whole = dataset.load(data)
    classifier = Classifier.load(release)
    chosen = _choose(whole, data, part, most)
    if strange := set(whole.labels) - set(classifier.labels):
        raise DatasetError(f"Release {classifier.name} does not know {', '.join(sorted(strange))}.")
    if not chosen:
        raise DatasetError(f"No clip of the {part} part has sound under {data / 'audio'}.")
    verdict: dict[str, list[int]] = {name: [] for name in ("clean", *SOUND_CHANNELS)}
    sure: dict[str, list[bool]] = {name: [] for name in verdict}
    for place, index in enumerate(chosen):
        on_progress(place, len(chosen))
        samples = _samples(_sound(data, whole, index))
        for name, verdicts_so_far in verdict.items():
            said = _ask(classifier, _after(samples, name, clip=index))
            probabilities = [said.probabilities[label] for label in whole.labels]
            verdicts_so_far.append(int(np.argmax(probabilities)))
            sure[name].append(not said.unsure)
    on_progress(len(chosen), len(chosen))
    targets = np.array([whole.labels.index(whole.clips[index].genre) for index in chosen])
    verdicts = {name: np.array(row) for name, row in verdict.items()}
    clean = verdicts["clean"]
    rows = {name: shares(verdicts[name], np.array(sure[name]), targets, clean) for name in verdicts}
    spoilt = list(SOUND_CHANNELS)
    agreement = bootstrap(
        accuracy,
        np.tile(clean, len(spoilt)),
        np.concatenate([verdicts[name] for name in spoilt]),
        len(whole.labels),
        clusters=np.tile(np.arange(len(chosen)), len(spoilt)),
    )
    return {
        "format_version": FORMAT_VERSION,
        "release": classifier.name,
        "sha256": classifier.metadata["sha256"],
        "date": datetime.now(UTC).date().isoformat(),
        "part": part,
        "clips": len(chosen),
        "seconds": SECONDS,
        "genres": {label: int((targets == place).sum()) for place, label in enumerate(whole.labels)},
        "clean": rows.pop("clean"),
        **summary(rows),
        "agreement": asdict(agreement),
    }


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write what `measure` gave into a release folder."""
    partial = folder / f".{JSON_FILE}.partial"
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(folder / JSON_FILE)


def _choose(whole: LogMelDataset, data: Path, part: Part, most: int) -> list[int]:
    """Clips with sound, one genre after the other until there are enough; always the same."""
    rng = np.random.default_rng(_CHOICE_SEED)
    by_genre: dict[str, list[int]] = {}
    with_sound = [int(index) for index in whole.part(part) if _sound(data, whole, int(index)).exists()]
    for index in rng.permutation(with_sound).tolist():
        by_genre.setdefault(whole.clips[int(index)].genre, []).append(int(index))
    chosen: list[int] = []
    while len(chosen) < min(most, len(with_sound)):
        for genre in sorted(by_genre):
            if by_genre[genre] and len(chosen) < most:
                chosen.append(by_genre[genre].pop())
    return chosen


def _sound(data: Path, whole: LogMelDataset, index: int) -> Path:
    clip = whole.clips[index]
    return data / "audio" / clip.genre / f"{clip.name}.opus"


def _samples(path: Path) -> NDArray[np.float64]:
    with path.open("rb") as file:
        return decode(file).samples.astype(np.float64)[: SAMPLE_RATE * SECONDS]


def _after(samples: NDArray[np.float64], name: str, *, clip: int) -> NDArray[np.float64]:
    """The clip through one channel, or as it is; each clip meets another loudspeaker, another room."""
    if name == "clean":
        return samples
    return SOUND_CHANNELS[name](samples, np.random.default_rng([_CHANNEL_SEED, clip]))


def _ask(classifier: Classifier, samples: NDArray[np.float64]) -> Prediction:
    level = np.asarray(_PEAK * samples / (np.abs(samples).max() + 1e-9), dtype=np.float32)
    features = extract(level)
    return classifier.predict(features.mel_power, duration=features.duration, samples=level)

"""Fitting the lenses by which similar tracks are found, from the sound of a data folder.

    python -m classifier.fitting.lenses ../shared/data/gtzan

Only whole clips of the train part are used.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import chroma
from classifier.core.audio import decode
from classifier.core.chroma import descriptor, transposed
from classifier.core.dataset import DatasetError
from classifier.core.features import extract
from classifier.core.lenses import (
    CONSTANTS_FILE,
    FITTED,
    HARMONY,
    HARMONY_ANY_KEY,
    SIZES,
    SOUND,
    TIMBRE,
    Facts,
    Projection,
    inputs_of,
    unit,
)
from classifier.core.tagger import Tagger, default_folder
from classifier.core.tags import calibrated, version_of
from classifier.core.timbre import timbre
from classifier.core.verdict import pool_tags
from classifier.fitting.data import sound_channels

FloatArray = NDArray[np.float32]

WITHIN: Final = {SOUND: 0.85, HARMONY: 0.85, HARMONY_ANY_KEY: 0.5, TIMBRE: 0.5}
"""How much of the covariance within songs is taken out; the rest is the identity."""
ALTERED: Final = {"level": 3.0, "opus": 1.5, "noise": 1.5, "slower": 0.5, "faster": 0.5}
"""How much what each alteration changes counts beside what differs between the halves of a song."""
FITTED_ON: Final = "train"
"""The part of the data set that the lenses are fitted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """What a lens is given of n clips, of the two halves of each, and of altered ones: (n, size) arrays."""

    whole: FloatArray
    first: FloatArray
    second: FloatArray
    altered: Mapping[str, FloatArray] = field(default_factory=dict)


def facts_of(samples: FloatArray, tagger: Tagger | None) -> Facts:
    """What an analysis would hold of a sound at 22,050 Hz."""
    features = extract(samples)
    tags = pool_tags(tagger.tag(samples), version=tagger.version) if tagger else None
    return Facts(
        descriptor=descriptor(features.chroma),
        descriptor_version=chroma.DESCRIPTOR_VERSION,
        embedding=tags.embedding if tags else None,
        tagger_version=version_of(tags) if tags else "",
        timbre=timbre(features.mfcc),
        strengths=calibrated(tags.strengths) if tags else {},
    )


def fit(lens: str, halves: Halves) -> Projection:
    """Fit a lens on clips of which both halves are known.

    Inputs are scaled to unit deviation where they have units of their own, freed of the covariance within
    songs, be it between their halves or with what was altered, and reduced to the directions in which clips
    differ most.
    """
    scale = halves.whole.std(axis=0) if lens in (SOUND, TIMBRE) else np.ones(halves.whole.shape[1])
    scale = np.maximum(scale, 1e-6)
    mean = halves.whole.mean(axis=0)
    covariance = _covariance((halves.first - halves.second) / scale)
    for name, altered in halves.altered.items():
        covariance += ALTERED[name] * _covariance((halves.whole - altered) / scale)
    covariance *= len(covariance) / np.trace(covariance)
    share = WITHIN[lens]
    covariance = share * covariance + (1 - share) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    whitening = (vectors / np.sqrt(values)) @ vectors.T / scale[:, None]
    rows = unit(np.asarray((halves.whole - mean) @ whitening, np.float32))
    _values, directions = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    matrix = whitening @ directions[:, ::-1][:, : SIZES[lens]]
    return Projection(mean.astype(np.float32), matrix.astype(np.float32))


def _covariance(differences: FloatArray) -> NDArray[np.float64]:
    """Of values, from (n, size) differences between two values of the same song."""
    exact = differences.astype(np.float64)
    return np.asarray(exact.T @ exact / (2 * len(exact)), np.float64)


def examples_of(
    facts: Sequence[tuple[Facts, Facts, Facts]], embeddings: Mapping[str, FloatArray]
) -> dict[str, Halves]:
    """Gather what each lens is given of clips: of the whole one, its first and its second half.

    Parameters
    ----------
    embeddings
        (n, 200) of the altered clips, by alteration.
    """
    inputs = [[inputs_of(part) for part in clip] for clip in facts]

    def rows(lens: str, part: int) -> FloatArray:
        found = np.stack([clip[part][lens] for clip in inputs])
        # Music in every key: harmony as heard must not learn which keys the clips happen to be in.
        return np.concatenate([transposed(found, n) for n in range(12)]) if lens == HARMONY else found

    return {
        lens: Halves(
            whole=rows(lens, 0),
            first=rows(lens, 1),
            second=rows(lens, 2),
            altered=embeddings if lens == SOUND else {},
        )
        for lens in FITTED
    }


def halves_of(path: Path, tagger: Tagger | None) -> tuple[Facts, Facts, Facts]:
    """Analyse a clip, its first and its second half."""
    samples = _samples(path)
    middle = len(samples) // 2
    first, second = samples[:middle], samples[middle:]
    return facts_of(samples, tagger), facts_of(first, tagger), facts_of(second, tagger)


def _samples(path: Path) -> FloatArray:
    with path.open("rb") as file:
        return decode(file).samples


def altered_embeddings(samples: FloatArray, tagger: Tagger, *, seed: int) -> dict[str, FloatArray]:
    """Embeddings of a clip that was made 6 to 18 dB softer, encoded, played over noise, slower or faster."""
    from librosa.effects import time_stretch

    rng = np.random.default_rng([7, seed])
    exact = samples.astype(np.float64)
    made = {
        "level": exact * 10 ** (-rng.uniform(6, 18) / 20),
        "opus": sound_channels.encoded(exact, codec="libopus", sample_rate=48_000, bit_rate=24_000),
        "noise": sound_channels.noise(exact, rng, snr_db=20),
        "slower": time_stretch(samples, rate=rng.uniform(0.93, 0.97)),
        "faster": time_stretch(samples, rate=rng.uniform(1.03, 1.07)),
    }
    return {
        name: pool_tags(
            tagger.tag(sound.astype(np.float32), networks=("msd",)), version=tagger.version
        ).embedding
        for name, sound in made.items()
    }


def whole_clips(data: Path) -> list[dict[str, str]]:
    """Rows of ``tracks.csv`` of the clips whose whole sound is there, each with its ``path``.

    Raises
    ------
    DatasetError
        The table cannot be read or there is no sound.
    """
    try:
        with (data / "tracks.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["audio"] == "full"]
        for row in rows:
            row["path"] = str(data / "audio" / row["genre"] / f"{row['name']}.opus")
    except (OSError, KeyError) as error:
        raise DatasetError(f"The table of clips cannot be read: {error}.") from error
    found = [row for row in rows if Path(row["path"]).exists()]
    if not found:
        raise DatasetError(f"There is no sound of whole clips under {data / 'audio'}.")
    return found


def fit_all(
    data: Path, tagger: Tagger, *, on_clip: Callable[[int, int], None] = lambda done, total: None
) -> Mapping[str, Projection]:
    """Fit every lens on the whole clips of the train part.

    Raises
    ------
    DatasetError
        As `whole_clips`.
    """
    # Numbered together with the clips that settings were chosen on, which were altered alike.
    numbered = enumerate(row for row in whole_clips(data) if row["filtered_split"] in (FITTED_ON, "valid"))
    clips = [(number, row) for number, row in numbered if row["filtered_split"] == FITTED_ON]
    facts, embeddings = [], []
    for done, (number, row) in enumerate(clips, start=1):
        path = Path(row["path"])
        facts.append(halves_of(path, tagger))
        embeddings.append(altered_embeddings(_samples(path), tagger, seed=number))
        on_clip(done, len(clips))
    by_alteration = {name: np.stack([each[name] for each in embeddings]) for name in embeddings[0]}
    return {lens: fit(lens, halves) for lens, halves in examples_of(facts, by_alteration).items()}


def write(projections: Mapping[str, Projection], tagger: Tagger, path: Path) -> None:
    """Write the constants that `classifier.core.lenses.constants` reads."""
    arrays: dict[str, Any] = {f"{lens}_mean": fitted.mean for lens, fitted in projections.items()}
    arrays |= {f"{lens}_matrix": fitted.matrix for lens, fitted in projections.items()}
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, tagger=np.array(tagger.version), **arrays)
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder with tracks.csv and audio/")
    parser.add_argument("--out", type=Path, default=CONSTANTS_FILE)
    options = parser.parse_args(arguments)

    def report(done: int, total: int) -> None:
        if done % 25 == 0 or done == total:
            print(f"{done}/{total}", file=sys.stderr)

    tagger = Tagger.load(default_folder())
    write(fit_all(options.data, tagger, on_clip=report), tagger, options.out)


if __name__ == "__main__":
    main()

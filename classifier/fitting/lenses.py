"""Fitting the lenses by which similar tracks are found, from the sound of a data folder.

    python -m classifier.fitting.lenses ../shared/data/gtzan

Only whole clips of the train part are used.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import chroma
from classifier.core.audio import SAMPLE_RATE, decode
from classifier.core.chroma import descriptor, transposed
from classifier.core.dataset import DatasetError
from classifier.core.features import extract
from classifier.core.lenses import (
    BLEND,
    CONSTANTS_FILE,
    FITTED,
    HARMONY,
    HARMONY_ANY_KEY,
    SIZES,
    SOUND,
    SOUND_OLDER,
    TIMBRE,
    Constants,
    Facts,
    Projection,
    inputs_of,
    spacing,
    unit,
    vectors_of,
)
from classifier.core.tag_storage import EMBEDDING_SIZE
from classifier.core.tagger import Tagger, default_folder
from classifier.core.tagger_input import at_common_level, patches_of
from classifier.core.tags import calibrated, version_of
from classifier.core.timbre import timbre
from classifier.core.verdict import pool_tags
from classifier.fitting.data import sound_channels

FloatArray = NDArray[np.float32]

WITHIN: Final = {SOUND: 0.5, HARMONY: 0.85, HARMONY_ANY_KEY: 0.5, TIMBRE: 0.5}
"""How much of the covariance within songs is taken out; the rest is the identity."""
ALTERED: Final = {"level": 0.5, "opus": 1.5, "noise": 1.5, "slower": 1.0, "faster": 1.0}
"""How much what each alteration changes counts beside what differs between the halves of a song."""
POOLED_SCALE: Final = 5.5
"""By how much the pooled channels of the tagger weigh less in *sound* than the values of its embedding."""
OLDER_PENALTY: Final = 0.03
"""Of the ridge regression that estimates *sound* from an embedding at the track's own level."""
WIDEST: Final = 0.75
"""The quantile of the reference songs' own spacing from which on a track counts as apart from others."""
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
    tags = pool_tags(tagger.tag(samples, levelled=True), version=tagger.version) if tagger else None
    return Facts(
        descriptor=descriptor(features.chroma),
        descriptor_version=chroma.DESCRIPTOR_VERSION,
        embedding=tags.embedding if tags else None,
        levelled=tags.levelled if tags else None,
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
    if lens == SOUND:
        # Some pooled channels stand still in the clips that a lens is fitted on.
        scale = np.maximum(scale, 0.1 * np.median(scale))
        scale[:-EMBEDDING_SIZE] *= POOLED_SCALE
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


def fit_older(facts: Sequence[tuple[Facts, Facts, Facts]], sound: Projection) -> Projection:
    """Fit an estimate of *sound* from embeddings of clips and their halves at their own level."""
    pairs = [
        (part.embedding, part.levelled)
        for clip in facts
        for part in clip
        if part.embedding is not None and part.levelled is not None
    ]
    given = np.stack([embedding for embedding, _ in pairs]).astype(np.float64)
    wanted = sound(np.stack([levelled for _, levelled in pairs])).astype(np.float64)
    scale = np.maximum(given.std(axis=0), 1e-6)
    mean = given.mean(axis=0)
    rows = (given - mean) / scale
    moments = rows.T @ rows / len(rows) + OLDER_PENALTY * np.eye(len(mean))
    centred = wanted - wanted.mean(axis=0)
    matrix = np.linalg.solve(moments, rows.T @ centred / len(rows)) / scale[:, None]
    # A projection has no intercept, so the mean is moved by what the matrix takes to it.
    mean = mean - wanted.mean(axis=0) @ np.linalg.pinv(matrix)
    return Projection(mean.astype(np.float32), matrix.astype(np.float32))


def _covariance(differences: FloatArray) -> NDArray[np.float64]:
    """Of values, from (n, size) differences between two values of the same song."""
    exact = differences.astype(np.float64)
    return np.asarray(exact.T @ exact / (2 * len(exact)), np.float64)


def examples_of(
    facts: Sequence[tuple[Facts, Facts, Facts]], altered: Mapping[str, FloatArray]
) -> dict[str, Halves]:
    """Gather what each lens is given of clips: of the whole one, its first and its second half.

    Parameters
    ----------
    altered
        (n, n_features) of the altered clips at a common level, by alteration.
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
            altered=altered if lens == SOUND else {},
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


def altered_features(samples: FloatArray, tagger: Tagger, *, seed: int) -> dict[str, FloatArray]:
    """Tag a clip that was made 6 to 18 dB softer, encoded, played over noise, slower or faster.

    Returns
    -------
    (n_features,) at a common level, by alteration.
    """
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
    return {name: _levelled(sound.astype(np.float32), tagger) for name, sound in made.items()}


def _levelled(samples: FloatArray, tagger: Tagger) -> FloatArray:
    cut = patches_of(samples, sample_rate=SAMPLE_RATE)
    output = tagger.tag_patches(replace(cut, log_mel=at_common_level(cut.log_mel)), networks=("msd",))
    return pool_tags(output, version=tagger.version).row


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
) -> Constants:
    """Fit every lens on the whole clips of the train part, which become the reference songs too.

    Raises
    ------
    DatasetError
        As `whole_clips`.
    """
    # Numbered together with the clips that settings were chosen on, which were altered alike.
    numbered = enumerate(row for row in whole_clips(data) if row["filtered_split"] in (FITTED_ON, "valid"))
    clips = [(number, row) for number, row in numbered if row["filtered_split"] == FITTED_ON]
    facts, altered = [], []
    for done, (number, row) in enumerate(clips, start=1):
        path = Path(row["path"])
        facts.append(halves_of(path, tagger))
        altered.append(altered_features(_samples(path), tagger, seed=number))
        on_clip(done, len(clips))
    by_alteration = {name: np.stack([each[name] for each in altered]) for name in altered[0]}
    projections = {lens: fit(lens, halves) for lens, halves in examples_of(facts, by_alteration).items()}
    projections[SOUND_OLDER] = fit_older(facts, projections[SOUND])
    wholes = [whole for whole, _first, _second in facts]
    return _with_reference(
        Constants(projections, tagger.version, np.empty((0, SIZES[BLEND]), np.float32), 1.0), wholes
    )


def _with_reference(fitted: Constants, wholes: Sequence[Facts]) -> Constants:
    reference = np.stack([vectors_of(whole, fitted)[BLEND] for whole in wholes])
    own = spacing(reference, among=reference)
    return replace(fitted, reference=reference, widest=float(np.quantile(own, WIDEST)))


def write(fitted: Constants, path: Path) -> None:
    """Write the constants that `classifier.core.lenses.constants` reads."""
    arrays: dict[str, Any] = {f"{lens}_mean": each.mean for lens, each in fitted.projections.items()}
    arrays |= {f"{lens}_matrix": each.matrix for lens, each in fitted.projections.items()}
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(
            file,
            tagger=np.array(fitted.tagger),
            reference=fitted.reference.astype(np.float16),
            widest=np.array(fitted.widest),
            **arrays,
        )
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
    write(fit_all(options.data, tagger, on_clip=report), options.out)


if __name__ == "__main__":
    main()

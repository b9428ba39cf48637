"""The detector of music: what it learns from, and how it is fitted and stored.

Music is the train and validation clips that have sound. Everything else is made here (talk, noise, tones,
clicks) or read from a folder of recorded sounds, such as those of sound themes and games.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import SAMPLE_RATE, AudioError, AudioLimits, decode
from classifier.core.music_detection import DETECTOR_FILE, MusicDetector
from classifier.core.tagger import Tagger
from classifier.core.verdict import pool_tags
from classifier.fitting.artifact.arrays import write_arrays
from classifier.fitting.data.outliers import SYNTHESISERS
from classifier.fitting.data.talk import echoing, voices
from classifier.fitting.tagger_head import chosen_clips
from classifier.synthesis import styles
from classifier.synthesis.chiptune import chiptune

FloatArray = NDArray[np.float32]
Samples = NDArray[np.float64]

SOUND_SECONDS: Final = 12
_LIMITS = AudioLimits(min_duration=0.05)
_TUNES = (
    *(chiptune, styles.dance, chiptune, styles.ambient),
    *(chiptune, styles.waltz, styles.rock, styles.nocturne),
)
_ENDINGS = frozenset({".oga", ".ogg", ".wav", ".flac", ".mp3", ".au", ".opus"})


@dataclass(frozen=True, slots=True)
class DetectorRecipe:
    """How the detector is fitted.

    Attributes
    ----------
    inverse_penalty
        scikit-learn's ``C``, for rows scaled to unit deviation.
    voices, crowds, synthetic, recorded
        How many examples of talk, of several voices at once, of synthetic sounds, and of each folder of
        recorded ones.
    tunes
        How many examples of generated music.
    level_db
        Range of the peak levels of other sounds.
    music_db
        Range of the gains of music in `quieter_music`.
    """

    inverse_penalty: float = 0.003
    voices: int = 80
    crowds: int = 40
    synthetic: int = 100
    recorded: int = 6
    tunes: int = 160
    level_db: tuple[float, float] = (-24.0, -1.0)
    music_db: tuple[float, float] = (-34.0, -6.0)


def other_sounds(
    rng: np.random.Generator, *, folder: Path | None = None, recipe: DetectorRecipe = DetectorRecipe()
) -> Iterator[FloatArray]:
    """Sounds that are not music, at SAMPLE_RATE, at many levels.

    Parameters
    ----------
    folder
        Recorded sounds, in a folder for each source; those of one are joined with pauses in between.
    """
    talk = voices(recipe.voices, rng)
    for place, voice in enumerate(talk):
        yield _levelled(echoing(voice, rng, longest=0.9) if place % 2 else voice, rng, recipe)
    n = SAMPLE_RATE * SOUND_SECONDS
    for place in range(recipe.synthetic):
        yield _levelled(SYNTHESISERS[place % len(SYNTHESISERS)](n, SAMPLE_RATE, rng), rng, recipe)
    sources = sorted(path for path in folder.iterdir() if path.is_dir()) if folder else []
    crowd = list(talk)
    for source in sources:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in _ENDINGS)
        joined = [sound for _ in range(recipe.recorded) if (sound := _joined(files, rng)) is not None]
        yield from (_levelled(sound, rng, recipe) for sound in joined)
        crowd += joined[:1]
    for _ in range(recipe.crowds):
        chosen = rng.choice(len(crowd), min(int(rng.integers(2, 9)), len(crowd)), replace=False)
        mixed = sum(np.resize(crowd[i], n) * 10 ** (rng.normal(0, 4) / 20) for i in chosen)
        yield _levelled(echoing(np.asarray(mixed), rng, longest=0.9), rng, recipe)


def quieter_music(
    data: Path,
    labels: Sequence[str],
    rng: np.random.Generator,
    *,
    every: int = 2,
    recipe: DetectorRecipe = DetectorRecipe(),
) -> Iterator[FloatArray]:
    """Music at low levels, without which the detector takes whatever is quiet for something else.

    Parameters
    ----------
    every
        Of how many clips of a data folder one is taken; of each the first seconds.
    """
    for path, _, _ in chosen_clips(data, labels)[::every]:
        with path.open("rb") as file:
            samples = decode(file, limits=_LIMITS).samples[: SAMPLE_RATE * 4]
        yield samples * np.float32(10 ** (rng.uniform(*recipe.music_db) / 20))


def synthetic_music(
    rng: np.random.Generator, *, recipe: DetectorRecipe = DetectorRecipe()
) -> Iterator[FloatArray]:
    """Generated tunes at many levels: without them music of plain synthesiser tones is taken for noise."""
    for place in range(recipe.tunes):
        make = _TUNES[place % len(_TUNES)]
        yield _levelled(make(int(rng.integers(10_000, 1_000_000)), SOUND_SECONDS), rng, recipe)


def fit_detector(
    music: FloatArray, other: FloatArray, *, tagger: str, recipe: DetectorRecipe = DetectorRecipe()
) -> MusicDetector:
    """Fit a logistic regression in which music counts as much as everything else.

    Parameters
    ----------
    music, other
        (n, n_features) rows of `classifier.core.verdict.pool_tags`.
    tagger
        `Tagger.version` of what made them.

    Raises
    ------
    ValueError
        One of the two has no row.
    """
    from sklearn.linear_model import LogisticRegression

    if not len(music) or not len(other):
        raise ValueError("a detector needs examples of music and of other sounds")
    rows = np.concatenate([music, other]).astype(np.float64)
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    targets = np.repeat([1, 0], [len(music), len(other)])
    shares = np.where(targets == 1, len(other) / len(music), 1.0)
    model = LogisticRegression(C=recipe.inverse_penalty, max_iter=1000)
    model.fit((rows - centre) / scale, targets, sample_weight=shares)
    weights = model.coef_[0] / scale
    return MusicDetector(weights, float(model.intercept_[0] - centre @ weights), tagger)


def rows_of(sounds: Iterator[FloatArray], tagger: Tagger, *, most: int = 2) -> FloatArray:
    """(n, n_features) features of sounds, from few patches each."""
    tagged = (tagger.tag(sound, networks=("msd",), most=most) for sound in sounds)
    return np.stack([pool_tags(output, version=tagger.version).row for output in tagged])


def write_detector(
    detector: MusicDetector,
    folder: Path,
    *,
    trained_on: dict[str, int],
    recipe: DetectorRecipe = DetectorRecipe(),
) -> dict[str, Any]:
    """Store a detector and give the entry for the metadata of the release that it lies beside."""
    metadata = {"tagger": detector.tagger, "trained_on": trained_on, "recipe": asdict(recipe)}
    return write_arrays(
        folder / DETECTOR_FILE, metadata, weights=detector.weights, bias=np.float64(detector.bias)
    )


def _joined(files: list[Path], rng: np.random.Generator) -> Samples | None:
    """Random ones of the files one after the other; None where none of some can be read."""
    parts: list[Samples] = []
    wanted = SAMPLE_RATE * SOUND_SECONDS
    for _ in range(100 if files else 0):
        if sum(map(len, parts)) >= wanted:
            break
        try:
            with files[int(rng.integers(len(files)))].open("rb") as file:
                sound = decode(file, limits=_LIMITS).samples.astype(np.float64)[: SAMPLE_RATE * 8]
        except (OSError, AudioError):
            continue
        pause = np.zeros(int(SAMPLE_RATE * rng.uniform(0.0, 1.0)))
        parts += [sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9), pause]
    return np.concatenate(parts)[:wanted] if parts else None


def _levelled(
    sound: NDArray[np.floating[Any]], rng: np.random.Generator, recipe: DetectorRecipe
) -> FloatArray:
    peak = float(np.abs(sound).max()) + 1e-9
    return np.asarray(sound / peak * 10 ** (rng.uniform(*recipe.level_db) / 20), np.float32)

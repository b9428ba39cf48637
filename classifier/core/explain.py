"""Occlusion: which frequency bands and moments of a track raise or lower the probability of a genre."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters, patches
from classifier.core.audio import DEFAULT_LIMITS, AudioLimits, Decode, decode
from classifier.core.features import DEFAULT_PARAMS, FeatureParams, extract
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput
from classifier.core.patches import Patches, PatchParams

FloatArray = NDArray[np.float32]

BAND_EDGES_HZ = (0, 125, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000)
"""Octaves in the bass, half octaves above; the last band ends at Nyquist."""
SLICE_SECONDS = 2.0
MAX_SLICES = 36
MAX_RUNS = 400
"""Most runs of the network for one track, whatever its length."""
MAX_PATCHES_PER_SLICE = 4
NEGLIGIBLE = 0.05
"""A band or moment that changes the log-odds by less is reported as having no effect."""
_QUIET_PERCENTILE = 10


class NotExplainableError(ValueError):
    """The classifier does not work on a spectrogram, so no region can be covered."""


@dataclass(frozen=True, slots=True)
class Part:
    """A range of the frequency or time axis, and its share of all effects of the same sign."""

    low: float
    high: float
    share: float


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """Effect of each region of a track on a genre.

    Attributes
    ----------
    label
        The genre.
    probability
        Its calibrated probability for the whole track with nothing covered.
    bands
        (n_bands + 1,) borders in hertz, from the lowest.
    slices
        (n_slices + 1,) borders in seconds, from 0 to the duration.
    effects
        (n_bands, n_slices) by how much the log-odds of the genre fall when the region is covered: positive
        if the region supports the genre, negative if it counts against it. Scaled so that regions of short
        and long tracks can be compared: as if the region had been covered in every patch.
    """

    label: str
    probability: float
    bands: NDArray[np.float64]
    slices: NDArray[np.float64]
    effects: FloatArray

    def bands_for(self) -> list[Part]:
        """Bands that support the genre most over the whole track, the strongest first."""
        return strongest(self.effects.sum(axis=1), self.bands)

    def bands_against(self) -> list[Part]:
        """Bands that count most against the genre."""
        return strongest(-self.effects.sum(axis=1), self.bands)

    def moments_for(self) -> list[Part]:
        """Moments, in seconds, at which all bands together support the genre most, the strongest first."""
        return strongest(self.effects.sum(axis=0), self.slices)

    def moments_against(self) -> list[Part]:
        """Moments at which they count most against it."""
        return strongest(-self.effects.sum(axis=0), self.slices)


def explain_file(
    file: BinaryIO,
    *,
    classifier: Classifier,
    label: str | None = None,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
    decoder: Decode = decode,
) -> Explanation:
    """Decode one track and explain it.

    Raises
    ------
    AudioError, OSError
        As for ``analysis.analyse``.
    ValueError
        As for ``explain``.
    """
    features = extract(decoder(file, limits=limits).samples, params)
    return explain(features.mel_power, classifier=classifier, duration=features.duration, label=label)


def explain(
    mel_power: FloatArray, *, classifier: Classifier, duration: float, label: str | None = None
) -> Explanation:
    """Measure the effect of each band and moment of a track on a genre, by occlusion.

    Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), on the network's own
    input. A region is covered by lowering it to the quiet level of its own bands within the patch (their 10th
    percentile), but at most to the patch's mean, with which SpecAugment's masks were filled in training. So
    covering only removes energy, like a pausing instrument, and resembles what the network was trained on;
    zeros would be as loud as the loudest cells, and the floor a gap that does not occur in music.

    The cost is bounded. Slices are `SLICE_SECONDS` long, or longer so that there are at most `MAX_SLICES`.
    Every slice is evaluated in one to `MAX_PATCHES_PER_SLICE` of the patches that contain most of it, as many
    as `MAX_RUNS` allows: those with the least silence, and of these the ones whose middle is nearest to it.

    Parameters
    ----------
    mel_power
        (n_mels, n_frames) linear power, as `features` gives it.
    duration
        Length of the track in seconds.
    label
        The genre to explain; the most probable one if not given.

    Raises
    ------
    ValueError
        If the classifier does not know the label.
    NotExplainableError
        If the classifier does not work on the spectrogram.
    """
    if classifier.needs_samples:
        raise NotExplainableError(f"{classifier.name} does not work on the spectrogram")
    cut = patches.from_power(mel_power, classifier.patch_params)
    output = classifier.network.run(cut.inputs)
    probabilities = classifier.read(output, cut, duration=duration).probabilities
    genre = max(probabilities, key=probabilities.__getitem__) if label is None else label
    if genre not in probabilities:
        raise ValueError(f"{classifier.name} does not know {genre}")

    rows, band_edges = _bands(classifier.patch_params)
    n_slices = int(np.clip(round(duration / SLICE_SECONDS), 1, MAX_SLICES))
    slices = np.linspace(0.0, duration, n_slices + 1)

    def log_odds(changed: NetworkOutput) -> float:
        return _log_odds(classifier.read(changed, cut, duration=duration).probabilities, genre)

    return Explanation(
        label=genre,
        probability=probabilities[genre],
        bands=band_edges,
        slices=slices,
        effects=_effects(classifier, cut, output, rows=rows, slices=slices, log_odds=log_odds),
    )


def _effects(
    classifier: Classifier,
    cut: Patches,
    output: NetworkOutput,
    *,
    rows: list[NDArray[np.intp]],
    slices: NDArray[np.float64],
    log_odds: Callable[[NetworkOutput], float],
) -> FloatArray:
    """(n_bands, n_slices) falls of the log-odds when a region is covered; see `Explanation.effects`."""
    n_slices = len(slices) - 1
    n_patches = int(np.clip(MAX_RUNS // (n_slices * len(rows)), 1, MAX_PATCHES_PER_SLICE))
    seconds = _column_seconds(cut, classifier.patch_params)
    quiet = _quiet(cut.inputs)
    base = log_odds(output)
    effects = np.zeros((len(rows), n_slices), dtype=np.float32)
    for place, (start, end) in enumerate(pairwise(slices)):
        chosen = _patches_to_evaluate(cut, seconds, start, end, n_patches)
        if not len(chosen):
            continue
        columns = (seconds[chosen] >= start) & (seconds[chosen] < end)
        for band, covered in _covered(cut.inputs[chosen], quiet[chosen], rows, columns):
            changed = _with_rows(output, chosen, classifier.network.run(covered))
            effects[band, place] = (base - log_odds(changed)) * len(seconds) / len(chosen)
    return effects


def strongest(nets: NDArray[np.floating], bounds: NDArray[np.float64], k: int = 3) -> list[Part]:
    """Select the adjacent ranges that make up most of the positive effects.

    The strongest are taken until they have half of the sum, at most `k` of them, and only those with at least
    1.5 times the mean positive effect. Neighbours are merged.

    Parameters
    ----------
    nets
        (n,) net effect of each range.
    bounds
        (n + 1,) their borders.
    """
    positive = np.where(nets >= NEGLIGIBLE, nets, 0.0).astype(np.float64)
    total = positive.sum()
    if total <= 0:
        return []
    shares = positive / total
    chosen: list[int] = []
    for place in np.argsort(-shares, kind="stable")[:k]:
        if shares[place] < 1.5 / len(nets) or shares[chosen].sum() >= 0.5:
            break
        chosen.append(int(place))
    parts: list[Part] = []
    for place in sorted(chosen):
        low, high, share = float(bounds[place]), float(bounds[place + 1]), float(shares[place])
        if parts and parts[-1].high == low:
            parts[-1] = Part(parts[-1].low, high, parts[-1].share + share)
        else:
            parts.append(Part(low, high, share))
    return sorted(parts, key=lambda part: -part.share)


def _bands(params: PatchParams) -> tuple[list[NDArray[np.intp]], NDArray[np.float64]]:
    """Mel rows of each band, and the borders of the bands in hertz; bands without a row are left out."""
    nyquist = params.sample_rate / 2
    centres = filters.mel_frequencies(params.n_mels + 2, params.sample_rate)[1:-1]
    of_row = np.searchsorted(BAND_EDGES_HZ, centres, side="right") - 1
    present = np.unique(of_row)
    edges = [float(BAND_EDGES_HZ[band]) for band in present]
    edges[0] = 0.0
    return [np.flatnonzero(of_row == band) for band in present], np.array([*edges, nyquist])


def _column_seconds(cut: Patches, params: PatchParams) -> NDArray[np.float64]:
    """Time of the middle of each column: (n_patches, n_columns) seconds.

    In a track shorter than a patch the columns after its end are its mirror image; they have the time of the
    columns that they mirror and are covered together with them.
    """
    n_columns = cut.inputs.shape[2]
    own = np.clip(np.rint((cut.end[0] - cut.start[0]) / params.column_seconds).astype(int), 1, n_columns)
    index = np.pad(np.arange(own), (0, n_columns - own), mode="symmetric")
    return np.asarray(cut.start[:, None] + (index[None, :] + 0.5) * params.column_seconds)


def _quiet(inputs: FloatArray) -> FloatArray:
    """Level to which each row of each patch is lowered where it is covered: (n, n_mels, 1)."""
    own = np.percentile(inputs, _QUIET_PERCENTILE, axis=2, keepdims=True)
    mean = inputs.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.minimum(own, mean), dtype=np.float32)


def _patches_to_evaluate(
    cut: Patches, seconds: NDArray[np.float64], start: float, end: float, n_patches: int
) -> NDArray[np.intp]:
    """Patches in which a slice is evaluated; none if it is silent."""
    held = ((seconds >= start) & (seconds < end)).sum(axis=1)
    middle = (cut.start + cut.end) / 2
    able = np.flatnonzero((held >= 0.9 * held.max(initial=0)) & (held > 0) & (cut.sounding > 0))
    distance = np.abs(middle[able] - (start + end) / 2)
    order = np.lexsort((able, distance, -cut.sounding[able]))
    return np.sort(able[order][:n_patches])


def _covered(
    inputs: FloatArray, quiet: FloatArray, rows: list[NDArray[np.intp]], columns: NDArray[np.bool_]
) -> Iterator[tuple[int, FloatArray]]:
    """Yield each band's index and the patches with it covered in `columns`, unless that changes nothing."""
    lowered = np.where(columns[:, None, :], np.minimum(inputs, quiet), inputs)
    for band, members in enumerate(rows):
        if np.array_equal(lowered[:, members], inputs[:, members]):
            continue
        covered = inputs.copy()
        covered[:, members] = lowered[:, members]
        yield band, covered


def _with_rows(output: NetworkOutput, places: NDArray[np.intp], other: NetworkOutput) -> NetworkOutput:
    """Outputs of a track with those of some patches replaced."""
    exchanged = {}
    for field in fields(output):
        values = getattr(output, field.name).copy()
        values[places] = getattr(other, field.name)
        exchanged[field.name] = values
    return replace(output, **exchanged)


def _log_odds(probabilities: dict[str, float], label: str) -> float:
    rest = sum(p for other, p in probabilities.items() if other != label)
    tiny = np.finfo(np.float64).tiny
    return float(np.log(max(probabilities[label], tiny)) - np.log(max(rest, tiny)))

"""Which bands and moments of a track spoke for a genre: cover them one after another and ask again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters, patches
from classifier.core.audio import DEFAULT_LIMITS, AudioLimits, decode
from classifier.core.features import DEFAULT_PARAMS, FeatureParams, extract
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput
from classifier.core.patches import Patches, PatchParams

FloatArray = NDArray[np.float32]

BAND_EDGES_HZ = (0, 125, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000)
"""Octaves in the bass, halves of them where there is more to tell apart; the last band ends at Nyquist."""
SLICE_SECONDS = 2.0
MAX_SLICES = 36
MAX_RUNS = 400
"""Most runs of the network for one track, whatever its length."""
MAX_LOOKS = 4
NEGLIGIBLE = 0.05
"""A band or moment that moves the log-odds by less has said nothing."""
_QUIET_PERCENTILE = 10


class NotExplainableError(ValueError):
    """The method that answered does not hear bands and moments, so none can be covered."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the frequency or time axis, and its share of all that spoke the same way."""

    low: float
    high: float
    share: float


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """What each region of a track did for a genre.

    Attributes
    ----------
    label
        The genre.
    probability
        Its calibrated probability for the whole track, nothing covered.
    bands
        (n_bands + 1,) borders in hertz, from the lowest.
    slices
        (n_slices + 1,) borders in seconds, from 0 to the duration.
    effects
        (n_bands, n_slices) by how much the log-odds of the genre fall when the region is covered: positive
        where it spoke for the genre, negative where it spoke against it. Scaled so that one region of a short
        track and one of a long track can be compared: as if every patch had been the one that was covered.
    """

    label: str
    probability: float
    bands: NDArray[np.float64]
    slices: NDArray[np.float64]
    effects: FloatArray

    def bands_for(self) -> list[Part]:
        """The bands that spoke most for the genre over the whole track, the strongest first."""
        return strongest(self.effects.sum(axis=1), self.bands)

    def bands_against(self) -> list[Part]:
        """The bands that spoke most against it."""
        return strongest(-self.effects.sum(axis=1), self.bands)

    def moments_for(self) -> list[Part]:
        """The moments at which all bands together spoke most for it, in seconds, the strongest first."""
        return strongest(self.effects.sum(axis=0), self.slices)

    def moments_against(self) -> list[Part]:
        """The moments at which they spoke most against it."""
        return strongest(-self.effects.sum(axis=0), self.slices)


def explain_file(
    file: BinaryIO,
    *,
    classifier: Classifier,
    label: str | None = None,
    limits: AudioLimits = DEFAULT_LIMITS,
    params: FeatureParams = DEFAULT_PARAMS,
) -> Explanation:
    """Decode one track and explain it.

    Raises
    ------
    AudioError, OSError
        As for ``analysis.analyse``.
    ValueError
        As for ``explain``.
    """
    features = extract(decode(file, limits=limits).samples, params)
    return explain(features.mel_power, classifier=classifier, duration=features.duration, label=label)


def explain(
    mel_power: FloatArray, *, classifier: Classifier, duration: float, label: str | None = None
) -> Explanation:
    """Measure what each band and moment of a track did for a genre, by occlusion.

    Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), on the network's own
    input. A region is covered by lowering it to the quiet level of its own bands within the patch (their 10th
    percentile), but at most to the patch's mean, which is what SpecAugment's masks were filled with in
    training. So nothing is ever added, a covered region sounds as if an instrument paused, and the network
    has seen its like; zeros would be as loud as the loudest cells, and the floor a hole that no music has.

    The cost is bounded. Slices are `SLICE_SECONDS` long, longer where there would be more than `MAX_SLICES`
    of them, and every slice is judged in one to `MAX_LOOKS` of the patches that hold it, as many as
    `MAX_RUNS` allows: the fullest of sound, and of these the ones in whose middle it lies. A slice longer
    than a patch is thus judged by the patch at its middle.

    Parameters
    ----------
    mel_power
        (n_mels, n_frames) linear power, as `features` gives it.
    duration
        Length of the track in seconds.
    label
        The genre to explain; the likeliest one if not given.

    Raises
    ------
    ValueError
        The classifier does not know the label.
    NotExplainableError
        The classifier does not work on the spectrogram.
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
    looks = int(np.clip(MAX_RUNS // (n_slices * len(rows)), 1, MAX_LOOKS))
    seconds = _column_seconds(cut, classifier.patch_params)
    quiet = _quiet(cut.inputs)
    base = log_odds(output)
    effects = np.zeros((len(rows), n_slices), dtype=np.float32)
    for place, (start, end) in enumerate(pairwise(slices)):
        chosen = _patches_to_ask(cut, seconds, start, end, looks)
        if not len(chosen):
            continue
        columns = (seconds[chosen] >= start) & (seconds[chosen] < end)
        for band, covered in _covered(cut.inputs[chosen], quiet[chosen], rows, columns):
            changed = _with_rows(output, chosen, classifier.network.run(covered))
            effects[band, place] = (base - log_odds(changed)) * len(seconds) / len(chosen)
    return effects


def strongest(nets: NDArray[np.floating], bounds: NDArray[np.float64], k: int = 3) -> list[Part]:
    """Of stretches side by side, name those that make up most of what is positive.

    The strongest are taken until they have half of the sum, at most `k` of them, and none that has not half
    as much again as it would have if all were alike. Neighbours become one.

    Parameters
    ----------
    nets
        (n,) what each stretch did.
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
    """The mel rows of each band, and the borders of the bands in hertz; a band without a row is left out."""
    nyquist = params.sample_rate / 2
    centres = filters.mel_frequencies(params.n_mels + 2, params.sample_rate)[1:-1]
    of_row = np.searchsorted(BAND_EDGES_HZ, centres, side="right") - 1
    present = np.unique(of_row)
    edges = [float(BAND_EDGES_HZ[band]) for band in present]
    edges[0] = 0.0
    return [np.flatnonzero(of_row == band) for band in present], np.array([*edges, nyquist])


def _column_seconds(cut: Patches, params: PatchParams) -> NDArray[np.float64]:
    """Where in the track the middle of each column lies: (n_patches, n_columns) seconds.

    In a track shorter than a patch the columns after its end are its mirror image, and the moment that a
    column mirrors is covered together with it.
    """
    n_columns = cut.inputs.shape[2]
    own = np.clip(np.rint((cut.end[0] - cut.start[0]) / params.column_seconds).astype(int), 1, n_columns)
    index = np.pad(np.arange(own), (0, n_columns - own), mode="symmetric")
    return np.asarray(cut.start[:, None] + (index[None, :] + 0.5) * params.column_seconds)


def _quiet(inputs: FloatArray) -> FloatArray:
    """The level that each row of each patch is lowered to where it is covered: (n, n_mels, 1)."""
    own = np.percentile(inputs, _QUIET_PERCENTILE, axis=2, keepdims=True)
    mean = inputs.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.minimum(own, mean), dtype=np.float32)


def _patches_to_ask(
    cut: Patches, seconds: NDArray[np.float64], start: float, end: float, looks: int
) -> NDArray[np.intp]:
    """The patches in which a slice is judged; none where it is silent."""
    held = ((seconds >= start) & (seconds < end)).sum(axis=1)
    middle = (cut.start + cut.end) / 2
    able = np.flatnonzero((held >= 0.9 * held.max(initial=0)) & (held > 0) & (cut.sounding > 0))
    distance = np.abs(middle[able] - (start + end) / 2)
    order = np.lexsort((able, distance, -cut.sounding[able]))
    return np.sort(able[order][:looks])


def _covered(
    inputs: FloatArray, quiet: FloatArray, rows: list[NDArray[np.intp]], columns: NDArray[np.bool_]
) -> Iterator[tuple[int, FloatArray]]:
    """Each band's number and the patches with this band covered in `columns`, unless that changes nothing."""
    lowered = np.where(columns[:, None, :], np.minimum(inputs, quiet), inputs)
    for band, members in enumerate(rows):
        if np.array_equal(lowered[:, members], inputs[:, members]):
            continue
        covered = inputs.copy()
        covered[:, members] = lowered[:, members]
        yield band, covered


def _with_rows(output: NetworkOutput, places: NDArray[np.intp], other: NetworkOutput) -> NetworkOutput:
    """The outputs of a track with those of some patches exchanged."""
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

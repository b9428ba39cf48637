"""The methods of the evaluation, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.baselines import (
    FeatureMlp,
    GaussianKnn,
    Method,
    Sounds,
    StatisticsSvm,
    column_features,
    read_features,
)
from classifier.fitting.methods.context import Context
from classifier.fitting.methods.platform import DescriptorMlp, ResidualCnn, ShippedRelease
from classifier.fitting.methods.spectrogram import EfficientNetB0, MfccCnn
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe

__all__ = ["METHODS", "Average", "Context", "Entry"]


@dataclass(frozen=True, slots=True)
class Average:
    """Fits of other methods from one seed, of whose logits the weighted mean is taken; weights by method."""

    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Entry:
    """A method of the evaluation.

    Attributes
    ----------
    title
        Its name in the table.
    make
        Builds it, unfitted; cheap.
    seeded
        Whether the fit is random, so that several seeds are useful.
    of_release
        Whether its figures belong to one release; the others hold for every release on the same data.
    calibrated
        Whether its probabilities are final. The others get a temperature from what was held out.
    average
        The methods whose outputs are averaged, where nothing is fitted for it alone.
    unfit
        Why it cannot be measured, by protocol.
    """

    title: str
    make: Callable[[Context], Method]
    seeded: bool = False
    of_release: bool = False
    calibrated: bool = False
    average: Average | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)


def _feature_mlp(context: Context) -> FeatureMlp:
    if context.columns is None:

        def of_table(sounds: Sounds) -> NDArray[np.floating[Any]]:
            table = read_features(context.data)
            return np.stack([table[name] for name in sounds.names])

        return FeatureMlp(features=of_table, n_features=57)

    def of_columns(sounds: Sounds) -> NDArray[np.floating[Any]]:
        return np.stack([column_features(db) for db in sounds.examples.db])

    return FeatureMlp(features=of_columns, n_features=48)


_SHARE = DescriptorMlpRecipe().share
_TRAINED_ON = "What ships may have learnt from clips outside the filtered test part."

METHODS: Final[Mapping[str, Entry]] = {
    "release": Entry(
        "The shipped classifier, as it answers",
        lambda context: ShippedRelease(context.release),
        of_release=True,
        calibrated=True,
        unfit=dict.fromkeys(("track", "artist", "segment"), _TRAINED_ON),
    ),
    "residual_cnns": Entry(
        "The platform's networks, fitted anew and averaged as in what ships",
        ResidualCnn,
        seeded=True,
        of_release=True,
        average=Average({"residual_cnn": 1 - _SHARE, "descriptor_mlp": _SHARE}),
    ),
    "residual_cnn": Entry("The platform's network, fitted anew", ResidualCnn, seeded=True, of_release=True),
    "descriptor_mlp": Entry(
        "The platform's network on descriptors, fitted anew", DescriptorMlp, seeded=True, of_release=True
    ),
    "statistics_svm": Entry("SVM on spectrogram statistics", lambda context: StatisticsSvm()),
    "efficientnet_b0": Entry("EfficientNet-B0 on the spectrogram", EfficientNetB0, seeded=True),
    "mfcc_cnn": Entry("Small CNN on MFCCs", MfccCnn, seeded=True),
    "feature_mlp": Entry("MLP on summary features", _feature_mlp, seeded=True),
    "gaussian_knn": Entry("Gaussians of MFCCs, KL divergence, k-NN", lambda context: GaussianKnn()),
}
"""By name; the table lists them in this order."""

"""The registry of architectures: the name of each, its model file, what it needs, and how it is loaded.

How each is fitted is in `classifier.fitting.architectures`, under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from classifier.core.baseline_models import Neighbours, SummaryMlp
from classifier.core.litert import Network
from classifier.core.outputs import Runner
from classifier.core.patches import PatchParams

MODEL_FILE: Final = "model.tflite"
ARRAYS_FILE: Final = "model.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One kind of classifier.

    Attributes
    ----------
    name
        As stored in metadata and rows.
    title
        In English, for model cards.
    model_file
        The file that a version of it predicts from.
    needs
        What it reads of a clip: the columns of the mel spectrogram, or the 57 summary features, which are
        computed from the samples.
    is_network
        Whether it is a Keras network, with weights and a last layer that can be fitted anew.
    load
        Makes a runner of the content of the model file, the number of labels and the patch parameters; raises
        `ReleaseError` where the content is not valid.
    """

    name: str
    title: str
    model_file: str
    needs: Literal["columns", "summary"]
    is_network: bool
    load: Callable[[bytes, int, PatchParams], Runner]


def _network(model: bytes, n_labels: int, params: PatchParams) -> Runner:
    return Network(model)


def _neighbours(model: bytes, n_labels: int, params: PatchParams) -> Runner:
    return Neighbours.from_bytes(model, n_labels=n_labels, params=params)


def _summary_mlp(model: bytes, n_labels: int, params: PatchParams) -> Runner:
    return SummaryMlp.from_bytes(model, n_labels=n_labels)


RESIDUAL_CNN: Final = Architecture(
    name="residual-cnn",
    title="The platform's convolutional network",
    model_file=MODEL_FILE,
    needs="columns",
    is_network=True,
    load=_network,
)
EFFICIENTNET_B0: Final = Architecture(
    name="efficientnet-b0",
    title="EfficientNet-B0 on the spectrogram",
    model_file=MODEL_FILE,
    needs="columns",
    is_network=True,
    load=_network,
)
MFCC_KNN: Final = Architecture(
    name="mfcc-knn",
    title="Nearest neighbours of MFCCs",
    model_file=ARRAYS_FILE,
    needs="columns",
    is_network=False,
    load=_neighbours,
)
FEATURE_MLP: Final = Architecture(
    name="feature-mlp",
    title="A small network on 57 summary features",
    model_file=ARRAYS_FILE,
    needs="summary",
    is_network=False,
    load=_summary_mlp,
)

ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    each.name: each for each in (RESIDUAL_CNN, EFFICIENTNET_B0, MFCC_KNN, FEATURE_MLP)
}
"""By name, in the order in which they are offered."""

DEFAULT: Final = RESIDUAL_CNN
"""Of releases whose metadata name none, and of training runs that choose none."""

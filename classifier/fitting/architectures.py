"""How each architecture is fitted from the beginning on a site, by the names of the registry of the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from classifier.core.architectures import EFFICIENTNET_B0, FEATURE_MLP, MFCC_KNN, RESIDUAL_CNN, Architecture
from classifier.core.baseline_models import Neighbours, SummaryMlp
from classifier.core.patches import PatchParams
from classifier.fitting.artifact.writer import complete
from classifier.fitting.loop.task import FitTask, StoppedError
from classifier.fitting.methods import baselines
from classifier.fitting.networks import full_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitter:
    """How one architecture is fitted.

    Attributes
    ----------
    architecture
        Its entry in the registry of the core.
    epochs
        The usual number; None where there are none.
    seconds_per_clip
        Of one epoch, or of the fit where there are none, on one of two cores: an estimate until a site has
        measured its own.
    function
        Does the work of `fit`; raises `StoppedError` where it is stopped.
    """

    architecture: Architecture
    epochs: int | None
    seconds_per_clip: float
    function: Callable[[FitTask], None]

    def fit(self, task: FitTask) -> bool:
        """Write the files of a version into ``task.work``; False where it was stopped before the end.

        A call that was killed goes on after its last whole epoch from ``work/checkpoint``, which is left to
        the caller to remove.
        """
        try:
            self.function(replace(task, epochs=task.epochs or self.epochs))
        except StoppedError:
            return False
        return True


def _fit_neighbours(task: FitTask) -> None:
    model = baselines.neighbours(
        task.train, n_labels=len(task.labels), params=PatchParams(), should_stop=task.should_stop
    )
    _write_arrays(MFCC_KNN, task, model)


def _fit_summary_mlp(task: FitTask) -> None:
    model = baselines.summary_mlp(
        task.train,
        task.valid,
        n_labels=len(task.labels),
        epochs=task.epochs or 1,
        seed=task.seed,
        on_epoch=task.on_epoch,
        should_stop=task.should_stop,
    )
    _write_arrays(FEATURE_MLP, task, model)


def _write_arrays(architecture: Architecture, task: FitTask, model: Neighbours | SummaryMlp | None) -> None:
    """Write the files of a version that is no network; `model` is None where its fit was stopped."""
    if model is None:
        raise StoppedError
    task.work.mkdir(parents=True, exist_ok=True)
    (task.work / architecture.model_file).write_bytes(model.to_bytes())
    complete(architecture, task, {"patches": asdict(PatchParams())})


FITTERS: Final[Mapping[str, Fitter]] = {
    fitter.architecture.name: fitter
    for fitter in (
        Fitter(
            architecture=RESIDUAL_CNN, epochs=60, seconds_per_clip=0.07, function=full_run.fit_residual_cnn
        ),
        Fitter(
            architecture=EFFICIENTNET_B0, epochs=30, seconds_per_clip=0.25, function=full_run.fit_efficientnet
        ),
        Fitter(architecture=MFCC_KNN, epochs=None, seconds_per_clip=0.02, function=_fit_neighbours),
        Fitter(architecture=FEATURE_MLP, epochs=60, seconds_per_clip=0.0005, function=_fit_summary_mlp),
    )
}
"""By name, in the order in which they are offered."""

"""Two networks that are fitted side by side: one progress, and each as if it were fitted alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core import networks
from classifier.core.networks import DescriptorMlpParams
from classifier.fitting.loop.epochs import FitParams, NetworkFit, Part, fit_together, never_stop
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.loop.task import ShouldStop, StoppedError
from classifier.fitting.loop.validation import Validation
from classifier.fitting.networks.descriptor_mlp import CopiesParams, DescriptorMlpRecipe, descriptor_mlp_fit
from classifier.tests import test_training as task

# Networks are fitted here.
pytestmark = pytest.mark.slow

FIT = FitParams(epochs=3, learning_rate=0.01, average_decay=0.5)
RECIPE = DescriptorMlpRecipe(
    network=DescriptorMlpParams(hidden=8, n_embedding=4, norm_momentum=0.5),
    copies=CopiesParams(copies=1, batch_size=8),
    fit=FIT,
    share=0.25,
)


class KilledError(Exception):
    pass


def member(folder: Path, should_stop: ShouldStop = never_stop) -> NetworkFit:
    return NetworkFit(
        task.make_model(),
        task.make_feed(),
        FIT,
        checkpoint=folder / "member",
        identity="member",
        should_stop=should_stop,
    )


def mlp(folder: Path, should_stop: ShouldStop = never_stop) -> NetworkFit:
    return descriptor_mlp_fit(
        task.examples(16),
        [],
        n_labels=2,
        seed=1,
        patch_params=task.PATCHES,
        recipe=RECIPE,
        checkpoint=folder / "descriptors",
        should_stop=should_stop,
    )


def both(folder: Path, *, mlp_stop: ShouldStop = never_stop) -> list[Part]:
    valid = Validation(task.examples(6, seed=5), task.PATCHES)
    described = valid.through(networks.describer(task.PATCHES))
    return [Part(member(folder), 0.75, valid), Part(mlp(folder, mlp_stop), 0.25, described)]


def run(parts: list[Part], on_epoch: Callable[[EpochReport], None]) -> bool:
    return fit_together(parts, epochs=FIT.epochs, on_epoch=on_epoch)


def weights_of(parts: list[Part]) -> list[Any]:
    return [np.asarray(weights) for part in parts for weights in part.fit.model.get_weights()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Part], list[EpochReport]]:
    parts = both(tmp_path_factory.mktemp("undisturbed"))
    reports: list[EpochReport] = []
    assert run(parts, reports.append)
    return parts, reports


def test_there_is_one_progress_with_an_estimate_of_the_time_left(
    undisturbed: tuple[list[Part], list[EpochReport]],
) -> None:
    reports = undisturbed[1]
    assert [(report.epoch, report.epochs) for report in reports] == [(1, 3), (2, 3), (3, 3)]
    assert reports[-1].seconds_left == 0
    # The estimate covers both networks: it is made of whole epochs.
    assert reports[0].seconds_left == pytest.approx(2 * reports[0].seconds)
    assert reports[-1].loss < reports[0].loss


def test_each_network_is_fitted_as_it_would_be_alone(
    undisturbed: tuple[list[Part], list[EpochReport]], tmp_path: Path
) -> None:
    alone = mlp(tmp_path)
    assert fit_together([Part(alone, 1.0, None)], epochs=FIT.epochs, on_epoch=task.ignore)
    joined = undisturbed[0][1].fit.model
    for one, other in zip(alone.model.get_weights(), joined.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_validation_figures_are_those_of_the_joined_network(
    undisturbed: tuple[list[Part], list[EpochReport]],
) -> None:
    parts, reports = undisturbed
    joined = networks.assemble([parts[0].fit.model], mlp=parts[1].fit.model, mlp_share=0.25)
    valid = parts[0].valid
    assert valid is not None
    loss, accuracy = valid.figures(valid.logits(joined))
    assert reports[-1].val_loss == pytest.approx(loss, rel=1e-4)
    assert reports[-1].val_accuracy == accuracy


def test_killed_while_the_second_is_saved_it_goes_on_to_the_same_weights(
    undisturbed: tuple[list[Part], list[EpochReport]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = both(tmp_path)
    second = parts[1].fit
    save = NetworkFit.save

    def killed(fit: NetworkFit) -> None:
        if fit is second and fit.done == 2:
            raise KilledError
        save(fit)

    with monkeypatch.context() as patched:
        patched.setattr(NetworkFit, "save", killed)
        with pytest.raises(KilledError):
            run(parts, task.ignore)
    resumed = both(tmp_path)
    assert [part.fit.done for part in resumed] == [2, 1]
    reports: list[EpochReport] = []
    assert run(resumed, reports.append)
    assert [report.epoch for report in reports] == [2, 3]
    # The epoch is reported again with the figures that it had.
    assert reports[0].loss == pytest.approx(undisturbed[1][1].loss, rel=1e-4)
    for mine, whole in zip(weights_of(resumed), weights_of(undisturbed[0]), strict=True):
        np.testing.assert_allclose(mine, whole, rtol=1e-3, atol=1e-4)


def test_stopped_in_the_second_nothing_of_the_epoch_is_kept(tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    parts = both(tmp_path, mlp_stop=lambda: bool(reports))
    assert not run(parts, reports.append)
    assert [report.epoch for report in reports] == [1]
    assert [part.fit.done for part in both(tmp_path)] == [1, 1]


def test_it_can_be_stopped_while_descriptors_are_computed(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    with pytest.raises(StoppedError):
        mlp(tmp_path, lambda: next(answers))
    assert not (tmp_path / "descriptors").exists()

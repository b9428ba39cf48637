"""From a data set and a seed to a release folder: fit, calibrate, measure, export."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from classifier.core import dataset, networks
from classifier.core.artifact import MODEL_FILE, TRAINING_FOLDER
from classifier.core.dataset import Examples
from classifier.core.networks import WEIGHTS_FILE
from classifier.fitting.artifact.export import export
from classifier.fitting.artifact.weights import round_weights, save_weights
from classifier.fitting.evaluation.outputs import KerasRunner
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe, fit_descriptor_mlp
from classifier.fitting.networks.recipe import Recipe, fit_member, synthesise_outliers
from classifier.fitting.release.records import OutOfFoldOutputs, ReleaseClips, write_records
from classifier.releases import TRAINING_FILES

_RECIPE: Final = Recipe()


def train_release(
    *,
    data: Path,
    out: Path,
    seed: int,
    recipe: Recipe = _RECIPE,
    threads: int = 2,
    on_epoch: Callable[[str, EpochReport], None],
) -> Path:
    """Fit the platform's network and write a release folder.

    What ships is fitted on the train and validation parts together. Its calibration cannot be fitted on the
    same clips; it is fitted on the outputs of networks of the same recipe, each for the clips of artists
    that it was not fitted on.

    The work lies in a hidden folder beside `out` until it is whole: an interrupted call continues from its
    last epoch, and `out` is only ever a complete release.

    Parameters
    ----------
    on_epoch
        Called with the name of the network, such as "calibration fold 2 of 5", and the report of its epoch.

    Raises
    ------
    DatasetError
        The data set cannot be read.
    ExportError
        LiteRT and Keras disagree.
    """
    use_threads(threads)
    whole = dataset.load(data)
    sounds = synthesise_outliers(recipe, seed=seed * 2 + 1, count=recipe.n_outliers // 4)
    clips = ReleaseClips(whole, sounds=sounds)
    work = out.parent / f".{out.name}.partial"
    networks_of = _Networks(recipe, len(whole.labels), seed, work / "checkpoint", on_epoch)
    out_of_fold = []
    for place, (train, predicted) in enumerate(clips.divisions(recipe.calibration_folds)):
        network = networks_of.fitted(train, "calibration fold", place=place, places=recipe.calibration_folds)
        out_of_fold.append(OutOfFoldOutputs.predicted(KerasRunner(network), predicted, recipe.patches))
    model = networks_of.fitted(clips.fitted, "member")
    round_weights(model)
    export(model, work / MODEL_FILE, recipe.patches)
    save_weights(model, work / WEIGHTS_FILE)
    origin = {
        "name": out.name,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "parameters": int(model.count_params()),
        "network": asdict(recipe.network),
        **({"descriptor_mlp": asdict(recipe.descriptor_mlp.network)} if recipe.descriptor_mlp else {}),
        "patches": asdict(recipe.patches),
        "recipe": asdict(recipe),
    }
    write_records(work, origin, OutOfFoldOutputs.joined(out_of_fold), clips)
    _put_in_place(work, out)
    return out


@dataclass(frozen=True, slots=True)
class _Networks:
    """Fits what a release joins, each network from a seed and with a checkpoint of its own."""

    recipe: Recipe
    n_labels: int
    seed: int
    checkpoints: Path
    on_epoch: Callable[[str, EpochReport], None]

    def fitted(self, examples: Examples, kind: str, *, place: int = 0, places: int = 1) -> Any:
        """Fit the networks of one of `places` sets of examples of a kind and join them."""
        count = self.recipe.network.members
        first = place * count
        members = [self._member(examples, kind, first + k, places * count) for k in range(count)]
        if mlp_recipe := self.recipe.descriptor_mlp:
            mlp = self._mlp(examples, mlp_recipe, kind, place, places)
            return networks.assemble(members, mlp=mlp, mlp_share=mlp_recipe.share)
        return members[0] if count == 1 else networks.assemble(members)

    def _member(self, examples: Examples, kind: str, number: int, count: int) -> Any:
        return fit_member(
            examples,
            n_labels=self.n_labels,
            seed=self.seed + number,
            recipe=self.recipe,
            checkpoint=self.checkpoints / f"{kind}-{number}",
            on_epoch=lambda epoch: self.on_epoch(f"{kind} {number + 1} of {count}", epoch),
        )

    def _mlp(
        self, examples: Examples, mlp_recipe: DescriptorMlpRecipe, kind: str, place: int, places: int
    ) -> Any:
        seed = self.seed + place * self.recipe.network.members
        return fit_descriptor_mlp(
            examples,
            synthesise_outliers(self.recipe, seed=seed * 2, count=self.recipe.n_outliers),
            n_labels=self.n_labels,
            seed=seed,
            patch_params=self.recipe.patches,
            recipe=mlp_recipe,
            checkpoint=self.checkpoints / f"{kind}-{place}-descriptors",
            on_epoch=lambda epoch: self.on_epoch(f"{kind} on descriptors {place + 1} of {places}", epoch),
        )


def _put_in_place(work: Path, out: Path) -> None:
    shutil.rmtree(work / "checkpoint")
    (work / TRAINING_FOLDER).mkdir(exist_ok=True)
    for name in TRAINING_FILES:
        # The examples of the tagger's head are written when the release is joined with the tagger.
        if (work / name).exists():
            (work / name).replace(work / TRAINING_FOLDER / name)
    former = out.parent / f".{out.name}.former"
    if out.exists():
        out.replace(former)
    work.replace(out)
    shutil.rmtree(former, ignore_errors=True)

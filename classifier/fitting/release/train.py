"""From a data set and a seed to a release folder: fit, calibrate, measure, export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from classifier.core import dataset, networks
from classifier.core.artifact import TRAINING_FOLDER
from classifier.core.dataset import Examples
from classifier.core.inference import MODEL_FILE, Network
from classifier.core.networks import WEIGHTS_FILE, ResidualCnnParams
from classifier.core.patches import FloatArray, PatchParams
from classifier.fitting.artifact.embeddings import KerasRunner
from classifier.fitting.data import outliers
from classifier.fitting.data.feed import Feed, FeedParams
from classifier.fitting.loop.epochs import EpochReport, FitParams, fit, use_threads
from classifier.fitting.networks.descriptor_mlp import DescriptorMlpRecipe, fit_descriptor_mlp
from classifier.fitting.release.records import OutOfFoldOutputs, ReleaseClips, write_records
from classifier.releases import TRAINING_FILES

EXPORT_TOLERANCE = 1e-4
_WORTH_PACKING = 1000


class ExportError(Exception):
    """The exported network does not give what the trained one gives."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the data and the seed that decides a release.

    Parameters
    ----------
    network, feed, fit
        Of the members, the networks on whole patches.
    views
        Rows that each crop gives to a batch, each through other channels; they are to be heard as the same.
    descriptor_mlp
        The small network on descriptors joined with the members; None is none.
    calibration_folds
        Divisions of the clips by artist. For each, networks like those that ship are fitted on the clips
        outside it and answer for those inside: what temperature and thresholds are fitted on.
    n_outliers, outlier_seconds
        Synthetic sounds that are not music, and their length.
    """

    patches: PatchParams = field(default_factory=lambda: PatchParams(hop_columns=40))
    network: ResidualCnnParams = field(default_factory=lambda: ResidualCnnParams(descriptors=256))
    feed: FeedParams = field(default_factory=lambda: FeedParams(batch_size=16))
    fit: FitParams = field(default_factory=FitParams)
    views: int = 2
    descriptor_mlp: DescriptorMlpRecipe | None = field(default_factory=DescriptorMlpRecipe)
    calibration_folds: int = 3
    n_outliers: int = 200
    outlier_seconds: float = 13.0


def fit_network(
    examples: Examples,
    *,
    n_labels: int,
    seed: int,
    recipe: Recipe,
    checkpoint: Path,
    on_epoch: Callable[[EpochReport], None],
) -> Any:
    """Fit one network, a single member, on any examples; continues what an interrupted call left.

    Parameters
    ----------
    checkpoint
        Folder for the state after each epoch; the caller removes it.
    """
    model = networks.residual_cnn(n_labels=n_labels, patches=recipe.patches, params=recipe.network, seed=seed)
    feed = Feed(
        examples,
        sounds_of(recipe, seed=seed * 2, count=recipe.n_outliers),
        n_labels=n_labels,
        patch_params=recipe.patches,
        params=recipe.feed,
        seed=seed,
        views=recipe.views,
    )
    fit(
        model,
        feed,
        recipe.fit,
        checkpoint=checkpoint,
        identity=json.dumps({"recipe": asdict(_course(recipe)), "seed": seed, "tracks": len(examples)}),
        on_epoch=on_epoch,
    )
    return model


def train_release(
    *,
    data: Path,
    out: Path,
    seed: int,
    recipe: Recipe = Recipe(),
    threads: int = 2,
    on_epoch: Callable[[str, EpochReport], None],
) -> Path:
    """Fit the platform's network and write a release folder.

    What ships is fitted on the train and validation parts together. How its outputs are to be read cannot be
    learnt from clips it has seen; that is learnt before, from networks of the same recipe that have seen all
    clips but those of some artists.

    The work lies in a hidden folder beside `out` until it is whole: an interrupted call continues from its
    last epoch, and `out` is only ever a complete release.

    Parameters
    ----------
    on_epoch
        Called with the name of the network, such as "calibration fold 2 of 5", and what its epoch gave.

    Raises
    ------
    DatasetError
        The data set cannot be read.
    ExportError
        LiteRT and Keras disagree.
    """
    use_threads(threads)
    whole = dataset.load(data)
    material = ReleaseClips(whole, sounds=sounds_of(recipe, seed=seed * 2 + 1, count=recipe.n_outliers // 4))
    work = out.parent / f".{out.name}.partial"
    networks_of = _Networks(recipe, len(whole.labels), seed, work / "checkpoint", on_epoch)
    unseen = []
    for place, (learnt, asked) in enumerate(material.divisions(recipe.calibration_folds)):
        network = networks_of.fitted(learnt, "calibration fold", place=place, places=recipe.calibration_folds)
        unseen.append(OutOfFoldOutputs.heard(KerasRunner(network), asked, recipe.patches))
    model = networks_of.fitted(material.fitted, "member")
    shorten(model)
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
    write_records(work, origin, OutOfFoldOutputs.joined(unseen), material)
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
        return fit_network(
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
            sounds_of(self.recipe, seed=seed * 2, count=self.recipe.n_outliers),
            n_labels=self.n_labels,
            seed=seed,
            patch_params=self.recipe.patches,
            recipe=mlp_recipe,
            checkpoint=self.checkpoints / f"{kind}-{place}-descriptors",
            on_epoch=lambda epoch: self.on_epoch(f"{kind} on descriptors {place + 1} of {places}", epoch),
        )


def _course(recipe: Recipe) -> Recipe:
    """The recipe less what does not decide how one network is fitted."""
    return replace(
        recipe,
        patches=replace(recipe.patches, hop_columns=recipe.patches.n_columns),
        network=replace(recipe.network, members=1),
        descriptor_mlp=None,
        calibration_folds=1,
    )


def sounds_of(recipe: Recipe, *, seed: int, count: int) -> list[FloatArray]:
    """Decibels of `count` synthetic sounds that are not music."""
    return outliers.synthesise(count=count, seconds=recipe.outlier_seconds, params=recipe.patches, seed=seed)


def shorten(model: Any) -> None:
    """Round the weights to half precision, as they are saved; figures are those of the rounded network."""
    model.set_weights([np.asarray(w).astype(np.float16).astype(np.float32) for w in model.get_weights()])


def save_weights(model: Any, path: Path) -> None:
    """Save weights that `shorten` rounded as Keras does, but in less than half the room."""
    import h5py  # type: ignore[import-untyped]

    loose = path.with_name(f".{path.name}")
    model.save_weights(loose)
    with h5py.File(loose) as source, h5py.File(path, "w", libver="latest") as target:

        def copy(name: str, thing: Any) -> None:
            if isinstance(thing, h5py.Group):
                made = target.require_group(name)
            else:
                values = thing[()]
                if values.dtype == np.float32:
                    values = values.astype(np.float16)
                packed = {"compression": "gzip", "shuffle": True} if values.size > _WORTH_PACKING else {}
                made = target.create_dataset(name, data=values, **packed)
            made.attrs.update(thing.attrs)

        source.visititems(copy)
    loose.unlink()


def export(model: Any, path: Path, params: PatchParams) -> None:
    """Write a network as a LiteRT file that takes one patch at a time.

    Raises
    ------
    ExportError
        The file's outputs differ from the network's by more than 1e-4.
    """
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    outputs = {name: model.output[name] for name in ("logits", "music", "embedding")}
    served = keras.Model(model.input, outputs, name=model.name)
    signature = keras.InputSpec(
        shape=(1, params.n_mels, params.n_columns, 1), dtype="float32", name="patches"
    )
    served.export(path, format="litert", input_signature=[signature], verbose=False)
    inputs = np.random.default_rng(0).uniform(-2, 1, (4, params.n_mels, params.n_columns)).astype(np.float32)
    got = Network(path.read_bytes()).run(inputs)
    expected = served.predict(inputs[..., None], verbose=0)
    for name, value in (("logits", got.logits), ("music", got.music_logits), ("embedding", got.embeddings)):
        difference = float(np.abs(np.asarray(expected[name]).reshape(value.shape) - value).max())
        if difference > EXPORT_TOLERANCE:
            raise ExportError(f"The exported {name} differ from the network's by {difference:.1e}.")


def _put_in_place(work: Path, out: Path) -> None:
    shutil.rmtree(work / "checkpoint")
    (work / TRAINING_FOLDER).mkdir(exist_ok=True)
    for name in TRAINING_FILES:
        (work / name).replace(work / TRAINING_FOLDER / name)
    former = out.parent / f".{out.name}.former"
    if out.exists():
        out.replace(former)
    work.replace(out)
    shutil.rmtree(former, ignore_errors=True)

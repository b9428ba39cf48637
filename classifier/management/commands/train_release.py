"""Reproduce the shipped classifier from the data and a seed."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.core import tagger
from classifier.core.dataset import DatasetError
from classifier.core.errors import ReleaseError
from classifier.fitting.artifact.export import ExportError
from classifier.fitting.evaluation.outside import measuring
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.networks.recipe import Recipe
from classifier.fitting.release import ensemble
from classifier.fitting.release.train import train_release
from classifier.releases import current_release


class Command(BaseCommand):
    help = "Train the platform's network and write a release folder. Continues where it was interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, help="folder with tracks.csv and logmel_999.npz"
        )
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--out", type=Path, default=current_release(), help="release folder to write")
        parser.add_argument(
            "--network-of", type=Path, help="take the network of this release folder instead of fitting one"
        )
        parser.add_argument(
            "--other-sounds",
            type=Path,
            help="folder of recorded sounds that are not music, a folder each",
        )
        parser.add_argument("--epochs", type=int, default=Recipe().fit.epochs)
        parser.add_argument("--threads", type=int, default=2, help="CPU threads to use (default: 2)")

    def handle(self, *args: Any, **options: Any) -> None:
        recipe = Recipe()
        recipe = replace(recipe, fit=replace(recipe.fit, epochs=options["epochs"]))
        out: Path = options["out"]
        former: Path | None = options["network_of"]
        if former is not None and out.exists():
            raise CommandError(f"{out} is there already.")
        try:
            if former is None:
                train_release(
                    data=options["data"],
                    out=out,
                    seed=options["seed"],
                    recipe=recipe,
                    threads=options["threads"],
                    on_epoch=self._report,
                )
            else:
                ensemble.with_network_of(former, out)
            self._join(out, options["data"], options["other_sounds"])
            self._measure(out, options["data"])
        except (DatasetError, ExportError, ReleaseError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"Wrote {out}; its MODEL_CARD.md says how good it is."))

    def _join(self, out: Path, data: Path, other_sounds: Path | None) -> None:
        """Join the release with the tagger, where both the tagger and sound to fit a head on are there."""
        installed = tagger.installed()
        if installed is None or not ensemble.has_sound(data):
            missing = "no sound in the data folder" if installed else "no tagger in this environment"
            self.stderr.write(f"The release is the network alone: there is {missing}.")
            return
        ensemble.add_ensemble(
            out, data=data, tagger=installed, other_sounds=other_sounds, on_clip=self._report_clip
        )

    def _report_clip(self, done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            self.stdout.write(f"head on the tagger  {done}/{total} clips")

    def _measure(self, out: Path, data: Path) -> None:
        """Measure the release on other music and recordings, where there are any."""
        found = measuring.present(data)
        if not found:
            self.stdout.write("No other music lies beside the data: `manage.py evaluate --help` tells which.")
            return
        measuring.measure(out, measuring.Sources(data), found, on_progress=self._report_tracks)

    def _report_tracks(self, protocol: str, done: int, total: int) -> None:
        if done == total:
            self.stdout.write(f"{protocol}: {total} measured")
            self.stdout.flush()

    def _report(self, network: str, report: EpochReport) -> None:
        minutes, seconds = divmod(round(report.seconds_left), 60)
        self.stdout.write(
            f"{network}  epoch {report.epoch}/{report.epochs}  loss {report.loss:.3f}  "
            f"{report.seconds:.1f} s  {minutes}:{seconds:02d} left"
        )
        self.stdout.flush()

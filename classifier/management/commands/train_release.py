"""Reproduce the shipped classifier from the data and a seed."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.core.dataset import DatasetError
from classifier.fitting.artifact.export import ExportError
from classifier.fitting.loop.reports import EpochReport
from classifier.fitting.networks.recipe import Recipe
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
        parser.add_argument("--epochs", type=int, default=Recipe().fit.epochs)
        parser.add_argument("--threads", type=int, default=2, help="CPU threads to use (default: 2)")

    def handle(self, *args: Any, **options: Any) -> None:
        recipe = Recipe()
        recipe = replace(recipe, fit=replace(recipe.fit, epochs=options["epochs"]))
        try:
            out = train_release(
                data=options["data"],
                out=options["out"],
                seed=options["seed"],
                recipe=recipe,
                threads=options["threads"],
                on_epoch=self._report,
            )
        except (DatasetError, ExportError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"Wrote {out}; its MODEL_CARD.md says how good it is."))

    def _report(self, network: str, report: EpochReport) -> None:
        minutes, seconds = divmod(round(report.seconds_left), 60)
        self.stdout.write(
            f"{network}  epoch {report.epoch}/{report.epochs}  loss {report.loss:.3f}  "
            f"{report.seconds:.1f} s  {minutes}:{seconds:02d} left"
        )
        self.stdout.flush()

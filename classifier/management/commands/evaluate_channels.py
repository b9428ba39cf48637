"""Measure a release on real music after real convolution, noise and codecs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.core.dataset import DatasetError
from classifier.core.inference import ReleaseError
from classifier.fitting.evaluation import real_channels
from classifier.releases import current_release
from classifier.releases.real_channels import JSON_FILE


class Command(BaseCommand):
    help = (
        "Ask a release about clips that have sound, clean and after loudspeakers, rooms, noise and codecs, "
        "and write what it said into the release folder."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with tracks.csv and audio/")
        parser.add_argument("--out", type=Path, default=current_release(), help="release folder to measure")
        parser.add_argument("--clips", type=int, help="clips to use, of each genre alike (default: all)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["clips"] is not None and options["clips"] < 1:
            raise CommandError("--clips is at least 1.")
        try:
            content = real_channels.measure(
                data=options["data"],
                release=options["out"],
                most=options["clips"],
                on_progress=self._report,
            )
        except (DatasetError, ReleaseError) as error:
            raise CommandError(str(error)) from error
        real_channels.write(content, options["out"])
        for part, words in (("test", "of the test part"), ("all", "of all parts")):
            self._say(content[part], words)
        self.stdout.write(f"Wrote {options['out'] / JSON_FILE}.")

    def _say(self, figures: Mapping[str, Any], words: str) -> None:
        for name, row in {"clean": figures["clean"], **figures["channels"]}.items():
            right, same = 100 * row["accuracy"], 100 * row["agreement"]
            self.stdout.write(f"{name:12}  right {right:5.1f} %  as when clean {same:5.1f} %")
        agreement = figures["agreement"]
        self.stdout.write(
            f"Of {figures['clips']} clips {words} in {len(figures['channels'])} channels "
            f"{100 * agreement['value']:.1f} % are heard as when clean ({100 * agreement['low']:.1f} to "
            f"{100 * agreement['high']:.1f})."
        )

    def _report(self, done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            self.stdout.write(f"{done}/{total} clips")
            self.stdout.flush()

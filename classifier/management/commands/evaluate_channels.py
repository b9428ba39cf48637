"""Measure a release on real music after real convolution, noise and codecs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError

from classifier.core.dataset import DatasetError, Part
from classifier.core.inference import ReleaseError
from classifier.fitting import real_channels
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
        parser.add_argument(
            "--part", choices=get_args(Part), default="test", help="part of the data (default: test)"
        )
        parser.add_argument("--clips", type=int, default=80, help="clips to use (default: 80)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["clips"] < 1:
            raise CommandError("--clips is at least 1.")
        try:
            content = real_channels.measure(
                data=options["data"],
                release=options["out"],
                part=options["part"],
                most=options["clips"],
                on_progress=self._report,
            )
        except (DatasetError, ReleaseError) as error:
            raise CommandError(str(error)) from error
        real_channels.write(content, options["out"])
        for name, row in {"clean": content["clean"], **content["channels"]}.items():
            right, same = 100 * row["accuracy"], 100 * row["agreement"]
            self.stdout.write(f"{name:12}  right {right:5.1f} %  as when clean {same:5.1f} %")
        agreement = content["agreement"]
        self.stdout.write(
            f"Of {content['clips']} clips in {len(content['channels'])} channels "
            f"{100 * agreement['value']:.1f} % are heard as when clean ({100 * agreement['low']:.1f} to "
            f"{100 * agreement['high']:.1f}). Wrote {options['out'] / JSON_FILE}."
        )

    def _report(self, done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            self.stdout.write(f"{done}/{total} clips")
            self.stdout.flush()

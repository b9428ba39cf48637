"""Measure the lenses by which similar tracks are found."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.core import tagger as taggers
from classifier.core.dataset import DatasetError
from classifier.fitting.evaluation import similarity
from classifier.releases.similarity import JSON_FILE


class Command(BaseCommand):
    help = (
        "Measure every lens on the whole clips of a data folder: whether half a clip finds its other half, "
        "whether the nearest by other artists share the genre, and whether some are recommended too often. "
        "Prints a table and writes the figures that the page “How good is it?” shows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with tracks.csv and audio/")
        parser.add_argument("--out", type=Path, default=JSON_FILE, help="file to write")
        parser.add_argument(
            "--altered",
            type=int,
            default=40,
            help="clips to measure also in other encodings, levels and speeds and with noise (default: 40)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["altered"] < 0:
            raise CommandError("--altered is at least 0.")
        tagger = taggers.installed()
        data = options["data"] / "gtzan" if (options["data"] / "gtzan").is_dir() else options["data"]
        try:
            content = similarity.measure(data, tagger, altered=options["altered"], on_progress=self._report)
        except DatasetError as error:
            raise CommandError(str(error)) from error
        similarity.write(content, options["out"])
        for line in similarity.table(content):
            self.stdout.write(line)
        if tagger is None:
            self.stdout.write("Measured without the pre-trained tagger: there is no sound, mood and blend.")
        self.stdout.write(f"Wrote {options['out']}.")

    def _report(self, done: int, total: int) -> None:
        if done % 25 == 0 or done == total:
            self.stdout.write(f"{done}/{total}")
            self.stdout.flush()

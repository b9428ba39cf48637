"""Fingerprint the frozen test set anew, after the fingerprint itself has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import testset
from classifier.core import dataset


class Command(BaseCommand):
    help = "Write classifier/releases/frozen_prints.npz from the log-mel file of the data set."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with tracks.csv, logmel_999.npz")
        parser.add_argument("--out", type=Path, default=testset.PATH)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prints = testset.of_test_part(dataset.load(options["data"]))
        except dataset.DatasetError as error:
            raise CommandError(str(error)) from error
        prints.save(options["out"])
        self.stdout.write(f"{len(prints.names)} clips, {prints.words.size} words: {options['out']}")

"""Fingerprint the clips that shipped versions know, after the fingerprint or the data have changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import testset
from classifier.core import dataset

_FILES: Mapping[Path, tuple[dataset.Part, ...]] = {
    testset.PATH: ("test",),
    testset.FITTED_PATH: ("train", "valid"),
}


class Command(BaseCommand):
    help = "Write classifier/releases/{test,fitted}_clips.npz from the log-mel file of the data set."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with tracks.csv, logmel_999.npz")
        parser.add_argument("--out", type=Path, default=testset.PATH.parent, help="folder to write to")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            whole = dataset.load(options["data"])
        except dataset.DatasetError as error:
            raise CommandError(str(error)) from error
        for path, parts in _FILES.items():
            index, target = testset.index_of(whole, *parts), options["out"] / path.name
            index.save(target)
            self.stdout.write(f"{len(index.names)} clips, {index.words.size} words: {target}")
